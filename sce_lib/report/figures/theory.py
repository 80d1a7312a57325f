"""Figures of the theory chapters: curves and risks computed on the spot, no run behind them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from torch import Tensor

from sce_lib import theory
from sce_lib.report.figures.style import METHOD_COLORS, PANEL_HEIGHT, WIDTH, finish

Array = np.ndarray[Any, Any]
Loss = Callable[[Tensor, Tensor], Tensor]
Setting = tuple[float, float, float]

_PALETTE = sns.color_palette("colorblind")
# Those of the palette that no method has, without its light ones, which are lost on white.
_OTHER_COLORS = [_PALETTE[place] for place in (5, 7, 9)]
_DASHES: list[Any] = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1))]


def _axes(columns: int, rows: int = 1, height: float = PANEL_HEIGHT, **kwargs: Any) -> tuple[Figure, Any]:
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, height * rows), layout="constrained", squeeze=False, **kwargs
    )
    for axis in axes.flat:
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _colour(name: str, index: int) -> Any:
    """Return a method's own colour where the book has one for it, else one of the others."""
    method = name.replace(",", " ").split()[0].lower()  # "GCE, q = 0.7"
    return METHOD_COLORS.get(method, _OTHER_COLORS[index % len(_OTHER_COLORS)])


def sl_against_ce(settings: Mapping[str, Setting]) -> Figure:
    """Draw SL as a function of CE, one curve for each (α, β, A)."""
    figure, axes = _axes(1)
    ce = np.linspace(0, 6, 400)
    axis = axes[0, 0]
    for index, (name, setting) in enumerate(settings.items()):
        axis.plot(
            ce, theory.sl_of_ce(ce, *setting), linestyle=_DASHES[index], color=_PALETTE[index], label=name
        )
    axis.set(xlabel="cross entropy $\\ell_{ce} = -\\log p_y$", ylabel="$\\ell_{sl}$")
    axis.legend(frameon=False, fontsize="small", title="(α, β, A)")
    return finish(figure, [])


def loss_family(losses: Mapping[str, Loss]) -> Figure:
    """Draw losses and their gradient weights (CE's is 1) over the probability of the label."""
    figure, axes = _axes(2)
    p_y = np.linspace(0.002, 0.998, 400)
    for index, (name, loss) in enumerate(losses.items()):
        for axis, values in zip(axes[0], theory.loss_of_probability(loss, p_y), strict=True):
            axis.plot(p_y, values, linestyle=_DASHES[index], color=_colour(name, index), label=name)
    axes[0, 0].set(xlabel="$p_y$", ylabel="loss", ylim=(0, 6))
    axes[0, 1].set(xlabel="$p_y$", ylabel="gradient weight $w(p_y)$", ylim=(0, 4.5))
    axes[0, 1].legend(frameon=False, fontsize="small")
    return finish(figure, [])


def noisy_against_clean_risk(problem: theory.FiniteProblem, tables: Mapping[str, Array]) -> Figure:
    """Scatter R^η over R for every classifier, a panel a loss; a line where the first two fix the others."""
    figure, axes = _axes(len(tables))
    for index, (axis, (name, table)) in enumerate(zip(axes[0], tables.items(), strict=True)):
        clean, noisy = theory.risks(problem, table), theory.noisy_risks(problem, table)
        axis.scatter(clean, noisy, s=10, alpha=0.6, color=_colour(name, index))
        slope, intercept = np.polyfit(clean, noisy, 1)
        ends = np.array([clean.min(), clean.max()])
        axis.plot(ends, slope * ends + intercept, color="black", linewidth=1, label="best line")
        axis.set(xlabel="clean risk $R$", title=name)
    axes[0, 0].set_ylabel("noisy risk $R^\\eta$")
    axes[0, 0].legend(frameon=False, fontsize="small")
    return finish(figure, [])


def slope_over_rate(class_counts: Sequence[int]) -> Figure:
    """Draw the slope 1 − ηK/(K−1) over the noise rate, with a mark where it is zero."""
    figure, axes = _axes(1)
    axis = axes[0, 0]
    rates = np.linspace(0, 1, 201)
    for index, classes in enumerate(class_counts):
        slopes = [theory.affine_coefficients(rate, classes)[0] for rate in rates]
        axis.plot(rates, slopes, linestyle=_DASHES[index], color=_PALETTE[index], label=f"K = {classes}")
        axis.plot(1 - 1 / classes, 0, "o", color=_PALETTE[index])
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set(xlabel="noise rate η", ylabel="slope of $R^\\eta$ over $R$")
    axis.legend(frameon=False, fontsize="small")
    return finish(figure, [])


