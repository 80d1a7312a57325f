"""The paper's numbers: whole, possible, and those that its text and the project's rules speak of."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.grids import TABLE1_METHODS, grid
from sce_lib.report import published
from sce_lib.report.claims import load_claims

FOLDER = Path(published.__file__).parent
DATASETS = ("mnist", "cifar10", "cifar100")
# Sums over each row of Table 1, of means and of deviations, added up from the print and not from the files.
ROW_SUMS = {
    "mnist": ("587.75 586.90 589.07 688.67 728.54 672.52 755.76", "0.76 1.36 1.31 1.16 0.29 0.72 0.28"),
    "cifar10": ("600.36 600.30 616.97 637.55 561.55 612.09 650.37", "0.71 0.80 0.97 0.45 0.63 0.84 0.75"),
    "cifar100": ("393.02 389.40 371.31 393.22 403.39 409.22 430.74", "1.80 3.12 2.03 2.72 3.14 4.29 0.62"),
}


def cells_of(number, dataset, profile="full"):
    """Return what a grid asks for, as (method, noise); D2L+SL is in Table 2's caption alone."""
    cells = {
        (config.method.slug, config.noise.slug) for config in grid(f"table{number}", dataset, profile=profile)
    }
    return {(method, noise) for method, noise in cells if method != "d2l+sl"}


@pytest.fixture(scope="module")
def table1():
    return published.load_table(1)


def means(table, dataset, kind=""):
    """Return methods × noises of a data set, the noises in the order of the print."""
    chosen = table[(table["dataset"] == dataset) & table["noise"].str.startswith(kind)]
    return chosen.pivot(index="method", columns="noise", values="mean")[list(chosen["noise"].unique())]


@pytest.mark.parametrize("number", published.TABLES)
def test_tables_have_the_cells_of_the_grids(number):
    table = published.load_table(number)
    assert set(table["table"]) == {number}
    assert set(table["dataset"]) == {1: set(DATASETS), 2: {"cifar10"}, 3: {"clothing1m"}}[number]
    for dataset, rows in table.groupby("dataset"):
        cells = list(zip(rows["method"], rows["noise"], strict=True))
        assert len(cells) == len(set(cells))
        assert set(cells) == cells_of(number, dataset)


@pytest.mark.parametrize("dataset", DATASETS)
def test_seven_methods_by_eight_settings(table1, dataset):
    assert means(table1, dataset).shape == (7, 8)
    assert set(means(table1, dataset).index) == set(TABLE1_METHODS)


@pytest.mark.parametrize("dataset", DATASETS)
def test_rows_add_up_to_the_sums_of_the_print(dataset):
    # As text, so that no digit is lost on the way.
    table = pd.read_csv(FOLDER / "table1.csv", dtype=str)
    rows = table[table["dataset"] == dataset].groupby("method", sort=False)
    assert tuple(rows.groups) == TABLE1_METHODS
    for column, sums in zip(("mean", "std"), ROW_SUMS[dataset], strict=True):
        assert [sum(map(Decimal, row)) for _, row in rows[column]] == [*map(Decimal, sums.split())]


def test_every_number_is_printed_with_two_decimals():
    for number in published.TABLES:
        table = pd.read_csv(FOLDER / f"table{number}.csv", dtype=str, keep_default_na=False)
        assert table["mean"].str.fullmatch(r"\d\d?\.\d\d").all()
        assert table["std"].str.fullmatch("" if number == 3 else r"\d\.\d\d").all()


def test_more_symmetric_noise_never_helps(table1):
    for dataset in DATASETS:
        rising = means(table1, dataset, "symmetric")
        assert (rising.diff(axis=1).iloc[:, 1:] < 0).all(axis=None), dataset


def test_more_asymmetric_noise_never_helps_but_on_cifar100(table1):
    def helps(dataset):
        return (means(table1, dataset, "asymmetric").diff(axis=1).iloc[:, 1:] >= 0).sum(axis=None)

    assert [helps(dataset) for dataset in DATASETS] == [0, 0, 3]


