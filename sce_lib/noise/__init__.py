"""Label noise: transition matrices, labels corrupted by them, and what was realised.

T[i, j] is the probability that a label whose true class is i reads j. Every matrix is float64 numpy, row by
row a probability vector, and noise never depends on the image. Randomness comes from an explicit seed alone.
"""

from sce_lib.noise.human import load_human_labels
from sce_lib.noise.labels import NoisyLabels, corrupt, realised_matrix, transition_from_counts
from sce_lib.noise.matrices import (
    asymmetric_matrix,
    check_matrix,
    pair_matrix,
    swap_matrix,
    symmetric_matrix,
)
from sce_lib.noise.report import NoiseReport, export, report
from sce_lib.noise.superclasses import CIFAR100_SUPERCLASSES, cifar100_groups

__all__ = [
    "CIFAR100_SUPERCLASSES",
    "NoiseReport",
    "NoisyLabels",
    "asymmetric_matrix",
    "check_matrix",
    "cifar100_groups",
    "corrupt",
    "export",
    "load_human_labels",
    "pair_matrix",
    "realised_matrix",
    "report",
    "swap_matrix",
    "symmetric_matrix",
    "transition_from_counts",
]
