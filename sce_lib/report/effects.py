"""What a changed detail does to an accuracy: from runs to effects in points, with intervals.

The details are those of `sce_lib.experiments.config.factors`, each against the paper's preset with nothing
changed.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.factors import FACTORS, is_changed
from sce_lib.experiments.ledger import RunRecord, require_same_images, select
from sce_lib.report.claims.evidence import Evidence, where_run
from sce_lib.report.claims.quantities import SINGLE_FACTORS, applicable, effect, last_under
from sce_lib.report.claims.verdicts import student_interval
from sce_lib.report.numbers import with_range

NOTHING, BEST_EPOCH = "nothing", "best-epoch"
# Everything that can stand in a row: one detail, all of them, and what needs no run of its own.
CHANGES = (*SINGLE_FACTORS, "released", BEST_EPOCH)
_TITLES = {NOTHING: "nothing changed", BEST_EPOCH: "best epoch in the place of the last"}
_MEASURED = ("effect", "low", "high", "seeds", "pooled")


def title(name: str) -> str:
    """Return what a change is called in tables and plots.

    Examples
    --------
    >>> title("no-l2"), title("nothing")
    ('no L2', 'nothing changed')
    """
    return _TITLES.get(name) or FACTORS[name].title


def change_of(config: RunConfig) -> str:
    """Return which change a run of chapter 11 has: a key of `FACTORS`, or ``"nothing"``.

    Raises
    ------
    ValueError
        For a run that is not the paper's preset with at most one detail changed.

    Examples
    --------
    >>> from sce_lib.experiments.config.factors import change
    >>> start = RunConfig.preset("mnist", "ce", "symmetric-0.4")
    >>> change_of(start), change_of(change(start, "low-lr"))
    ('nothing', 'low-lr')
    """
    for name in (None, *FACTORS):
        if is_changed(config, name):
            return name or NOTHING
    raise ValueError(f"{config.run_id} is not the paper's preset with at most one detail changed")


class Pooled(NamedTuple):
    """How far runs lie apart that differ in their seed alone: one deviation from several settings.

    Parameters
    ----------
    deviation : float
        Standard deviation of the last accuracy over seeds, in points, pooled over the settings.
    degrees : int
        Its degrees of freedom: runs less settings.
    """

    deviation: float
    degrees: int


def pooled_deviation(records: Iterable[RunRecord]) -> Pooled | None:
    """Return how far seeds lie apart, from the settings that have several; None where no setting has.

    Runs whose noise is drawn with a seed of its own are left out: theirs is the same in all of them.
    """
    records = list(records)
    require_same_images(records)
    settings: dict[object, list[float]] = {}
    for record in records:
        if record.config.noise.noise_seed is None:
            setting = record.config.model_copy(update={"seed": 0})
            settings.setdefault(setting, []).append(100 * record.last_accuracy)
    degrees = sum(len(values) - 1 for values in settings.values())
    if not degrees:
        return None
    squares = sum(((np.array(ends) - np.mean(ends)) ** 2).sum() for ends in settings.values())
    return Pooled(float(np.sqrt(squares / degrees)), degrees)


def interval(points: Sequence[float], pooled: Pooled | None) -> tuple[float, float]:
    """Return a 95 % interval for the mean of differences between two runs of one seed each.

    From their own spread where there are two or more; for a single one from the pooled deviation, as if its
    two runs were independent; (NaN, NaN) where there is neither.

    Examples
    --------
    >>> low, high = interval([1.0, 2.0, 3.0], None)
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    values = np.asarray(points, dtype=float)
    if values.size == 1 and pooled is not None:
        return student_interval(values, np.sqrt(2) * pooled.deviation, pooled.degrees)
    return student_interval(values)


