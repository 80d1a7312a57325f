"""How clean and flipped samples of hard and easy classes fare over training: chapter 6."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from sce_lib.experiments.ledger import GroupRecord, RunRecord, StageRecord
from sce_lib.report.claims import Evidence
from sce_lib.report.figures.style import STAGE_COLORS, finish, line_with_range, panels

# Measure of a group of samples and what the axis calls it.
MEASURES = {
    "accuracy": "predicted as their true class (%)",
    "confidence": "mean confidence at the true class (%)",
    "fitted": "predicted as their given label (%)",
    "margin": "mean margin of the given label",
    "gradient_share": "share of the gradient (%)",
}
_PER_CENT = ("accuracy", "confidence", "fitted", "gradient_share")
_CLEAN, _FLIPPED = STAGE_COLORS[0], STAGE_COLORS[1]


def evolution(settings: Sequence[Sequence[RunRecord]], evidence: Evidence, measure: str) -> Figure:
    """Draw a measure of four groups of training samples at the stages of training, a panel a setting.

    The groups are the clean and the flipped samples of the hard and of the easy classes; records keep the
    confidence of the clean ones alone. Lines are means over seeds, bands span them.

    Parameters
    ----------
    settings : sequence of sequences of RunRecord
        For each panel its runs, which differ in seed alone.
    evidence : Evidence
        Which classes are hard and which are easy.
    measure : str
        A key of `MEASURES`: ``"accuracy"``, ``"confidence"``, ``"fitted"``, ``"margin"``,
        ``"gradient_share"``. A group's share of the gradient is the sum over its classes; else its value is
        the mean over its samples.

    Raises
    ------
    ValueError
        For a measure that is not known.
    """
    if measure not in MEASURES:
        raise ValueError(f"measure {measure!r} is not known; known are {', '.join(MEASURES)}")
    figure, axes = panels(len(settings))
    scale = 100 if measure in _PER_CENT else 1
    parts = {"clean": _CLEAN} if measure == "confidence" else {"clean": _CLEAN, "flipped": _FLIPPED}
    for axis, records in zip(axes, settings, strict=True):
        epochs = [stage.epoch for stage in records[0].stages]
        for part, colour in parts.items():
            for classes, name, line in (
                (evidence.hard, "hard", "-o"),
                (evidence.easy, "easy", "--s"),
            ):
                values = scale * np.array(
                    [
                        [_stage_value(stage, part, measure, classes) for stage in record.stages]
                        for record in records
                    ]
                )
                label = f"{part}, {name} classes"
                line_with_range(axis, epochs, values, line, color=colour, alpha=0.15, label=label)
        axis.set(title=records[0].config.setting, xlabel="epoch")
    if measure in _PER_CENT:
        axes[0].set_ylim(bottom=0)  # so that heights compare; the panels share one scale
    for axis in axes[:: min(2, len(axes))]:
        axis.set_ylabel(MEASURES[measure])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return finish(figure, [record for records in settings for record in records])


def group_value(group: GroupRecord, measure: str, classes: np.ndarray) -> float:
    """Return a measure of a group's samples in some classes: their share's sum, else their mean.

    NaN where the classes have no sample in the group, as flipped ones on clean labels.
    """
    values = np.array(getattr(group, measure), dtype=float)[classes]
    return float(values.sum()) if measure == "gradient_share" else _mean(values, group, classes)


def _stage_value(stage: StageRecord, part: str, measure: str, classes: np.ndarray) -> float:
    if measure != "confidence":
        return group_value(getattr(stage, part), measure, classes)
    at_true_class = np.diag(np.array(stage.confidence, dtype=float))
    return _mean(at_true_class[classes], stage.clean, classes)


def _mean(values: np.ndarray, group: GroupRecord, classes: np.ndarray) -> float:
    """Return the mean over the samples of a group in some classes, from the means of each class."""
    counts = np.array(group.count)[classes]
    if counts.sum() == 0:
        return float("nan")
    return float(np.average(values[counts > 0], weights=counts[counts > 0]))


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
