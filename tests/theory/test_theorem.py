"""Theorem 1: every line equal where the hypotheses hold, unequal where they do not."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_lib import theory
from sce_lib.losses import functional

classes = st.integers(2, 10)
seeds = st.integers(0, 2**32 - 1)
log_zero = st.floats(-12, -0.1)
asymmetric = st.sampled_from(["asymmetric", "asymmetric_realisable"])
uniform = st.sampled_from(["symmetric", "symmetric_above_bound"])
few = settings(max_examples=30)  # exact arithmetic takes its time


@given(uniform, classes, seeds, log_zero)
def test_symmetric_lines_agree(setting, K, seed, A):
    proof = theory.symmetric_proof(theory.random_problem(setting, num_classes=K, seed=seed), A)
    assert list(proof.lines) == ["1", "2", "3", "4", "5"]
    assert proof.gap() <= 1e-10 * -A


@few
@given(uniform, classes, seeds)
def test_symmetric_lines_agree_exactly_on_fractions(setting, K, seed):
    problem = theory.random_problem(setting, num_classes=K, num_classifiers=4, seed=seed, exact=True)
    values = theory.symmetric_proof(problem, Fraction(-7, 2)).values()
    assert (values == values[0]).all()


@given(asymmetric, classes, seeds, log_zero)
def test_asymmetric_lines_agree(setting, K, seed, A):
    proof = theory.asymmetric_proof(theory.random_problem(setting, num_classes=K, seed=seed), A)
    assert list(proof.lines) == ["1", "2", "3", "4", "5", "6"]
    assert proof.gap() <= 1e-10 * -A


@few
@given(st.sampled_from(list(theory.SETTINGS)), st.integers(2, 6), seeds)
def test_equation_12_is_an_identity_for_any_noise(setting, K, seed):
    problem = theory.random_problem(setting, num_classes=K, num_classifiers=4, seed=seed, exact=True)
    values = theory.asymmetric_proof(problem, -4).values()
    assert (values == values[0]).all()


@given(classes, seeds, log_zero)
def test_terms_are_what_their_names_say(K, seed, A):
    problem = theory.random_problem("symmetric", num_classes=K, seed=seed)
    lines = theory.symmetric_proof(problem, A).lines
    clean = theory.risks(problem, theory.rce_table(problem.classifiers, A))
    eta = 1 - problem.transition[0, 0]
    close = partial(np.testing.assert_allclose, rtol=0, atol=1e-10 * -A)
    close(lines["3"].terms["(1 - eta) E l(f, y)"], (1 - eta) * clean)
    close(lines["4"].terms["(1 - eta) R(f)"], (1 - eta) * clean)
    close(lines["4"].terms["-eta/(K-1) R(f)"], -eta / (K - 1) * clean)
    close(lines["4"].terms["eta/(K-1) E sum_k l(f, k)"], -A * eta)
    close(lines["5"].terms["-A eta"], -A * eta)
    for line in lines.values():
        assert all(term.shape == clean.shape for term in line.terms.values())
        close(line.value, sum(line.terms.values()))


@given(classes, seeds, log_zero)
def test_conclusion_of_the_symmetric_half(K, seed, A):
    problem = theory.random_problem("symmetric", num_classes=K, seed=seed)
    end = theory.symmetric_conclusion(problem, A)
    np.testing.assert_allclose(end.left, end.right, rtol=0, atol=1e-10 * -A)
    assert end.left.max() <= 1e-10 * -A
    table = theory.rce_table(problem.classifiers, A)
    clean, noisy = theory.risks(problem, table), theory.noisy_risks(problem, table)
    # Strict: a classifier that is worse on clean labels is worse on noisy ones.
    worse = clean > clean.min() + 1e-6
    assert (noisy[worse] > noisy[end.f_star]).all()
    assert theory.is_noise_tolerant(problem, table)


@few
@given(classes, seeds)
def test_above_the_bound_the_order_is_reversed(K, seed):
    problem = theory.random_problem("symmetric_above_bound", num_classes=K, seed=seed, exact=True)
    end = theory.symmetric_conclusion(problem, -4)
    assert end.slope < 0
    table = theory.rce_table(problem.classifiers, -4)
    clean, noisy = theory.risks(problem, table), theory.noisy_risks(problem, table)
    assert theory.minimisers(noisy).tolist() == np.flatnonzero(clean == clean.max()).tolist()


@few
@given(classes, seeds)
def test_at_the_bound_every_classifier_has_one_noisy_risk(K, seed):
    problem = theory.random_problem("symmetric", num_classes=K, seed=seed, exact=True)
    bound = Fraction(K - 1, K)
    level = theory.FiniteProblem(
        problem.joint, theory.uniform_flips(np.array([bound] * K), K), problem.classifiers
    )
    noisy = theory.noisy_risks(level, theory.rce_table(level.classifiers, -4))
    assert (noisy == 4 * bound).all()
    assert theory.affine_coefficients(bound, K, -4) == (0, 4 * bound)


@given(classes, seeds, st.floats(0, 1), log_zero)
def test_affine_relation(K, seed, rate, A):
    problem = theory.random_problem("symmetric", num_classes=K, seed=seed)
    problem = theory.FiniteProblem(problem.joint, theory.uniform_flips([rate] * K, K), problem.classifiers)
    table = theory.rce_table(problem.classifiers, A)
    slope, intercept = theory.affine_coefficients(rate, K, A)
    np.testing.assert_allclose(
        theory.noisy_risks(problem, table),
        slope * theory.risks(problem, table) + intercept,
        rtol=0,
        atol=1e-10 * -A,
    )
    assert theory.symmetric_proof(problem, A).gap() <= 1e-10 * -A


@few
@given(classes, seeds)
def test_equation_13_in_its_hypotheses(K, seed):
    problem = theory.random_problem("asymmetric_realisable", num_classes=K, seed=seed, exact=True)
    eq13 = theory.equation_13(problem, -4)
    off = ~np.eye(K, dtype=bool)
    assert (eq13.weights[:, off] > 0).all()
    assert (eq13.terms >= 0).all()
    assert eq13.left == eq13.risk_difference == 0
    table = theory.rce_table(problem.classifiers, -4)
    assert theory.minimisers(theory.noisy_risks(problem, table)).tolist() == [eq13.f_star]
    assert theory.is_noise_tolerant(problem, table)
    # R(f*) = 0 makes l*(k) = -A off the label, and no classifier exceeds -A anywhere.
    other = (problem.joint == 0) & (problem.joint.sum(axis=1, keepdims=True) > 0)
    assert (eq13.rce_star[other] == 4).all()
    assert (table <= 4).all()


@few
@given(classes, seeds)
def test_equation_13_is_the_difference_of_noisy_risks_outside_them_too(K, seed):
    problem = theory.random_problem("asymmetric", num_classes=K, seed=seed, exact=True)
    eq13 = theory.equation_13(problem, Fraction(-9, 2))
    assert eq13.left == eq13.risk_difference
    assert eq13.left <= 0


@given(classes, seeds)
def test_realisable_half_does_not_need_x_independence(K, seed):
    """Eq. 13's argument holds at each x: with R(f*) = 0 noise may depend on x in that half."""
    problem = theory.random_problem("asymmetric_realisable", num_classes=K, num_points=3, seed=seed)
    matrices = [
        theory.random_problem("asymmetric", num_classes=K, seed=seed + i + 1).transition for i in range(3)
    ]
    moving = theory.FiniteProblem(problem.joint, np.stack(matrices), problem.classifiers)
    assert theory.is_noise_tolerant(moving, theory.rce_table(moving.classifiers))
    assert theory.equation_13(moving).left == pytest.approx(0, abs=1e-12)


