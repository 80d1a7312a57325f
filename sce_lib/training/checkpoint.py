"""Checkpoints: where a killed run goes on."""

import io
from pathlib import Path
from typing import Any

import torch

from sce_lib.config import RunConfig
from sce_lib.files import set_aside, write_atomically
from sce_lib.paths import cache_root


class Checkpoint:
    """The file that a run's state after its last whole epoch is kept in.

    Nothing random is in it: each epoch's generator is seeded by the run's seed and the epoch's number.

    Parameters
    ----------
    config : RunConfig
        The run.
    fingerprint : str
        Of the data it trains on; a checkpoint made on other data is not gone on from.
    folder : Path, optional
        Where; ``checkpoints`` in the cache where it is not given.
    """

    def __init__(self, config: RunConfig, fingerprint: str, folder: Path | None = None) -> None:
        self.path = (folder or cache_root() / "checkpoints") / f"{config.dataset}-{config.run_id}.pt"
        self._owner = {"config": config.model_dump_json(), "fingerprint": fingerprint}

    def save(self, state: dict[str, Any]) -> None:
        """Keep a state of tensors and plain values, in place of the one before it."""
        buffer = io.BytesIO()
        torch.save(self._owner | state, buffer)
        write_atomically(self.path, buffer.getvalue())

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the kept state, or None where there is none to go on from; a damaged file is set aside."""
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location=device, weights_only=True)
            owner = {key: state[key] for key in self._owner}
        # torch.load names no closed set of errors for a file cut short or overwritten.
        except Exception as error:
            set_aside(self.path, f"{type(error).__name__}: {str(error).splitlines()[0]}")
            return None
        if owner != self._owner:
            set_aside(self.path, "it is of another config or other data")
            return None
        return state

    def remove(self) -> None:
        """Delete the file: the run's record has been made."""
        self.path.unlink(missing_ok=True)
