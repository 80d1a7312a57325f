"""All runs of a ledger side by side: each setting's accuracy over its seeds, beside the paper's."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from sce_lib import paper
from sce_lib.config import METHODS, RunConfig
from sce_lib.datasets.clothing1m import SOURCE_OF_A_PART
from sce_lib.ledger import RunRecord

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
        preset (``"A=-8 beta=0.5"``), nothing for most. `seeds`: how many. `last`: of all test images after
        the last epoch; `best`: the best epoch's, an oracle's choice, of the images looked at each epoch; each
        as mean, `_low` and `_high`. `paper`, `paper_std` and `difference` (`last` less `paper`, in points):
        for presets of the section that the paper's table is made with, and not of a part of Clothing1M.
        `runs`: their ids.

    Examples
    --------
    >>> leaderboard([]).empty
    True
    """
    rows: dict[tuple, list[RunRecord]] = {}
    for record in records:
        rows.setdefault(tuple(_setting(record).items()), []).append(record)
    table = pd.DataFrame([_row(dict(setting), of) for setting, of in rows.items()])
    return table if table.empty else table.sort_values(KEYS, ignore_index=True)


def _setting(record: RunRecord) -> dict[str, Any]:
    """Return `KEYS` of a record but for the source: the same images may lie in trees of two kinds."""
    config, made = record.config, record.provenance
    name, changes = described(config)
    return {
        **{"dataset": config.dataset, "fingerprint": made.fingerprint, "protocol": config.protocol},
        **{"section": config.section, "profile": config.profile, "train_images": made.train_images},
        **{"model": config.model.name, "width": config.model.width},
        **{"epochs": config.optimisation.epochs, "method": name, "changes": changes},
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


def _reported(setting: dict[str, Any]) -> paper.Reported | None:
    """Return what the paper reports for a setting; nothing for one that its table is not made with."""
    if setting["changes"] or setting["source"] == SOURCE_OF_A_PART:
        return None
    cell = paper.reported(setting["dataset"], setting["method"], setting["noise"])
    return cell if cell and _SECTION_OF_TABLE[cell.table] == setting["section"] else None


def described(config: RunConfig) -> tuple[str, str]:
    """Return a config as the name of the nearest preset's method, and what differs from that preset.

    Examples
    --------
    >>> described(RunConfig.preset("mnist", "5ce", "symmetric-0.4", seed=3))
    ('5ce', '')
    >>> described(RunConfig.preset("mnist", "sl", "symmetric-0.4", n_train=500))
    ('sl', 'n_train=500')
    """
    mine = dict(_leaves(config.model_dump(mode="json", exclude={"seed"})))
    where = (config.dataset, config.noise.slug, config.protocol, config.profile, config.section)
    candidates = {name: _preset(name, *where) for name in METHODS}
    differences = {
        name: {field: value for field, value in mine.items() if preset.get(field) != value}
        for name, preset in candidates.items()
        if preset and preset["method.name"] == mine["method.name"]
    }
    # No preset has this method there, as D2L by the released code: then all of its fields are told.
    differences = differences or {config.method.name: mine}
    name = min(differences, key=lambda name: len(differences[name]))
    changes = [
        f"{field.removesuffix('.name').rpartition('.')[2]}={_short(value)}"
        for field, value in differences[name].items()
    ]
    return name, " ".join(sorted(changes))


@cache
def _preset(name: str, dataset: str, noise: str, *where: Any) -> dict[str, Any]:
    """Return the fields of a preset; none where there is no such preset."""
    protocol, profile, section = where
    try:
        config = RunConfig.preset(dataset, name, noise, protocol, profile, section)
    except ValueError:
        return {}
    return dict(_leaves(config.model_dump(mode="json", exclude={"seed"})))


def _leaves(value: dict[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _leaves(inner, f"{place}{key}.")
        else:
            yield f"{place}{key}", inner


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
