"""Whether a record can be made again."""

import tempfile
from dataclasses import dataclass
from typing import Any

import torch

from sce_lib.experiments.ledger import RunRecord, differences
from sce_lib.experiments.training import train

# Accuracies after training elsewhere: rounding grows over the steps, and some images at the border change.
TOLERANCE = 0.02
# What rounding cannot change: the run, its data and its noise are the same everywhere.
_SAME_EVERYWHERE = ("config.", "classes", "provenance.")


@dataclass(frozen=True)
class Verification:
    """A record beside its repetition.

    `repeated` is what training gives now, `elsewhere` what of the making differs so that equal bits are not
    promised (platform, torch, device), and `differing` what `differences` returns.
    """

    record: RunRecord
    repeated: RunRecord
    elsewhere: list[str]
    differing: dict[str, tuple[Any, Any]]

    @property
    def drift(self) -> float:
        """How far apart the last accuracies are."""
        return abs(self.record.last_accuracy - self.repeated.last_accuracy)

    @property
    def passed(self) -> bool:
        """Whether the results are equal, or made elsewhere of the same data and within `TOLERANCE`."""
        rounding_alone = not any(place.startswith(_SAME_EVERYWHERE) for place in self.differing)
        return not self.differing or (bool(self.elsewhere) and rounding_alone and self.drift <= TOLERANCE)


def verify(record: RunRecord, device: str = "auto") -> Verification:
    """Train a record's run again, from its beginning, and compare.

    With the threads of the record; no ledger is touched. On the same kind of machine with the same torch the
    results must be equal to the last bit; elsewhere data and noise must be equal, and the last accuracies
    agree within `TOLERANCE`. The kind of machine is the processor with its instructions: a record from before
    these were kept counts as made elsewhere, since nobody knows whether it was.
    """
    threads = record.provenance.threads
    with tempfile.TemporaryDirectory() as folder:
        repeated = train(record.config, device, threads=threads, checkpoints=folder, progress=False)
    then, now = record.provenance, repeated.provenance
    made = {
        "platform": (then.platform, now.platform),
        "device": (then.device, now.device),
        "torch": (then.versions.get("torch"), torch.__version__),
    }
    elsewhere = [f"{what}: {old}, now {new}" for what, (old, new) in made.items() if old != new]
    return Verification(record, repeated, elsewhere, differences(record, repeated))
