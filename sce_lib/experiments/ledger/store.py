"""The folder of records: one file a run, each checked against its own checksum."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import filelock

from sce_lib.experiments.config import Noise, RunConfig
from sce_lib.experiments.config.parts import explain
from sce_lib.experiments.ledger.records import RunRecord
from sce_lib.files import ledger_root, set_aside, write_atomically

FORMAT = 1
# The folder of failures, beside those of the data sets, and the ledger of seeds that were trained together.
_FAILED, _REPLICATES = "failed", "replicates"


class LedgerError(ValueError):
    """A record's file is damaged or does not hold what its name says; the message names the file."""


class MissingRuns(LookupError):
    """Runs that were asked for are not in the ledger; the message says how to make them."""


def _checksum(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _valid(record: dict[str, Any], path: Path) -> RunRecord:
    try:
        return RunRecord.model_validate(record)
    except ValueError as error:
        raise LedgerError(f"{path} holds a record that cannot be: {explain(error)}") from error


def _reason(note: Path) -> str:
    """Return what a note of a failure says; one that someone has damaged still tells that a run failed."""
    try:
        return str(json.loads(note.read_bytes())["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"the reason cannot be read from {note}"


class Ledger:
    """A folder of run records, ``<root>/<dataset>/<run_id>.json``.

    Parameters
    ----------
    root : path, optional
        The folder; ``data/ledger`` of the project, or ``$SCE_LEDGER``, where it is not given.

    Examples
    --------
    >>> import tempfile
    >>> ledger = Ledger(tempfile.mkdtemp())
    >>> ledger.get(RunConfig.preset("digits", "ce", profile="smoke")) is None, len(ledger)
    (True, 0)
    """

    def __init__(self, root: "str | os.PathLike[str] | None" = None) -> None:
        self.root = Path(root).expanduser().resolve() if root else ledger_root()

    def path(self, config: RunConfig) -> Path:
        """Return the file that a run's record is kept in.

        Raises
        ------
        ValueError
            For a data set called ``failed``, the folder where failures are noted.
        """
        if config.dataset == _FAILED:
            raise ValueError(
                f"a data set cannot be called {_FAILED!r}: the ledger notes failures in the folder of that "
                "name; give the data set another name"
            )
        return self.root / config.dataset / f"{config.run_id}.json"

    def lock(self, config: RunConfig) -> filelock.BaseFileLock:
        """Return the lock that whoever makes a run holds, so that no two do."""
        folder = self.root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder / f"{config.dataset}-{config.run_id}.lock")

    @staticmethod
    def read(path: str | Path) -> RunRecord:
        """Return the record of one file.

        Raises
        ------
        LedgerError
            If the file is not what was written: cut short, changed, or under another run's name.
        """
        path = Path(path)
        try:
            content = json.loads(path.read_bytes())
            record, checksum, written = content["record"], content["checksum"], content["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError(f"{path} is no ledger record: {type(error).__name__}: {error}") from error
        if written != FORMAT:
            raise LedgerError(f"{path} has format {written!r}; this version reads format {FORMAT}")
        if _checksum(record) != checksum:
            raise LedgerError(f"{path} does not match its own checksum: it was changed after it was written")
        parsed = _valid(record, path)
        if path.stem != parsed.run_id:
            raise LedgerError(f"{path} holds the record of another run, {parsed.run_id}")
        return parsed

    def replicates(self) -> "Ledger":
        """Return the ledger for seeds that were trained together, below this one and apart from it."""
        return Ledger(self.root / _REPLICATES)

    def _check_kind(self, record: RunRecord) -> None:
        together = record.provenance.replicates
        if (together is not None) != (self.root.name == _REPLICATES):
            kind = "a run of its own" if together is None else f"one of {together} seeds trained together"
            raise LedgerError(
                f"{self.path(record.config)} cannot hold {kind}: seeds trained together are kept in a ledger "
                f"whose folder is called {_REPLICATES!r}, see Ledger.replicates, and nothing else is"
            )

    def _read_or_set_aside(self, path: Path) -> RunRecord | None:
        try:
            record = self.read(path)
            if path != self.path(record.config):
                raise LedgerError(f"{path} holds the record of a run on {record.config.dataset}")
            self._check_kind(record)
            return record
        except FileNotFoundError:
            return None
        except LedgerError as error:
            set_aside(path, str(error).removeprefix(f"{path} "))
            return None

    def get(self, config: RunConfig) -> RunRecord | None:
        """Return a run's record, or None if there is none; a damaged file is set aside with a warning."""
        return self._read_or_set_aside(self.path(config))

    def put(self, record: RunRecord) -> Path:
        """Write a record, whole or not at all, and return its file; an earlier failure is forgotten.

        Raises
        ------
        LedgerError
            For a record of seeds trained together, but in the ledger that `replicates` returns; for one that
            was put together by hand and contradicts itself, and would not be read again.
        """
        self._check_kind(record)
        path = self.path(record.config)
        kept = record.model_dump(mode="json")
        _valid(kept, path)
        content = {"format": FORMAT, "checksum": _checksum(kept), "record": kept}
        write_atomically(path, (json.dumps(content, separators=(",", ":")) + "\n").encode())
        self._failure_path(record.config).unlink(missing_ok=True)
        return path

    def put_failure(self, config: RunConfig, error: BaseException) -> Path:
        """Keep why a run failed, apart from the records: a failed run never counts as done."""
        content = {"config": config.model_dump(mode="json"), "error": f"{type(error).__name__}: {error}"}
        path = self._failure_path(config)
        write_atomically(path, json.dumps(content, indent=1).encode())
        return path

    def _failure_path(self, config: RunConfig) -> Path:
        return self.root / _FAILED / config.dataset / f"{config.run_id}.json"

    def failures(self) -> dict[str, str]:
        """Return why runs failed that have no record, by ``dataset/run_id``."""
        notes = sorted((self.root / _FAILED).glob("*/*.json"))
        alone = [note for note in notes if not (self.root / note.parent.name / note.name).exists()]
        return {f"{note.parent.name}/{note.stem}": _reason(note) for note in alone}

    def paths(self) -> list[Path]:
        """Return the records' files, read or not, in order of their names."""
        return sorted(path for path in self.root.glob("*/*.json") if path.parent.name != _FAILED)

    def find(self, run: str) -> RunRecord:
        """Return the record of a run by its id or ``dataset/id``, or by what either begins with.

        Raises
        ------
        MissingRuns, ValueError
            If there is none; if the beginning fits several, which are listed, or the file is damaged.
        """
        names = {f"{path.parent.name}/{path.stem}": path for path in self.paths()}
        whole = [name for name in names if run in (name, name.partition("/")[2])]
        found = whole or [name for name in names if name.startswith(run) or f"/{run}" in name]
        if not found:
            raise MissingRuns(f"no run {run!r} in {self.root}; `sce ledger ls` lists the runs there")
        if len(found) > 1:
            listed = "\n  ".join(found)
            raise ValueError(f"{run!r} is how {len(found)} runs begin; give more of the name:\n  {listed}")
        return self.read(names[found[0]])

    def records(self, dataset: str | None = None) -> Iterator[RunRecord]:
        """Yield the records in order of their files' names, those of one data set where it is named."""
        for path in self.paths():
            if dataset in (None, path.parent.name) and (record := self._read_or_set_aside(path)) is not None:
                yield record

    def __iter__(self) -> Iterator[RunRecord]:
        return self.records()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __fspath__(self) -> str:
        """Return the folder: a ledger can be given wherever its folder can."""
        return str(self.root)

    def __bool__(self) -> bool:
        """Return True: an empty ledger is a ledger, and `ledger or Ledger()` must not pass over it."""
        return True


def select(
    records: Sequence[RunRecord], method: str | None = None, noise: str | Noise | None = None, **fields: Any
) -> list[RunRecord]:
    """Return the records of a method, a noise and other fields of the config, in order of seed.

    `method` is a name (``"sl"``), `noise` a short name (``"symmetric-0.4"``, ``"clean"``) or the noise
    itself; `fields` are the values that other fields of the config must have, ``dataset="cifar10"``.

    Examples
    --------
    >>> select([], method="ce", noise="clean", dataset="digits")
    []
    """

    def fits(config: RunConfig) -> bool:
        return (
            method in (None, config.method.name)
            and noise in (None, config.noise, config.noise.slug)
            and all(getattr(config, name) == value for name, value in fields.items())
        )

    return sorted((r for r in records if fits(r.config)), key=lambda record: record.config.seed)
