"""Time to learn against an ODE solver and against training itself; shares of the gradient."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from sce_lib import theory
from sce_lib.losses.functional import symmetric_cross_entropy

weights = st.one_of(st.just(0.0), st.floats(1e-12, 10))
classes = st.integers(2, 200)


@settings(max_examples=60, deadline=None)
@given(classes, weights, weights, st.floats(-9, -0.5))
def test_time_is_what_an_ode_solver_takes(K, alpha, beta, A):
    assume(alpha + beta > 1e-3)
    taken = theory.learning_time(K, alpha, beta, A)
    end = solve_ivp(
        lambda t, p: theory.learning_speed(np.clip(p, 0, 1), K, alpha, beta, A),
        (0, float(taken)),
        [1 / K],
        rtol=1e-10,
        atol=1e-13,
    ).y[0, -1]
    assert end == pytest.approx(0.5, abs=1e-6)


@given(classes, st.floats(-9, -0.5))
def test_closed_forms_of_the_two_ends(K, A):
    log = np.log(K - 1)
    ce = (K - 1) / K * (2 + log - K / (K - 1))
    rce = (K - 1) / (K * -A) * (K - K / (K - 1) + 2 * log)
    assert theory.learning_time(K, 1.0, 0.0, A) == pytest.approx(ce, abs=1e-12)
    assert theory.learning_time(K, 0.0, 1.0, A) == pytest.approx(rce, rel=1e-12, abs=1e-12)


def test_a_small_alpha_costs_no_digits():
    exact = theory.learning_time(100, 0.0, 1.0, -4.0)
    for alpha in (1e-6, 1e-9, 1e-12, 1e-15):
        assert theory.learning_time(100, alpha, 1.0, -4.0) == pytest.approx(exact, rel=100 * alpha + 1e-9)


def test_gradient_descent_takes_that_long():
    K, rate = 10, 1e-3
    z, label = torch.zeros(1, K, dtype=torch.float64, requires_grad=True), torch.tensor([3])
    steps = 0
    while z.detach().softmax(1)[0, 3] < 0.5:
        (gradient,) = torch.autograd.grad(symmetric_cross_entropy(z, label, 0.1, 1.0, A=-4.0).sum(), z)
        z = (z - rate * gradient).detach().requires_grad_()
        steps += 1
    assert rate * steps == pytest.approx(float(theory.learning_time(K, 0.1, 1.0, -4.0)), rel=2e-3)


def test_times_add_up_and_many_ends_are_answered_at_once():
    ends = np.array([0.2, 0.5, 0.9])
    times = theory.learning_time(10, 0.1, 1.0, end=ends)
    assert (np.diff(times) > 0).all()
    between = theory.learning_time(10, 0.1, 1.0, start=0.2, end=0.5)
    assert times[1] - times[0] == pytest.approx(float(between))
    assert theory.learning_time(10, end=0.05) < 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 1}, "at least 2, got 1"),
        ({"num_classes": 3, "alpha": 0.0, "beta": 0.0}, "both 0"),
        ({"num_classes": 3, "alpha": -1.0}, "alpha=-1"),
        ({"num_classes": 3, "end": 1.0}, "end must lie strictly"),
        ({"num_classes": 3, "start": 0.0}, "start must lie strictly"),
        ({"num_classes": 3, "end": float("nan")}, "between 0 and 1"),
    ],
)
def test_what_is_no_start_end_or_loss_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        theory.learning_time(**arguments)


@settings(deadline=None)
@given(
    st.lists(st.floats(0.0, 0.999), min_size=1, max_size=40),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
    st.floats(0.01, 10),
    st.floats(0, 10),
)
def test_hard_samples_never_get_a_larger_share_under_sl(p, thresholds, alpha, beta):
    under_sl = theory.gradient_share_below(p, thresholds, alpha, beta)
    under_ce = theory.gradient_share_below(p, thresholds, alpha=1.0, beta=0.0)
    assert under_sl.shape == (len(thresholds),)
    assert (under_sl <= under_ce + 1e-12).all()


def test_a_share_is_of_autograds_gradient():
    rng = np.random.default_rng(2)
    logits = torch.tensor(rng.normal(size=(50, 6)) * 2, requires_grad=True)
    labels = torch.tensor(rng.integers(6, size=50))
    symmetric_cross_entropy(logits, labels, 0.3, 1.2, A=-3.0).sum().backward()
    sizes = logits.grad[range(50), labels].abs().numpy()
    p = logits.detach().softmax(1)[range(50), labels].numpy()
    for t in (0.05, 0.3, 0.8):
        share = theory.gradient_share_below(p, t, 0.3, 1.2, A=-3.0)
        assert share == pytest.approx(sizes[p <= t].sum() / sizes.sum())
    with pytest.raises(ValueError, match="no sample has a gradient"):
        theory.gradient_share_below([1.0], 0.5)
    with pytest.raises(ValueError, match="shape"):
        theory.gradient_share_below([], 0.5)
