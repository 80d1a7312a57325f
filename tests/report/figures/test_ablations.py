"""Ablation curves: every line is at the height that the records say, and no two look alike."""

import numpy as np
import pytest

from sce_lib.experiments.config.parts import SL
from sce_lib.report.figures import accuracy_curves

NOISY = "symmetric-0.6"


@pytest.fixture
def runs(make_record):
    """Return runs of a method, a seed for each curve."""

    def make(method, *curves):
        return [make_record(method, NOISY, seed, curve=curve) for seed, curve in enumerate(curves)]

    return make


def test_lines_are_means_over_seeds_and_bands_span_them(runs):
    settings = {"CE": runs("ce", [0.2, 0.5], [0.4, 0.7]), "5CE": runs("5ce", [0.1, 0.3])}
    (axis,) = accuracy_curves({"scaled": settings}).axes
    assert axis.get_title() == "scaled"
    drawn = {line.get_label(): line for line in axis.get_lines()}
    assert drawn.keys() == settings.keys()
    np.testing.assert_allclose(drawn["CE"].get_xydata(), [[1, 30], [2, 60]])
    np.testing.assert_allclose(drawn["5CE"].get_ydata(), [10, 30])
    ends = [band.get_paths()[0].vertices[:, 1] for band in axis.collections]
    assert [(round(end.min()), round(end.max())) for end in ends] == [(20, 70), (10, 30)]


def test_a_panel_a_comparison_with_its_own_settings(runs, make_record):
    alphas = {f"α = {a:g}": runs(SL(alpha=a, beta=1.0, A=-6.0), [a / 2, a]) for a in (1.0, 0.1)}
    figure = accuracy_curves({"Fig. 8a": alphas, "Fig. 9a": {"RCE": runs("rce", [0.1, 0.2])}})
    labels = {axis.get_title(): [line.get_label() for line in axis.get_lines()] for axis in figure.axes}
    assert labels == {"Fig. 8a": ["α = 1", "α = 0.1"], "Fig. 9a": ["RCE"]}
    assert [text.get_text() for text in figure.texts] == ["smoke"]
    record = make_record()
    laptop = record.model_copy(update={"config": record.config.model_copy(update={"profile": "laptop"})})
    assert accuracy_curves({"at scale": {"CE": [laptop]}}).texts == []


@pytest.mark.parametrize("look", ["get_color", "get_marker"])
def test_lines_can_be_told_apart_by_colour_or_by_marker_alone(runs, look):
    settings = {str(place): runs("sl", [0.1, 0.2]) for place in range(8)}
    (axis,) = accuracy_curves({"eight": settings}).axes
    lines = axis.get_lines()
    looks = {getattr(line, look)() for line in lines}
    assert len(looks) == len(lines) == 8


def test_more_settings_than_styles_are_refused(runs):
    settings = {str(place): runs("sl", [0.1, 0.2]) for place in range(9)}
    with pytest.raises(ValueError, match=r"up to 8 settings, but 'nine' has 9"):
        accuracy_curves({"nine": settings})
