"""Table 1 from records made by hand: cells, ranks, differences by seed, and the classes' groups."""

import numpy as np
import pytest
from scipy import stats

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.grids import TABLE1_METHODS
from sce_lib.report import published, table1
from sce_lib.report.claims import hard_and_easy

NOISY = "symmetric-0.6"
# Last accuracies, seed by seed; the paper's order of the methods, but for CE and LSR.
LASTS = {
    "ce": (0.40, 0.42),
    "lsr": (0.41, 0.42),
    "bootstrap": (0.50, 0.51),
    "forward": (0.60,),
    "gce": (0.70, 0.73),
    "d2l": (0.80,),
    "sl": (0.90, 0.95, 0.97),
}


@pytest.fixture
def run(make_record):
    """Return a maker of runs of MNIST's presets at the paper's scale."""

    def make(method, noise, seed, last, best=None, dataset="mnist", **where):
        config = RunConfig.preset(dataset, method, noise, profile="full", seed=seed, **where)
        record = make_record(method, noise, seed, curve=[best or last, last])
        return record.model_copy(update={"config": config})

    return make


@pytest.fixture
def records(run):
    return [
        run(method, NOISY, seed, last, last + 0.02)
        for method, lasts in LASTS.items()
        for seed, last in enumerate(lasts)
    ]


@pytest.fixture
def cells(records):
    return table1.cells(records, "mnist")


def test_every_cell_is_there_run_or_not(cells):
    assert len(cells) == 56
    assert cells["seeds"].sum() == 13
    of_paper = published.load_table(1).query("dataset == 'mnist'").set_index(["noise", "method"])
    assert cells["paper"].to_dict() == of_paper["mean"].to_dict()
    assert cells["paper_std"].to_dict() == of_paper["std"].to_dict()
    elsewhere = cells.drop(NOISY, level="noise")
    assert elsewhere[["last", "best", "difference"]].isna().all(axis=None)
    sl = cells.loc[(NOISY, "sl")]
    assert sl[["last", "last_low", "last_high", "best"]].tolist() == pytest.approx([94, 90, 97, 96])
    assert sl["difference"] == pytest.approx(94 - 97.40)


def test_a_data_set_that_the_paper_lacks_has_no_paper_numbers(run):
    cells = table1.cells([run("sl", NOISY, 0, 0.9, dataset="fashion_mnist")], "fashion_mnist")
    assert cells["paper"].isna().all()
    assert cells.loc[(NOISY, "sl"), "last"] == pytest.approx(90)
    assert table1.agreement(cells).empty


def test_the_table_as_text(cells):
    table = table1.shown(cells)
    assert table.shape == (8 * 4, 7)
    assert table.columns.tolist() == ["CE", "LSR", "Bootstrap", "Forward", "D2L", "GCE", "SL"]
    assert table.loc[NOISY, "SL"].tolist() == ["97.40 ±\u00a00.02", "94.0 [90.0,\u00a097.0]", "−3.4", "3"]
    assert table.loc[NOISY, "D2L"].tolist() == ["93.61 ±\u00a00.01", "80.0", "−13.6", "1"]
    assert table.loc["clean", "CE"].tolist() == ["99.02 ±\u00a00.01", "", "", ""]
    oracle = table1.shown(cells, "best")
    assert oracle.loc[(NOISY, "ours, best epoch"), "SL"] == "96.0 [92.0,\u00a099.0]"
    assert oracle.loc[(NOISY, "difference"), "SL"] == "−1.4"


def test_other_methods_can_stand_side_by_side(run):
    runs = [
        run(method, NOISY, 0, end, dataset="cifar10")
        for method, end in {"lsr": 0.5, "lsr+sl": 0.75, "ce": 0.1}.items()
    ]
    cells = table1.cells(runs, "cifar10", ("lsr", "lsr+sl", "sl"), (NOISY, "asymmetric-0.4"))
    assert cells.loc[NOISY, "seeds"].tolist() == [1, 1, 0]
    table = table1.shown(cells)
    assert table.columns.tolist() == ["LSR", "LSR+SL", "SL"]
    assert table.index.unique(0).tolist() == [NOISY, "asymmetric-0.4"]
    assert table.loc[(NOISY, "ours, last epoch")].tolist() == ["50.0", "75.0", ""]
    assert table.loc[("asymmetric-0.4", "paper"), "LSR+SL"] == "80.99 ±\u00a00.30"


def test_only_the_cells_that_are_given_are_shown(cells):
    table = table1.shown(cells.loc[[("clean", "ce"), (NOISY, "sl")]], "best")
    assert table.index.unique(0).tolist() == ["clean", NOISY]
    assert table["CE"].tolist() == ["99.02 ±\u00a00.01", "", "", "", "", "", "", ""]
    assert table["SL"].tolist() == [
        "",
        "",
        "",
        "",
        "97.40 ±\u00a00.02",
        "96.0 [92.0,\u00a099.0]",
        "−1.4",
        "3",
    ]


