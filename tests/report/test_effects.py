"""Effects of changed details: known answers from records made by hand."""

import numpy as np
import pytest
from scipy import stats

from sce_lib.experiments.config.factors import FACTORS, change
from sce_lib.report import effects
from sce_lib.report.effects import BEST_EPOCH, NOTHING, Pooled


@pytest.fixture
def run(make_record):
    """Return a maker of a record of a method under 60 % noise, with one detail changed where one is named."""

    def make(method, last, factor=None, seed=0, **fields):
        record = make_record(method, fields.pop("noise", "symmetric-0.6"), seed=seed, last=last, **fields)
        config = record.config if factor is None else change(record.config, factor)
        return record.model_copy(update={"config": config})

    return make


def found(table, **where):
    """Return the one row of a table that has these values."""
    rows = table[np.logical_and.reduce([table[name] == value for name, value in where.items()])]
    assert len(rows) == 1
    return rows.iloc[0]


def test_an_effect_is_the_mean_of_the_differences_of_paired_seeds(run):
    records = [run("ce", last, seed=seed) for seed, last in enumerate((0.50, 0.60, 0.70))]
    records += [run("ce", last, "no-l2", seed) for seed, last in ((2, 0.64), (0, 0.42), (5, 0.99))]
    row = found(effects.effects(records), change="no-l2", method="ce")
    assert (row["seeds"], row["pooled"], row["noise"]) == (2, False, "symmetric-0.6")
    assert row["effect"] == pytest.approx(-7)
    # Differences of -8 and -6 points: standard error 1, one degree of freedom.
    half = stats.t.ppf(0.975, 1)
    assert (row["low"], row["high"]) == pytest.approx((-7 - half, -7 + half))


def test_a_single_pair_takes_its_interval_from_the_settings_with_several_seeds(run):
    records = [run("ce", 0.50), run("ce", 0.40, "low-lr")]
    row = found(effects.effects(records), change="low-lr")
    assert np.isnan(row["low"])
    assert np.isnan(row["high"])
    # Deviations 2 (two runs, squares 8) and 1 (three runs, squares 2): 10 / 3 with three degrees of freedom.
    others = [run("sl", last, seed=seed) for seed, last in enumerate((0.68, 0.72), start=1)]
    others += [run("sl", last, "no-l2", seed) for seed, last in enumerate((0.69, 0.70, 0.71), start=3)]
    # Neither runs of another noise nor those whose noise is drawn once have a part in it.
    others += [run("sl", last, seed=seed, noise="symmetric-0.4") for seed, last in enumerate((0.2, 0.9))]
    others += [run("sl", last, "one-draw", seed) for seed, last in enumerate((0.2, 0.9), start=6)]
    row = found(effects.effects(records + others), change="low-lr")
    half = stats.t.ppf(0.975, 3) * np.sqrt(2 * 10 / 3)
    assert row["pooled"]
    assert (row["low"], row["effect"], row["high"]) == pytest.approx((-10 - half, -10, -10 + half))


def test_pooled_deviation(run):
    assert effects.pooled_deviation([]) is None
    assert effects.pooled_deviation([run("ce", 0.5), run("sl", 0.6)]) is None
    pooled = effects.pooled_deviation([run("ce", 0.5), run("ce", 0.6, seed=1), run("sl", 0.6)])
    assert pooled.degrees == 1
    assert pooled.deviation == pytest.approx(10 / np.sqrt(2))


def test_interval_without_a_spread_is_none():
    assert np.isnan(effects.interval([3.0], None)).all()
    assert effects.interval([3.0], Pooled(1.0, 10)) == pytest.approx(
        (3 - stats.t.ppf(0.975, 10) * np.sqrt(2), 3 + stats.t.ppf(0.975, 10) * np.sqrt(2))
    )


def test_the_best_epoch_is_a_change_that_needs_no_run_of_its_own(run):
    records = [run("ce", None, curve=[0.2, 0.6, *[0.5] * 10], seed=seed) for seed in (0, 1)]
    records.append(run("ce", None, "no-l2", curve=[0.2, 0.9, *[0.1] * 10]))  # not the preset: another matter
    row = found(effects.effects(records), change=BEST_EPOCH)
    assert (row["effect"], row["seeds"]) == (pytest.approx(10), 2)


