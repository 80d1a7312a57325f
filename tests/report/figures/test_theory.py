"""Figures of the theory chapters draw what the library says, in the colours of all other chapters."""

import numpy as np
from matplotlib.colors import to_rgb

from sce_lib import theory
from sce_lib.losses import functional as L
from sce_lib.report.figures.style import METHOD_COLORS
from sce_lib.report.figures.theory import (
    gradient_magnitudes,
    loss_family,
    risk_bounds,
    shares_below,
    slope_over_rate,
)


def test_a_loss_with_its_settings_in_the_name_has_its_methods_colour():
    losses = {"CE": L.cross_entropy, "MAE": L.mean_absolute_error, "RCE, A = −4": L.reverse_cross_entropy}
    lines = {line.get_label(): to_rgb(line.get_color()) for line in loss_family(losses).axes[1].lines}
    assert lines["CE"] == to_rgb(METHOD_COLORS["ce"])
    assert lines["RCE, A = −4"] == to_rgb(METHOD_COLORS["rce"])
    assert len(set(lines.values())) == 3
    # None so light that it is lost on white.
    assert all(0.2126 * r + 0.7152 * g + 0.0722 * b < 0.72 for r, g, b in lines.values())


def test_theory_figures_draw_what_the_library_says():
    figure = gradient_magnitudes({"SL": (0.1, 1.0, -4.0)})
    curve, peak = figure.axes[0].lines
    p_y = curve.get_xdata()
    np.testing.assert_allclose(curve.get_ydata(), theory.gradient_magnitude(p_y, 0.1, 1.0, -4.0))
    assert peak.get_xdata()[0] == theory.gradient_peak(0.1, 1.0, -4.0)
    zero_slopes = [
        line.get_xdata()[0] for line in slope_over_rate([2, 10]).axes[0].lines if len(line.get_xdata()) == 1
    ]
    assert zero_slopes == [0.5, 0.9]


def test_risks_lie_between_their_bounds():
    problem = theory.random_problem("asymmetric", num_classes=4, num_classifiers=50, seed=2)
    (axis,) = risk_bounds({"asymmetric": problem}, -4.0).axes
    x, y = axis.collections[0].get_offsets().T
    (upper, lower) = axis.lines
    slopes = [line.get_ydata()[1] / line.get_xdata()[1] for line in (upper, lower)]
    assert (y <= slopes[0] * x + 1e-9).all()
    assert (y >= slopes[1] * x - 1e-9).all()


def test_shares_of_sl_lie_below_those_of_ce():
    p = np.random.default_rng(0).uniform(size=300)
    axis = shares_below(p, {"CE": (1.0, 0.0, -4.0), "SL": (0.1, 1.0, -4.0)}).axes[0]
    ce, sl = (line.get_ydata() for line in axis.lines)
    assert (sl <= ce + 1e-12).all()
    assert ce[-1] == sl[-1] == 1
