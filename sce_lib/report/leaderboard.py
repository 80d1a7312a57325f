"""All runs of a ledger side by side: each setting's accuracy over its seeds, beside the paper's."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from sce_lib.data.clothing1m import SOURCE_OF_A_PART
from sce_lib.experiments.ledger import RunRecord
from sce_lib.report import published

# The section whose settings a table of the paper is made with; §5.1 has figures alone.
_SECTION_OF_TABLE = {1: "5.2", 2: "5.2", 3: "5.3"}
# What tells the rows of a leaderboard apart; runs that differ in their seed alone are one row.
KEYS = [
    *("dataset", "source", "fingerprint", "protocol", "section", "profile"),
    *("train_images", "model", "width", "epochs", "method", "changes", "noise"),
]


def leaderboard(records: Iterable[RunRecord]) -> pd.DataFrame:
    """Return a row a setting: accuracies in per cent over its seeds, and the paper's where it has one.

    Parameters
    ----------
    records : iterable of RunRecord
        Runs of any data sets, protocols, sections and profiles; no two of these are mixed in a row.

    Returns
    -------
    DataFrame
        `KEYS`, where `method` is the name that `RunConfig.preset` takes, and `changes` what differs from that
        preset in words (``"β 0.5, A −8"``), nothing for most. `seeds`: how many. `last`: of all test images
        after the last epoch; `best`: the best epoch's, an oracle's choice, of the images looked at each
        epoch; each as mean, `_low` and `_high`. `paper`, `paper_std` and `difference` (`last` less `paper`,
        in points): for presets of the section that the paper's table is made with, and not of a part of
        Clothing1M.
        `runs`: their ids.

    Examples
    --------
    >>> leaderboard([]).empty
    True
    """
    rows: dict[tuple, list[RunRecord]] = {}
    for record in records:
        config, made = record.config.model_copy(update={"seed": 0}), record.provenance
        rows.setdefault((config, made.fingerprint, made.train_images), []).append(record)
    table = pd.DataFrame([_row(_setting(of[0]), of) for of in rows.values()])
    return table if table.empty else table.sort_values(KEYS, ignore_index=True)


def _setting(record: RunRecord) -> dict[str, Any]:
    """Return `KEYS` of a record but for the source: the same images may lie in trees of two kinds."""
    config, made = record.config, record.provenance
    return {
        **{"dataset": config.dataset, "fingerprint": made.fingerprint, "protocol": config.protocol},
        **{"section": config.section, "profile": config.profile, "train_images": made.train_images},
        **{"model": config.model.name, "width": config.model.width},
        **{"epochs": config.optimisation.epochs, "method": config.method.slug, "changes": config.changes},
        "noise": config.noise.slug,
    }


def _row(setting: dict[str, Any], records: list[RunRecord]) -> dict[str, Any]:
    setting = setting | {"source": " or ".join(sorted({record.provenance.source for record in records}))}
    last = 100 * np.array([record.last_accuracy for record in records])
    best = 100 * np.array([record.best_accuracy for record in records])
    reported = _reported(setting)
    return {key: setting[key] for key in KEYS} | {
        "seeds": len(records),
        **{"last": last.mean(), "last_low": last.min(), "last_high": last.max()},
        **{"best": best.mean(), "best_low": best.min(), "best_high": best.max()},
        "paper": reported.mean if reported else np.nan,
        "paper_std": reported.std if reported and reported.std is not None else np.nan,
        "difference": last.mean() - reported.mean if reported else np.nan,
        "runs": " ".join(sorted(record.run_id for record in records)),
    }


def _reported(setting: dict[str, Any]) -> published.Reported | None:
    """Return what the paper reports for a setting; nothing for one that its table is not made with."""
    if setting["changes"] or setting["source"] == SOURCE_OF_A_PART:
        return None
    cell = published.reported(setting["dataset"], setting["method"], setting["noise"])
    return cell if cell and _SECTION_OF_TABLE[cell.table] == setting["section"] else None
