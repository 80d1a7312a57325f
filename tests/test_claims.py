"""Verdicts on records made by hand, where the answer is known."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sce_lib.claims import (
    AGREES,
    DISAGREES,
    IN_DIRECTION,
    NOT_TESTED,
    QUANTITIES,
    Evidence,
    judge,
    load_claims,
    require,
    verdicts,
)
from sce_lib.ledger import MissingRuns

NOISY = "symmetric-0.4"
number = st.floats(-10, 10)


def test_every_claim_has_its_quantity_and_every_quantity_its_claim():
    assert set(load_claims()["quantity"]) == set(QUANTITIES)


def test_the_rules_are_whole():
    claims = load_claims()
    assert claims.index.is_unique
    assert set(claims["comparison"]) <= {"at_least", "at_most"}
    assert claims[["chapter", "figure", "claim", "threshold", "direction"]].notna().all(axis=None)
    # The direction is the weaker demand.
    sign = np.where(claims["comparison"] == "at_least", 1, -1)
    assert (sign * claims["threshold"] > sign * claims["direction"]).all()
    assert set(load_claims(2)["chapter"]) == {2}


@given(number, number, number)
def test_judge(value, threshold, direction):
    assume(direction < threshold)
    expected = AGREES if value >= threshold else IN_DIRECTION if value > direction else DISAGREES
    assert judge(value, "at_least", threshold, direction) == expected
    assert judge(-value, "at_most", -threshold, -direction) == expected


def test_judge_at_the_thresholds():
    assert judge(0.2, "at_least", 0.2, 0.0) == judge(0.6, "at_most", 0.6, 0.8) == AGREES
    assert judge(0.0, "at_least", 0.2, 0.0) == judge(0.8, "at_most", 0.6, 0.8) == DISAGREES
    just_beyond = math.nextafter(0.0, 1.0), math.nextafter(0.8, 0.0)
    assert judge(just_beyond[0], "at_least", 0.2, 0.0) == IN_DIRECTION
    assert judge(just_beyond[1], "at_most", 0.6, 0.8) == IN_DIRECTION
    with pytest.raises(ValueError, match="about"):
        judge(0.1, "about", 0.2, 0.0)


CLEAN = [(0.3, 0.5, 0.7, 0.8, 0.9), (0.6, 0.7, 0.8, 0.85, 0.95), (0.8, 0.85, 0.9, 0.92, 0.95)]
CE = [(0.1, 0.3, 0.6, 0.7, 0.9), (0.4, 0.55, 0.7, 0.8, 0.95), (0.4, 0.5, 0.65, 0.75, 0.85)]
# Five classes: the hardest two are 0 and 1, the easiest two are 3 and 4.
CONFIDENCE = [[0.5, 0.1, 0.2, 0.1, 0.1], *(np.eye(5)[1:].tolist())]


@pytest.fixture
def chapter(make_record):
    """Return a maker of one seed's records, each number of which is known."""

    def make(seed, shift=0.0):
        def up(values):
            return tuple(value + shift for value in values)

        clean = make_record("ce", "clean", seed, stages=[*CLEAN, up(CLEAN[2])], curve=[0.3, 0.7, 0.9])
        ce = make_record(
            "ce",
            NOISY,
            seed,
            stages=[*CE, up(CE[2])],
            confidence=CONFIDENCE,
            correct=[40, 50, 60, 80, 90],
            curve=[0.2, 0.7, 0.6],
            last=0.61 + shift,
        )
        sl = make_record("sl", NOISY, seed, stages=[*CE, (0.6, 0.7, 0.8, 0.85, 0.9)], last=0.77)
        return [clean, ce, sl]

    return make