def test_ranks_need_every_method(records, cells):
    table = table1.ranks(cells)
    assert table.index.tolist() == [NOISY, "mean"]
    assert table.loc[NOISY].to_dict() == {
        **{"SL": 1, "D2L": 2, "GCE": 3, "Forward": 4},
        **{"Bootstrap": 5, "LSR": 6, "CE": 7},
    }
    without_d2l = [record for record in records if record.config.method.name != "d2l"]
    some = table1.cells(without_d2l, "mnist")
    assert table1.ranks(some).empty
    assert table1.ranks(some, methods=("ce", "sl")).loc["mean"].tolist() == [2, 1]
    of_paper = table1.ranks(cells, "paper")
    assert len(of_paper) == 9
    assert of_paper.loc[NOISY, ["SL", "CE", "LSR"]].tolist() == [1, 6, 7]


def test_mean_ranks_are_over_noises_and_ties_share_their_places(run):
    lasts = {"clean": (0.9, 0.9), NOISY: (0.5, 0.8)}
    both = [
        run(method, noise, 0, last)
        for noise, pair in lasts.items()
        for method, last in zip(("ce", "sl"), pair, strict=True)
    ]
    table = table1.ranks(table1.cells(both, "mnist"), methods=("ce", "sl"))
    assert table["SL"].tolist() == [1.5, 1, 1.25]


def test_agreement_with_the_papers_order(cells):
    (row,) = table1.agreement(cells).to_dict("records")
    # One of the 21 pairs of methods stands the other way round.
    assert row["kendall"] == pytest.approx((20 - 1) / 21)
    assert row["spearman"] == pytest.approx(1 - 6 * 2 / (7 * (49 - 1)))
    assert 0 < row["p"] < 0.05


def test_differences_are_paired_by_seed(records):
    table = table1.paired(records)
    assert set(table.index) == {(NOISY, method) for method in TABLE1_METHODS if method != "sl"}
    gce = table.loc[(NOISY, "gce")]
    gains = [20, 22]  # the third seed of SL has no GCE beside it
    test = stats.ttest_1samp(gains, 0).confidence_interval()
    assert gce["difference"] == pytest.approx(np.mean(gains))
    assert gce[["low", "high"]].tolist() == pytest.approx([test.low, test.high])
    assert gce["seeds"] == 2
    forward = table.loc[(NOISY, "forward")]
    assert forward[["difference", "seeds"]].tolist() == pytest.approx([30, 1])
    assert forward[["low", "high"]].isna().all()
    told = table1.leads(table)
    assert told.loc[NOISY, "GCE"] == "+21.0 [+8.3, +33.7], 2 seeds"
    assert told.loc[NOISY, "Forward"] == "+30.0"
    assert table1.leads(table1.paired(records[:2])).empty


def test_differences_in_favour_of_another(records):
    told = table1.leads(table1.paired(records, reference="gce"))
    assert told.loc[NOISY, "SL"] == "−21.0 [−33.7, −8.3], 2 seeds"


def test_classes_are_ranked_on_clean_labels_else_under_the_noise(make_record):
    noisy = make_record("ce", NOISY, stages=[(0.5, 0.1, 0.9, 0.7, 0.8)] * 4)
    ranking, how = table1.class_ranking([noisy], NOISY)
    assert (ranking.tolist(), how) == ([1, 0, 3, 4, 2], f"CE, {NOISY} labels")
    clean = make_record("ce", "clean", stages=[(0.9, 0.8, 0.1, 0.2, 0.5)] * 4)
    ranking, how = table1.class_ranking([noisy, clean], NOISY)
    assert (ranking.tolist(), how) == ([2, 3, 4, 1, 0], "CE, clean labels")
    assert [group.tolist() for group in hard_and_easy(ranking)] == [[2, 3], [1, 0]]


def test_hard_and_easy_classes_at_the_end(make_record):
    ends = [(0.1, 0.2, 0.9, 0.5, 0.6), (0.3, 0.2, 0.9, 0.5, 0.6)]
    runs = [make_record("ce", NOISY, seed, stages=[(0.5,) * 5] * 3 + [end]) for seed, end in enumerate(ends)]
    table = table1.class_groups({"ce": runs, "bootstrap": runs[:1]}, np.array([0, 1]), np.array([4, 2]))
    assert table.loc["CE"].tolist() == ["20.0 [15.0, 25.0]", "75.0 [75.0, 75.0]", 2]
    assert table.loc["Bootstrap"].tolist() == ["15.0", "75.0", 1]


@pytest.mark.parametrize(
    ("others", "named"),
    [
        ({"dataset": "cifar10"}, "cells of mnist, but some are of cifar10"),
        ({"n_train": 500}, "presets, but some runs have changes: 500 images"),
        ({"protocol": "released"}, "sl under symmetric-0.6 is here at several scales"),
    ],
)
def test_what_is_not_one_table_is_refused(run, others, named):
    with pytest.raises(ValueError, match=named):
        table1.cells([run("sl", NOISY, 0, 0.9), run("sl", NOISY, 1, 0.9, **others)], "mnist")


def test_an_unknown_view_is_refused(cells):
    with pytest.raises(ValueError, match="'last' or 'best', not 'first'"):
        table1.shown(cells, "first")


def test_no_methods_and_no_noises_are_an_empty_table():
    assert table1.cells([], "mnist", methods=()).empty
    assert table1.cells([], "mnist", noises=()).empty
