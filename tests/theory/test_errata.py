"""Remarks on the paper's comparisons, which no chapter computes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sce_lib import theory
from sce_lib.losses import functional as F


@given(st.integers(2, 20), st.floats(0.01, 0.9), st.integers(0, 2**31))
def test_smoothed_rce_is_rce_at_another_A_and_a_constant(K, share, seed):
    """The label keeps 1 − ε and each other class gets ε/(K−1); no logarithm is floored."""
    epsilon = share * (1 - 1 / K)
    p = np.random.default_rng(seed).dirichlet(np.ones(K), size=20)
    logits = torch.from_numpy(p).log()
    labels = torch.zeros(20, dtype=torch.int64)
    target = torch.full((20, K), epsilon / (K - 1), dtype=torch.float64)
    target[:, 0] = 1 - epsilon
    smoothed = F.reverse_cross_entropy(logits, target, A=-50.0)
    A = np.log(epsilon / ((K - 1) * (1 - epsilon)))
    rest = (smoothed - F.reverse_cross_entropy(logits, labels, A=A)).numpy()
    np.testing.assert_allclose(rest, -np.log(1 - epsilon), atol=1e-9)


@given(st.floats(0.01, 0.99), st.floats(0, 5), st.floats(0, 5), st.floats(-9, -0.5))
def test_sl_is_a_weighted_mae_as_gce_is(p_y, alpha, beta, A):
    mae = 2 * p_y * (1 - p_y)  # the size of its gradient on the label's logit
    weight = (alpha / p_y + beta * abs(A)) / 2
    assert weight * mae == pytest.approx(float(theory.gradient_magnitude(p_y, alpha, beta, A)))


@given(st.floats(0.51, 0.98))
def test_the_push_on_the_other_logits_falls_beyond_one_half(p_y):
    rest = np.array([p_y, (1 - p_y) / 2, (1 - p_y) / 2])
    more = np.array([p_y + 0.01, (0.99 - p_y) / 2, (0.99 - p_y) / 2])
    pushes = [theory.sl_gradient(p, 0, 0.0, 1.0, -4.0)[1:].sum() for p in (rest, more)]
    assert pushes[1] < pushes[0]
    assert pushes[0] == pytest.approx(4 * p_y * (1 - p_y))
