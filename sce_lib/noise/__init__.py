"""Label noise: transition matrices, labels corrupted by them, and what was realised.

T[i, j] is the probability that a label whose true class is i reads j. Every matrix is float64 numpy, row by
row a probability vector, and noise never depends on the image. Randomness comes from an explicit seed alone.
"""

from sce_lib.noise.labels import NoisyLabels, corrupt, realised_matrix, transition_from_counts
from sce_lib.noise.matrices import check_matrix, symmetric_matrix

__all__ = [
    "NoisyLabels",
    "check_matrix",
    "corrupt",
    "realised_matrix",
    "symmetric_matrix",
    "transition_from_counts",
]
