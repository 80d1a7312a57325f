"""The folder of records: one file a run, each checked against its own checksum."""

import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import filelock
from tqdm import tqdm

from sce_lib import quoted
from sce_lib.experiments.config import Noise, RunConfig
from sce_lib.experiments.config.parts import explain
from sce_lib.experiments.ledger.index import Index, State
from sce_lib.experiments.ledger.records import RunRecord, Summary
from sce_lib.files import ledger_root, set_aside, write_atomically

FORMAT = 1
# The folder of failures, beside those of the data sets, and the ledger of seeds that were trained together.
_FAILED, _REPLICATES = "failed", "replicates"
# What the names of folders and files here are made of; a config that was not checked may hold others.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
# A record of a thousand classes has a tenth of it.
_MOST_BYTES = 2**28
# So many runs that fit a beginning are named.
_LISTED = 20

Record = TypeVar("Record", RunRecord, Summary)


class LedgerError(ValueError):
    """A record's file is damaged or does not hold what its name says; the message names the file."""


class OutOfReach(LedgerError):
    """A record's file cannot be read here, or is of a newer version: it may be whole, and is left alone."""


class MissingRuns(LookupError):
    """Runs that were asked for are not in the ledger; the message says how to make them."""


def _checksum(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _content(path: Path) -> bytes:
    """Return what is in a file, unless it is none, or larger than any record."""
    try:
        if not path.is_file() and path.exists():
            raise OutOfReach(f"{path} is no file")
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise LedgerError(f"{path} is no ledger record: no record has {size:,} bytes")
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OutOfReach(f"{path} cannot be read: {error.strerror}") from error


def _valid(record: dict[str, Any], path: Path) -> RunRecord:
    try:
        return RunRecord.model_validate(record)
    except ValueError as error:
        raise LedgerError(f"{path} holds a record that cannot be: {explain(error)}") from error


def _reason(note: Path) -> str:
    """Return what a note of a failure says; one that someone has damaged still tells that a run failed."""
    try:
        return str(json.loads(note.read_bytes())["error"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
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
            For a data set called as a folder that the ledger keeps other things in, ``failed`` for instance,
            or a name that is none of a file's, as one with a slash.
        """
        for name in (config.dataset, config.run_id):
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"{quoted(name)} cannot be the name of a file: give letters, digits and . _ + -"
                )
        if config.dataset in (_FAILED, _REPLICATES):
            raise ValueError(
                f"a data set cannot be called {config.dataset!r}: the ledger keeps other things in the "
                "folder of that name; give the data set another name"
            )
        return self.root / config.dataset / f"{config.run_id}.json"

    def lock(self, config: RunConfig) -> filelock.BaseFileLock:
        """Return the lock that whoever makes a run holds, so that no two do."""
        name, folder = self.path(config).stem, self.root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder / f"{config.dataset}-{name}.lock")

    @staticmethod
    def read(path: str | Path) -> RunRecord:
        """Return the record of one file.

        Raises
        ------
        LedgerError
            If the file is not what was written: cut short, changed, or under another run's name.
        OutOfReach
            If it cannot be read here, or was written by a newer version of this package.
        """
        path = Path(path)
        try:
            content = json.loads(_content(path))
            if isinstance(written := content["format"], int) and written > FORMAT:
                newer = f"has format {written}, of a newer version of sce-lib; this one reads format {FORMAT}"
                raise OutOfReach(f"{path} {newer}: update it")
            record, checksum = content["record"], content["checksum"]
            fits = _checksum(record) == checksum
        except LedgerError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise LedgerError(f"{path} is no ledger record: {type(error).__name__}: {error}") from error
        if written != FORMAT:
            raise LedgerError(f"{path} has format {quoted(written)}; this version reads format {FORMAT}")
        if not fits:
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
        except OutOfReach as error:
            warnings.warn(f"{error}; the run is counted as missing, and the file left alone", stacklevel=3)
            return None
        except LedgerError as error:
            set_aside(path, str(error).removeprefix(f"{path} "))
            return None

    def get(self, config: RunConfig) -> RunRecord | None:
        """Return a run's record, or None if there is none; a damaged file is set aside with a warning.

        One that cannot be read here, or is of a newer version, is warned of and left alone: `require_place`
        says so before a run is trained that could not be kept.
        """
        return self._read_or_set_aside(self.path(config))

    def require_place(self, config: RunConfig) -> None:
        """Raise unless a run's record can be put into the ledger without loss of one that is there.

        Raises
        ------
        OutOfReach
            If its file cannot be read here, or is of a newer version.
        """
        try:
            self.read(path := self.path(config))
        except OutOfReach as error:
            raise OutOfReach(f"{error}, or move {path.name} elsewhere to make the run again") from error
        except (FileNotFoundError, LedgerError):
            return

    def put(self, record: RunRecord) -> Path:
        """Write a record, whole or not at all, and return its file; an earlier failure is forgotten.

        Raises
        ------
        LedgerError
            For a record of seeds trained together, but in the ledger that `replicates` returns; for one that
            was put together by hand and contradicts itself, and would not be read again; as `require_place`.
        """
        self._check_kind(record)
        self.require_place(record.config)
        path = self.path(record.config)
        kept = record.model_dump(mode="json")
        _valid(kept, path)
        content = {"format": FORMAT, "checksum": _checksum(kept), "record": kept}
        write_atomically(path, (json.dumps(content, separators=(",", ":")) + "\n").encode())
        self._failure_path(record.config).unlink(missing_ok=True)
        return path

    def put_failure(self, config: RunConfig, error: BaseException) -> Path:
        """Keep why a run failed, apart from the records: a failed run never counts as done."""
        said = f"{type(error).__name__}: {explain(error)}"
        content = {"config": config.model_dump(mode="json"), "error": said}
        path = self._failure_path(config)
        write_atomically(path, json.dumps(content, indent=1).encode())
        return path

    def _failure_path(self, config: RunConfig) -> Path:
        return self.root / _FAILED / config.dataset / self.path(config).name

    def failures(self) -> dict[str, str]:
        """Return why runs failed that have no record, by ``dataset/run_id``."""
        notes = sorted((self.root / _FAILED).glob("*/*.json"))
        alone = [note for note in notes if not (self.root / note.parent.name / note.name).exists()]
        return {f"{note.parent.name}/{note.stem}": _reason(note) for note in alone}

    def _names(self, dataset: str | None = None) -> list[str]:
        """Return the records by ``dataset/run_id``, in order of their names; of one data set if given."""
        try:
            with os.scandir(self.root) as entries:
                folders = sorted(entry.name for entry in entries if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        kept = [name for name in folders if name not in (_FAILED, _REPLICATES) and not name.startswith(".")]
        chosen = kept if dataset is None else [name for name in kept if name == dataset]
        return [
            f"{folder}/{file.removesuffix('.json')}"
            for folder in chosen
            for file in sorted(os.listdir(self.root / folder))
            if file.endswith(".json") and not file.startswith(".")
        ]

    def _path(self, name: str) -> Path:
        return self.root / f"{name}.json"

    def paths(self) -> list[Path]:
        """Return the records' files, read or not, in order of their names."""
        return [self._path(name) for name in self._names()]

    def find(self, run: str) -> RunRecord:
        """Return the record of a run by its id or ``dataset/id``, or by what either begins with.

        Raises
        ------
        MissingRuns, ValueError
            If there is none; if the beginning fits several, which are listed, or the file is damaged.
        """
        names = self._names()
        whole = [name for name in names if run in (name, name.partition("/")[2])]
        found = whole or [name for name in names if name.startswith(run) or f"/{run}" in name]
        if not found:
            raise MissingRuns(f"no run {quoted(run)} in {self.root}; `sce ledger ls` lists the runs there")
        if len(found) > 1:
            rest = [f"and {len(found) - _LISTED} more"] if len(found) > _LISTED else []
            listed = "\n  ".join([*found[:_LISTED], *rest])
            begin = f"{quoted(run)} is how {len(found)} runs begin"
            raise ValueError(f"{begin}; give more of the name:\n  {listed}")
        return self.read(self._path(found[0]))

    def records(self, dataset: str | None = None) -> Iterator[RunRecord]:
        """Yield the records in order of their files' names, those of one data set where it is named."""
        for name in self._names(dataset):
            if (record := self._read_or_set_aside(self._path(name))) is not None:
                yield record

    def summaries(self, dataset: str | None = None) -> Iterator[Summary]:
        """Yield what tables of many runs need of each, as `records` does, and of a large ledger at once.

        A file is read where it is new or was changed since it was last looked at; of the others an index in
        the cache knows the summary. See `Index`.
        """
        index, names = Index(self.root), self._names(dataset)
        index.forget(
            {name for name in index.names() if dataset in (None, name.partition("/")[0])} - set(names)
        )
        try:
            with tqdm(names, "Reading records", leave=False, disable=None, delay=1.0) as bar:
                for name in bar:
                    if (summary := self._summary(index, name)) is not None:
                        yield summary
        finally:
            index.save()

    def _summary(self, index: Index, name: str) -> Summary | None:
        path = self._path(name)
        # The state is from before the reading: where the file changes meanwhile, the next look sees another.
        state = State.of(path)
        if (summary := index.get(name, state)) is not None:
            return summary
        if (record := self._read_or_set_aside(path)) is None:
            return None
        index.put(name, state, summary := Summary.of(record))
        return summary

    def __iter__(self) -> Iterator[RunRecord]:
        return self.records()

    def __len__(self) -> int:
        """Return how many records' files there are, read or not."""
        return len(self._names())

    def __fspath__(self) -> str:
        """Return the folder: a ledger can be given wherever its folder can."""
        return str(self.root)

    def __bool__(self) -> bool:
        """Return True: an empty ledger is a ledger, and `ledger or Ledger()` must not pass over it."""
        return True


def select(
    records: Iterable[Record], method: str | None = None, noise: str | Noise | None = None, **fields: Any
) -> list[Record]:
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
