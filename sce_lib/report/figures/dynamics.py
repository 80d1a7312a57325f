"""How clean and flipped samples of hard and easy classes fare over training: chapter 6."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from matplotlib.figure import Figure

from sce_lib.experiments.ledger import GroupRecord, RunRecord, StageRecord
from sce_lib.report.claims import Evidence
from sce_lib.report.figures import style

# Measure of a group of samples and what the axis calls it.
MEASURES = {
    "accuracy": "predicted as their true class (%)",
    "confidence": "mean confidence at the true class (%)",
    "fitted": "predicted as their given label (%)",
    "margin": "mean margin of the given label",
    "gradient_share": "share of the gradient (%)",
}
_CLEAN, _FLIPPED = style.STAGE_COLORS[:2]


def evolution(settings: Sequence[Sequence[RunRecord]], evidence: Evidence, measure: str) -> Figure:
    """Draw a measure of four groups of training samples at the stages of training, a panel a setting.

    The groups are the clean and the flipped samples of the hard and of the easy classes; records keep the
    confidence of the clean ones alone. Lines are means over seeds, bands span them.

    Parameters
    ----------
    settings, evidence
        As of `sce_lib.report.figures.classwise_curves`.
    measure : str
        A key of `MEASURES`. A group's share of the gradient is the sum over its classes; else its value is
        the mean over its samples.

    Raises
    ------
    ValueError
        For a measure that is not known.
    """
    if measure not in MEASURES:
        raise ValueError(f"measure {measure!r} is not known; known are {', '.join(MEASURES)}")
    figure, axes = style.panels(len(settings))
    scale = 1 if measure == "margin" else 100
    parts = {"clean": _CLEAN} if measure == "confidence" else {"clean": _CLEAN, "flipped": _FLIPPED}
    groups = {"hard": (evidence.hard, "-o"), "easy": (evidence.easy, "--s")}
    for axis, records in zip(axes, settings, strict=True):
        epochs = [stage.epoch for stage in records[0].stages]
        for (part, colour), (name, (classes, line)) in product(parts.items(), groups.items()):
            values = [[_value(stage, part, measure, classes) for stage in r.stages] for r in records]
            look = {"color": colour, "alpha": 0.15, "label": f"{part}, {name} classes"}
            style.line_with_range(axis, epochs, scale * np.array(values), line, **look)
        axis.set(title=records[0].config.setting, xlabel="epoch")
    if measure != "margin":
        axes[0].set_ylim(bottom=0)  # so that heights compare; the panels share one scale
    style.label_heights(axes, MEASURES[measure])
    style.legend(figure, axes, ncols=2, fontsize="small")
    return style.finish(figure, *settings)


def group_value(group: GroupRecord, measure: str, classes: np.ndarray) -> float:
    """Return a measure of a group's samples in some classes: their share's sum, else their mean.

    NaN where the classes have no sample in the group, as flipped ones on clean labels.
    """
    values = np.array(getattr(group, measure), dtype=float)[classes]
    return float(values.sum()) if measure == "gradient_share" else _mean(values, group, classes)


def _value(stage: StageRecord, part: str, measure: str, classes: np.ndarray) -> float:
    if measure != "confidence":
        return group_value(getattr(stage, part), measure, classes)
    at_true_class = np.diag(np.array(stage.confidence, dtype=float))
    return _mean(at_true_class[classes], stage.clean, classes)


def _mean(values: np.ndarray, group: GroupRecord, classes: np.ndarray) -> float:
    """Return the mean over the samples of a group in some classes, from the means of each class."""
    counts = np.array(group.count)[classes]
    there = counts > 0
    return float(np.average(values[there], weights=counts[there])) if there.any() else float("nan")


def fitted_share(stage: StageRecord, part: str = "all") -> float:
    """Return the portion of training samples that are predicted as the label they were given.

    Parameters
    ----------
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
    groups = (stage.clean, stage.flipped)
    shares = [group_value(group, "fitted", classes) for group in groups]
    return float(np.average(np.nan_to_num(shares), weights=[sum(group.count) for group in groups]))


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
    if len(settings) > len(style.STAGE_COLORS):
        raise ValueError(f"up to {len(style.STAGE_COLORS)} settings are drawn, not {len(settings)}")
    figure, (training, testing) = style.panels(2)
    for colour, marker, (name, records) in zip(style.STAGE_COLORS, "osD^", settings.items(), strict=False):
        looks = [stage.epoch for stage in records[0].stages]
        fits = 100 * np.array([[fitted_share(stage) for stage in record.stages] for record in records])
        line = {"color": colour, "alpha": 0.15, "label": name}
        style.line_with_range(training, looks, fits, f"-{marker}", **line)
        style.line_with_range(testing, *style.over_epochs(records), "-", **line)
    training.set(title="training images", xlabel="epoch", ylabel="predicted as the given label (%)")
    testing.set(title="test images", xlabel="epoch", ylabel="predicted as their true class (%)")
    training.set_ylim(0, 103)
    style.legend(figure, [training], ncols=len(settings))
    return style.finish(figure, *settings.values())
