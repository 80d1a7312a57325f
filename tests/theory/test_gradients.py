"""Eqs. 8 to 11 and 14 to 20 against automatic differentiation, finite differences and one another."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sce_lib import theory
from sce_lib.losses import functional

classes = st.integers(2, 10)
seeds = st.integers(0, 2**32 - 1)
log_zero = st.floats(-12, -0.1)
weights = st.floats(0, 8)


def draw(K, seed):
    """Logits, prediction, label, and a soft target some of whose entries lie under the floor or are zero."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=rng.uniform(0.1, 4), size=K)
    p = torch.as_tensor(logits).softmax(0).numpy()
    soft = rng.dirichlet(np.full(K, 0.2))
    soft[rng.random(K) < 0.3] = 0
    soft = soft / soft.sum() if soft.sum() > 0 else np.eye(K)[0]
    return logits, p, int(rng.integers(K)), soft


def autograd(loss, logits, target):
    z = torch.as_tensor(logits)[None].requires_grad_()
    hard = isinstance(target, int)
    target = torch.tensor([target]) if hard else torch.as_tensor(target)[None]
    (gradient,) = torch.autograd.grad(loss(z, target).sum(), z)
    return gradient[0].numpy()


def close(actual, expected, scale=1.0):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-10 * max(1.0, scale))


@given(classes, seeds)
def test_jacobians(K, seed):
    logits, p, _, _ = draw(K, seed)
    z = torch.as_tensor(logits)
    expected = torch.autograd.functional.jacobian(lambda v: v.softmax(0), z).numpy()
    close(theory.softmax_jacobian(p), expected)
    close(theory.softmax_jacobian_by_quotient(logits), expected)
    close(theory.softmax_jacobian(np.stack([p, p]))[1], expected)


@given(classes, seeds, log_zero)
def test_gradients_for_any_target(K, seed, A):
    logits, p, _, q = draw(K, seed)
    close(
        theory.rce_gradient(p, q, A), autograd(partial(functional.reverse_cross_entropy, A=A), logits, q), -A
    )
    sl = partial(functional.symmetric_cross_entropy, alpha=1.0, beta=1.0, A=A)
    close(theory.sl_gradient_simplified(p, q, A), autograd(sl, logits, q), -A)
    close(theory.sl_gradient_sum(p, q, A), autograd(sl, logits, q), -A)


@given(classes, seeds, weights, weights, log_zero)
def test_gradients_for_a_hard_label(K, seed, alpha, beta, A):
    logits, p, y, _ = draw(K, seed)
    one_hot = np.eye(K)[y]
    scale = -10 * A
    close(theory.ce_gradient(p, y), autograd(functional.cross_entropy, logits, y))
    close(theory.rce_gradient(p, one_hot, A), theory.sl_gradient(p, y, 0.0, 1.0, A), -A)
    loss = partial(functional.symmetric_cross_entropy, alpha=alpha, beta=beta, A=A)
    gradient = theory.sl_gradient(p, y, alpha, beta, A)
    close(gradient, autograd(loss, logits, y), scale)
    close(theory.sl_weight(p[y], alpha, beta, A) * theory.ce_gradient(p, y), gradient, scale)
    close(theory.gradient_magnitude(p[y], alpha, beta, A), abs(gradient[y]), scale)
    close(gradient.sum(), 0, scale)
    close(theory.sl_gradient(p, y, 1.0, 1.0, A), theory.sl_gradient_simplified(p, one_hot, A), -A)


@given(classes, seeds, log_zero)
def test_equations_19_and_20_as_printed(K, seed, A):
    _, p, y, _ = draw(K, seed)
    gradient, ce = theory.sl_gradient(p, y, A=A), theory.ce_gradient(p, y)
    for j in range(K):
        printed = ce[j] - (A * p[j] ** 2 - A * p[j]) if j == y else ce[j] - A * p[j] * p[y]
        close(gradient[j], printed, -A)


