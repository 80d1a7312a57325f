"""What a network fits and what it learns, over training: chapter 1."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from sce_lib.figures.dynamics import group_value
from sce_lib.figures.style import STAGE_COLORS, finish, line_with_range, panels
from sce_lib.ledger import RunRecord, StageRecord


def fitted_share(stage: StageRecord, part: str = "all") -> float:
    """Return the portion of training samples that are predicted as the label they were given.

    Parameters
    ----------
    stage : StageRecord
        A look at the training set.
    part : {"all", "clean", "flipped"}
        Which samples; NaN where there are none, as flipped ones on clean labels.

    Raises
    ------
    ValueError
        For another part.
    """
    if part not in ("all", "clean", "flipped"):
        raise ValueError(f"part {part!r} is not known; known are all, clean, flipped")
    classes = np.arange(len(stage.predicted))
    if part != "all":
        return group_value(getattr(stage, part), "fitted", classes)
    sizes = [sum(group.count) for group in (stage.clean, stage.flipped)]
    shares = [group_value(group, "fitted", classes) for group in (stage.clean, stage.flipped)]
    return float(np.average(np.nan_to_num(shares), weights=sizes))


def memorisation(settings: Mapping[str, Sequence[RunRecord]]) -> Figure:
    """Draw accuracy on the given labels of training images beside that on the true ones of test images.

    Lines are means over seeds, bands span them. The training images are looked at after a few epochs, where
    the markers are; the test images after each.

    Parameters
    ----------
    settings : mapping of str to sequence of RunRecord
        For each line's name its runs, which differ in seed alone; four lines at most.

    Raises
    ------
    ValueError
        For more lines than there are colours.
    """
    if len(settings) > len(STAGE_COLORS):
        raise ValueError(f"up to {len(STAGE_COLORS)} settings are drawn, not {len(settings)}")
    figure, (training, testing) = panels(2)
    for colour, marker, (name, records) in zip(STAGE_COLORS, "osD^", settings.items(), strict=False):
        looks = [stage.epoch for stage in records[0].stages]
        fits = [[fitted_share(stage) for stage in record.stages] for record in records]
        epochs = [entry.epoch for entry in records[0].epochs]
        tests = [[entry.test_accuracy for entry in record.epochs] for record in records]
        for axis, x, values, style in ((training, looks, fits, f"-{marker}"), (testing, epochs, tests, "-")):
            line_with_range(axis, x, 100 * np.array(values), style, color=colour, alpha=0.15, label=name)
    training.set(title="training images", xlabel="epoch", ylabel="predicted as the given label (%)")
    testing.set(title="test images", xlabel="epoch", ylabel="predicted as their true class (%)")
    training.set_ylim(0, 103)
    handles, labels = training.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return finish(figure, [record for records in settings.values() for record in records])
