"""What noise can cost at most, on random problems and where the bounds are attained."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sce_lib import theory
from sce_lib.losses import functional as F
from sce_lib.noise import symmetric_matrix

classes = st.integers(2, 8)
seeds = st.integers(0, 2**32 - 1)
weights = st.floats(0.01, 10)
log_zero = st.floats(-12, -0.1)
few = settings(max_examples=40, deadline=None)
positive = st.sampled_from(
    ["symmetric", "class_dependent_rate", "x_dependent_rate", "asymmetric", "asymmetric_realisable"]
)


@few
@given(st.sampled_from(list(theory.SETTINGS)), classes, seeds)
def test_the_noisy_risk_is_the_floor_and_a_weighted_clean_risk(setting, K, seed):
    problem = theory.random_problem(setting, num_classes=K, num_classifiers=5, seed=seed, exact=True)
    found = theory.risk_bounds(problem, Fraction(-7, 2))
    assert (found.excess == found.identity).all()
    assert (found.w_min * found.clean <= found.excess).all()
    assert (found.excess <= found.w_max * found.clean).all()


@few
@given(positive, classes, seeds, st.fractions(0, 2))
def test_a_near_minimiser_of_the_noisy_risk_is_near_on_clean_labels(setting, K, seed, epsilon):
    problem = theory.random_problem(setting, num_classes=K, num_classifiers=30, seed=seed, exact=True)
    found = theory.risk_bounds(problem, -4)
    assume(found.w_min > 0)  # rates that depend on the class may break it where K is 2
    near = found.noisy <= found.noisy.min() + epsilon
    assert (found.clean[near] <= found.clean_risk_at_most(epsilon)).all()
    # P(error) <= 2 R / |A|: whoever errs gives the label at most one half.
    assert (theory.misclassification(problem) <= 2 * found.clean / 4).all()


@few
@given(classes, seeds)
def test_symmetric_noise_has_one_weight_and_a_realisable_class_no_risk(K, seed):
    symmetric = theory.risk_bounds(theory.random_problem(num_classes=K, seed=seed, exact=True))
    assert symmetric.kappa == 1
    truth = theory.random_problem("asymmetric_realisable", num_classes=K, seed=seed, exact=True)
    assert theory.risk_bounds(truth).clean_risk_at_most(0) == 0


@pytest.mark.parametrize("kappa", [1, 2, 10, 37])
def test_the_bound_is_attained(kappa):
    problem = theory.tight_problem(kappa)
    found = theory.risk_bounds(problem, -4)
    assert found.kappa == kappa
    assert found.noisy[0] == found.noisy[1]
    assert found.clean[1] == found.clean_risk_at_most(0) == kappa * found.clean[0]


def test_without_its_condition_there_is_no_bound():
    reversed_ = theory.random_problem("symmetric_above_bound", num_classes=3, seed=1)
    found = theory.risk_bounds(reversed_)
    assert found.w_min < 0
    with pytest.raises(ValueError, match="everywhere"):
        _ = found.kappa
    with pytest.raises(ValueError, match="at least 0, not -1"):
        theory.risk_bounds(theory.random_problem(seed=1)).clean_risk_at_most(-1)
    with pytest.raises(ValueError, match="at least 1"):
        theory.tight_problem(0)


@few
@given(classes, seeds, weights, weights, log_zero, st.sampled_from(["random", "linear"]))
def test_under_symmetric_noise_sl_is_smoothed_in_its_cross_entropy_alone(K, seed, alpha, beta, A, family):
    problem = theory.random_problem("symmetric", family, num_classes=K, seed=seed)
    assume(problem.noise_rate < 0.99 * (1 - 1 / K))
    found = theory.sl_under_noise(problem, alpha, beta, A)
    np.testing.assert_allclose(found.decomposed, found.noisy, rtol=1e-9, atol=1e-9)
    slack = 1e-9 * (1 + np.abs(found.clean).max())
    assert -slack <= found.excess <= found.excess_at_most + slack


def test_without_alpha_nothing_is_lost_and_other_noise_is_refused():
    problem = theory.random_problem("symmetric", num_classes=4, seed=5)
    found = theory.sl_under_noise(problem, alpha=0.0)
    assert found.excess == found.excess_at_most == 0
    for setting in ("asymmetric", "class_dependent_rate", "x_dependent_rate"):
        with pytest.raises(ValueError, match="symmetric noise of one rate"):
            theory.sl_under_noise(theory.random_problem(setting, num_classes=4, seed=5))
    with pytest.raises(ValueError, match="not below"):
        theory.sl_under_noise(theory.random_problem("symmetric_above_bound", num_classes=4, seed=5))


def test_the_excess_of_sl_grows_with_alpha():
    """A class in which cross entropy's part moves the minimiser: the bound is not idle."""
    points = np.linspace(-2, 2, 9)
    joint = np.where(np.arange(9)[:, None] < 6, [0.9, 0.1], [0.05, 0.95]) / 9
    grid = theory.linear_grid(points, np.linspace(0.2, 6, 30), np.linspace(-3, 3, 31))
    problem = theory.FiniteProblem(joint, symmetric_matrix(2, 0.35), grid)
    lost = [theory.sl_under_noise(problem, alpha, 1.0).excess for alpha in (0.0, 0.5, 2.0)]
    assert lost[0] == 0
    assert lost[2] > 1e-3


