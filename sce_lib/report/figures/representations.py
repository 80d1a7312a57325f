"""Figures 2 and 7: what the network represents, in the plane."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from sce_lib.experiments.ledger import RunRecord
from sce_lib.report.claims import Evidence
from sce_lib.report.escape import mathtext
from sce_lib.report.figures import style


def embeddings(settings: Sequence[Sequence[RunRecord]], evidence: Evidence) -> Figure:
    """Draw t-SNE embeddings of test images' features, a panel a setting: Figs. 2 and 7.

    Parameters
    ----------
    settings : sequence of sequences of RunRecord
        For each panel its runs; that of the lowest seed is drawn, since embeddings have no mean.
    evidence : Evidence
        Which classes are hard: dots go from dark (hard) to light (easy), and the hardest class has crosses.

    Raises
    ------
    ValueError
        For a run whose record has no embedding.
    """
    shown = [min(records, key=lambda record: record.config.seed) for records in settings]
    drawn = [_points(record) for record in shown]
    figure, axes = style.panels(len(settings))
    colours = style.hard_to_easy(len(evidence.ranking))
    for axis, record, (points, labels) in zip(axes, shown, drawn, strict=True):
        for place, label in reversed(list(enumerate(evidence.ranking))):
            dots = {"s": 7, "color": colours[place]}
            look = dots if place else {"s": 14, "marker": "x", "color": style.METHOD_COLORS["sl"]}
            axis.scatter(
                *points[labels == label].T, linewidths=1, label=mathtext(record.classes[label]), **look
            )
        axis.set(title=record.config.setting, xticks=[], yticks=[], aspect="equal")
        axis.set(xlabel="first t-SNE coordinate", xlim=(-1.05, 1.05), ylim=(-1.05, 1.05))
        axis.grid(visible=False)
    style.label_heights(axes, "second t-SNE coordinate")
    beside = {"fontsize": "small", "title": "hardest first", "reverse": True}
    style.legend(figure, axes, "outside right center", **beside)
    return style.finish(figure, *settings)


def _points(record: RunRecord) -> tuple[np.ndarray, np.ndarray]:
    """Return points moved and scaled into [-1, 1] (t-SNE's own place and scale mean nothing), and labels."""
    if record.embedding is None:
        raise ValueError(f"the record of {record.run_id} has no embedding; its config asks for none")
    points = record.embedding.points
    points -= (points.max(axis=0) + points.min(axis=0)) / 2
    return points / max(np.abs(points).max(), np.finfo(float).tiny), np.array(record.embedding.labels)
