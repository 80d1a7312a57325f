"""Checkpoints: where a killed run goes on."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import torch

import sce_lib
from sce_lib.experiments.config import RunConfig
from sce_lib.files import cache_root, set_aside, write_atomically


class Progress(NamedTuple):
    """How far a run is: epochs done, and the test accuracy after the last of them, from 0 to 1."""

    epoch: int
    accuracy: float


class Checkpoint:
    """The file that a run's state after its last whole epoch is kept in.

    Nothing random is in it: each epoch's generator is seeded by the run's seed and the epoch's number. The
    file opens with a digest of its content and of whose it is, so that nothing is gone on from that is
    damaged (torch does not check what it loads) or was made by another config, on other data, or by another
    version of torch or of this package.

    Parameters
    ----------
    config, fingerprint : RunConfig, str
        The run, and the images it trains on.
    folder : path, optional
        Where; ``checkpoints`` in the cache where it is not given.
    """

    def __init__(self, config: RunConfig, fingerprint: str, folder: str | Path | None = None) -> None:
        self.path = Path(folder or cache_root() / "checkpoints", f"{config.dataset}-{config.run_id}.pt")
        self._note = self.path.with_suffix(".progress.json")
        owner = [config.model_dump_json(), fingerprint, torch.__version__, sce_lib.__version__]
        self._owner = json.dumps(owner).encode()

    def _digest(self, content: bytes) -> bytes:
        return hashlib.sha256(self._owner + content).digest()

    def save(self, state: dict[str, Any]) -> None:
        """Keep a state of tensors and plain values, in place of the one before it."""
        torch.save(state, buffer := io.BytesIO())
        write_atomically(self.path, self._digest(buffer.getvalue()) + buffer.getvalue())

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the kept state, or None where there is none to go on from; an unfit file is set aside."""
        try:
            kept = self.path.read_bytes()
        except FileNotFoundError:
            return None
        size = hashlib.sha256().digest_size
        digest, content = kept[:size], kept[size:]
        if digest != self._digest(content):
            set_aside(self.path, "it is damaged, or of another config, other data or another version")
            return None
        return torch.load(io.BytesIO(content), map_location=device, weights_only=True)

    def note(self, epoch: int, accuracy: float) -> None:
        """Leave word beside the file of how far the run is, for `progress`."""
        write_atomically(self._note, json.dumps({"epoch": epoch, "accuracy": accuracy}).encode())

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
