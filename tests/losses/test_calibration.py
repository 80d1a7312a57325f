"""The posterior is had back from SL's optimum, and a trained network's probabilities mean more."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sce_lib.losses import SymmetricCrossEntropy
from sce_lib.losses.calibration import calibrate
from sce_lib.theory import optimal_classifier


@given(st.integers(2, 12), st.integers(0, 2**31), st.floats(0.02, 8), st.floats(0, 5), st.floats(-9, -0.5))
def test_it_inverts_the_optimum_over_all_classifiers(K, seed, alpha, beta, A):
    posterior = np.random.default_rng(seed).dirichlet([1.0] * K, size=7)
    p = optimal_classifier(posterior, alpha, beta, A)
    back = calibrate(torch.from_numpy(p), alpha, beta, A=A)
    np.testing.assert_allclose(back.numpy(), posterior, rtol=0, atol=1e-6)


def test_shapes_dtypes_and_the_order_of_classes():
    logits = torch.randn(4, 5, 2, 3, generator=torch.Generator().manual_seed(0))
    p = logits.softmax(1)
    out = calibrate(p)
    assert out.shape == p.shape
    torch.testing.assert_close(out.sum(1), torch.ones(4, 2, 3))
    assert (out.argsort(1) == p.argsort(1)).all()
    torch.testing.assert_close(calibrate(p[0, :, 0, 0]), out[0, :, 0, 0])
    assert calibrate(p.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(calibrate(p, alpha=1.0, beta=0.0), p)
    assert (out.amax(1) < p.amax(1)).all()  # SL is overconfident


@pytest.mark.parametrize(
    ("p", "options", "message"),
    [
        (torch.ones(2, 2), {}, "sum to 1"),
        (torch.tensor([1.5, -0.5]), {}, "at least 0"),
        (torch.tensor([float("nan"), 1.0]), {}, "sum to 1"),
        (torch.tensor([1, 0]), {}, "floating point"),
        (torch.tensor(1.0), {}, "class dimension"),
        (torch.tensor([0.5, 0.5]), {"alpha": 0.0}, "alpha must be above 0"),
        (torch.tensor([0.5, 0.5]), {"alpha": -1.0}, "alpha=-1"),
        (torch.tensor([0.5, 0.5]), {"A": 1.0}, "below 0"),
    ],
)
def test_what_is_no_probability_is_refused(p, options, message):
    with pytest.raises(ValueError, match=message):
        calibrate(p, **options)


def gaussians(seed, size=4000):
    """Draw five overlapping Gaussian classes on a circle."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(5, size=size)
    angle = 2 * np.pi * labels / 5
    points = 1.6 * np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(size=(size, 2))
    return torch.tensor(points, dtype=torch.float32), torch.tensor(labels)


def calibration_error(p, labels, bins=15):
    confidence, predicted = p.max(1)
    right = (predicted == labels).double()
    which = (confidence * bins).long().clamp(max=bins - 1)
    return sum(
        float((right[which == b].mean() - confidence[which == b].mean()).abs() * (which == b).double().mean())
        for b in which.unique()
    )


def test_a_trained_network_is_better_calibrated_after_it():
    (x, y), (test_x, test_y) = gaussians(0), gaussians(1)
    generator = torch.Generator().manual_seed(0)
    w1 = torch.randn(2, 64, generator=generator).requires_grad_()
    w2 = (torch.randn(64, 5, generator=generator) / 8).requires_grad_()
    criterion = SymmetricCrossEntropy(0.1, 1.0, A=-4.0)
    optimizer = torch.optim.SGD([w1, w2], lr=0.05, momentum=0.9)
    for _ in range(300):
        optimizer.zero_grad()
        criterion(torch.relu(x @ w1) @ w2, y).backward()
        optimizer.step()
    with torch.no_grad():
        p = (torch.relu(test_x @ w1) @ w2).softmax(1)
    after = calibrate(p, 0.1, 1.0, A=-4.0)
    rows = torch.arange(len(test_y))
    nll = [-(q[rows, test_y].clamp(min=1e-12).log()).mean().item() for q in (p, after)]
    ece = [calibration_error(q, test_y) for q in (p, after)]
    assert nll[1] < 0.9 * nll[0]
    assert ece[1] < 0.6 * ece[0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize(("alpha", "beta"), [(1e-8, 1.0), (0.1, 2e4), (1e-4, 1e5), (5.0, 0.0)])
def test_extreme_settings_keep_the_order_and_are_probabilities(dtype, alpha, beta):
    p = torch.tensor([[0.7, 0.3], [1.0, 0.0], [0.4, 0.6]], dtype=dtype)
    out = calibrate(p, alpha, beta, A=-9.0)
    assert out.dtype == dtype
    torch.testing.assert_close(out.float().sum(1), torch.ones(3), atol=1e-2, rtol=0)
    for row, largest in ((0, 0), (1, 0), (2, 1)):  # where half precision ties them, no other is ahead
        assert out[row, largest] == out[row].max()


def test_an_alpha_that_cannot_be_divided_by_is_refused():
    with pytest.raises(ValueError, match="too small beside"):
        calibrate(torch.tensor([0.5, 0.5]), alpha=1e-320)
