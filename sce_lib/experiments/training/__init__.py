"""Training: one loop for every method, from a config to a record."""

from sce_lib.experiments.training.checkpoint import Progress
from sce_lib.experiments.training.criterion import build_criterion
from sce_lib.experiments.training.loop import discard_checkpoint, progress_of, resolve_device, train
from sce_lib.experiments.training.measure import TrainingDiverged

__all__ = ["Progress", "TrainingDiverged", "build_criterion", "discard_checkpoint", "progress_of"]
__all__ += ["resolve_device", "train"]