def test_its_interval_is_never_from_the_spread_of_last_accuracies(run):
    records = [run("ce", 0.5), run("sl", 0.5), run("sl", 0.7, seed=1)]
    table = effects.effects(records)
    assert np.isnan(found(table, change=BEST_EPOCH, method="ce")["low"])


def test_a_lead_is_between_runs_with_the_same_detail(run):
    records = [run("ce", 0.5), run("sl", 0.6), run("ce", 0.30, "no-l2"), run("sl", 0.65, "no-l2")]
    records += [run("sl", 0.58, "released-floor"), run("ce", 0.4, "low-lr")]
    table = effects.leads(records)
    # A is none of CE's: that lead is on CE as it stands. SL has no run at the low rate, and no row.
    assert table["change"].tolist() == [NOTHING, "no-l2", "released-floor"]
    assert table["effect"].tolist() == pytest.approx([10, 35, 8])


def test_noises_are_kept_apart(run):
    records = [
        run(m, last, noise=n)
        for n, m, last in (
            ("symmetric-0.4", "ce", 0.7),
            ("symmetric-0.4", "sl", 0.8),
            ("symmetric-0.6", "sl", 0.6),
        )
    ]
    assert effects.leads(records)[["noise", "effect"]].values.tolist() == [
        ["symmetric-0.4", pytest.approx(10)]
    ]


def test_spreads_need_several_seeds_of_both(run):
    records = [run("ce", last, seed=seed) for seed, last in enumerate((0.50, 0.54))]
    records += [run("ce", 0.52, "one-draw", seed=0)]
    assert effects.spreads(records).empty
    records += [run("ce", 0.53, "one-draw", seed=seed) for seed in (1, 2)]
    row = found(effects.spreads(records), method="ce")
    assert row["redrawn"] == pytest.approx(4 / np.sqrt(2))
    assert row["one_draw"] == pytest.approx(1 / np.sqrt(3))
    assert (row["redrawn_seeds"], row["one_draw_seeds"]) == (2, 3)


def test_nothing_gives_tables_of_no_rows():
    for table in (effects.effects([]), effects.leads([]), effects.spreads([])):
        assert table.empty
        assert "noise" in table


def test_every_change_has_a_title_of_its_own():
    titles = [effects.title(change) for change in (*effects.CHANGES, NOTHING)]
    assert len(set(titles)) == len(titles)


def test_all_factors_but_the_draw_are_among_the_changes():
    assert set(effects.CHANGES) == set(FACTORS) - {"one-draw"} | {BEST_EPOCH}


def test_effects_are_shown_with_the_largest_first(run):
    records = [run("ce", 0.5), run("ce", 0.3, "no-l2"), run("ce", 0.56, "low-lr"), run("sl", 0.6)]
    table = effects.shown(effects.effects(records))
    assert table.index[:2].tolist() == ["no L2", "initial learning rate of §5.1"]
    assert table.loc["no L2", ("ce", "symmetric-0.6")] == "−20.0"
    assert table.loc["no L2", ("sl", "symmetric-0.6")] == "–"
    lead = effects.shown(effects.leads([*records, run("ce", 0.5, seed=1), run("sl", 0.7, seed=1)]))
    half = stats.t.ppf(0.975, 1) * 5
    assert lead.loc["nothing changed", "symmetric-0.6"] == f"+15.0 [−{half - 15:.1f}, +{15 + half:.1f}]"


def test_what_is_there_is_counted(run):
    records = [run("ce", 0.5), run("ce", 0.3, "no-l2", seed=1)]
    asked = [run(*setting).config for setting in (("ce", 0.5), ("sl", 0.5), ("ce", 0.5, "no-l2"))]
    asked += [run("ce", 0.3, "no-l2", seed=1).config, run("ce", 0.5, noise="symmetric-0.4").config]
    table = effects.coverage(asked, records)
    assert table.loc["nothing changed"].tolist() == ["1 of 2", "0 of 1"]
    assert table.loc["no L2"].tolist() == ["1 of 2", "–"]


def test_runs_with_two_changes_have_no_name(run):
    config = change(run("ce", 0.5, "no-l2").config, "low-lr")
    assert config is not None
    with pytest.raises(ValueError, match=r"is not the paper's preset with at most one detail changed"):
        effects.change_of(config)
