"""What a run has learned by heart beyond chance, and rules that hold only where it has."""

import numpy as np
import pandas as pd
import pytest

from sce_lib.experiments.config import RunConfig
from sce_lib.report.claims import Evidence, regime
from sce_lib.report.claims.verdicts import (
    AGREES,
    DISAGREES,
    IN_DIRECTION,
    NOT_TESTED,
    PREMISE_NOT_MET,
    UNDECIDED,
    decide,
)

NOISY = "symmetric-0.4"


def with_flips(record, matrix):
    provenance = record.provenance.model_copy(update={"realised_noise": np.asarray(matrix).tolist()})
    return record.model_copy(update={"provenance": provenance})


@pytest.fixture
def record(make_record):
    """Return a maker of a run of CE on labels that are flipped evenly to the four other classes."""
    matrix = np.full((5, 5), 0.1) + 0.5 * np.eye(5)

    def make(fitted, accuracy=0.6, **options):
        made = make_record(stages=[(accuracy,) * 5] * 4, noise=NOISY, flipped_fitted=[fitted] * 5, **options)
        return with_flips(made, matrix)

    return make


def test_memorised_is_what_is_beyond_confusion(record):
    # Of a test class 60 % are right and all of the rest are taken for the next class, which is a quarter of
    # the flips' destinations: by chance a tenth of the flipped labels is fitted.
    assert regime.memorised(record(0.1)) == pytest.approx(0.0)
    assert regime.memorised(record(1.0)) == pytest.approx(1.0)
    assert regime.memorised(record(0.55)) == pytest.approx(0.5)
    assert regime.memorised(record(0.0)) == pytest.approx(-0.1 / 0.9)


def test_memorised_counts_flipped_samples_and_not_classes(record, make_record):
    made = record(0.1)
    final = made.final_stage()
    group = final.flipped.model_copy(update={"count": [160, 10, 10, 10, 10], "fitted": [1.0, *[0.1] * 4]})
    made = made.model_copy(update={"stages": [final.model_copy(update={"flipped": group})]})
    assert regime.memorised(made) == pytest.approx(160 / 200)


def test_a_natural_confusion_is_not_memorised(make_record):
    # Every flipped label is the class that test images are taken for in 40 of 100 cases.
    flips = 0.6 * np.eye(5) + 0.4 * np.roll(np.eye(5), 1, axis=1)
    made = make_record(stages=[(0.6,) * 5] * 4, noise="asymmetric-0.4", flipped_fitted=[0.4] * 5)
    assert regime.memorised(with_flips(made, flips)) == pytest.approx(0.0)


def test_nothing_flipped_is_not_known(make_record):
    made = make_record()
    final = made.final_stage()
    group = final.flipped.model_copy(update={"count": [0] * 5, "fitted": [None] * 5})
    clean = made.model_copy(update={"stages": [final.model_copy(update={"flipped": group})]})
    assert np.isnan(regime.memorised(clean))


def test_memorised_by_ce_is_a_mean_over_seeds(record):
    evidence = Evidence([record(0.1, seed=0), record(1.0, seed=1)], NOISY)
    assert regime.memorised_by_ce(evidence) == pytest.approx(0.5)


def test_pairs_are_alike_in_all_but_the_method(make_record):
    def of(method, seed, last, **changes):
        return make_record(method, NOISY, seed, curve=[0.7, last], last=last, **changes)

    alone = of("ce", 1, 0.5)  # has no SL beside it
    other = of("sl", 2, 0.5, n_train=300)  # nor has this: it differs in the number of images
    lone = of("gce", 0, 0.9)
    table = regime.pairs([of("ce", 0, 0.5), of("sl", 0, 0.6), alone, other, lone])
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["noise"], row["details"], row["seed"]) == (NOISY, "", 0)
    assert row["lead"] == pytest.approx(0.1)
    assert row["beside_best"] == pytest.approx(-0.1)
    assert regime.pairs([]).empty


def cells(**values):
    """Return a table of pairs, a cell a row, with these columns beside the names of its cells."""
    size = len(next(iter(values.values())))
    shared = {"dataset": "cifar10", "noise": [f"symmetric-0.{i}" for i in range(size)], "protocol": "paper"}
    return pd.DataFrame(shared | {"seed": 10} | values)