@few
@given(classes, seeds)
def test_noisy_risk_bounds_the_excess_error(K, seed):
    problem = theory.random_problem("symmetric", num_classes=K, num_classifiers=40, seed=seed, exact=True)
    found = theory.excess_error(problem, Fraction(-5, 2))
    assert (found.excess >= 0).all()
    assert (found.excess <= found.at_most).all()


def test_the_error_bound_is_of_symmetric_noise():
    with pytest.raises(ValueError, match="symmetric noise of one rate"):
        theory.excess_error(theory.random_problem("asymmetric", num_classes=4, seed=5))
    # Nearly attained: of K nearly equal probabilities the wrong one is a hair ahead.
    K, hair = 5, Fraction(1, 10**6)
    row = [Fraction(1, K) - hair, Fraction(1, K) + hair, *[Fraction(1, K)] * (K - 2)]
    joint = theory.rational([[1, *[0] * (K - 1)]])
    matrix = theory.uniform_flips(theory.rational([0.4] * K), K)
    problem = theory.FiniteProblem(joint, matrix, np.array([[row]], dtype=object))
    found = theory.excess_error(problem, -4)
    assert found.excess[0] == 1
    assert 1 <= found.at_most[0] < Fraction(K)  # K (1 - 1/K) and a hair


LIMITS = {
    "rce": (F.reverse_cross_entropy, 1.0),
    "mae": (F.mean_absolute_error, 1.0),
    "ce": (F.cross_entropy, 0.0),
    "sl": (F.symmetric_cross_entropy, 0.0),
    "gce": (partial(F.generalized_cross_entropy, q=0.7), 0.0),
    "taylor 2": (partial(F.taylor_cross_entropy, t=2), 1 / 2),
    "taylor 6": (partial(F.taylor_cross_entropy, t=6), 1 / 6),
    "phuber": (partial(F.partially_huberised_cross_entropy, tau=10.0), 1 / 10),
    "agce": (partial(F.asymmetric_generalized_cross_entropy, a=2.0, q=0.4), (2 / 3) ** 0.6),
}


@pytest.mark.parametrize(("loss", "ratio"), LIMITS.values(), ids=LIMITS)
def test_tolerated_ratio(loss, ratio):
    assert theory.tolerated_ratio(loss) == pytest.approx(ratio, abs=2e-6)


@pytest.mark.parametrize("name", [name for name, (_, ratio) in LIMITS.items() if ratio > 0])
def test_the_ratio_is_where_the_label_stops_being_the_minimiser(name):
    loss, ratio = LIMITS[name]
    rng = np.random.default_rng(7)
    p = np.concatenate([np.eye(3), rng.dirichlet([0.3] * 3, size=4000), 0.999 * np.eye(3) + 0.001 / 3])
    table = theory.loss_table(p, loss)

    def minimised_at_the_label(second):
        values = table @ np.array([1.0, second, 0.5 * second])
        return values[0] <= values.min() + 1e-9

    assert minimised_at_the_label(0.97 * ratio)
    if ratio < 1:
        assert not minimised_at_the_label(min(1.0, 1.2 * ratio))


@pytest.mark.parametrize("name", LIMITS)
def test_only_an_affine_loss_of_the_probability_has_a_constant_sum(name):
    loss, ratio = LIMITS[name]
    p = np.random.default_rng(3).dirichlet([1.0] * 4, size=200)
    spread = np.ptp(theory.loss_table(p, loss).sum(axis=-1))
    assert (spread < 1e-9) == (ratio == 1.0)
