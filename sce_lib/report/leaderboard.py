"""All runs of a ledger side by side: each setting's accuracy over its seeds, beside the paper's."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from sce_lib.data.clothing1m import SOURCE_OF_A_PART
from sce_lib.experiments.ledger import RunRecord, Summary
from sce_lib.report import published

# The section whose settings a table of the paper is made with; §5.1 has figures alone.
_SECTION_OF_TABLE = {1: "5.2", 2: "5.2", 3: "5.3"}
# What tells the rows of a leaderboard apart; runs that differ in their seed alone are one row.
KEYS = [
    *("dataset", "source", "fingerprint", "protocol", "section", "profile"),
    *("train_images", "model", "width", "epochs", "method", "changes", "noise"),
]


def leaderboard(records: Iterable[RunRecord | Summary]) -> pd.DataFrame:
    """Return a row a setting: accuracies in per cent over its seeds, and the paper's where it has one.

    `KEYS`, where `method` is the name that `RunConfig.preset` takes, and `changes` what differs from that
    preset in words (``"β 0.5, A −8"``), nothing for most. `seeds`: how many. `last`: of all test images
    after the last epoch; `best`: the best epoch's, an oracle's choice, of the images looked at each
    epoch; each as mean, `_low` and `_high`. `paper`, `paper_std` and `difference` (`last` less `paper`,
    in points): for presets of the section that the paper's table is made with, and not of a part of
    Clothing1M. `runs`: their ids.

    Parameters
    ----------
    records : iterable of RunRecord or Summary
        Runs of any data sets, protocols, sections and profiles; no two of these are mixed in a row.

    Examples
    --------
    >>> leaderboard([]).empty
    True
    """
    rows: dict[tuple, list[RunRecord | Summary]] = {}
    for record in records:
        config, made = record.config.model_copy(update={"seed": 0}), record.provenance
        rows.setdefault((config, made.fingerprint, made.train_images), []).append(record)
    table = pd.DataFrame([_row(of) for of in rows.values()])
    return table if table.empty else table.sort_values(KEYS, ignore_index=True)


def _row(records: list[RunRecord | Summary]) -> dict[str, Any]:
    config, made = records[0].config, records[0].provenance
    # The same images may lie in trees of two kinds.
    source = " or ".join(sorted({record.provenance.source for record in records}))
    setting = [
        *(config.dataset, source, made.fingerprint, config.protocol, config.section, config.profile),
        *(made.train_images, config.model.name, config.model.width, config.optimisation.epochs),
        *(config.method.slug, config.changes, config.noise.slug),
    ]
    row: dict[str, Any] = dict(zip(KEYS, setting, strict=True)) | {"seeds": len(records)}
    for which in ("last", "best"):
        ends = 100 * np.array([getattr(record, f"{which}_accuracy") for record in records])
        row |= {which: ends.mean(), f"{which}_low": ends.min(), f"{which}_high": ends.max()}
    cell = published.reported(config.dataset, config.method.slug, config.noise.slug)
    # A table is of presets of one section, and of whole data sets.
    other_section = cell is not None and _SECTION_OF_TABLE[cell.table] != config.section
    if config.changes or source == SOURCE_OF_A_PART or other_section:
        cell = None
    mean, std = published.as_numbers(cell)
    row |= {"paper": mean, "paper_std": std, "difference": row["last"] - mean}
    return row | {"runs": " ".join(sorted(record.run_id for record in records))}
