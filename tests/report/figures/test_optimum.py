"""Figures of what SL optimises draw what the library says, a method in its colour."""

import numpy as np
import torch
from matplotlib.colors import to_rgb

from sce_lib import metrics, theory
from sce_lib.report.figures import optimum
from sce_lib.report.figures.style import METHOD_COLORS

SETTINGS = {"CE": (1.0, 0.0, -4.0), "RCE": (0.0, 1.0, -4.0), "SL(α 0.1)": (0.1, 1.0, -4.0)}


def test_optimum_and_time():
    best, time = optimum.optimum_and_time(SETTINGS, most_classes=50).axes
    for name, method in (("CE", "ce"), ("RCE", "rce"), ("SL(α 0.1)", "sl")):
        (line,) = (line for line in best.lines if line.get_label() == name)
        assert to_rgb(line.get_color()) == to_rgb(METHOD_COLORS[method])
    posterior = best.lines[0].get_xdata()
    np.testing.assert_allclose(best.lines[0].get_ydata(), posterior, atol=1e-9)  # CE gives it back
    assert set(np.round(best.lines[1].get_ydata(), 9)) <= {0.0, 1.0}  # RCE decides
    classes, times = time.lines[2].get_data()
    assert classes[-1] == 50
    assert times[-1] == float(theory.learning_time(50, 0.1, 1.0, -4.0))


def test_learning_curves_start_at_uniform_and_rise():
    axes = optimum.learning_curves([5, 20], SETTINGS).axes
    for axis, classes in zip(axes, (5, 20), strict=True):
        for line in axis.lines[:3]:
            assert abs(line.get_ydata()[0] - 1 / classes) < 1e-5
            assert (np.diff(line.get_xdata()) > 0).all()


def test_the_bound_is_drawn_above_what_was_found():
    bound, found = (
        optimum.excess_over_alpha([0.1, 1.0], np.array([0.0, 0.2]), np.array([0.1, 0.5])).axes[0].lines
    )
    assert (bound.get_ydata() >= found.get_ydata()).all()


def test_reliability_diagrams_have_a_diagonal_and_a_line_each():
    p = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    found = metrics.reliability(p, torch.tensor([0, 0, 1]))
    (axis,) = optimum.reliability_diagrams({"three": {"ours": found, "theirs": found}}).axes
    diagonal, *lines = axis.lines
    assert diagonal.get_xdata()[0] == diagonal.get_ydata()[0]
    assert [line.get_label() for line in lines] == ["ours", "theirs"]
    np.testing.assert_allclose(lines[0].get_ydata(), found.accuracy)
