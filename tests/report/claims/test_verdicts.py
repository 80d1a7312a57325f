"""Rules that are whole, and verdicts on records made by hand, where the answer is known."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sce_lib.experiments.config.parts import CE as CrossEntropy
from sce_lib.report.claims import (
    AGREES,
    DISAGREES,
    IN_DIRECTION,
    NOT_TESTED,
    judge,
    load_claims,
    require,
    verdicts,
)

NOISY = "symmetric-0.4"
number = st.floats(-10, 10)


def test_the_rules_are_whole():
    claims = load_claims()
    assert claims.index.is_unique
    assert set(claims["comparison"]) <= {"at_least", "at_most"}
    needed = ["chapter", "figure", "source", "noise", "claim", "threshold", "direction"]
    assert claims[needed].notna().all(axis=None)
    assert set(claims["source"]) == {"paper", "this book"}
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


def test_an_ablation_with_a_setting_missing_is_not_tested(ablations):
    whole = ablations()
    assert (verdicts(whole, chapter=7)["verdict"] != NOT_TESTED).all()
    for absent in whole:
        table = verdicts([record for record in whole if record is not absent], chapter=7)
        needed = absent.config.method != CrossEntropy(scale=2.0)  # 2CE is shown, and judged by no claim
        assert (table["verdict"] == NOT_TESTED).any() == needed


def test_each_claim_is_judged_under_its_own_noise_unless_another_is_named(chapter):
    table = verdicts(chapter(0, noise="symmetric-0.6"), chapter=6)
    rates = load_claims(6)["noise"]
    assert (table.loc[rates == "symmetric-0.6", "seeds"] == 1).all()
    assert (table.loc[rates == NOISY, "seeds"] == 0).all()
    assert (verdicts(chapter(0, noise="symmetric-0.6"), 6, noise="symmetric-0.6")["seeds"] == 1).all()


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


def test_require_names_what_differs(chapter):
    table = verdicts(chapter(0), chapter=2)
    require(table, dict.fromkeys(table.index, AGREES))
    with pytest.raises(AssertionError, match=r"sl-lifts-all.*disagrees.*agrees.*0\.1600.*≥ 0\.03"):
        require(table, {"noise-amplifies": AGREES, "sl-lifts-all": DISAGREES})
    with pytest.raises(KeyError, match="no-such-claim"):
        require(table, {"no-such-claim": AGREES})
