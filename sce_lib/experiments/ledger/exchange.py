"""Records out as one table, and in from other ledgers."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from sce_lib.experiments.ledger.compare import differences
from sce_lib.experiments.ledger.records import RunRecord
from sce_lib.experiments.ledger.store import Ledger, LedgerError
from sce_lib.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd


def _row(record: RunRecord) -> dict[str, Any]:
    kept = record.provenance.model_dump(mode="json", exclude={"requested_noise", "realised_noise"})
    row = {
        "run_id": record.run_id,
        "last_accuracy": record.last_accuracy,
        "best_accuracy": record.best_accuracy,
        "best_epoch": record.best_epoch,
        "test_images_per_epoch": record.test_images_per_epoch,
    }
    config = record.config.model_dump(mode="json")
    config["optimisation"]["milestones"] = " ".join(map(str, config["optimisation"]["milestones"]))
    return row | config | {"provenance": kept}


def to_frame(records: Iterable[RunRecord]) -> "pd.DataFrame":
    """Return a table of one row a run: accuracies, each field of the config, where the record comes from.

    Examples
    --------
    >>> to_frame([]).empty
    True
    """
    import pandas as pd  # who trains does not wait for it

    return pd.json_normalize([_row(record) for record in records])


def export(records: Iterable[RunRecord], path: str | Path) -> int:
    """Write `to_frame` to a file, ``.csv`` or ``.parquet``, and return its number of rows.

    Raises
    ------
    ValueError
        For another suffix, or no records.
    ImportError
        For Parquet without pyarrow.
    """
    path = Path(path)
    if path.suffix not in (".csv", ".parquet"):
        raise ValueError(f"{path}: the table is written as .csv or .parquet, not {path.suffix!r}")
    frame = to_frame(records)
    if frame.empty:
        raise ValueError("the ledger is empty: there is nothing to export")
    if path.suffix == ".csv":
        write_atomically(path, frame.to_csv(index=False).encode())
        return len(frame)
    buffer = io.BytesIO()
    try:
        frame.to_parquet(buffer, index=False)
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow: pip install 'sce-lib[report]', or write a .csv") from error
    write_atomically(path, buffer.getvalue())
    return len(frame)


@dataclass
class Imported:
    """What became of files that were imported: runs added, runs that were there, files refused and why."""

    added: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    refused: dict[Path, str] = field(default_factory=dict)


def _files(source: Path) -> list[Path]:
    if not source.exists():
        raise FileNotFoundError(f"{source} is not there: give a ledger's folder, or record files")
    return [*sorted(source.glob("*.json")), *Ledger(source).paths()] if source.is_dir() else [source]


def import_records(sources: Iterable[str | Path], ledger: Ledger) -> Imported:
    """Take records from other ledgers' folders or files, each checked first; nothing is overwritten.

    A file is refused if it is damaged, if the ledger has other results for that run, or if the run is being
    trained at this moment.

    Raises
    ------
    FileNotFoundError
        If a folder or file is not there.
    ValueError
        If a folder holds no record.
    """
    outcome = Imported()
    files = {source: _files(Path(source)) for source in sources}
    for source, found in files.items():
        if not found:
            raise ValueError(f"{source} holds no record: give a ledger's folder, or record files")
    for path in (path for found in files.values() for path in found):
        try:
            record = Ledger.read(path)
            with ledger.lock(record.config).acquire(blocking=False):
                _take(record, path, ledger, outcome)
        except filelock.Timeout:
            outcome.refused[path] = "this run is being trained now; import it again when that has ended"
        except LedgerError as error:
            outcome.refused[path] = str(error).removeprefix(f"{path} ")
    return outcome


def _take(record: RunRecord, path: Path, ledger: Ledger, outcome: Imported) -> None:
    name = f"{record.config.dataset}/{record.run_id}"
    there = ledger.get(record.config)
    if there is None:
        ledger.put(record)
        outcome.added.append(name)
    elif found := differences(there, record):
        outcome.refused[path] = (
            f"{ledger.path(record.config)} has other results for this run, in {len(found)} places "
            f"({next(iter(found))} first); remove one of the two files to keep the other"
        )
    else:
        outcome.present.append(name)
