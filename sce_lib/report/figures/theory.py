"""Figures of the theory chapters: curves and risks computed on the spot, no run behind them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from sce_lib import theory
from sce_lib.report.figures import style

Array = np.ndarray[Any, Any]
Loss = Callable[[Tensor, Tensor], Tensor]
Setting = tuple[float, float, float]

# Those of the palette that no method has, without its light ones, which are lost on white.
_OTHER_COLORS = [style.PALETTE[place] for place in (5, 7, 9)]


def line(place: int, name: str) -> dict[str, Any]:
    """Return how the line at a place of a legend is drawn: colour and dashes together."""
    return {"color": style.LINE_COLORS[place], "linestyle": style.LINE_DASHES[place], "label": name}


def colour(name: str, index: int) -> Any:
    """Return a method's own colour where the book has one for it, else one of the others."""
    method = name.replace(",", " ").split()[0].lower()  # "GCE, q = 0.7"
    return style.METHOD_COLORS.get(method, _OTHER_COLORS[index % len(_OTHER_COLORS)])


def sl_against_ce(settings: Mapping[str, Setting]) -> Figure:
    """Draw SL as a function of CE, one curve for each (α, β, A)."""
    figure, [[axis]] = style.rows_of_panels(1, 1)
    ce = np.linspace(0, 6, 400)
    for index, (name, setting) in enumerate(settings.items()):
        axis.plot(ce, theory.sl_of_ce(ce, *setting), **line(index, name))
    axis.set(xlabel="cross entropy $\\ell_{ce} = -\\log p_y$", ylabel="$\\ell_{sl}$")
    axis.legend(**style.SMALL, title="(α, β, A)")
    return style.finish(figure)


def loss_family(losses: Mapping[str, Loss]) -> Figure:
    """Draw losses and their gradient weights (CE's is 1) over the probability of the label."""
    figure, [axes] = style.rows_of_panels(1, 2)
    p_y = np.linspace(0.002, 0.998, 400)
    for index, (name, loss) in enumerate(losses.items()):
        for axis, values in zip(axes, theory.loss_of_probability(loss, p_y), strict=True):
            axis.plot(p_y, values, **line(index, name) | {"color": colour(name, index)})
    axes[0].set(xlabel="$p_y$", ylabel="loss", ylim=(0, 6))
    axes[1].set(xlabel="$p_y$", ylabel="gradient weight $w(p_y)$", ylim=(0, 4.5))
    axes[1].legend(**style.SMALL)
    return style.finish(figure)


def noisy_against_clean_risk(problem: theory.FiniteProblem, tables: Mapping[str, Array]) -> Figure:
    """Scatter R^η over R for every classifier, a panel a loss; a line where the first two fix the others."""
    figure, [axes] = style.rows_of_panels(1, len(tables))
    for index, (axis, (name, table)) in enumerate(zip(axes, tables.items(), strict=True)):
        clean, noisy = theory.risks(problem, table), theory.noisy_risks(problem, table)
        axis.scatter(clean, noisy, s=10, alpha=0.6, color=colour(name, index))
        slope, intercept = np.polyfit(clean, noisy, 1)
        ends = np.array([clean.min(), clean.max()])
        axis.plot(ends, slope * ends + intercept, color="black", linewidth=1, label="best line")
        axis.set(xlabel="clean risk $R$", title=name)
    axes[0].set_ylabel("noisy risk $R^\\eta$")
    axes[0].legend(**style.SMALL)
    return style.finish(figure)


def slope_over_rate(class_counts: Sequence[int]) -> Figure:
    """Draw the slope 1 − ηK/(K−1) over the noise rate, with a mark where it is zero."""
    figure, [[axis]] = style.rows_of_panels(1, 1)
    rates = np.linspace(0, 1, 201)
    for index, classes in enumerate(class_counts):
        slopes = [theory.affine_coefficients(rate, classes)[0] for rate in rates]
        axis.plot(rates, slopes, **line(index, f"K = {classes}"))
        axis.plot(1 - 1 / classes, 0, "o", color=style.LINE_COLORS[index])
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set(xlabel="noise rate η", ylabel="slope of $R^\\eta$ over $R$")
    axis.legend(**style.SMALL)
    return style.finish(figure)


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
    figure, axes = style.rows_of_panels(2, len(tables), height=2.6, sharex=True, sharey=True)
    for column, (name, table) in enumerate(tables.items()):
        for row, (labels, risks) in enumerate({"clean": theory.risks, "noisy": theory.noisy_risks}.items()):
            axis, surface = axes[row, column], risks(problem, table).reshape(len(slopes), len(offsets))
            levels = np.quantile(surface, np.linspace(0, 1, 16) ** 1.5)
            axis.contourf(slopes, offsets, surface.T, levels=np.unique(levels), cmap="cividis")
            slope, offset = np.unravel_index(surface.argmin(), surface.shape)
            cross = {"color": "white", "markeredgecolor": "black", "markersize": 10}
            axis.plot(slopes[slope], offsets[offset], "X", **cross)
            axis.set_title(f"{name}, {labels} labels", fontsize="medium")
            axis.grid(visible=False)
    for axis in axes[-1]:
        axis.set_xlabel("slope w")
    for axis in axes[:, 0]:
        axis.set_ylabel("offset b")
    return style.finish(figure)


