"""The curves of gradient weights against closed forms worked out by hand."""

import numpy as np
import pytest

from sce_lib import losses
from sce_lib.losses import functional as L
from sce_lib.noise import symmetric_matrix
from sce_lib.report.figures.losses import doubtful_labels, gradient_weights


def curve(loss, num_classes=10):
    figure = gradient_weights({"loss": loss}, num_classes)
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == "loss"]
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def smoothing(p, epsilon, K):
    target = 1 - epsilon + epsilon / K
    return (target - p) / (1 - p)


@pytest.mark.parametrize(
    ("loss", "weight"),
    [
        (L.cross_entropy, np.ones_like),
        (L.mean_absolute_error, lambda p: 2 * p),
        (losses.ReverseCrossEntropy(A=-6).per_sample, lambda p: 6 * p),
        (losses.SymmetricCrossEntropy(6, 0.1, A=-4).per_sample, lambda p: 6 + 0.4 * p),
        (losses.GeneralizedCrossEntropy(0.7).per_sample, lambda p: p**0.7),
        (losses.GeneralizedCrossEntropy(0.7, 0.5).per_sample, lambda p: np.where(p > 0.5, p**0.7, 0)),
        (losses.TaylorCrossEntropy(2).per_sample, lambda p: p * (2 - p)),
        (losses.PartiallyHuberisedCrossEntropy(2).per_sample, lambda p: np.minimum(1, 2 * p)),
        (losses.AsymmetricGeneralizedCrossEntropy(1, 2).per_sample, lambda p: p * (1 + p)),
        (losses.LabelSmoothing(0.1).per_sample, lambda p: smoothing(p, 0.1, 10)),
        (losses.Bootstrap(0.8, detach=True).per_sample, lambda p: 0.8 + 0 * p),
    ],
)
def test_weight_is_that_of_the_formula(loss, weight):
    p, drawn = curve(loss)
    np.testing.assert_allclose(drawn, weight(p), rtol=1e-9, atol=1e-9)


def test_forward_correction_by_its_noisy_probability():
    p, drawn = curve(losses.ForwardCorrection(symmetric_matrix(10, 0.4)).per_sample)
    keep, spill = 0.6, 0.4 / 9
    # d(-log(s p + (1-p) t))/d(-log p), s and t the diagonal and the rest of T
    np.testing.assert_allclose(drawn, p * (keep - spill) / (keep * p + spill * (1 - p)), rtol=1e-9)


def test_number_of_classes_matters_where_it_should():
    few, many = (curve(L.normalized_cross_entropy, K)[1] for K in (2, 100))
    assert not np.allclose(few, many, rtol=0.5)
    np.testing.assert_allclose(curve(L.mean_absolute_error, 2)[1], curve(L.mean_absolute_error, 100)[1])


def test_curves_differ_in_dashes_and_colour():
    curves = {f"{A}": losses.ReverseCrossEntropy(A=A).per_sample for A in (-2, -4, -6, -8)}
    lines = gradient_weights(curves).axes[0].lines[:4]
    assert len({str(line.get_linestyle()) + str(line._dash_pattern) for line in lines}) == 4
    assert len({tuple(line.get_color()) for line in lines}) == 4


@pytest.mark.parametrize("count", [0, 5])
def test_more_than_can_be_told_apart_are_refused(count):
    with pytest.raises(ValueError, match=f"not {count}"):
        gradient_weights({str(name): L.cross_entropy for name in range(count)})


def test_doubtful_labels_are_drawn_where_the_weight_is_positive():
    sl = losses.SymmetricCrossEntropy(0.1, 1, A=-4).per_sample
    figure = doubtful_labels({"one": {"SL": sl}, "two": {"LSR": losses.LabelSmoothing(0.1).per_sample}})
    assert [axis.get_title() for axis in figure.axes] == ["one", "two"]
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == "SL"]
    p = np.asarray(line.get_xdata())
    np.testing.assert_allclose(line.get_ydata(), 0.1 + 4 * p, rtol=1e-9)
    assert (p < 0.02).sum() > 0.3 * p.size  # a decade of small ones is a good part of the axis
    for axis in figure.axes:
        assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
        chance = [line for line in axis.lines if np.allclose(line.get_xdata(), 0.1)]
        assert len(chance) == 1
    with pytest.raises(ValueError, match="not 0"):
        doubtful_labels({"none": {}})