# The checks fail where the hypotheses do: otherwise they would show nothing.


@pytest.mark.parametrize("setting", ["class_dependent_rate", "x_dependent_rate", "asymmetric"])
@pytest.mark.parametrize("K", [3, 4, 10])
def test_symmetric_proof_breaks_where_noise_is_not_symmetric(setting, K):
    for seed in range(5):
        steps = theory.symmetric_proof(theory.random_problem(setting, num_classes=K, seed=seed)).steps()
        assert steps["1 = 2"] < 1e-10
        assert steps["2 = 3"] > 1e-3
        assert steps["3 = 4"] < 1e-10
        assert steps["4 = 5"] < 1e-10


@pytest.mark.parametrize("loss", [functional.cross_entropy, functional.symmetric_cross_entropy])
@pytest.mark.parametrize("K", [2, 3, 10])
def test_both_proofs_break_for_a_loss_whose_sum_over_labels_is_not_constant(loss, K):
    for seed in range(5):
        problem = theory.random_problem("symmetric", num_classes=K, seed=seed)
        table = theory.loss_table(problem.classifiers, loss)
        steps = theory.symmetric_proof(problem, table=table).steps()
        assert max(steps["1 = 2"], steps["2 = 3"], steps["3 = 4"]) < 1e-10
        assert steps["4 = 5"] > 1e-3
        steps = theory.asymmetric_proof(problem, table=table).steps()
        assert max(steps["1 = 2"], steps["2 = 3"], steps["3 = 4"], steps["5 = 6"]) < 1e-10
        assert steps["4 = 5"] > 1e-3