def test_best_of_each_column(table1):
    """SL, but for the three cells of CIFAR-10 in which Forward is ahead."""
    best = {dataset: means(table1, dataset).idxmax() for dataset in DATASETS}
    assert set(best["mnist"]) == set(best["cifar100"]) == {"sl"}
    beaten = best["cifar10"][best["cifar10"] != "sl"]
    assert beaten.to_dict() == {
        "clean": "forward",
        "asymmetric-0.3": "forward",
        "asymmetric-0.4": "forward",
    }


@pytest.mark.parametrize(("dataset", "within"), [("mnist", 0.02), ("cifar10", 0.2), ("cifar100", 0.4)])
def test_forward_without_noise_is_ce(dataset, within):
    forward, ce = (published.reported(dataset, method, "clean") for method in ("forward", "ce"))
    assert abs(forward.mean - ce.mean) <= within


def test_what_the_text_says_of_the_tables():
    """§5.2: both combinations are above their originals; some are not as good as SL. §5.3: SL is best."""
    behind_sl = 0
    for row in published.load_table(2).itertuples():
        original = published.reported(row.dataset, row.method.removesuffix("+sl"), row.noise)
        sl = published.reported(row.dataset, "sl", row.noise)
        assert row.mean > original.mean
        behind_sl += row.mean < sl.mean
    assert 0 < behind_sl < 6
    clothing = published.load_table(3).set_index("method")["mean"]
    assert clothing.idxmax() == "sl"
    assert clothing.drop("sl").idxmax() == "forward"
    assert clothing.idxmin() == "ce"


@pytest.mark.parametrize(
    ("claim", "noise"), [("sl-lifts-all", "symmetric-0.4"), ("sl-lifts-all-60", "symmetric-0.6")]
)
def test_rules_name_the_papers_own_difference(claim, noise):
    sl, ce = (published.reported("cifar10", method, noise).mean for method in ("sl", "ce"))
    assert load_claims().loc[claim, "noise"] == noise
    assert load_claims().loc[claim, "paper_value"] == pytest.approx((sl - ce) / 100, abs=1e-12)


def test_reported():
    assert published.reported("cifar10", "sl", "symmetric-0.4") == published.Reported(85.34, 0.07, 1)
    assert published.reported("cifar10", "lsr+sl", "asymmetric-0.4") == published.Reported(80.99, 0.30, 2)
    assert published.reported("clothing1m", "sl", "clean") == published.Reported(71.02, None, 3)
    assert published.reported("cifar10", "sl", "symmetric-0.5") is None
    for config in (RunConfig.preset("mnist", "gce", ("symmetric", 0.8)), RunConfig.preset("mnist", "gce")):
        assert published.reported("mnist", config.method.name, config.noise.slug) is not None


def test_a_table_that_the_paper_does_not_have():
    with pytest.raises(ValueError, match="1, 2 and 3, not 4"):
        published.load_table(4)


def test_what_is_loaded_can_be_changed_without_harm():
    for load in (lambda: published.load_table(1), published.load_others):
        changed = load()
        changed["method"] = "mine"
        assert "mine" not in set(load()["method"])


def test_numbers_of_others():
    others = published.load_others()
    assert not others.duplicated(["source", "dataset", "method", "noise"]).any()
    assert others["accuracy"].between(0, 100).all()
    assert set(others["epoch_rule"]) <= {"last", "best", "unstated"}
    assert others[["source", "reference", "network"]].ne("").all(axis=None)
    assert others["year"].between(2019, 2030).all()
    for (_, method), rows in others.groupby(["source", "method"]):
        rate = rows["noise"].replace("clean", "symmetric-0.0").str[-3:].astype(float)
        assert (np.diff(rows["accuracy"].iloc[np.argsort(rate)]) < 0).all(), method
    paired = others.pivot(index=["source", "noise"], columns="method", values="accuracy").dropna()
    assert len(paired) == 14
    assert (paired["sl"] > paired["ce"]).all()


def test_no_number_is_kept_twice():
    """The paper's own rows are not among those of others, nor its tables' cells in each other."""
    assert not published.load_others()["source"].str.contains("symmetric cross entropy", case=False).any()
    cells = pd.concat([published.load_table(number) for number in published.TABLES])
    assert not cells.duplicated(["dataset", "method", "noise"]).any()
