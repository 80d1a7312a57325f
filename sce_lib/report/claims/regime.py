"""What cross entropy learns by heart, and rules that hold only where it does.

A claim about overfitting says nothing of a network that fits none of the wrong labels. So such a claim has
a premise: how much of the flipped labels cross entropy has *memorised* at the end of its training.

The rules stand in ``regime.csv`` beside this file. They were written after the ledger's runs with the seeds 0
to 2 had been seen, and before any run with seed 10 or more: those judge them. The exceptions are the two on
Table 1, written after seed 0 of the released code under 40, 60 and 80 % noise; seeds 1 and 2 are fresh.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.parts import CE
from sce_lib.experiments.ledger import RunRecord, require_same_images
from sce_lib.report import published
from sce_lib.report.claims.evidence import Evidence, is_of
from sce_lib.report.claims.verdicts import (
    AGREES,
    DISAGREES,
    IN_DIRECTION,
    NOT_TESTED,
    PREMISE_NOT_MET,
    UNDECIDED,
    decide,
)

__all__ = ["beside_print", "cells", "judge_rules", "load_rules", "memorised", "memorised_by_ce", "pairs"]

_RULES = Path(__file__).with_name("regime.csv")
_WORST = (DISAGREES, UNDECIDED, NOT_TESTED, IN_DIRECTION, AGREES)

_COLUMNS = ["dataset", "noise", "details", "protocol", "profile", "section", "seed"]
_ENDS = ["memorised", "ce_last", "ce_best", "sl_last", "sl_best", "lead", "beside_best"]


def memorised(record: RunRecord) -> float:
    r"""Return the share of flipped labels that a run has learned by heart, beyond chance.

    The share of flipped training samples that are predicted as the label they were given, less how often
    *test* images of the same true class are predicted as that label, over one less the latter: confusing a
    cat with a dog fits a flipped label without having learned it. About 0 where nothing is memorised, 1 where
    every flipped label is; NaN where no label was flipped, or nobody knows which.

    Notes
    -----
    With :math:`n_c` flipped samples of true class :math:`c`, of which a share :math:`f_c` is fitted, the
    realised transition matrix :math:`T` and the share :math:`C_{cj}` of test images of class :math:`c` that
    are predicted as :math:`j`, the chance is :math:`h_c = \sum_{j \ne c} T_{cj} C_{cj} / \sum_{j \ne c}
    T_{cj}`, and the result :math:`\sum_c n_c (f_c - h_c) / \sum_c n_c (1 - h_c)`.
    """
    group = record.final_stage().flipped
    count = np.array(group.count, dtype=float)
    if not count.sum():
        return float("nan")
    fitted = np.array(group.fitted, dtype=float)
    flips = np.array(record.provenance.realised_noise, dtype=float)
    np.fill_diagonal(flips, 0.0)
    confusion = np.array(record.confusion, dtype=float)
    with np.errstate(invalid="ignore"):  # a class without flips, or without test images, is NaN
        predicted = confusion / confusion.sum(axis=1, keepdims=True)
        chance = (flips * predicted).sum(axis=1) / flips.sum(axis=1)
    known = (count > 0) & ~np.isnan(chance)
    if not known.any():
        return float("nan")
    beyond = (count * (fitted - chance))[known].sum()
    return float(beyond / (count * (1 - chance))[known].sum())


def memorised_by_ce(evidence: Evidence) -> float:
    """Return what cross entropy memorises under the evidence's noise, the mean over its seeds.

    Raises
    ------
    MissingRuns
        If there is no run of cross entropy.
    """
    return float(np.mean([memorised(record) for record in evidence.of("ce")]))


def cells(records: Sequence[RunRecord]) -> dict[RunConfig, list[RunRecord]]:
    """Return runs of CE and of SL that differ in method and seed alone, by what they share.

    The key is the config of cross entropy with seed 0. Runs of other methods, of other settings of SL than
    the preset's, on clean labels, or trained several seeds together are left out; so is a cell that has one
    of the two alone.
    """
    found: dict[RunConfig, list[RunRecord]] = {}
    for record in records:
        config = record.config
        of_either = any(is_of(record, method) for method in ("ce", "sl"))
        if config.noise.kind != "none" and record.provenance.replicates is None and of_either:
            shared = config.model_copy(update={"method": CE(), "seed": 0})
            found.setdefault(shared, []).append(record)
    both = {"ce", "sl"}
    return {key: runs for key, runs in found.items() if {run.config.method.slug for run in runs} == both}


def pairs(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return a row for each cell and seed that has a run of CE and one of SL, alike in all else.

    Columns: `dataset`, `noise`, `details` (what differs from the preset), `protocol`, `profile`, `section`,
    `seed`; `memorised` (by CE, beyond chance); `ce_last`, `sl_last`, `ce_best` and `sl_best`, test accuracy
    after the last epoch and after the best one, an oracle's choice; `lead`, ``sl_last - ce_last``; and
    `beside_best`, what SL's last epoch adds to CE's best. Accuracies are in [0, 1], and all of them on the
    images that are looked at each epoch, so that last and best are of the same ones.
    """
    rows = []
    for shared, runs in cells(records).items():
        require_same_images(runs)
        of = {(run.config.method.slug, run.config.seed): run for run in runs}
        place = [shared.dataset, shared.noise.slug, shared.changes, shared.protocol]
        for seed in sorted(seed for method, seed in of if method == "ce" and ("sl", seed) in of):
            ce, sl = of["ce", seed], of["sl", seed]
            last = [run.epochs[-1].test_accuracy for run in (ce, sl)]
            ends = [memorised(ce), last[0], ce.best_accuracy, last[1], sl.best_accuracy]
            apart = [last[1] - last[0], last[1] - ce.best_accuracy]
            rows.append([*place, shared.profile, shared.section, seed, *ends, *apart])
    return pd.DataFrame(rows, columns=[*_COLUMNS, *_ENDS])