@given(classes, seeds, weights, weights, log_zero)
def test_gradient_by_finite_differences(K, seed, alpha, beta, A):
    logits, p, y, _ = draw(K, seed)
    step = 1e-5
    moved = np.concatenate([logits + step * np.eye(K), logits - step * np.eye(K)])
    losses = functional.symmetric_cross_entropy(
        torch.as_tensor(moved), torch.full((2 * K,), y), alpha=alpha, beta=beta, A=A
    ).numpy()
    numerical = (losses[:K] - losses[K:]) / (2 * step)
    np.testing.assert_allclose(
        theory.sl_gradient(p, y, alpha, beta, A), numerical, rtol=0, atol=1e-6 * -A * 10
    )


@given(st.floats(0, 1), log_zero)
def test_acceleration_is_concave_symmetric_and_peaks_at_a_half(p, A):
    assert theory.acceleration(0.5, A) == pytest.approx(-A / 4)
    assert theory.acceleration(p, A) == pytest.approx(theory.acceleration(1 - p, A), abs=1e-12)
    assert -1e-12 <= theory.acceleration(p, A) <= -A / 4 + 1e-12
    # Above the chord between 0 and 1, on which it is 0, and below its tangent at ½: concave.
    assert theory.acceleration((p + 0.5) / 2, A) >= (theory.acceleration(p, A) - A / 4) / 2 - 1e-12


@given(weights, weights, log_zero)
def test_gradient_peaks_where_it_says(alpha, beta, A):
    p = np.linspace(0, 1, 20_001)
    magnitude = theory.gradient_magnitude(p, alpha, beta, A)
    peak = theory.gradient_peak(alpha, beta, A)
    assert 0 <= peak < 0.5 or (peak == 0.5 and alpha < 1e-12)
    assert theory.gradient_magnitude(peak, alpha, beta, A) >= magnitude.max() - 1e-9 * -A
    if alpha >= beta * -A:
        assert peak == 0
        assert (np.diff(magnitude) <= 1e-12).all()
    elif beta * -A - alpha > 1e-3:
        assert p[magnitude.argmax()] == pytest.approx(peak, abs=1e-4)


def test_settings_of_the_paper():
    assert theory.gradient_peak(6.0, 0.1, -4.0) == 0
    np.testing.assert_allclose(theory.sl_weight([0.0, 1.0], 6.0, 0.1, -4.0), [6.0, 6.4])
    assert theory.gradient_peak(0.1, 1.0, -6.0) == pytest.approx(0.5 - 0.1 / 12)


@given(st.floats(0, 30), weights, weights, log_zero)
def test_sl_is_a_function_of_ce(ce, alpha, beta, A):
    p_y = np.exp(-ce)
    direct = alpha * ce - beta * A * (1 - p_y)
    assert theory.sl_of_ce(ce, alpha, beta, A) == pytest.approx(direct, abs=1e-10 * -A * 10)
    # Only the product of beta and A counts.
    assert theory.sl_of_ce(ce, alpha, 1.0, min(beta * A, -1e-9)) == pytest.approx(direct, abs=1e-8 * -A * 10)


@given(classes, st.lists(st.floats(0.001, 0.999), min_size=1, max_size=5), weights, weights, log_zero)
def test_weight_by_autograd_is_the_closed_form(K, p_y, alpha, beta, A):
    loss = partial(functional.symmetric_cross_entropy, alpha=alpha, beta=beta, A=A)
    value, weight = theory.loss_of_probability(loss, p_y, K)
    np.testing.assert_allclose(weight, theory.sl_weight(p_y, alpha, beta, A), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(value, theory.sl_of_ce(-np.log(p_y), alpha, beta, A), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.ce_gradient([0.5, 0.5], 2), r"label 2 is outside 0 … 1"),
        (lambda: theory.sl_gradient([0.5, 0.5], 0, A=4.0), "A=4.0"),
        (lambda: theory.gradient_peak(-1.0, 1.0), "alpha=-1.0"),
        (lambda: theory.sl_weight(0.5, 1.0, -1.0), "beta=-1.0"),
        (lambda: theory.sl_gradient_sum([1.0, 0.0], [1.0, 0.0]), "divides by p_k"),
        (lambda: theory.loss_of_probability(functional.cross_entropy, [0.0]), "strictly between 0 and 1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
