"""What a mutation of the theory could change unnoticed: defaults, ties, inputs without mass, named terms."""

import inspect
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sce_lib import losses, theory
from sce_lib.losses import functional as F
from sce_lib.noise import corrupt, symmetric_matrix

few = settings(max_examples=60, deadline=None)


def default(function, name):
    return inspect.signature(function).parameters[name].default


@pytest.mark.parametrize(
    ("function", "name", "value"),
    [
        *((function, "A", -4.0) for function in (theory.sl_gradient, theory.rce_gradient)),
        *((function, "A", -4.0) for function in (theory.gradient_peak, theory.sl_weight, theory.rce_table)),
        *((function, "A", -4.0) for function in (theory.symmetric_proof, theory.asymmetric_proof)),
        *(
            (function, "A", -4.0)
            for function in (theory.equation_13, theory.risk_bounds, theory.excess_error)
        ),
        *((function, "A", -4.0) for function in (theory.learning_time, theory.sl_under_noise)),
        (theory.random_problem, "num_classifiers", 20),
        (theory.find_counterexample, "num_classifiers", 200),
        (F.partially_huberised_cross_entropy, "tau", 10.0),
        (losses.PartiallyHuberisedCrossEntropy, "tau", 10.0),
    ],
)
def test_defaults(function, name, value):
    assert default(function, name) == value


def test_defaults_are_used():
    assert len(theory.random_problem(seed=1).classifiers) == 20
    p, y = np.array([0.5, 0.3, 0.2]), 0
    np.testing.assert_array_equal(theory.sl_gradient(p, y), theory.sl_gradient(p, y, 1.0, 1.0, -4.0))
    assert theory.gradient_peak(0.1, 1.0) == theory.gradient_peak(0.1, 1.0, -4.0) != 0.5


def test_scalar_logits_are_refused():
    with pytest.raises(ValueError, match="got a scalar"):
        F.partially_huberised_cross_entropy(torch.tensor(0.0), torch.tensor(0))


def test_a_class_without_a_sample_realises_nothing():
    noisy = corrupt(np.array([0, 0, 2, 2]), symmetric_matrix(3, 0.5), seed=0)
    assert np.isnan(noisy.realised[1]).all()
    assert np.isfinite(noisy.realised[[0, 2]]).all()


