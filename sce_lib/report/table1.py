"""Table 1 of one data set: our cells beside the paper's, ranks, differences. Records in, tables out.

What takes `cells` takes the table that `cells` returns; `records` are of one data set, protocol and scale.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, product
from typing import Any

import numpy as np
import pandas as pd

from sce_lib.experiments.config import RunConfig, Scale
from sce_lib.experiments.config.parts import method_title
from sce_lib.experiments.grids import TABLE1_METHODS, TABLE1_NOISE
from sce_lib.experiments.ledger import RunRecord, require_same_images, select
from sce_lib.report import published
from sce_lib.report.claims.evidence import rank_classes
from sce_lib.report.effects import interval
from sce_lib.report.leaderboard import leaderboard
from sce_lib.report.numbers import signed, spread, with_range
from sce_lib.report.tables import gains

_OURS = ["seeds", *(f"{which}{end}" for which in ("last", "best") for end in ("", "_low", "_high"))]
_OWN_SCALE = Scale()
_VIEWS = {"last": "ours, last epoch", "best": "ours, best epoch"}


def cells(
    records: Iterable[RunRecord],
    dataset: str,
    methods: Sequence[str] = TABLE1_METHODS,
    noises: Sequence[str] = TABLE1_NOISE,
    scale: Scale = _OWN_SCALE,
) -> pd.DataFrame:
    """Return a row a cell of Table 1, run or not: the paper's number, and ours where there are runs.

    Indexed by `noise` and `method`, in the table's order. `seeds`: runs of the cell, 0 where there is
    none. `last`, `best` (the best epoch's, an oracle's choice), each with `_low` and `_high` over seeds,
    `paper` and `paper_std`: in per cent, NaN where there is nothing. `difference`: `last` less `paper`.

    Parameters
    ----------
    records : iterable of RunRecord
        Runs of the table's presets, at one scale; they may be few.
    dataset : str
        Whose part of the table.
    methods, noises : sequence of str
        Its columns and its groups of rows, those of Table 1 unless given; `noises` in Table 1's order.
    scale : Scale
        What the presets were made with, where it is not their profile's own.

    Raises
    ------
    ValueError
        For records of another data set, of settings that are no preset's, of several scales, or of different
        images.

    Examples
    --------
    >>> cells([], "mnist").loc[("symmetric-0.8", "sl"), ["seeds", "paper"]].tolist()
    [0.0, 65.02]
    """
    records = list(records)
    require_same_images(records)
    board = leaderboard(records)
    table = pd.DataFrame(index=pd.MultiIndex.from_product([noises, methods], names=["noise", "method"]))
    table[_OURS] = np.nan
    if not board.empty:
        _require_one_table(board, dataset, scale)
        table[_OURS] = board.set_index(["noise", "method"])[_OURS].reindex(table.index)
    table["seeds"] = table["seeds"].fillna(0).astype(int)
    reported = [published.reported(dataset, method, noise) for noise, method in table.index]
    table[["paper", "paper_std"]] = np.reshape([published.as_numbers(cell) for cell in reported], (-1, 2))
    return table.assign(difference=table["last"] - table["paper"])


def _changes_of(row: Any, scale: Scale) -> str:
    """Return in words what a scale changes in the preset of a leaderboard's row."""
    cell = row.dataset, row.method, row.noise, row.protocol, row.profile, row.section
    return RunConfig.preset(*cell, scale=scale).changes


def _require_one_table(board: pd.DataFrame, dataset: str, scale: Scale) -> None:
    """Raise unless the rows of a leaderboard are cells of one table, each once."""
    if others := sorted(set(board["dataset"]) - {dataset}):
        raise ValueError(f"these are to be cells of {dataset}, but some are of {', '.join(others)}")
    own = [_changes_of(row, scale) if scale.options else "" for row in board.itertuples()]
    if changed := sorted(set(board["changes"][board["changes"] != own])):
        raise ValueError(f"Table 1 is of presets, but some runs have changes: {'; '.join(changed)}")
    twice = board[board.duplicated(["noise", "method"])]
    if not twice.empty:
        row = twice.iloc[0]
        several = "is here at several scales or by several protocols: give the runs of one"
        raise ValueError(f"{row['method']} under {row['noise']} {several}")


def shown(cells: pd.DataFrame, which: str = "last") -> pd.DataFrame:
    """Return Table 1 as a reader wants it: a column a method, and under each noise what there is of it.

    Of text, in per cent and points. Under each noise: the paper's mean ± standard deviation, ours as
    mean [lowest, highest], ours less the paper's, and how many seeds; empty where nothing was run, and
    for a cell that is not given. A number and its deviation or range may stand in two lines, not three.

    Parameters
    ----------
    which : {"last", "best"}
        Which epoch's accuracy is ours: the last one's, or the best one's, which is an oracle's choice.
    """
    if which not in _VIEWS:
        raise ValueError(f"which is 'last' or 'best', not {which!r}")
    shown = pd.DataFrame(index=cells.index)
    shown["paper"] = [_paper(*both) for both in cells[["paper", "paper_std"]].to_numpy()]
    shown[_VIEWS[which]] = [_ours(row, which) for _, row in cells.iterrows()]
    shown["difference"] = [signed(value) for value in cells[which] - cells["paper"]]
    shown["seeds"] = [str(seeds) if seeds else "" for seeds in cells["seeds"]]
    noises, methods = cells.index.unique("noise"), cells.index.unique("method")
    table = pd.concat({noise: shown.loc[noise].T for noise in noises})
    return _named(table.fillna(""), methods)


