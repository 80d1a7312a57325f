"""Training: one loop for every method, from a config to a record."""

from sce_lib.training.criterion import build_criterion
from sce_lib.training.loop import TrainingDiverged, discard_checkpoint, resolve_device, train
from sce_lib.training.replicates import train_replicates

__all__ = [
    "TrainingDiverged",
    "build_criterion",
    "discard_checkpoint",
    "resolve_device",
    "train",
    "train_replicates",
]
