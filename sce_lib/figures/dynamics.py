"""How clean and flipped samples of hard and easy classes fare over training: chapter 6."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from sce_lib.claims import Evidence
from sce_lib.figures.style import STAGE_COLORS, finish, line_with_range, panels, setting_name
from sce_lib.ledger import GroupRecord, RunRecord, StageRecord

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
        axis.set(title=setting_name(records[0]), xlabel="epoch")
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