def _named(table: pd.DataFrame, methods: Iterable[str] = TABLE1_METHODS) -> pd.DataFrame:
    """Return a table with methods as columns, in the order given and as the paper writes them."""
    order = [method for method in methods if method in table.columns]
    table = table[order].rename(columns=method_title)
    noises = [noise for noise in TABLE1_NOISE if noise in table.index.get_level_values(0)]
    return table.rename_axis(columns=None).loc[noises]


def _paper(mean: float, std: float) -> str:
    deviation = "" if np.isnan(std) else f" ±\u00a0{std:.2f}"
    return "" if np.isnan(mean) else f"{mean:.2f}{deviation}"


def _ours(row: pd.Series, which: str) -> str:
    if not row["seeds"]:
        return ""
    ends = (row[f"{which}_low"], row[f"{which}_high"]) if row["seeds"] > 1 else (np.nan, np.nan)
    return with_range(row[which], *ends).replace(", ", ",\u00a0")


# --- Who is ahead. -----------------------------------------------------------------------------------
def ranks(cells: pd.DataFrame, of: str = "last", methods: Sequence[str] = TABLE1_METHODS) -> pd.DataFrame:
    """Return the place of each method under each noise, 1 for the highest accuracy, and the mean place.

    A row a noise and, last, their mean; a column a method. Equal numbers share the mean of their places.

    Parameters
    ----------
    of : {"last", "best", "paper"}
        Which numbers are ranked.
    methods : sequence of str
        Which methods; a noise that one of them was not run under has no row.
    """
    values = cells[of].unstack("method").reindex(index=TABLE1_NOISE, columns=list(methods)).dropna()
    places = values.rank(axis=1, ascending=False)
    if places.empty:
        return places
    return pd.concat([_named(places), _named(places).mean().to_frame("mean").T])


def agreement(cells: pd.DataFrame, methods: Sequence[str] = TABLE1_METHODS) -> pd.DataFrame:
    """Return how far our order of the methods is the paper's, under each noise where both have all.

    `spearman` and `kendall`: 1 for the same order, −1 for the reverse, about 0 for unrelated ones.
    `p`: how often random orders would be as far from 0, by Kendall's test.
    """
    from scipy import stats  # most of a second, which who imports this need not wait for

    rows = {}
    for noise in TABLE1_NOISE:
        both = cells.loc[noise].reindex(list(methods))[["last", "paper"]]
        if both.notna().to_numpy().all():
            kendall = stats.kendalltau(both["last"], both["paper"])
            rho = stats.spearmanr(both["last"], both["paper"]).statistic
            rows[noise] = {"spearman": rho, "kendall": kendall.statistic, "p": kendall.pvalue}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["spearman", "kendall", "p"])


def paired(records: Sequence[RunRecord], reference: str = "sl") -> pd.DataFrame:
    """Return how far `reference` ends above each other method, seed by seed, in points.

    Runs of one seed share their noisy labels and the order of the images, so their difference has less chance
    in it than either. Indexed by `noise` and `method`: the mean `difference` over the seeds that both have,
    the ends `low` and `high` of its 95 % t interval (NaN for one seed), and `seeds`.
    """
    rows = []
    for noise, method in product(TABLE1_NOISE, TABLE1_METHODS):
        ahead = gains(records, reference, method, noise)
        if method != reference and len(ahead):
            rows.append([noise, method, ahead.mean(), *interval(ahead.tolist(), None), len(ahead)])
    columns = ["noise", "method", "difference", "low", "high", "seeds"]
    return pd.DataFrame(rows, columns=columns).set_index(["noise", "method"])


def leads(paired: pd.DataFrame) -> pd.DataFrame:
    """Return `paired` as text: a row a noise, a column a method, ``+2.1 [+1.0, +3.2], 3 seeds``."""
    if paired.empty:
        return paired
    told = [
        with_range(*row, difference=True) + (f", {seeds:.0f} seeds" if seeds > 1 else "")
        for *row, seeds in paired.to_numpy()
    ]
    return _named(pd.Series(told, paired.index).unstack("method").fillna(""))


def class_ranking(records: Sequence[RunRecord], noise: str) -> tuple[np.ndarray, str]:
    """Return the classes from the hardest to the easiest, and in words by which runs that was found.

    By CE on clean labels, as everywhere in this project; where that was not run, by CE under the noise.

    Examples
    --------
    >>> class_ranking([], "symmetric-0.6")
    Traceback (most recent call last):
    ...
    ValueError: classes are ranked by runs of CE, on clean labels or symmetric-0.6: there is none
    """
    for where in ("clean", noise):
        if found := select(records, method="ce", noise=where):
            return rank_classes(found), f"CE, {where} labels"
    raise ValueError(f"classes are ranked by runs of CE, on clean labels or {noise}: there is none")


def class_groups(
    methods: Mapping[str, Sequence[RunRecord]], hard: np.ndarray, easy: np.ndarray
) -> pd.DataFrame:
    """Return how each method ends on the hard and on the easy classes, in per cent.

    A row a method: accuracy on all test images of either group after the last epoch, averaged over its
    classes that have any, as mean [lowest, highest] over seeds, and `seeds`.

    Parameters
    ----------
    methods : mapping of str to sequence of RunRecord
        For each method of Table 1 its runs under one noise.
    hard, easy : array of int
        Classes of either group, from `hard_and_easy`.
    """
    require_same_images(chain.from_iterable(methods.values()))
    rows = {}
    for method, records in methods.items():
        ends = np.array([record.final_stage().classwise_accuracy for record in records], dtype=float)
        rows[method_title(method)] = {
            "hard classes": spread(np.nanmean(ends[:, hard], axis=1)),
            "easy classes": spread(np.nanmean(ends[:, easy], axis=1)),
            "seeds": len(records),
        }
    return pd.DataFrame.from_dict(rows, orient="index")
