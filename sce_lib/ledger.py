"""The ledger: one record a run, one file a record, each file checked against its own checksum."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import filelock
from pydantic import BaseModel, ConfigDict, Field

from sce_lib.config import Noise, RunConfig
from sce_lib.files import set_aside, write_atomically
from sce_lib.paths import ledger_root

FORMAT = 1


class LedgerError(ValueError):
    """A record's file is damaged or does not hold what its name says; the message names the file."""


class MissingRuns(LookupError):
    """Runs that were asked for are not in the ledger; the message says how to make them."""


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EpochRecord(_Kept):
    """One epoch: losses and learning rate of training, accuracies on test images.

    The accuracies are on `RunRecord.test_images_per_epoch` stratified test images, not always on all; that
    of a class without a test image is None.
    """

    epoch: int = Field(ge=1)
    learning_rate: float
    train_loss: float
    test_accuracy: float
    classwise_accuracy: list[float | None]


class GroupRecord(_Kept):
    """What a network makes of one group of training samples (clean ones, or flipped ones), by true class.

    Parameters
    ----------
    count : list of int
        Samples of the group in each true class.
    accuracy : list of float
        Portion predicted as their *true* class; NaN is kept as None where a class has no sample.
    fitted : list of float
        Portion predicted as the label they were *given*: for flipped samples, what was memorised.
    margin : list of float
        Mean of p(given label) minus the largest other probability, in [-1, 1].
    gradient_share : list of float
        Share of the training set's total ``|dloss/dlogits|`` that the group's samples of a class receive; 0
        where no sample has a gradient.
    """

    count: list[int]
    accuracy: list[float | None]
    fitted: list[float | None]
    margin: list[float | None]
    gradient_share: list[float]


class StageRecord(_Kept):
    """A look at the whole training set and the whole test set after a chosen epoch.

    Parameters
    ----------
    confidence : K lists of K floats
        Row c: the mean predicted probabilities over the clean portion of true class c.
    predicted, correct : list of int
        Training samples predicted as each class, and those of them whose true class it is.
    """

    epoch: int = Field(ge=1)
    test_accuracy: float
    classwise_accuracy: list[float | None]
    confidence: list[list[float | None]]
    predicted: list[int]
    correct: list[int]
    clean: GroupRecord
    flipped: GroupRecord


class Embedding(_Kept):
    """A 2-D t-SNE embedding of the second last dense layer's outputs on test images."""

    labels: list[int]
    x: list[float]
    y: list[float]


class Provenance(_Kept):
    """Where a record comes from.

    Noise is given as K lists of K floats, row by true class; a class without a training image realises None.
    """

    source: str
    fingerprint: str
    train_images: int
    test_images: int
    requested_noise: list[list[float]]
    realised_noise: list[list[float | None]]
    noise_rate: float
    versions: dict[str, str]
    platform: str
    device: str
    threads: int
    seconds: float
    git_commit: str | None
    date: str


class RunRecord(_Kept):
    """Everything that is kept of a run: its config, its results, its provenance.

    Accuracies are in [0, 1]. `last_accuracy` is of all test images after the last epoch;
    `best_accuracy` is the largest of the epochs' test accuracies, an oracle's choice, on
    `test_images_per_epoch` images.
    """

    config: RunConfig
    classes: list[str]
    test_images_per_epoch: int
    epochs: list[EpochRecord]
    stages: list[StageRecord]
    last_accuracy: float
    best_accuracy: float
    best_epoch: int
    confusion: list[list[int]]
    embedding: Embedding | None = None
    provenance: Provenance

    @property
    def run_id(self) -> str:
        """The name of the run, from its config."""
        return self.config.run_id

    def results(self) -> dict[str, Any]:
        """Return what a repetition of the run must give again: all but time, place and date."""
        kept = self.model_dump(mode="json")
        for passing in ("seconds", "date", "git_commit", "versions", "platform", "device", "threads"):
            del kept["provenance"][passing]
        return kept

    def final_stage(self) -> StageRecord:
        """Return the look taken after the last epoch."""
        return self.stages[-1]


def _checksum(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


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
    >>> ledger.get(RunConfig.preset("digits", "ce", profile="smoke")) is None
    True
    >>> len(ledger)
    0
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = Path(root).expanduser().resolve() if root else ledger_root()

    def path(self, config: RunConfig) -> Path:
        """Return the file that a run's record is kept in."""
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
        try:
            parsed = RunRecord.model_validate(record)
        except ValueError as error:
            raise LedgerError(f"{path} holds a record that does not validate: {error}") from error
        if path.stem != parsed.run_id:
            raise LedgerError(f"{path} holds the record of another run, {parsed.run_id}")
        return parsed

    def _read_or_set_aside(self, path: Path) -> RunRecord | None:
        try:
            record = self.read(path)
            if path != self.path(record.config):
                raise LedgerError(f"{path} holds the record of a run on {record.config.dataset}")
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
        """Write a record, whole or not at all, and return its file; an earlier failure is forgotten."""
        kept = record.model_dump(mode="json")
        content = {"format": FORMAT, "checksum": _checksum(kept), "record": kept}
        path = self.path(record.config)
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
        return self.root / "failed" / config.dataset / f"{config.run_id}.json"

    def __iter__(self) -> Iterator[RunRecord]:
        for path in sorted(self.root.glob("*/*.json")):
            if path.parent.name != "failed" and (record := self._read_or_set_aside(path)) is not None:
                yield record

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        """Return True: an empty ledger is a ledger, and `ledger or Ledger()` must not pass over it."""
        return True


def select(
    records: Sequence[RunRecord], method: str | None = None, noise: str | Noise | None = None, **fields: Any
) -> list[RunRecord]:
    """Return the records of a method, a noise and other fields of the config, in order of seed.

    Parameters
    ----------
    records : sequence of RunRecord
        What to choose from.
    method : str, optional
        Name of the method, ``"sl"``.
    noise : str or Noise, optional
        Short name (``"symmetric-0.4"``, ``"clean"``) or the noise itself.
    **fields
        Values that fields of the config must have, ``dataset="cifar10"``.

    Examples
    --------
    >>> select([], method="ce", noise="clean", dataset="digits")
    []
    """

    def fits(record: RunRecord) -> bool:
        config = record.config
        return (
            (method is None or config.method.name == method)
            and (noise is None or noise in (config.noise, config.noise.slug))
            and all(getattr(config, name) == value for name, value in fields.items())
        )

    return sorted(filter(fits, records), key=lambda record: record.config.seed)
