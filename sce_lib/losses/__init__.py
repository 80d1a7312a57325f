"""Losses for learning with noisy labels, as functions and as modules."""

from sce_lib.losses.functional import (
    cross_entropy,
    mean_absolute_error,
    reverse_cross_entropy,
    symmetric_cross_entropy,
)
from sce_lib.losses.modules import (
    CrossEntropy,
    Loss,
    MeanAbsoluteError,
    ReverseCrossEntropy,
    SymmetricCrossEntropy,
)

__all__ = [
    "CrossEntropy",
    "Loss",
    "MeanAbsoluteError",
    "ReverseCrossEntropy",
    "SymmetricCrossEntropy",
    "cross_entropy",
    "mean_absolute_error",
    "reverse_cross_entropy",
    "symmetric_cross_entropy",
]
