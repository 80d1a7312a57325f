"""Label noise: transition matrices, labels corrupted by them, and what was realised.

T[i, j] is the probability that a label whose true class is i reads j. Every matrix is float64 numpy, row by
row a probability vector, and noise never depends on the image. Randomness comes from an explicit seed alone.
"""

from sce_lib.noise.cifar10n import CIFAR10N, cifar10n_agreement, cifar10n_counts
from sce_lib.noise.human import load_human_labels
from sce_lib.noise.labels import NoisyLabels, corrupt, count_labels, realised_matrix, transition_from_counts
from sce_lib.noise.matrices import (
    CIFAR100_SUPERCLASSES,
    asymmetric_matrix,
    check_matrix,
    pair_matrix,
    swap_matrix,
    symmetric_matrix,
)
from sce_lib.noise.report import (
    Agreement,
    NoiseReport,
    Pattern,
    agreement,
    export,
    pattern,
    report,
    total_variation,
)

__all__ = [
    "CIFAR10N",
    "CIFAR100_SUPERCLASSES",
    "Agreement",
    "NoiseReport",
    "NoisyLabels",
    "Pattern",
    "agreement",
    "asymmetric_matrix",
    "check_matrix",
    "cifar10n_agreement",
    "cifar10n_counts",
    "corrupt",
    "count_labels",
    "export",
    "load_human_labels",
    "pair_matrix",
    "pattern",
    "realised_matrix",
    "report",
    "swap_matrix",
    "symmetric_matrix",
    "total_variation",
    "transition_from_counts",
]