@st.composite
def awkward(draw, symmetric=False):
    """Draw an exact problem of small numbers: zero weights, inputs without mass, ties, equal classifiers."""
    K, points, count = draw(st.integers(2, 4)), draw(st.integers(1, 3)), draw(st.integers(2, 5))

    def shares(*shape):
        values = draw(st.lists(st.integers(0, 3), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
        return np.array(values).reshape(shape)

    joint = shares(points, K)
    assume(joint.sum() > 0)
    classifiers = shares(count, points, K)
    classifiers[..., 0] += classifiers.sum(axis=-1) == 0
    classifiers[-1] = classifiers[0]  # one of them twice
    rates = draw(st.fractions(0, 1, max_denominator=9))
    matrix = theory.uniform_flips([rates] * K, K)
    if not symmetric:
        matrix = shares(K, K) + 1
        matrix = theory.rational(matrix) / matrix.sum(axis=1, keepdims=True)
    total = theory.rational(classifiers) / classifiers.sum(axis=-1, keepdims=True)
    return theory.FiniteProblem(theory.rational(joint) / int(joint.sum()), theory.rational(matrix), total)


@few
@given(awkward(), st.sampled_from([-4.0, -4, Fraction(-5, 2), -0.5]))
def test_eq_12_and_the_inequality_on_awkward_problems(problem, A):
    values = theory.asymmetric_proof(problem, A).values()
    assert (values == values[0]).all()  # exactly, whatever kind of number A is
    bounds = theory.risk_bounds(problem, A)
    assert (bounds.excess == bounds.identity).all()
    assert (bounds.w_min * bounds.clean <= bounds.excess).all()
    assert (bounds.excess <= bounds.w_max * bounds.clean).all()
    assert (theory.misclassification(problem) <= 2 * bounds.clean / -Fraction(A)).all()


@few
@given(awkward(symmetric=True))
def test_the_symmetric_half_on_awkward_problems(problem):
    values = theory.symmetric_proof(problem).values()
    assert (values == values[0]).all()
    eta, K = problem.noise_rates[0, 0], problem.num_classes
    table = theory.rce_table(problem.classifiers)
    if eta < Fraction(K - 1, K):
        assert theory.is_noise_tolerant(problem, table)
        regret = theory.excess_error(problem)
        assert (regret.excess >= 0).all()
        assert (regret.excess <= regret.at_most).all()
    else:
        with pytest.raises(ValueError, match="below 1 - 1/K"):
            theory.excess_error(problem)


@few
@given(awkward(symmetric=True), st.floats(0.05, 2), st.floats(0, 2))
def test_sl_under_noise_on_awkward_problems(problem, alpha, beta):
    eta, K = float(problem.noise_rates[0, 0]), problem.num_classes
    assume(eta < 0.95 * (1 - 1 / K))
    parts = (part.astype(np.float64) for part in (problem.joint, problem.transition, problem.classifiers))
    floats = theory.FiniteProblem(*parts)
    table = theory.sl_table(floats.classifiers, alpha, beta)
    assume(np.isfinite(theory.noisy_risks(floats, table)).any())
    found = theory.sl_under_noise(floats, alpha, beta)
    finite = np.isfinite(found.noisy)
    np.testing.assert_allclose(found.decomposed[finite], found.noisy[finite], rtol=1e-9, atol=1e-9)
    assert -1e-9 <= found.excess <= found.excess_at_most + 1e-9


@pytest.mark.parametrize("K", [2, 3, 5, 7, 9, 11, 12, 35, 39])
def test_at_the_bound_no_error_bound_is_given(K):
    problem = theory.random_problem(num_classes=K, seed=1)
    level = theory.uniform_flips([1 - 1 / K] * K, K)
    with pytest.raises(ValueError, match="below 1 - 1/K"):
        theory.excess_error(theory.FiniteProblem(problem.joint, level, problem.classifiers))


def test_of_tied_minimisers_the_first_is_taken():
    joint, flips = theory.rational([[1, 0]]), theory.uniform_flips(theory.rational([0.25, 0.25]), 2)
    best, other = [[1, 0]], [[0, 1]]
    problem = theory.FiniteProblem(joint, flips, np.array([other, best, best]))
    eq13 = theory.equation_13(problem, -4)
    assert (eq13.f_star, eq13.f_star_eta) == (1, 1)
    assert theory.symmetric_conclusion(problem, -4).f_star == 1
    assert theory.minimisers(np.array([2.0, 1.0, 1.0])).tolist() == [1, 2]


def test_terms_of_the_asymmetric_half_are_what_their_names_say():
    problem = theory.random_problem("asymmetric", num_classes=3, num_points=2, seed=5)
    lines = theory.asymmetric_proof(problem, -4.0).lines
    table = theory.rce_table(problem.classifiers, -4.0)
    keep, joint, T = 1 - problem.noise_rates, problem.joint, problem.transition
    whole, own, flipped, rest = (np.zeros(len(table)) for _ in range(4))
    for x in range(2):
        for y in range(3):
            others = [k for k in range(3) if k != y]
            whole += joint[x, y] * keep[x, y] * table[:, x].sum(axis=-1)
            own += joint[x, y] * keep[x, y] * table[:, x, y]
            rest -= joint[x, y] * keep[x, y] * table[:, x, others].sum(axis=-1)
            flipped += joint[x, y] * (T[y, others] * table[:, x, others]).sum(axis=-1)
    np.testing.assert_allclose(lines["3"].terms["E (1 - eta_y) l(f, y)"], own)
    np.testing.assert_allclose(lines["3"].terms["E sum_{k != y} eta_yk l(f, k)"], flipped)
    np.testing.assert_allclose(lines["4"].terms["E (1 - eta_y) sum_k l(f, k)"], whole)
    np.testing.assert_allclose(lines["4"].terms["-E (1 - eta_y) sum_{k != y} l(f, k)"], rest)


def test_a_sample_at_the_threshold_is_below_it():
    assert theory.gradient_share_below([0.2, 0.8], 0.2) > 0
    assert theory.gradient_share_below([0.2, 0.8], 0.19) == 0


STEEP = {
    **{f"taylor {t}": (partial(F.taylor_cross_entropy, t=t), 1 / t) for t in (2, 11, 13, 20, 50)},
    **{
        f"agce {a} {q}": (partial(F.asymmetric_generalized_cross_entropy, a=a, q=q), (a / (a + 1)) ** (1 - q))
        for a, q in ((0.05, 0.4), (0.1, 0.1), (0.01, 0.9), (1.0, 0.5))
    },
    **{f"gce {q}": (partial(F.generalized_cross_entropy, q=q), 0.0) for q in (0.1, 0.9, 0.99)},
    "agce, concave": (partial(F.asymmetric_generalized_cross_entropy, a=1.0, q=2.0), 1.0),
    "sl, small alpha": (partial(F.symmetric_cross_entropy, alpha=1e-3), 0.0),
}


@pytest.mark.parametrize(("loss", "ratio"), STEEP.values(), ids=STEEP)
def test_a_steep_slope_is_not_an_infinite_one(loss, ratio):
    assert theory.tolerated_ratio(loss) == pytest.approx(ratio, rel=1e-4, abs=1e-5)


def test_a_class_of_infinite_risks_is_refused():
    sure = theory.FiniteProblem([[1.0, 0.0]], symmetric_matrix(2, 0.2), [[[1.0, 0.0]], [[0.0, 1.0]]])
    with pytest.raises(ValueError, match="infinite risk"):
        theory.sl_under_noise(sure)
