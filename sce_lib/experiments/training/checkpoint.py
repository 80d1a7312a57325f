"""Checkpoints: where a killed run goes on."""

import hashlib
import io
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from sce_lib import quoted
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.training.provenance import code_digest, machine
from sce_lib.files import cache_root, set_aside, write_atomically

# How a file begins; what it begins with else is damaged, or of a version before there were owners in it.
_MAGIC = b"sce checkpoint 2\n"
_DIGEST = hashlib.sha256().digest_size
# How a checkpoint's owner is called where it is another one.
_OWNED_BY = {
    "config": "another config",
    "images": "other data",
    "torch": "another version of torch",
    "code": "other code of this package",
    "machine": "another machine",
    "device": "another device",
    "threads": "another number of threads",
}


class Progress(NamedTuple):
    """How far a run is: epochs done, and the test accuracy after the last of them, from 0 to 1."""

    epoch: int
    accuracy: float


def seconds_between() -> float:
    """Return the seconds between two checkpoints of a run: a minute, or ``$SCE_CHECKPOINT_SECONDS``.

    Raises
    ------
    ValueError
        If the variable is not a number from 0 on; 0 is after each epoch.
    """
    told = os.environ.get("SCE_CHECKPOINT_SECONDS", "60")
    try:
        if (seconds := float(told)) >= 0:
            return seconds
    except ValueError:
        pass
    raise ValueError(f"SCE_CHECKPOINT_SECONDS is a number of seconds, 0 or more, not {quoted(told)}")


class Checkpoint:
    """The file that a run's state after a whole epoch is kept in.

    Nothing random is in it: each epoch's generator is seeded by the run's seed and the epoch's number. The
    file names its owner, and opens with a digest of that and of its content, so that nothing is gone on from
    that is damaged (torch does not check what it loads) or that was made otherwise than the run's record
    would say: by another config or other code, from other data, with another torch, machine, device or
    number of threads.

    Parameters
    ----------
    config, fingerprint : RunConfig, str
        The run, and the images it trains on.
    folder : path, optional
        Where; ``checkpoints`` in the cache where it is not given.
    device, threads : str and int, optional
        What the run is trained on; where one is not given, any will do.
    """

    def __init__(
        self,
        config: RunConfig,
        fingerprint: str,
        folder: str | Path | None = None,
        device: str | None = None,
        threads: int | None = None,
    ) -> None:
        self.path = Path(folder or cache_root() / "checkpoints", f"{config.dataset}-{config.run_id}.pt")
        self._note = self.path.with_suffix(".progress.json")
        self._owner: dict[str, Any] = {
            "config": config.model_dump_json(),
            "images": fingerprint,
            "torch": torch.__version__,
            "code": code_digest(),
            "machine": machine(),
            "device": device,
            "threads": threads,
        }
        self._every, self._saved = seconds_between(), time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last one, or the run's start, is so long ago that another should be written."""
        return time.monotonic() - self._saved >= self._every

    def save(self, state: dict[str, Any]) -> None:
        """Keep a state of tensors and plain values, in place of the one before it."""
        buffer = io.BytesIO(json.dumps(self._owner).encode() + b"\n")
        buffer.seek(0, io.SEEK_END)
        # A file of its own behind the owner's line.
        torch.save(state, content := io.BytesIO())
        buffer.write(content.getbuffer())
        write_atomically(self.path, _MAGIC + hashlib.sha256(buffer.getbuffer()).digest() + buffer.getbuffer())
        self._saved = time.monotonic()

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the kept state, or None where there is none to go on from; an unfit file is set aside.

        A warning then says why the run starts again.
        """
        try:
            kept = self.path.read_bytes()
        except FileNotFoundError:
            return None
        start = len(_MAGIC) + _DIGEST
        body = memoryview(kept)[start:]
        if not kept.startswith(_MAGIC) or kept[len(_MAGIC) : start] != hashlib.sha256(body).digest():
            self._start_again("it is damaged, or of an older version")
            return None
        owner, _, content = kept[start:].partition(b"\n")
        if others := list(self._others(json.loads(owner))):
            self._start_again(f"it is of {' and '.join(others)}")
            return None
        return torch.load(io.BytesIO(content), map_location=device, weights_only=True)

    def _others(self, theirs: Mapping[str, Any]) -> list[str]:
        """Return what of a checkpoint's owner is not as this run's."""
        found = []
        for what, name in _OWNED_BY.items():
            then, here = theirs.get(what), self._owner[what]
            if then != here and not (what in ("device", "threads") and None in (then, here)):
                said = "" if what in ("config", "images") else f" ({then}, now {here})"
                found.append(name + said)
        return found

    def _start_again(self, why: str) -> None:
        set_aside(self.path, f"{why}, so the run starts again")

    def note(self, epoch: int, accuracy: float) -> None:
        """Leave word beside the file of how far the run is, for `progress`."""
        # Not flushed to disk, which takes longer than a short epoch: it is of no use after a loss of power.
        told = json.dumps({"epoch": epoch, "accuracy": accuracy}).encode()
        write_atomically(self._note, told, flush=False)

    def progress(self) -> Progress | None:
        """Return how far the run is, or None before its first epoch has ended and after its last."""
        try:
            return Progress(**json.loads(self._note.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def remove(self) -> None:
        """Delete the files: the run's record has been made."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
