"""Focal, normalized and asymmetric losses: limits, bounds, gradients in closed form, robustness."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import batch
from torch.testing import assert_close

from sce_lib.losses import functional as L


def gradient(losses, logits):
    return torch.autograd.grad(losses.sum(), logits)[0]


def half_mae(logits, target):
    return L.mean_absolute_error(logits, target) / 2


BECOMES = {
    "focal, γ = 0": (lambda z, y: L.focal_loss(z, y, gamma=0), L.cross_entropy, 1e-12),
    "NFL, γ = 0": (lambda z, y: L.normalized_focal_loss(z, y, gamma=0), L.normalized_cross_entropy, 1e-12),
    "AUE, q = 1": (lambda z, y: L.asymmetric_unhinged(z, y, a=3.0, q=1.0), half_mae, 1e-12),
    "AUE, a = 1, q = 1": (lambda z, y: L.asymmetric_unhinged(z, y, a=1, q=1), half_mae, 1e-12),
    "AUE, a = 1 + 1e-9": (
        lambda z, y: L.asymmetric_unhinged(z, y, a=1 + 1e-9, q=2.0),
        lambda z, y: L.asymmetric_unhinged(z, y, a=1, q=2.0),
        1e-8,
    ),
    "AUE, a far out": (lambda z, y: 1e-18 * L.asymmetric_unhinged(z, y, a=1e9, q=3.0), half_mae, 1e-8),
    "AEL, a far out": (
        lambda z, y: 1e6 * (L.asymmetric_exponential(z, y, a=1e6) - math.exp(-1e-6)),
        half_mae,
        1e-5,
    ),
}


@pytest.mark.parametrize("kind", ["labels", "probabilities"])
@pytest.mark.parametrize("name", BECOMES)
def test_limits(name, kind):
    loss, becomes, tolerance = BECOMES[name]
    data = batch(num_classes=6, shape=(8,), seed=4, scale=1.5)
    target = data.target(kind)
    if becomes is half_mae and kind == "probabilities":
        # What is a function of p_y is an expectation over labels; the mean absolute error is not.
        def becomes(z, q):
            return (q * (1 - z.softmax(1))).sum(1)

    ours, theirs = data.fresh(), data.fresh()
    value, expected = loss(ours, target), becomes(theirs, target)
    assert_close(value, expected, rtol=tolerance, atol=tolerance)
    assert_close(gradient(value, ours), gradient(expected, theirs), rtol=tolerance, atol=tolerance)


# What the gradient of cross entropy is multiplied by, as a function of p_y.
WEIGHTS = {
    "focal": (
        lambda z, y: L.focal_loss(z, y, gamma=1.5),
        lambda p: (1 - p) ** 1.5 - 1.5 * p * (1 - p) ** 0.5 * np.log(p),
    ),
    "aue": (lambda z, y: L.asymmetric_unhinged(z, y, a=2.0, q=3.0), lambda p: p * (2 - p) ** 2),
    "ael": (lambda z, y: L.asymmetric_exponential(z, y, a=0.5), lambda p: 2 * p * np.exp(-2 * p)),
}


@pytest.mark.parametrize("name", WEIGHTS)
@settings(max_examples=20)
@given(num_classes=st.integers(2, 20), seed=st.integers(0, 2**31))
def test_gradient_is_cross_entropys_times_a_weight(name, num_classes, seed):
    loss, weight = WEIGHTS[name]
    data = batch(num_classes, seed=seed)
    logits = data.fresh()
    p = data.logits.softmax(1).numpy()
    q = np.eye(num_classes)[data.labels]
    expected = weight((p * q).sum(1, keepdims=True)) * (p - q)
    ours = gradient(loss(logits, data.labels), logits)
    assert_close(ours, torch.from_numpy(expected), rtol=1e-10, atol=1e-12)


@settings(max_examples=20)
@given(gamma=st.floats(0.5, 4), num_classes=st.integers(2, 12), seed=st.integers(0, 2**31))
def test_normalized_focal_gradient_is_the_quotient_rules(gamma, num_classes, seed):
    data = batch(num_classes, seed=seed)
    logits = data.fresh()
    value = L.normalized_focal_loss(logits, data.labels, gamma)
    p, rows = data.logits.softmax(1).numpy(), np.arange(6)
    focal = -((1 - p) ** gamma) * np.log(p)
    weight = (1 - p) ** gamma - gamma * p * (1 - p) ** (gamma - 1) * np.log(p)
    slopes = weight[:, :, None] * (p[:, None, :] - np.eye(num_classes))  # of label k's loss at logit j
    of_label, total = focal[rows, data.labels], focal.sum(1)
    at_label = slopes[rows, data.labels]
    expected = (at_label - (of_label / total)[:, None] * slopes.sum(1)) / total[:, None]
    assert_close(value, torch.from_numpy(of_label / total), rtol=1e-11, atol=1e-12)
    assert_close(gradient(value, logits), torch.from_numpy(expected), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("gamma", [0, 0.5, 2, 5.0])
@pytest.mark.parametrize("scale", [0.0, 2.0, 100.0])
def test_normalized_focal_sums_to_one_over_labels(gamma, scale):
    data = batch(num_classes=6, scale=scale)
    of_labels = [L.normalized_focal_loss(data.logits, torch.full((6,), k), gamma) for k in range(6)]
    assert min(of.min() for of in of_labels) >= 0
    assert_close(sum(of_labels), torch.ones(6, dtype=torch.float64))


RANGES = {
    "nfl": (L.normalized_focal_loss, 0, 1),
    "aue": (L.asymmetric_unhinged, 0, (5.5**3 - 4.5**3) / 3),
    "aue, a = 1": (lambda z, y: L.asymmetric_unhinged(z, y, a=1, q=0.2), 0, 5),
    "ael": (L.asymmetric_exponential, math.exp(-1 / 2.5), 1),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", RANGES)
def test_bounds_are_kept_and_reached(name, dtype):
    loss, least, most = RANGES[name]
    certain = torch.tensor([[300.0, 0.0, 0.0], [-300.0, 0.0, -600.0]], dtype=dtype)
    value = loss(certain, torch.tensor([0, 0]))
    ends = torch.tensor([least, most], dtype=dtype)
    expected = torch.tensor([least, 1 / 3], dtype=dtype) if name == "nfl" else ends
    assert_close(value, expected, rtol=1e-6, atol=0)
    data = batch(num_classes=3, shape=(500,), scale=5.0, dtype=dtype)
    for target in (data.labels, data.probabilities):
        between = loss(data.logits, target)
        assert between.min() >= ends[0] * (1 - 1e-6)
        assert between.max() <= ends[1] * (1 + 1e-6)


def mostly(rng, num_classes, ratio):
    """Random weights of the labels of which the largest is just `ratio` times the next."""
    rest = rng.uniform(0, 1, num_classes - 1)
    return torch.from_numpy(np.concatenate([[ratio * rest.max()], rest]))


ASYMMETRIC = {
    "aue": (L.asymmetric_unhinged, (5.5 / 4.5) ** 2),
    "aue-code": (lambda z, y: L.asymmetric_unhinged(z, y, a=1.5, q=0.9), 1.0),
    "ael": (L.asymmetric_exponential, math.exp(1 / 2.5)),
    "agce": (L.asymmetric_generalized_cross_entropy, (1.6 / 0.6) ** 0.4),
}


@pytest.mark.parametrize("name", ASYMMETRIC)
def test_the_most_weighted_label_is_the_minimum_from_the_ratio_on(name):
    loss, ratio = ASYMMETRIC[name]
    rng = np.random.default_rng(0)

    def risk(p, weights):
        return loss(p.log(), weights.expand_as(p))

    for num_classes in (2, 3, 10):
        for _ in range(20):
            weights = mostly(rng, num_classes, ratio + 1e-9)
            p = torch.from_numpy(rng.dirichlet(np.full(num_classes, 0.5), 2000)).clamp(min=1e-300)
            chosen = torch.eye(num_classes, dtype=torch.float64)[:1].clamp(min=1e-300)
            assert risk(chosen, weights)[0] <= risk(p / p.sum(1, keepdim=True), weights).min() + 1e-12


def test_below_the_ratio_the_minimum_may_lie_elsewhere():
    weights = torch.tensor([0.501, 0.499], dtype=torch.float64)
    p = torch.tensor([[1 - 1e-300, 1e-300], [0.5, 0.5]], dtype=torch.float64)
    for name in ("aue", "ael", "agce"):
        at_label, between = ASYMMETRIC[name][0](p.log(), weights.expand_as(p))
        assert between < at_label, name


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    "loss",
    [
        L.focal_loss,
        lambda z, y: L.focal_loss(z, y, gamma=0.5),
        L.normalized_focal_loss,
        L.asymmetric_unhinged,
        lambda z, y: L.asymmetric_unhinged(z, y, a=1, q=0.4),
        L.asymmetric_exponential,
        L.jensen_shannon,
    ],
    ids=["focal", "focal-half", "nfl", "aue", "aue-a1", "ael", "js"],
)
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
def test_a_class_at_minus_infinity_is_the_limit(loss, kind, dtype):
    logits = torch.tensor([[1.0, -math.inf, 0.5], [0.0, -math.inf, -2.0]], dtype=dtype, requires_grad=True)
    low = torch.where(logits.isfinite(), logits.double(), -1e10).detach().requires_grad_()
    target = torch.tensor([0, 2]) if kind == "labels" else torch.tensor([[0.7, 0.0, 0.3], [0.0, 0.0, 1.0]])
    value, limit = loss(logits, target), loss(low, target)
    assert_close(value.double(), limit, rtol=1e-6, atol=1e-6)
    slopes = gradient(value, logits)
    assert_close(slopes.double(), gradient(limit, low), rtol=2e-3, atol=1e-6)
    assert (slopes[:, 1] == 0).all()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda z, y: L.focal_loss(z, y, gamma=-1), "gamma=-1"),
        (lambda z, y: L.focal_loss(z, y, gamma=math.inf), "gamma=inf"),
        (lambda z, y: L.normalized_focal_loss(z, y, gamma=math.nan), "gamma=nan"),
        (lambda z, y: L.asymmetric_unhinged(z, y, a=0.9), r"a=0\.9"),
        (lambda z, y: L.asymmetric_unhinged(z, y, q=0), "q=0"),
        (lambda z, y: L.asymmetric_exponential(z, y, a=0), "a=0"),
        (lambda z, y: L.asymmetric_exponential(z, y, a=math.inf), "a=inf"),
    ],
)
def test_hyperparameters_out_of_range_are_named(call, named):
    with pytest.raises(ValueError, match=named):
        call(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
