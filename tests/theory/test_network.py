"""The small network learns, is seeded, and every state of it obeys Theorem 1's line."""

from functools import partial

import numpy as np
import pytest
import torch

from sce_lib import theory
from sce_lib.losses import functional
from sce_lib.noise import symmetric_matrix

LABELS = np.arange(60) % 3
INPUTS = np.eye(3)[LABELS] + np.random.default_rng(0).normal(scale=0.1, size=(60, 3))
RCE = partial(functional.reverse_cross_entropy, A=-4.0)


def test_it_learns_and_lies_on_the_line():
    predictions = theory.predictions_while_training(INPUTS, LABELS, RCE, 3, epochs=10)
    assert predictions.shape == (11, 60, 3)
    problem = theory.FiniteProblem(np.eye(3)[LABELS] / 60, symmetric_matrix(3, 0.4), predictions)
    assert theory.misclassification(problem)[-1] == 0 < theory.misclassification(problem)[0]
    assert theory.symmetric_proof(problem).gap() < 1e-10


def test_a_seed_gives_one_network_and_leaves_the_global_state_alone():
    before = torch.get_rng_state()
    one, again, other = (
        theory.predictions_while_training(INPUTS, LABELS, RCE, 3, epochs=2, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3
    assert torch.equal(torch.get_rng_state(), before)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"got shapes \(60, 3\) and \(59,\)"):
        theory.predictions_while_training(INPUTS, LABELS[:-1], RCE, 3)
    with pytest.raises(ValueError, match=r"\(M, 3\); got \(4, 2\)"):
        theory.predictions_while_training(INPUTS, LABELS, RCE, 3, at=np.zeros((4, 2)))


def test_where_it_predicts_does_not_change_how_it_learns():
    trained = theory.predictions_while_training(INPUTS, LABELS, RCE, 3, epochs=2)
    elsewhere = theory.predictions_while_training(INPUTS, LABELS, RCE, 3, epochs=2, at=INPUTS[:5])
    np.testing.assert_allclose(elsewhere, trained[:, :5], atol=1e-6)