def risk_path(clean: Array, noisy: Array, realised: Array, rate: float, num_classes: int, A: float) -> Figure:
    """Draw a network's noisy RCE risk over its clean one as it trains, and the line of Theorem 1.

    Parameters
    ----------
    clean, noisy, realised : ndarray, shape (epochs,)
        R, R^η in expectation over the noise, and the mean loss on the noisy labels that were drawn.
    rate, num_classes, A
        η, K and log 0: they fix the line.
    """
    figure, [[axis]] = style.rows_of_panels(1, 1)
    slope, intercept = theory.affine_coefficients(rate, num_classes, A)
    ends = np.array([min(clean) * 0.95, max(clean) * 1.02])
    axis.plot(ends, slope * ends + intercept, color="black", linewidth=1, label="Theorem 1")
    axis.plot(clean, noisy, "o", color=style.PALETTE[0], label="in expectation over the noise")
    axis.plot(clean, realised, "x", color=style.PALETTE[1], label="on the noisy labels drawn")
    axis.annotate("start", (clean[0], noisy[0]), textcoords="offset points", xytext=(-30, 4))
    axis.annotate("end", (clean[-1], noisy[-1]), textcoords="offset points", xytext=(-10, 8))
    axis.set(xlabel="clean risk $R$", ylabel="noisy risk $R^\\eta$")
    axis.legend(**style.SMALL)
    return style.finish(figure)


def acceleration(values_of_A: Sequence[float]) -> Figure:
    """Draw the acceleration term A p² − A p over p_y, with its maximum −A/4 at ½."""
    figure, [[axis]] = style.rows_of_panels(1, 1)
    p_y = np.linspace(0, 1, 201)
    for index, A in enumerate(values_of_A):
        axis.plot(p_y, theory.acceleration(p_y, A), **line(index, f"A = {A:g}"))
        axis.plot(0.5, theory.acceleration(0.5, A), "o", color=style.LINE_COLORS[index])
    axis.set(xlabel="$p_y$", ylabel="$A p_y^2 - A p_y$")
    axis.legend(**style.SMALL)
    return style.finish(figure)


def gradient_magnitudes(settings: Mapping[str, Setting]) -> Figure:
    """Draw ``|∂ℓ/∂z_y|`` and the weight on CE's gradient over p_y, with the peak p*, one curve a setting."""
    figure, [[size, weight]] = style.rows_of_panels(1, 2)
    p_y = np.linspace(0, 1, 401)
    for index, (name, setting) in enumerate(settings.items()):
        size.plot(p_y, theory.gradient_magnitude(p_y, *setting), **line(index, name))
        peak = theory.gradient_peak(*setting)
        size.plot(peak, theory.gradient_magnitude(peak, *setting), "o", color=style.LINE_COLORS[index])
        weight.plot(p_y, theory.sl_weight(p_y, *setting), **line(index, name))
    size.set(xlabel="$p_y$", ylabel="$|\\partial\\ell/\\partial z_y|$")
    weight.set(xlabel="$p_y$", ylabel="weight $\\alpha + \\beta|A|p_y$")
    style.legend(figure, [weight], ncols=4, fontsize="small")
    return style.finish(figure)


def risk_bounds(problems: Mapping[str, theory.FiniteProblem], A: float) -> Figure:
    """Draw noisy RCE risk less its floor over clean risk, a panel a problem, between its two bounds."""
    figure, [axes] = style.rows_of_panels(1, len(problems))
    for axis, (name, problem) in zip(axes, problems.items(), strict=True):
        bounds = theory.risk_bounds(problem, A)
        ends = np.array([0.0, float(bounds.clean.max())])
        axis.scatter(bounds.clean, bounds.excess, s=10, alpha=0.6, color=style.METHOD_COLORS["rce"])
        for slope, dashes in ((bounds.w_max, "-"), (bounds.w_min, "--")):
            axis.plot(ends, float(slope) * ends, dashes, color="black", linewidth=1)
        axis.set(xlabel="clean risk $R$", title=name.replace("_", " "))
    axes[0].set_ylabel("noisy risk less its floor")
    return style.finish(figure)


def shares_below(p_y: Array, settings: Mapping[str, Setting]) -> Figure:
    """Draw the share of the gradient of samples with p_y at most t over t, a curve for each (α, β, A)."""
    figure, [[axis]] = style.rows_of_panels(1, 1)
    thresholds = np.linspace(0, 1, 201)
    for index, (name, setting) in enumerate(settings.items()):
        shares = theory.gradient_share_below(p_y, thresholds, *setting)
        axis.plot(thresholds, shares, **line(index, name) | {"color": colour(name, index)})
    axis.set(xlabel="t", ylabel="share of samples with $p_y \\leq t$")
    axis.legend(**style.SMALL)
    return style.finish(figure)
