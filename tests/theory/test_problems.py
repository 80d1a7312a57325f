"""Risks on finite problems against explicit loops, and what is refused at the door."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_lib import theory
from sce_lib.losses import functional
from sce_lib.noise import symmetric_matrix

classes = st.integers(2, 10)
seeds = st.integers(0, 2**32 - 1)
log_zero = st.floats(-12, -0.1)
any_setting = st.sampled_from(list(theory.SETTINGS))
few = settings(max_examples=30)  # exact arithmetic takes its time


def looped_risk(problem, table, noisy):
    """The definition, one classifier, input, true label and noisy label at a time."""
    out = []
    for f in range(len(table)):
        total = 0
        for x in range(problem.num_points):
            for y in range(problem.num_classes):
                if not noisy:
                    total += problem.joint[x, y] * table[f, x, y]
                    continue
                matrix = problem.transition if problem.transition.ndim == 2 else problem.transition[x]
                for k in range(problem.num_classes):
                    total += problem.joint[x, y] * matrix[y, k] * table[f, x, k]
        out.append(total)
    return np.array(out)


@given(any_setting, classes, seeds, log_zero)
def test_risks_are_the_sums_they_are_defined_as(setting, K, seed, A):
    problem = theory.random_problem(setting, num_classes=K, num_points=3, num_classifiers=3, seed=seed)
    table = theory.rce_table(problem.classifiers, A)
    np.testing.assert_allclose(
        theory.risks(problem, table), looped_risk(problem, table, False), rtol=0, atol=1e-12 * -A
    )
    np.testing.assert_allclose(
        theory.noisy_risks(problem, table), looped_risk(problem, table, True), rtol=0, atol=1e-12 * -A
    )


@few
@given(any_setting, classes, seeds)
def test_exact_and_floating_risks_are_one(setting, K, seed):
    exact = theory.random_problem(setting, num_classes=K, num_classifiers=3, seed=seed, exact=True)
    floating = theory.random_problem(setting, num_classes=K, num_classifiers=3, seed=seed)
    assert exact.exact
    assert not floating.exact
    for risk in (theory.risks, theory.noisy_risks):
        exactly = risk(exact, theory.rce_table(exact.classifiers, Fraction(-7, 2)))
        assert all(isinstance(value, Fraction) for value in exactly)
        nearly = risk(floating, theory.rce_table(floating.classifiers, -3.5))
        np.testing.assert_allclose(exactly.astype(float), nearly, rtol=0, atol=1e-12)


@given(classes, seeds, log_zero)
def test_rce_table_is_the_library_loss_and_sums_to_a_constant(K, seed, A):
    p = np.random.default_rng(seed).dirichlet(np.full(K, 0.3), size=(4, 3))
    table = theory.rce_table(p, A)
    library = theory.loss_table(p, partial(functional.reverse_cross_entropy, A=A))
    np.testing.assert_allclose(table, library, rtol=0, atol=1e-12 * -A)
    np.testing.assert_allclose(table.sum(axis=-1), -(K - 1) * A, rtol=0, atol=1e-10 * -A)


@few
@given(classes, seeds)
def test_sum_of_rce_over_labels_is_exact_on_fractions(K, seed):
    problem = theory.random_problem(num_classes=K, seed=seed, exact=True)
    assert (theory.rce_table(problem.classifiers, -4).sum(axis=-1) == 4 * (K - 1)).all()


def test_zero_probabilities_are_allowed():
    p = np.eye(3)
    np.testing.assert_array_equal(theory.rce_table(p, -4.0), 4.0 * (1 - np.eye(3)))
    table = theory.loss_table(p, functional.cross_entropy)
    np.testing.assert_array_equal(np.diag(table), 0.0)
    assert np.isinf(table[~np.eye(3, dtype=bool)]).all()
    problem = theory.FiniteProblem(np.eye(3) / 3, symmetric_matrix(3, 0.2), p[None])
    # Labels that never occur cost nothing, though their loss is infinite; those that occur cost infinity.
    assert theory.risks(problem, table[None]) == 0.0
    assert np.isinf(theory.noisy_risks(problem, table[None]))


@given(classes, seeds, st.floats(0.01, 5), st.floats(0, 5), log_zero)
def test_sl_table_is_the_library_loss(K, seed, alpha, beta, A):
    p = np.random.default_rng(seed).dirichlet(np.ones(K), size=(2, 3))
    loss = partial(functional.symmetric_cross_entropy, alpha=alpha, beta=beta, A=A)
    np.testing.assert_allclose(
        theory.sl_table(p, alpha, beta, A), theory.loss_table(p, loss), rtol=1e-12, atol=1e-12
    )


@given(classes, seeds, st.floats(0, 1))
def test_noise_rate_and_noisy_labels_of_uniform_flips(K, seed, rate):
    joint = np.random.default_rng(seed).dirichlet(np.ones(3 * K)).reshape(3, K)
    problem = theory.FiniteProblem(joint, symmetric_matrix(K, rate), np.full((1, 3, K), 1 / K))
    assert problem.noise_rate == pytest.approx(rate, abs=1e-12)
    np.testing.assert_allclose(theory.uniform_flips([rate] * K, K), problem.transition, atol=1e-12)
    np.testing.assert_allclose(problem.noisy_joint.sum(axis=1), joint.sum(axis=1), atol=1e-12)


def test_misclassification_and_minimisers_by_hand():
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    joint = np.array([[half, 0], [quarter, quarter]])
    problem = theory.FiniteProblem(joint, np.eye(2, dtype=int), theory.deterministic_classifiers(2, 2))
    # 00, 01, 10, 11: the first input is always class 0, the second is a coin.
    assert theory.misclassification(problem).tolist() == [quarter, quarter, 3 * quarter, 3 * quarter]
    risk = theory.risks(problem, theory.rce_table(problem.classifiers, -4))
    assert risk.tolist() == [1, 1, 3, 3]
    assert theory.minimisers(risk).tolist() == [0, 1]
    assert theory.is_noise_tolerant(problem, theory.rce_table(problem.classifiers, -4))


@given(classes, seeds, st.floats(0, 3), st.floats(0, 3), log_zero)
def test_no_classifier_beats_the_optimal_one(K, seed, alpha, beta, A):
    if alpha + beta < 1e-6:
        alpha = 1.0
    rng = np.random.default_rng(seed)
    joint = rng.dirichlet(np.ones(2 * K)).reshape(2, K)
    best = theory.optimal_classifier(joint, alpha, beta, A)
    rivals = np.concatenate(
        [
            rng.dirichlet(np.ones(K), size=(50, 2)),
            0.999 * best + 0.001 * rng.dirichlet(np.ones(K), size=(50, 2)),
        ]
    )
    problem = theory.FiniteProblem(joint, np.eye(K), np.concatenate([best[None], rivals]))
    risk = theory.risks(problem, theory.sl_table(problem.classifiers, alpha, beta, A))
    assert risk[0] <= risk[1:].min() + 1e-9 * max(1, abs(risk[0]))


@given(classes, seeds, st.floats(0.05, 3), st.floats(0, 3))
def test_the_optimum_ranks_the_classes_as_the_posterior_does(K, seed, alpha, beta):
    joint = np.random.default_rng(seed).dirichlet(np.ones(K), size=3) / 3
    best = theory.optimal_classifier(joint, alpha, beta)
    np.testing.assert_allclose(best.sum(axis=1), 1, atol=1e-12)
    order = np.argsort(joint, axis=1)
    assert (np.diff(np.take_along_axis(best, order, axis=1), axis=1) >= -1e-12).all()


def test_optimal_classifier_of_ce_is_the_posterior_and_of_rce_its_vertex():
    joint = np.array([[0.3, 0.2], [0.1, 0.4]])
    np.testing.assert_allclose(theory.optimal_classifier(joint, 1.0, 0.0), [[0.6, 0.4], [0.2, 0.8]])
    np.testing.assert_array_equal(theory.optimal_classifier(joint), [[1, 0], [0, 1]])
    np.testing.assert_allclose(theory.optimal_classifier([[0.0, 0.0], [0.5, 0.5]], 1.0, 0.0)[0], [0.5, 0.5])


def test_linear_grid_is_the_logistic_function():
    p = theory.linear_grid([-1.0, 2.0], slopes=[0.5, 1.0], offsets=[0.0, 3.0])
    expected = [[1 / (1 + np.exp(-(w * x + b))) for x in (-1.0, 2.0)] for w in (0.5, 1.0) for b in (0.0, 3.0)]
    np.testing.assert_allclose(p[..., 1], expected, atol=1e-12)


GOOD = {"joint": [[0.5, 0.5]], "transition": np.eye(2), "classifiers": [[[0.5, 0.5]]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joint": [[0.5, 0.6]]}, "joint does not sum to 1"),
        ({"joint": [[1.5, -0.5]]}, "joint has an entry that is negative"),
        ({"joint": [[np.nan, 1.0]]}, "joint has an entry that is negative or NaN"),
        ({"joint": [0.5, 0.5]}, r"joint has shape \(2,\)"),
        ({"joint": [[1.0]], "transition": [[1.0]], "classifiers": [[[1.0]]]}, "K >= 2"),
        ({"transition": np.eye(3)}, r"transition has shape \(3, 3\)"),
        ({"transition": [[0.5, 0.4], [0, 1]]}, "transition does not sum to 1"),
        ({"classifiers": [[0.5, 0.5]]}, "classifiers has shape"),
        ({"classifiers": np.zeros((0, 1, 2))}, "classifiers is empty"),
        ({"classifiers": [[[0.5, 0.4]]]}, "classifiers does not sum to 1"),
        ({"joint": [[Fraction(1, 2), Fraction(1, 2)]]}, "floating while others are exact"),
        ({"joint": np.array([[Fraction(1, 2), 0.5]], dtype=object)}, "floating while|beside exact"),
    ],
)
def test_problems_that_are_none_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        theory.FiniteProblem(**(GOOD | change))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.rce_table([0.5, 0.5], A=1.0), "A must be negative"),
        (lambda: theory.rce_table([0.5, 0.5], A=0), "A must be negative"),
        (lambda: theory.random_problem("uniform"), "unknown setting 'uniform'"),
        (lambda: theory.random_problem(family="neural"), "unknown family 'neural'"),
        (lambda: theory.random_problem(family="linear", exact=True), "irrational"),
        (lambda: theory.random_problem("asymmetric_realisable", "linear"), "no softmax"),
        (lambda: theory.random_problem(num_classes=1), "num_classes >= 2"),
        (lambda: theory.deterministic_classifiers(10, 10), "too many"),
        (lambda: theory.optimal_classifier([[0.5, 0.5]], alpha=-1.0), "alpha=-1"),
        (lambda: theory.optimal_classifier([[0.5, 0.5]], alpha=0.0, beta=0.0), "not both 0"),
        (lambda: theory.find_counterexample("symmetric", family="neural"), "unknown family 'neural'"),
        (lambda: theory.find_counterexample("symmetric", tries=0), "tries"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_random_state_of_the_process_is_left_alone():
    before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    theory.find_counterexample("x_dependent_rate", family="linear", tries=5)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)


@few
@given(any_setting, classes, seeds)
def test_random_problems_meet_the_setting_they_name(setting, K, seed):
    problem = theory.random_problem(setting, num_classes=K, seed=seed, exact=True)
    again = theory.random_problem(setting, num_classes=K, seed=seed, exact=True)
    assert (problem.joint == again.joint).all()
    assert (problem.transition == again.transition).all()
    rates, bound = problem.noise_rates, Fraction(K - 1, K)
    off = np.where(np.eye(K, dtype=bool), -1, problem.transition_at).max(axis=-1)
    if setting.startswith("asymmetric"):
        assert (off < 1 - rates).all()
    else:
        uniform = theory.uniform_flips(rates, K)
        assert (uniform == problem.transition_at).all()
        assert ((rates > bound) if setting == "symmetric_above_bound" else (rates < bound)).all()
    if setting in ("symmetric", "symmetric_above_bound"):
        assert (rates == rates[0, 0]).all()
    clean = theory.risks(problem, theory.rce_table(problem.classifiers, -1))
    assert (clean.min() == 0) == (setting == "asymmetric_realisable")


# Two inputs of class 0. Equal RCE risk, unequal error: the second misses the first input.
TIED = [[[0.6, 0.4], [0.6, 0.4]], [[0.3, 0.7], [0.9, 0.1]]]


def test_tolerance_asks_for_the_same_errors_on_both_sides():
    joint = theory.rational([[0.5, 0.0], [0.5, 0.0]])
    classifiers = theory.rational(TIED)
    table = theory.rce_table(classifiers, -4)
    noise_free = theory.FiniteProblem(joint, theory.rational(np.eye(2)), classifiers)
    assert theory.minimisers(theory.risks(noise_free, table)).tolist() == [0, 1]
    assert theory.misclassification(noise_free).tolist() == [0, 0.5]
    assert theory.is_noise_tolerant(noise_free, table)

    # Noise at the second input alone breaks the tie: a clean minimiser's error is no noisy minimiser's.
    rates = theory.rational([[0.0, 0.0], [0.4, 0.4]])
    uneven = theory.FiniteProblem(joint, theory.uniform_flips(rates, 2), classifiers)
    assert theory.minimisers(theory.noisy_risks(uneven, table)).tolist() == [0]
    assert not theory.is_noise_tolerant(uneven, table)

    # Labels that say nothing make a tie: a noisy minimiser's error is no clean minimiser's.
    one = theory.rational([[1.0, 0.0]])
    sure = theory.rational([[[1.0, 0.0]], [[0.0, 1.0]]])
    level = theory.FiniteProblem(one, theory.rational([[0.5, 0.5], [0.5, 0.5]]), sure)
    own = theory.rce_table(sure, -4)
    assert theory.minimisers(theory.risks(level, own)).tolist() == [0]
    assert theory.minimisers(theory.noisy_risks(level, own)).tolist() == [0, 1]
    assert not theory.is_noise_tolerant(level, own)


@given(st.floats(1e-14, 1e3))
def test_the_unit_of_the_loss_does_not_matter(size):
    """A small |A| ties nothing, and a large one parts nothing."""
    for seed in range(3):
        problem = theory.random_problem("asymmetric", num_classes=4, seed=seed)
        table = theory.rce_table(problem.classifiers, -1.0)
        for risk in (theory.risks, theory.noisy_risks):
            expected = theory.minimisers(risk(problem, table)).tolist()
            assert theory.minimisers(risk(problem, size * table)).tolist() == expected
        tolerant = theory.is_noise_tolerant(problem, table)
        assert theory.is_noise_tolerant(problem, size * table) == tolerant