def beside_print(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return how far CE ends above what Table 1 prints for it, a row a run of a preset at full scale.

    Columns: `dataset`, `noise`, `protocol`, `seed`, `ce_last` (on all test images), `printed` and
    `ce_beside_print`, their difference; in [0, 1]. Cells that the paper does not print are left out.
    """
    rows = []
    for record in records:
        config = record.config
        cell = published.reported(config.dataset, "ce", config.noise.slug)
        if config.method == CE() and config.profile == "full" and not config.changes and cell is not None:
            printed = cell.mean / 100
            place = [config.dataset, config.noise.slug, config.protocol, config.seed]
            rows.append([*place, record.last_accuracy, printed, record.last_accuracy - printed])
    columns = ["dataset", "noise", "protocol", "seed", "ce_last", "printed", "ce_beside_print"]
    return pd.DataFrame(rows, columns=columns)


def load_rules() -> pd.DataFrame:
    """Return the rules on regimes, indexed by id.

    Columns: `claim`; `quantity`, a column of `pairs` or of `beside_print`; `comparison`, `threshold` and
    `direction`, as `decide` takes them; `premise_at_least` and `premise_below`, between which the share that
    CE memorises must lie, NaN for no bound; `protocol`, NaN for any; and `over`, ``"mean"`` or ``"each"`` of
    the cells.

    Examples
    --------
    >>> load_rules().loc["sl-leads-where-memorised", ["threshold", "premise_at_least"]].tolist()
    [0.02, 0.25]
    """
    return pd.read_csv(_RULES, index_col="id")


def judge_rules(table: pd.DataFrame) -> pd.DataFrame:
    """Judge the rules whose quantity is a column of a table, from `pairs` or `beside_print`.

    A cell is what runs share but the seed. A rule over the *mean* takes the mean of each cell that meets its
    premise, all of them counting the same, and judges by the interval of their mean. One over *each* judges
    every cell by its seeds, and has the verdict of the worst.

    Returns
    -------
    DataFrame
        Indexed by rule: `claim`, `quantity`, `measured` (the mean over the cells, or that of the worst one),
        `low` and `high` (its 95 % interval), `cells` (that meet the premise), `of` (all), `runs` (in them),
        and the `verdict`.
    """
    rules = load_rules().iterrows()
    rows = {name: _judged(rule, _of(table, rule)) for name, rule in rules if rule["quantity"] in table}
    return pd.DataFrame.from_dict(rows, orient="index")


def _of(table: pd.DataFrame, rule: pd.Series) -> list[pd.DataFrame]:
    """Return the cells that a rule is asked of, each a table of its seeds."""
    shared = list(table.columns[: table.columns.get_loc("seed")])
    asked = table if pd.isna(rule["protocol"]) else table[table["protocol"] == rule["protocol"]]
    return [cell for _, cell in asked.groupby(shared, sort=False)]


def _judged(rule: pd.Series, asked: list[pd.DataFrame]) -> dict[str, object]:
    met = [cell for cell in asked if _meets(rule, cell)]
    values = [cell[rule["quantity"]] for cell in met]
    if rule["over"] == "mean":
        values = [pd.Series([of_cell.mean() for of_cell in values], dtype=float)]
    bounds = rule["comparison"], rule["threshold"], rule["direction"]
    decisions = [decide(of_cell, *bounds) for of_cell in values or [pd.Series(dtype=float)]]
    decided = min(decisions, key=lambda one: _WORST.index(one.verdict))
    premise_fails = bool(asked) and not met
    return {
        "claim": rule["claim"],
        "quantity": rule["quantity"],
        **{"measured": decided.mean, "low": decided.low, "high": decided.high},
        **{"cells": len(met), "of": len(asked), "runs": sum(map(len, met))},
        "verdict": PREMISE_NOT_MET if premise_fails else decided.verdict,
    }


def _meets(rule: pd.Series, cell: pd.DataFrame) -> bool:
    """Return whether what CE memorises in a cell lies between a rule's bounds."""
    at_least, below = rule["premise_at_least"], rule["premise_below"]
    if pd.isna(at_least) and pd.isna(below):
        return True
    share = cell["memorised"].mean()
    return bool((pd.isna(at_least) or share >= at_least) and (pd.isna(below) or share < below))