def risk_landscapes(
    problem: theory.FiniteProblem, tables: Mapping[str, Array], slopes: Array, offsets: Array
) -> Figure:
    """Draw clean and noisy risk over a grid of two-class linear classifiers, a column a loss.

    Parameters
    ----------
    problem : FiniteProblem
        Whose classifiers are ``theory.linear_grid(points, slopes, offsets)``.
    tables : mapping
        Name of the loss → its table.
    slopes, offsets : ndarray
        The grid.
    """
    figure, axes = _axes(len(tables), rows=2, height=2.6, sharex=True, sharey=True)
    for column, (name, table) in enumerate(tables.items()):
        for row, (labels, risk) in enumerate(
            {"clean": theory.risks(problem, table), "noisy": theory.noisy_risks(problem, table)}.items()
        ):
            axis = axes[row, column]
            surface = risk.reshape(len(slopes), len(offsets)).T
            levels = np.quantile(surface, np.linspace(0, 1, 16) ** 1.5)
            axis.contourf(slopes, offsets, surface, levels=np.unique(levels), cmap="cividis")
            best = int(risk.argmin())
            axis.plot(
                slopes[best // len(offsets)],
                offsets[best % len(offsets)],
                "X",
                color="white",
                markeredgecolor="black",
                markersize=10,
            )
            axis.set_title(f"{name}, {labels} labels", fontsize="medium")
            axis.grid(visible=False)
    for axis in axes[-1]:
        axis.set_xlabel("slope w")
    for axis in axes[:, 0]:
        axis.set_ylabel("offset b")
    return finish(figure, [])


def risk_path(clean: Array, noisy: Array, realised: Array, rate: float, num_classes: int, A: float) -> Figure:
    """Draw a network's noisy RCE risk over its clean one as it trains, and the line of Theorem 1.

    Parameters
    ----------
    clean, noisy, realised : ndarray, shape (epochs,)
        R, R^η in expectation over the noise, and the mean loss on the noisy labels that were drawn.
    rate, num_classes, A
        η, K and log 0: they fix the line.
    """
    figure, axes = _axes(1)
    axis = axes[0, 0]
    slope, intercept = theory.affine_coefficients(rate, num_classes, A)
    ends = np.array([min(clean) * 0.95, max(clean) * 1.02])
    axis.plot(ends, slope * ends + intercept, color="black", linewidth=1, label="Theorem 1")
    axis.plot(clean, noisy, "o", color=_PALETTE[0], label="in expectation over the noise")
    axis.plot(clean, realised, "x", color=_PALETTE[1], label="on the noisy labels drawn")
    axis.annotate("start", (clean[0], noisy[0]), textcoords="offset points", xytext=(-30, 4))
    axis.annotate("end", (clean[-1], noisy[-1]), textcoords="offset points", xytext=(-10, 8))
    axis.set(xlabel="clean risk $R$", ylabel="noisy risk $R^\\eta$")
    axis.legend(frameon=False, fontsize="small")
    return finish(figure, [])


def acceleration(values_of_A: Sequence[float]) -> Figure:
    """Draw the acceleration term A p² − A p over p_y, with its maximum −A/4 at ½."""
    figure, axes = _axes(1)
    axis = axes[0, 0]
    p_y = np.linspace(0, 1, 201)
    for index, A in enumerate(values_of_A):
        style = {"linestyle": _DASHES[index], "color": _PALETTE[index], "label": f"A = {A:g}"}
        axis.plot(p_y, theory.acceleration(p_y, A), **style)
        axis.plot(0.5, theory.acceleration(0.5, A), "o", color=_PALETTE[index])
    axis.set(xlabel="$p_y$", ylabel="$A p_y^2 - A p_y$")
    axis.legend(frameon=False, fontsize="small")
    return finish(figure, [])


def gradient_magnitudes(settings: Mapping[str, Setting]) -> Figure:
    """Draw ``|∂ℓ/∂z_y|`` and the weight on CE's gradient over p_y, with the peak p*, one curve a setting."""
    figure, axes = _axes(2)
    p_y = np.linspace(0, 1, 401)
    for index, (name, setting) in enumerate(settings.items()):
        style = {"linestyle": _DASHES[index], "color": _PALETTE[index], "label": name}
        axes[0, 0].plot(p_y, theory.gradient_magnitude(p_y, *setting), **style)
        peak = theory.gradient_peak(*setting)
        axes[0, 0].plot(peak, theory.gradient_magnitude(peak, *setting), "o", color=style["color"])
        axes[0, 1].plot(p_y, theory.sl_weight(p_y, *setting), **style)
    axes[0, 0].set(xlabel="$p_y$", ylabel="$|\\partial\\ell/\\partial z_y|$")
    axes[0, 1].set(xlabel="$p_y$", ylabel="weight $\\alpha + \\beta|A|p_y$")
    handles, labels = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return finish(figure, [])


def explorer_picture(alpha: float = 0.1, beta: float = 1.0, A: float = -4.0, num_classes: int = 10) -> Figure:
    """Draw what the book's explorer shows at its first setting: the picture for readers without scripts."""
    figure, axes = _axes(3)
    p_y = np.linspace(0.005, 1, 400)
    ce = -np.log(p_y)
    size = theory.gradient_magnitude(p_y, alpha, beta, A)
    peak = theory.gradient_peak(alpha, beta, A)
    curves = {
        "CE": (ce, np.ones_like(p_y)),
        "RCE": (theory.sl_of_ce(ce, 0, 1, A), theory.sl_weight(p_y, 0, 1, A)),
        "SL": (theory.sl_of_ce(ce, alpha, beta, A), theory.sl_weight(p_y, alpha, beta, A)),
    }
    for index, (name, pair) in enumerate(curves.items()):
        for axis, values in zip(axes[0], pair, strict=False):
            axis.plot(p_y, values, linestyle=_DASHES[index], color=METHOD_COLORS[name.lower()], label=name)
    axes[0, 2].plot(p_y, -size, color=METHOD_COLORS["sl"], label="$\\partial\\ell_{sl}/\\partial z_y$")
    other = size / (num_classes - 1)
    axes[0, 2].plot(p_y, other, "--", color="black", label="$\\partial\\ell_{sl}/\\partial z_j$")
    axes[0, 2].plot(peak, -theory.gradient_magnitude(peak, alpha, beta, A), "o", color=METHOD_COLORS["sl"])
    for axis, title in zip(axes[0], ("loss", "weight on CE's gradient", "gradient"), strict=True):
        axis.set(title=title, xlabel="$p_y$")
        axis.legend(frameon=False, fontsize="x-small")
    axes[0, 0].set_ylim(0, 6)
    return finish(figure, [])