def test_ce_and_sl_noisy_risks_are_no_function_of_their_clean_risks():
    """Two classifiers of equal clean risk and different noisy risk: no relation at all, affine or other."""
    joint = np.array([[1.0, 0.0, 0.0]])
    problem = theory.FiniteProblem(
        joint, theory.uniform_flips([0.3] * 3, 3), [[[0.5, 0.25, 0.25]], [[0.5, 0.45, 0.05]]]
    )
    for loss in (functional.cross_entropy, functional.symmetric_cross_entropy):
        table = theory.loss_table(problem.classifiers, loss)
        clean, noisy = theory.risks(problem, table), theory.noisy_risks(problem, table)
        assert clean[0] == pytest.approx(clean[1], abs=1e-12)
        assert abs(noisy[0] - noisy[1]) > 0.01
    table = theory.rce_table(problem.classifiers)
    noisy = theory.noisy_risks(problem, table)
    assert noisy[0] == pytest.approx(noisy[1], abs=1e-12)


def test_a_row_that_meets_the_condition_is_not_diagonally_dominant():
    row = np.array([0.40, 0.35, 0.25])
    assert (row[1:] < row[0]).all()
    assert row[0] < row[1:].sum()


def test_tables_of_the_wrong_shape_and_rates_out_of_range_are_named():
    problem = theory.random_problem()
    with pytest.raises(ValueError, match="table has shape"):
        theory.symmetric_proof(problem, table=np.zeros((1, 1, 1)))
    with pytest.raises(ValueError, match=r"rate must lie in \[0, 1\], got 1.2"):
        theory.affine_coefficients(1.2, 10)
    with pytest.raises(ValueError, match="num_classes must be at least 2"):
        theory.affine_coefficients(0.2, 1)


def test_in_equation_13_each_classifier_minimises_its_own_risk():
    """Outside the theorem's hypotheses the two differ, and the left side is negative."""
    apart = 0
    for seed in range(40):
        problem = theory.random_problem("asymmetric", num_classes=4, num_points=2, seed=seed, exact=True)
        eq13 = theory.equation_13(problem, -4)
        table = theory.rce_table(problem.classifiers, -4)
        clean, noisy = theory.risks(problem, table), theory.noisy_risks(problem, table)
        assert clean[eq13.f_star] == clean.min()
        assert noisy[eq13.f_star_eta] == noisy.min()
        assert eq13.risk_difference == noisy.min() - noisy[eq13.f_star]
        assert (eq13.rce_star == table[eq13.f_star]).all()
        assert (eq13.rce_eta == table[eq13.f_star_eta]).all()
        if noisy[eq13.f_star] > noisy.min():
            assert eq13.left < 0
            apart += 1
    assert apart > 5


@few
@given(classes, seeds)
def test_every_other_classifier_has_a_positive_bracket_in_equation_13(K, seed):
    problem = theory.random_problem("asymmetric_realisable", num_classes=K, seed=seed, exact=True)
    table, eq13 = theory.rce_table(problem.classifiers, -4), theory.equation_13(problem, -4)
    noisy = theory.noisy_risks(problem, table)
    truth = problem.classifiers[eq13.f_star]
    for other, classifier in enumerate(problem.classifiers):
        if (classifier != truth).any():
            bracket = eq13.weights * (table[eq13.f_star] - table[other])[:, None, :]
            assert (problem.joint[..., None] * bracket).sum() > 0
            assert noisy[other] > noisy[eq13.f_star]
