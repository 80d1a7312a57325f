"""The map of Theorem 1: where counterexamples exist the search finds one, elsewhere none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_lib import theory

RCE, SL, CE = (0.0, 1.0), (0.1, 1.0), (1.0, 0.0)

FAILS = [
    ("symmetric_above_bound", "all", RCE),
    ("class_dependent_rate", "all", RCE),
    ("asymmetric", "all", RCE),
    ("asymmetric", "all", CE),
    ("x_dependent_rate", "linear", RCE),
    ("symmetric", "linear", CE),
    ("symmetric", "linear", SL),
    ("symmetric", "random", CE),
]
HOLDS = [
    ("symmetric", "all", RCE),
    ("symmetric", "all", SL),
    ("symmetric", "all", CE),
    ("symmetric", "linear", RCE),
    ("symmetric", "random", RCE),
    ("x_dependent_rate", "all", RCE),
    ("x_dependent_rate", "all", SL),
    ("x_dependent_rate", "all", CE),
    ("asymmetric_realisable", "all", RCE),
    ("asymmetric_realisable", "random", RCE),
]


@pytest.mark.parametrize(("setting", "family", "loss"), FAILS)
@settings(max_examples=15)
@given(K=st.integers(2, 10), seed=st.integers(0, 10**6))
def test_a_dropped_hypothesis_has_a_counterexample(setting, family, loss, K, seed):
    found = theory.find_counterexample(setting, family, *loss, num_classes=K, seed=seed)
    assert found is not None
    table = theory.sl_table(found.problem.classifiers, *loss)
    assert not theory.is_noise_tolerant(found.problem, table)
    errors = theory.misclassification(found.problem)
    assert errors[found.f_star] == found.clean_error
    assert errors[found.f_star_eta] == found.noisy_error
    assert theory.minimisers(theory.risks(found.problem, table)).tolist() == [found.f_star]
    assert theory.minimisers(theory.noisy_risks(found.problem, table)).tolist() == [found.f_star_eta]
    if family == "all" and setting != "symmetric_above_bound":
        # The clean optimum over all classifiers is Bayes', so that noise can only do harm.
        assert found.noisy_error > found.clean_error


@pytest.mark.parametrize(("setting", "family", "loss"), HOLDS)
@settings(max_examples=5)
@given(K=st.integers(2, 10), seed=st.integers(0, 10**6))
def test_where_the_claim_holds_none_is_found(setting, family, loss, K, seed):
    found = theory.find_counterexample(setting, family, *loss, num_classes=K, seed=seed, tries=25)
    assert found is None


def test_a_seed_gives_one_answer_and_another_seed_another():
    one, again, other = (theory.find_counterexample("asymmetric", seed=seed) for seed in (3, 3, 4))
    assert (one.problem.joint == again.problem.joint).all()
    assert (
        one.problem.joint.shape != other.problem.joint.shape
        or (one.problem.joint != other.problem.joint).any()
    )


def test_the_optimum_over_all_classifiers_is_among_the_deterministic_ones_for_rce():
    for seed in range(20):
        problem = theory.random_problem("asymmetric", "deterministic", num_classes=3, num_points=3, seed=seed)
        table = theory.rce_table(problem.classifiers)
        for joint, risk in (
            (problem.joint, theory.risks(problem, table)),
            (problem.noisy_joint, theory.noisy_risks(problem, table)),
        ):
            best = problem.classifiers[theory.minimisers(risk)[0]]
            np.testing.assert_array_equal(best, theory.optimal_classifier(joint))


def test_a_margin_is_kept():
    """Minimisers are unique by the margin that is asked for, and their errors differ by as much."""
    for margin in (1e-6, 0.005, 0.025):
        found = theory.find_counterexample("asymmetric", "linear", num_classifiers=30, margin=margin, seed=5)
        assert found is not None
        assert found.margin > margin
        assert abs(found.clean_error - found.noisy_error) > margin
        table = theory.sl_table(found.problem.classifiers, 0.0, 1.0)
        for risk in (theory.risks, theory.noisy_risks):
            first, second = np.sort(risk(found.problem, table))[:2]
            assert second - first > 4 * margin  # in units of |A|
    wide = theory.find_counterexample("asymmetric", "linear", num_classifiers=30, margin=0.025, seed=5)
    narrow = theory.find_counterexample("asymmetric", "linear", num_classifiers=30, margin=1e-6, seed=5)
    assert wide.tries > narrow.tries


def test_a_counterexample_can_be_an_improvement():
    """Not tolerant is not always worse: in a restricted class noise may lead to fewer errors."""
    better = 0
    for seed in range(60):
        found = theory.find_counterexample("symmetric", "linear", *CE, seed=seed)
        better += found is not None and found.noisy_error < found.clean_error
    assert 0 < better < 30


def test_the_unit_of_the_loss_does_not_matter_to_the_search():
    tries = {
        theory.find_counterexample("asymmetric", "linear", A=A, seed=1).tries for A in (-4.0, -1e-6, -1e3)
    }
    assert len(tries) == 1