def test_a_rule_is_judged_where_its_premise_is_met():
    table = cells(
        memorised=[0.5, 0.6, 0.7, 0.05, 0.05, 0.06],
        lead=[0.10, 0.11, 0.12, 0.0, 0.001, -0.001],
        beside_best=[0.0, 0.01, 0.005, 0.3, 0.3, 0.3],
    )
    judged = regime.judge_rules(table)
    assert judged["verdict"].tolist() == [AGREES, AGREES, AGREES]
    assert judged["cells"].tolist() == [3, 3, 3]
    assert judged["of"].tolist() == [6, 6, 6]
    assert judged.loc["sl-leads-where-memorised", "measured"] == pytest.approx(0.11)


def test_a_rule_without_its_premise_is_not_judged():
    between = cells(memorised=[0.1, 0.2], lead=[0.5, 0.5], beside_best=[0.5, 0.5])
    assert set(regime.judge_rules(between)["verdict"]) == {PREMISE_NOT_MET}
    assert set(regime.judge_rules(between.head(0))["verdict"]) == {NOT_TESTED}


def test_seeds_of_one_cell_count_once():
    one = cells(memorised=[0.5], lead=[0.1], beside_best=[0.0])
    table = pd.concat([one, one.assign(seed=11), one.assign(seed=12)])
    row = regime.judge_rules(table).loc["sl-leads-where-memorised"]
    assert (row["cells"], row["runs"], row["verdict"]) == (1, 3, IN_DIRECTION)


def test_the_protocols_are_told_apart_beside_the_print(make_record):
    def ce(protocol, noise, seed, last):
        config = RunConfig.preset("mnist", "ce", noise, protocol, "full", seed=seed)
        return make_record(config=config, stages=[(last,) * 5] * len(config.stages), curve=[last] * 50)

    near = [ce("released", "symmetric-0.6", seed, 0.465 + 0.001 * seed) for seed in range(3)]
    far = [ce("paper", "symmetric-0.6", seed, 0.952 + 0.001 * seed) for seed in range(3)]
    others = [make_record("ce", "symmetric-0.6", last=0.1)]  # neither at full scale nor printed
    table = regime.beside_print([*near, *far, *others])
    assert len(table) == 6
    assert table["printed"].tolist() == [0.4654] * 6
    judged = regime.judge_rules(table)
    assert judged["verdict"].tolist() == [AGREES, AGREES]
    worse = regime.judge_rules(
        regime.beside_print([*near, *(ce("released", "symmetric-0.4", s, 0.9) for s in (0, 1))])
    )
    assert worse.loc["released-is-table1", "verdict"] == DISAGREES
    assert worse.loc["text-is-not-table1", "verdict"] == NOT_TESTED


@pytest.mark.parametrize(
    ("values", "rule", "verdict"),
    [
        ([0.30, 0.31, 0.32], ("at_least", 0.2, 0.0), AGREES),
        ([0.10, 0.11, 0.12], ("at_least", 0.2, 0.0), IN_DIRECTION),
        ([-0.10, -0.11, -0.12], ("at_least", 0.2, 0.0), DISAGREES),
        ([0.5, -0.1, 0.2], ("at_least", 0.2, 0.0), UNDECIDED),
        ([0.5], ("at_least", 0.2, 0.0), IN_DIRECTION),
        ([-0.5], ("at_least", 0.2, 0.0), UNDECIDED),
        ([], ("at_least", 0.2, 0.0), NOT_TESTED),
        ([float("nan")], ("at_least", 0.2, 0.0), NOT_TESTED),
        ([0.30, 0.31, 0.32], ("at_most", 0.5, 0.6), AGREES),
        ([0.55, 0.551, 0.552], ("at_most", 0.5, 0.6), IN_DIRECTION),
        ([0.95, 0.951, 0.952], ("at_most", 0.5, 0.6), DISAGREES),
        ([0.01, 0.011, 0.012], ("within", 0.02, 0.04), AGREES),
        ([-0.03, -0.031, -0.032], ("within", 0.02, 0.04), IN_DIRECTION),
        ([-0.30, -0.31, -0.32], ("within", 0.02, 0.04), DISAGREES),
        ([0.30, -0.31], ("within", 0.02, 0.04), UNDECIDED),
    ],
)
def test_the_interval_decides(values, rule, verdict):
    assert decide(values, *rule).verdict == verdict


def test_the_interval_is_students():
    decided = decide([1.0, 2.0, 3.0], "at_least", 0.0, -1.0)
    assert (decided.low, decided.high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5))
    with pytest.raises(ValueError, match="about"):
        decide([1.0, 2.0], "about", 0.0, 0.0)


def test_the_rules_are_whole():
    rules = regime.load_rules()
    assert rules.index.is_unique
    assert set(rules["over"]) == {"mean", "each"}
    assert rules[["claim", "quantity", "comparison", "threshold", "direction"]].notna().all(axis=None)
