"""What bfloat16 does to results: runs of the ledger that differ in their precision alone, side by side."""

from collections.abc import Iterator, Sequence

import pandas as pd

from reference import markdown
from reference.settings import DATASETS as TITLES
from sce_lib.experiments.ledger import Ledger, RunRecord
from sce_lib.report.claims.regime import memorised
from sce_lib.report.effects import interval
from sce_lib.report.numbers import number, with_range

_COLUMNS = ["setting", "float32", "difference", "memorised"]


def fragments() -> dict[str, str]:
    """Return the table of accuracies and of what is memorised, bfloat16 beside float32."""
    return {"benchmarks/precision.md": "\n".join(_table(paired(list(Ledger()))))}


def paired(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return a row for each bfloat16 run that has a float32 run of the same config: both, and what is shared.

    Columns: `dataset`, `setting` (of the float32 run), `section`, `seed`, `float32` and `bfloat16` (last
    accuracies in per cent), and `memorised`, what bfloat16 adds to the share of flipped labels memorised.
    """
    single = {record.config: record for record in records if record.config.precision == "float32"}
    rows = []
    for half in records:
        base = single.get(half.config.model_copy(update={"precision": "float32"}))
        if half.config.precision == "bfloat16" and base is not None:
            config = base.config
            place = [config.dataset, config.setting, config.section, config.seed]
            ends = [100 * base.last_accuracy, 100 * half.last_accuracy]
            rows.append([*place, *ends, memorised(half) - memorised(base)])
    columns = ["dataset", "setting", "section", "seed", "float32", "bfloat16", "memorised"]
    return pd.DataFrame(rows, columns=columns)


def _table(pairs: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of the table, a row a setting."""
    rows = []
    for (dataset, setting, section), runs in pairs.groupby(["dataset", "setting", "section"], sort=False):
        apart = runs["bfloat16"] - runs["float32"]
        means = number(runs["float32"].mean(), digits=1)
        spread = number(runs["float32"].std(), digits=1) if len(runs) > 1 else "–"
        told = with_range(apart.mean(), *interval(apart.tolist(), None), difference=True)
        kept = f"{number(runs['memorised'].min(), digits=3)} to {number(runs['memorised'].max(), digits=3)}"
        where = f"{TITLES[dataset]} §{section}, {setting}"
        rows.append([where, f"{means} ± {spread}", told, kept, str(len(runs))])
    header = ["runs", "float32, %", "bfloat16 less float32, points", "more memorised", "seeds"]
    yield from markdown.table(header, rows, numbers=4)
