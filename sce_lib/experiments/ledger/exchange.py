"""Records out as one table, and in from other ledgers."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from sce_lib.experiments.ledger.compare import differences
from sce_lib.experiments.ledger.records import RunRecord, Summary
from sce_lib.experiments.ledger.store import Ledger, LedgerError
from sce_lib.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd


def _row(record: RunRecord | Summary) -> Iterator[tuple[str, Any]]:
    """Yield the columns of a record's row: what is below another name has both, with a point between."""
    columns = ("run_id", "last_accuracy", "best_accuracy", "best_epoch", "test_images_per_epoch")
    yield from ((name, getattr(record, name)) for name in columns)
    config = record.config.model_dump(mode="json")
    config["optimisation"]["milestones"] = " ".join(map(str, config["optimisation"]["milestones"]))
    kept = record.provenance.model_dump(mode="json", exclude={"requested_noise", "realised_noise"})
    parts = {name: value for name, value in config.items() if isinstance(value, dict)}
    yield from ((name, value) for name, value in config.items() if name not in parts)
    yield from _flat(parts | {"provenance": kept})


def _flat(values: dict[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{place}{name}.")
        else:
            yield f"{place}{name}", value


def to_frame(records: Iterable[RunRecord | Summary]) -> "pd.DataFrame":
    """Return a table of one row a run: accuracies, each field of the config, where the record comes from.

    Of a large ledger give the `Ledger.summaries`: they hold all of it, and need not be in memory at once.

    Examples
    --------
    >>> to_frame([]).empty
    True
    """
    import pandas as pd  # who trains does not wait for it

    # Column by column: as rows, of a dictionary each, a large ledger would take ten times the memory.
    columns: dict[str, list[Any]] = {}
    for place, record in enumerate(records):
        for name, value in _row(record):
            column = columns.setdefault(name, [])
            column += [math.nan] * (place - len(column))
            column.append(value)
    return pd.DataFrame({name: pd.Series(column) for name, column in columns.items()})


def export(records: Iterable[RunRecord | Summary], path: str | Path) -> int:
    """Write `to_frame` to a file, ``.csv`` or ``.parquet``, and return its number of rows.

    Raises
    ------
    ValueError, ImportError
        For another suffix, or no records; for Parquet without pyarrow.
    """
    path = Path(path)
    if path.suffix not in (".csv", ".parquet"):
        raise ValueError(f"{path}: the table is written as .csv or .parquet, not {path.suffix!r}")
    frame = to_frame(records)
    if frame.empty:
        raise ValueError("the ledger is empty: there is nothing to export")
    if path.suffix == ".csv":
        content = frame.to_csv(index=False).encode()
    else:
        try:
            content = frame.to_parquet(index=False)
        except ImportError as error:
            raise ImportError(
                "Parquet needs pyarrow: pip install 'sce-lib[report]', or write a .csv"
            ) from error
    write_atomically(path, content)
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
    FileNotFoundError, ValueError
        If a folder or file is not there; if a folder holds no record.
    """
    outcome = Imported()
    files = {source: _files(Path(source)) for source in sources}
    for source, found in files.items():
        if not found:
            raise ValueError(f"{source} holds no record: give a ledger's folder, or record files")
    for path in chain.from_iterable(files.values()):
        try:
            record = Ledger.read(path)
            name = f"{record.config.dataset}/{record.run_id}"
            with ledger.lock(record.config).acquire(blocking=False):
                if (there := ledger.get(record.config)) is None:
                    ledger.put(record)
                    outcome.added.append(name)
                elif differing := differences(there, record):
                    place = ledger.path(record.config)
                    outcome.refused[path] = (
                        f"{place} has other results for this run, in {len(differing)} places "
                        f"({next(iter(differing))} first); remove one of the two files to keep the other"
                    )
                else:
                    outcome.present.append(name)
        except filelock.Timeout:
            outcome.refused[path] = "this run is being trained now; import it again when that has ended"
        except LedgerError as error:
            outcome.refused[path] = str(error).removeprefix(f"{path} ")
    return outcome
