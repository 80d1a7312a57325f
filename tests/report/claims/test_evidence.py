"""Which records a claim is judged by, and which classes are the hard and the easy ones."""

import itertools

import numpy as np
import pytest

from sce_lib.experiments.config.parts import SL
from sce_lib.experiments.ledger import MissingRuns, select
from sce_lib.report.claims import QUANTITIES, Evidence
from sce_lib.report.claims.regime import cells
from sce_lib.report.leaderboard import leaderboard
from sce_lib.report.tables import gains

NOISY = "symmetric-0.4"


def test_the_hardest_class_is_found_at_the_end_of_training_on_clean_labels(make_record):
    """Whatever the order of classes, and not by an early stage, another seed alone, or the noisy runs."""
    for order in itertools.islice(itertools.permutations(range(5)), 0, 120, 7):
        ends = np.array([0.5, 0.6, 0.7, 0.8, 0.9])[list(order)]
        early = ends[::-1]
        records = [
            make_record("ce", "clean", 0, stages=[early, early, early, ends]),
            make_record("ce", "clean", 1, stages=[early, early, early, ends + 0.01 * early]),
            make_record("ce", NOISY, 0, stages=[early] * 4),
        ]
        evidence = Evidence(records)
        assert evidence.ranking.tolist() == np.argsort(ends).tolist()
        assert evidence.hardest == order.index(0)
        assert set(evidence.hard) == {order.index(0), order.index(1)}
        assert set(evidence.easy) == {order.index(3), order.index(4)}


def test_two_fifths_of_ten_classes_are_four(make_record):
    evidence = Evidence([make_record(stages=[np.linspace(0.1, 1, 10)] * 4)])
    assert evidence.hard.tolist() == [0, 1, 2, 3]
    assert evidence.easy.tolist() == [6, 7, 8, 9]


def test_a_class_without_test_images_is_not_the_hardest(make_record):
    evidence = Evidence([make_record(stages=[(0.9, None, 0.3)] * 4)])
    assert evidence.hardest == 2
    assert QUANTITIES["early_spread_clean"](evidence)[0] == pytest.approx(0.6)


def test_evidence_that_is_missing_or_doubled_is_named(make_record):
    with pytest.raises(MissingRuns, match=r"sl under symmetric-0\.6"):
        Evidence([make_record()], noise="symmetric-0.6").of("sl")
    twice = [make_record("ce", "clean"), make_record("ce", "clean", embedding=None, n_train=500)]
    with pytest.raises(ValueError, match=twice[1].run_id):
        Evidence(twice).of("ce", "clean")


def test_a_name_means_the_method_as_the_paper_sets_it(make_record):
    ours = SL(alpha=1.0, beta=1.0, A=-8.0)
    records = [make_record(method, NOISY) for method in ("ce", "5ce", "sl", ours)]
    evidence = Evidence(records)
    for method, record in zip(("ce", "5ce", "sl", ours), records, strict=True):
        assert evidence.of(method) == [record]
    with pytest.raises(MissingRuns, match="2ce"):
        evidence.of("2ce")


def test_two_precisions_are_never_one_setting(make_record):
    """Other seeds do not hide it: as where a grid with seeds of its own is in bfloat16."""
    fine = [make_record("ce", "symmetric-0.4", seed=seed) for seed in (0, 1)]
    rough = [make_record("ce", "symmetric-0.4", seed=seed, precision="bfloat16") for seed in (10, 11)]
    assert "bfloat16" in rough[0].config.setting
    assert rough[0].config.setting != fine[0].config.setting
    for records in (fine, rough):
        assert Evidence(records).of("ce", "symmetric-0.4") == records
    with pytest.raises(ValueError, match=r"ce under symmetric-0\.4 are of bfloat16 and float32"):
        Evidence([*fine, *rough]).of("ce", "symmetric-0.4")
    with pytest.raises(ValueError, match="not one setting"):
        gains([*fine, *rough], "ce", "ce", "symmetric-0.4")
    assert len(leaderboard([*fine, *rough])) == 2
    assert cells([*fine, *rough]) == {}
    assert Evidence(select([*fine, *rough], precision="bfloat16")).of("ce", "symmetric-0.4") == rough