def effects(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return a row a change, method and noise that have runs: what it adds to the last accuracy, in points.

    Columns `change` (a key of `FACTORS`, or ``"best-epoch"``: what the best epoch adds, on the images
    looked at each epoch), `method`, `noise`, `effect` (mean over seeds), `low` and `high` (from
    `interval`; the pooled deviation is of the same noise), `seeds` (pairs of runs), and `pooled`, whether
    the interval is from the pooled deviation.

    Parameters
    ----------
    records : sequence of RunRecord
        Runs of one data set at one scale, with nothing or one detail changed.

    Examples
    --------
    >>> effects([]).empty
    True
    """
    rows = []
    for noise, here in _by_noise(records).items():
        pooled = pooled_deviation(here)
        for method in dict.fromkeys(record.config.method.name for record in here):
            evidence = Evidence(select(here, method=method), noise)
            for name in CHANGES:
                points = 100 * where_run(_added, evidence, name, method)
                if len(points):
                    scale = None if name == BEST_EPOCH else pooled
                    rows.append([name, method, noise, *_measured(points, scale)])
    return pd.DataFrame(rows, columns=["change", "method", "noise", *_MEASURED])


def leads(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return a row a change and noise: how far SL ends above CE, both with the detail changed, in points.

    Where a detail is none of CE's, as A is, SL with it is set beside CE with nothing changed. Columns as in
    `effects`, less `method`; `change` is ``"nothing"`` for the runs as they stand.
    """
    rows = []
    for noise, here in _by_noise(records).items():
        pooled, evidence = pooled_deviation(here), Evidence(here, noise)
        for name in (None, *SINGLE_FACTORS, "released"):
            points = 100 * where_run(_lead, evidence, name)
            if len(points):
                rows.append([name or NOTHING, noise, *_measured(points, pooled)])
    return pd.DataFrame(rows, columns=["change", "noise", *_MEASURED])


def spreads(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return how far seeds lie apart, noise redrawn for each or drawn once for all, in points.

    A row a method and noise that have several seeds of both: `redrawn` and `one_draw` (standard deviations of
    the last accuracy), `redrawn_seeds` and `one_draw_seeds`.
    """
    rows = []
    for noise, here in _by_noise(records).items():
        evidence = Evidence(here, noise)
        for method in ("ce", "sl"):
            both = [100 * where_run(last_under, evidence, name, method) for name in (None, "one-draw")]
            if min(map(len, both)) > 1:
                rows.append([method, noise, *(ends.std() for ends in both), *map(len, both)])
    columns = ["method", "noise", "redrawn", "one_draw", "redrawn_seeds", "one_draw_seeds"]
    return pd.DataFrame(rows, columns=columns)


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return effects as a reader wants them: a row a change, the largest first, a column a method and noise.

    `table` is from `effects` or `leads`.
    """
    columns = [name for name in ("method", "noise") if name in table]
    rows = table[["effect", "low", "high"]].to_numpy(dtype=float)
    cells = [with_range(*row, difference=True) for row in rows]
    order = table["effect"].abs().groupby(table["change"]).max().sort_values(ascending=False, kind="stable")
    told = table.assign(cell=cells).pivot(index="change", columns=columns, values="cell")
    return told.loc[order.index].rename(index=title).rename_axis(index=None).fillna("–")


def coverage(configs: Sequence[RunConfig], records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return how many of the runs asked for, of one data set, are there: a row a change, a column a noise."""
    there = {record.config for record in records}
    asked = [(title(change_of(config)), config.noise.slug, config in there) for config in configs]
    table = pd.DataFrame(asked, columns=["change", "noise", "there"])
    cells = table.groupby(["change", "noise"], sort=False)["there"].agg(["sum", "size"])
    told = cells["sum"].astype(str) + " of " + cells["size"].astype(str)
    return told.unstack("noise").loc[table["change"].unique()].rename_axis(index=None).fillna("–")


def _by_noise(records: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """Return the records of each noise, all of which must be of the same images."""
    require_same_images(records)
    noises = sorted({record.config.noise.slug for record in records})
    return {noise: select(records, noise=noise) for noise in noises}


def _added(evidence: Evidence, name: str, method: str) -> pd.Series:
    """Return what a change, or the best epoch, adds to the last accuracy of a method."""
    if name == BEST_EPOCH:
        runs = evidence.under(None).records
        return pd.Series({run.config.seed: run.oracle_gain for run in runs}, dtype=float)
    return effect(evidence, name, method)


def _lead(evidence: Evidence, name: str | None) -> pd.Series:
    base = name if name in (*applicable(evidence, "ce"), "released") else None
    return last_under(evidence, name, "sl") - last_under(evidence, base, "ce")


def _measured(points: pd.Series, pooled: Pooled | None) -> list[object]:
    from_pool = len(points) == 1 and pooled is not None
    return [points.mean(), *interval(points.tolist(), pooled), len(points), from_pool]