KNOWN = {
    "early_spread_clean": 0.6,
    "early_spread_noisy": 0.8,
    "spread_shrinks_clean": 0.6 - 0.15,
    "spread_amplified": 0.45 - 0.15,
    "hardest_gap": 0.4,
    "hard_gap_beyond_easy": (0.4 + 0.35) / 2 - (0.17 + 0.10) / 2,
    "easy_drop": (0.05 + 0.10) / 2,
    "under_learning_beyond_overfitting": (0.9 - 0.7) - (0.7 - 0.6),
    "hardest_confidence": 0.5,
    "hardest_confidence_lead": 0.3,
    "true_positives_gap": (0.8 + 0.9) / 2 - (0.4 + 0.5) / 2,
    "sl_gain_hard": (0.2 + 0.2) / 2,
    "sl_gain": 0.77 - 0.61,
}


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_quantities_of_records_made_by_hand(chapter, quantity):
    evidence = Evidence([*chapter(0), *chapter(1)])
    values = QUANTITIES[quantity](evidence)
    assert list(values.index) == [0, 1]
    assert values.to_numpy() == pytest.approx(KNOWN[quantity])


def test_verdicts_of_records_made_by_hand(chapter):
    table = verdicts(chapter(0), chapter=2)
    assert (table["seeds"] == 1).all()
    assert (table["verdict"] == AGREES).all()
    assert table.loc["sl-lifts-all", "measured"] == pytest.approx(0.16)
    assert table.loc["hardest-unsure", "rule"] == "≤ 0.6"
    assert table.loc["noise-amplifies", "rule"] == "≥ 0.05"
    assert table.loc["sl-lifts-all", "paper"] == pytest.approx(0.0664)


def test_the_mean_over_seeds_is_judged_and_the_range_shown(chapter):
    table = verdicts([*chapter(0), *chapter(1, shift=0.1), *chapter(5, shift=0.3)], chapter=2)
    row = table.loc["sl-lifts-all"]
    measured = [0.16, 0.06, -0.14]
    assert (row["lowest"], row["highest"], row["seeds"]) == (pytest.approx(-0.14), pytest.approx(0.16), 3)
    assert row["measured"] == pytest.approx(np.mean(measured))
    assert row["verdict"] == IN_DIRECTION


def test_runs_are_compared_seed_by_seed_and_seeds_without_a_partner_are_left_out(chapter):
    records = [*chapter(0), *chapter(1, shift=0.1)]
    whole = verdicts(records, chapter=2)
    alone = verdicts(chapter(1, shift=0.1), chapter=2)
    without = [r for r in records if not (r.config.method.name == "sl" and r.config.seed == 0)]
    table = verdicts(without, chapter=2)
    assert table.loc["sl-lifts-all", "seeds"] == 1
    assert table.loc["sl-lifts-all", "measured"] == pytest.approx(alone.loc["sl-lifts-all", "measured"])
    others = [name for name in table.index if not name.startswith("sl-")]
    pd.testing.assert_frame_equal(table.loc[others], whole.loc[others])
    # Seeds 0 of one and 1 of the other have nothing to compare.
    apart = [chapter(0)[1], chapter(1)[2], chapter(2)[0]]
    assert (verdicts(apart, chapter=2).loc[["sl-lifts-all", "hardest-loses"], "verdict"] == NOT_TESTED).all()


def test_the_order_of_records_does_not_matter(chapter):
    records = [*chapter(0), *chapter(1, shift=0.1)]
    pd.testing.assert_frame_equal(verdicts(records, 2), verdicts(records[::-1], 2))


def test_without_records_nothing_is_tested(chapter):
    table = verdicts([], chapter=2)
    assert (table["verdict"] == NOT_TESTED).all()
    assert (table["seeds"] == 0).all()
    only_ce = verdicts(chapter(0)[1:2], chapter=2)
    assert only_ce.loc["noisy-starts-biased", "verdict"] == AGREES
    assert only_ce.loc["easy-overfit", "verdict"] == NOT_TESTED  # the easy classes are those of clean labels


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
    twice = [make_record("ce", "clean"), make_record("5ce", "clean")]
    with pytest.raises(ValueError, match=twice[1].run_id):
        Evidence(twice).of("ce", "clean")


def test_require_names_what_differs(chapter):
    table = verdicts(chapter(0), chapter=2)
    require(table, dict.fromkeys(table.index, AGREES))
    with pytest.raises(AssertionError, match=r"sl-lifts-all.*disagrees.*agrees.*0\.1600.*≥ 0\.03"):
        require(table, {"noise-amplifies": AGREES, "sl-lifts-all": DISAGREES})
    with pytest.raises(KeyError, match="no-such-claim"):
        require(table, {"no-such-claim": AGREES})
