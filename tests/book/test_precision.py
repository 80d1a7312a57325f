"""The table of precisions pairs runs that differ in nothing else, and says how sure the difference is."""

import pytest
from reference import precision

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import Ledger
from sce_lib.report.claims.regime import memorised
from sce_lib.report.effects import interval


@pytest.fixture
def run(make_record):
    def make(last, seed, half, method="ce", **changes):
        config = RunConfig.preset("mnist", method, "symmetric-0.6", profile="smoke", seed=seed, **changes)
        if half:
            config = config.model_copy(update={"precision": "bfloat16"})
        return make_record(config=config, last=last)

    return make


def test_runs_are_paired_by_all_but_their_precision(run):
    records = [
        run(0.80, 0, False),
        run(0.82, 0, True),
        run(0.90, 1, True),  # has no float32 run
        run(0.70, 2, False),  # has no bfloat16 run
        run(0.60, 0, True, n_train=500),  # of other images
    ]
    pairs = precision.paired(records)
    assert pairs[["seed", "float32", "bfloat16"]].values.tolist() == [[0, 80.0, 82.0]]


def test_a_row_has_the_interval_of_the_difference(run):
    records = [run(0.80 + 0.01 * seed, seed, False) for seed in range(3)]
    records += [run(0.81 + 0.01 * seed, seed, True) for seed in range(3)]
    header, _, row = precision._table(precision.paired(records))
    assert "points" in header
    assert "81.0 ± 1.0" in row
    assert "+1.0 [+1.0, +1.0]" in row
    assert row.endswith("| 3 |")


def test_the_ledger_answers_for_three_data_sets():
    pairs = precision.paired(list(Ledger()))
    assert set(pairs["dataset"]) == {"mnist", "fashion_mnist", "cifar10"}
    assert (pairs.groupby(["dataset", "setting"]).size() == 3).all()
    assert pairs["memorised"].abs().max() < 0.05
    # "Every interval holds zero", and one of them also five points.
    apart = (pairs["bfloat16"] - pairs["float32"]).groupby([pairs["dataset"], pairs["setting"]]).apply(list)
    intervals = [interval(values, None) for values in apart]
    assert all(low < 0 < high for low, high in intervals)
    assert max(max(-low, high) for low, high in intervals) > 5
    ledger = {record.config: record for record in Ledger()}
    one = next(record for record in ledger.values() if record.config.precision == "bfloat16")
    base = ledger[one.config.model_copy(update={"precision": "float32"})]
    match = pairs[(pairs["seed"] == one.config.seed) & (pairs["setting"] == base.config.setting)]
    match = match[match["dataset"] == one.config.dataset]
    assert match["memorised"].item() == pytest.approx(memorised(one) - memorised(base))
