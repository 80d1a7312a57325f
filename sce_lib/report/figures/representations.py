"""Figures 2 and 7: what the network represents, in the plane."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from sce_lib.experiments.ledger import RunRecord
from sce_lib.report.claims import Evidence
from sce_lib.report.figures.style import METHOD_COLORS, finish, panels

_HARDEST = METHOD_COLORS["sl"]


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
    for record in shown:
        if record.embedding is None:
            raise ValueError(f"the record of {record.run_id} has no embedding; its config asks for none")
    figure, axes = panels(len(settings))
    colours = plt.get_cmap("viridis")(np.linspace(0.0, 0.92, len(evidence.ranking)))
    for axis, record in zip(axes, shown, strict=True):
        points, labels = _points(record)
        for place, label in reversed(list(enumerate(evidence.ranking))):
            style = {"marker": "x", "color": _HARDEST} if place == 0 else {"color": colours[place]}
            x, y = points[labels == label].T
            axis.scatter(x, y, s=14 if place == 0 else 7, linewidths=1, label=record.classes[label], **style)
        axis.set(title=record.config.setting, xticks=[], yticks=[], aspect="equal")
        axis.set(xlabel="first t-SNE coordinate", xlim=(-1.05, 1.05), ylim=(-1.05, 1.05))
        axis.grid(visible=False)
    for axis in axes[:: min(2, len(axes))]:
        axis.set_ylabel("second t-SNE coordinate")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(
        handles[::-1],
        names[::-1],
        loc="outside right center",
        frameon=False,
        fontsize="small",
        title="hardest first",
    )
    return finish(figure, [record for records in settings for record in records])


def _points(record: RunRecord) -> tuple[np.ndarray, np.ndarray]:
    """Return points moved and scaled into [-1, 1] (t-SNE's own place and scale mean nothing), and labels."""
    assert record.embedding is not None  # the caller has looked
    points = record.embedding.points
    points -= (points.max(axis=0) + points.min(axis=0)) / 2
    return points / max(np.abs(points).max(), np.finfo(float).tiny), np.array(record.embedding.labels)
