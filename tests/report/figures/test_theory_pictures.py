"""Figures of the theory chapters: a loss has the colour that it has in all other chapters."""

from matplotlib.colors import to_rgb

from sce_lib.losses import functional as L
from sce_lib.report.figures.style import METHOD_COLORS
from sce_lib.report.figures.theory import loss_family


def test_a_loss_with_its_settings_in_the_name_has_its_methods_colour():
    losses = {"CE": L.cross_entropy, "MAE": L.mean_absolute_error, "RCE, A = −4": L.reverse_cross_entropy}
    lines = {line.get_label(): to_rgb(line.get_color()) for line in loss_family(losses).axes[1].lines}
    assert lines["CE"] == to_rgb(METHOD_COLORS["ce"])
    assert lines["RCE, A = −4"] == to_rgb(METHOD_COLORS["rce"])
    assert len(set(lines.values())) == 3
    # None so light that it is lost on white.
    assert all(0.2126 * r + 0.7152 * g + 0.0722 * b < 0.72 for r, g, b in lines.values())
