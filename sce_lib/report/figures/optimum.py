"""Figures of what SL optimises: its optimum, the time to reach it, what noise costs, calibration."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sce_lib import theory
from sce_lib.metrics import Reliability
from sce_lib.report.figures import style
from sce_lib.report.figures.theory import Array, Setting, colour, line


def _setting(index: int, name: str) -> dict[str, Any]:
    """Return how the line of a loss is drawn: in its method's colour, whatever its hyperparameters."""
    return line(index, name) | {"color": colour(name.partition("(")[0], index)}


def optimum_and_time(settings: Mapping[str, Setting], most_classes: int = 1000) -> Figure:
    """Draw the best p_y over the posterior, and the time to learn over the number of classes.

    `settings` are (α, β, A) by name. The posterior is of two classes; time is gradient flow's, from a uniform
    prediction to p_y = ½.
    """
    figure, [[best, time]] = style.rows_of_panels(1, 2)
    posterior = np.linspace(0.001, 0.999, 501)
    joint = np.stack([posterior, 1 - posterior], axis=1)
    counts = np.unique(np.geomspace(3, most_classes, 60).astype(int))
    for index, (name, (alpha, beta, A)) in enumerate(settings.items()):
        optimum = theory.optimal_classifier(joint, alpha, beta, A)[:, 0]
        best.plot(posterior, optimum, **_setting(index, name))
        times = [theory.learning_time(int(classes), alpha, beta, A) for classes in counts]
        time.plot(counts, times, **_setting(index, name))
    best.set(xlabel="probability of the class, given x", ylabel="best prediction for it")
    time.set(xlabel="number of classes K", ylabel="time to learn a sample", xscale="log", yscale="log")
    style.legend(figure, [best], ncols=4, fontsize="small")
    return style.finish(figure)


def learning_curves(class_counts: Sequence[int], settings: Mapping[str, Setting]) -> Figure:
    """Draw p_y over time under gradient flow, a panel a number of classes, a curve for each (α, β, A)."""
    figure, [axes] = style.rows_of_panels(1, len(class_counts), sharey=True)
    for axis, classes in zip(axes, class_counts, strict=True):
        p_y = np.linspace(1 / classes + 1e-6, 0.97, 400)
        for index, (name, (alpha, beta, A)) in enumerate(settings.items()):
            times = theory.learning_time(classes, alpha, beta, A, end=p_y)
            axis.plot(times, p_y, **_setting(index, name))
        axis.axhline(0.5, color="black", linewidth=0.8)
        axis.set(xlabel="time", title=f"{classes} classes", xlim=(0, 40))
    axes[0].set_ylabel("$p_y$")
    style.legend(figure, axes, ncols=4, fontsize="small")
    return style.finish(figure)


def excess_over_alpha(alphas: Sequence[float], excess: Array, at_most: Array) -> Figure:
    """Draw the clean risk that noise costs SL's minimiser over α, and the bound on it."""
    figure, [[axis]] = style.rows_of_panels(1, 1)
    axis.plot(alphas, at_most, color="black", linestyle="--", label="at most")
    axis.plot(alphas, excess, "o", color=style.METHOD_COLORS["sl"], label="found in this class")
    axis.set(xlabel="α", ylabel="excess clean risk", xscale="log")
    axis.set_yscale("symlog", linthresh=1e-3)
    axis.set_ylim(bottom=-2e-4)
    axis.legend(**style.SMALL)
    return style.finish(figure)


def reliability_diagrams(groups: Mapping[str, Mapping[str, Reliability]]) -> Figure:
    """Draw accuracy over confidence, a panel a group, a line for each of its predictions."""
    figure, [axes] = style.rows_of_panels(1, len(groups), sharey=True)
    for axis, (title, predictions) in zip(axes, groups.items(), strict=True):
        axis.plot([0, 1], [0, 1], color="black", linewidth=0.8)
        for index, (name, found) in enumerate(predictions.items()):
            marked = line(index, name) | {"marker": style.LINE_MARKERS[index], "markersize": 4}
            axis.plot(found.confidence.numpy(), found.accuracy.numpy(), **marked)
        axis.set(xlabel="confidence", title=title, xlim=(0, 1), ylim=(0, 1))
    axes[0].set_ylabel("accuracy")
    axes[-1].legend(**style.SMALL)
    return style.finish(figure)
