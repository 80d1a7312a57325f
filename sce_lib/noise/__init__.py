"""Label noise: transition matrices, labels corrupted by them, and what was realised.

T[i, j] is the probability that a label whose true class is i reads j. Every matrix is float64 numpy, (K, K),
row by row a probability vector, and noise by a matrix never depends on the image.

Labels are class indices in [0, K), or what the user calls the classes: strings, booleans, integer ids. They
may be lists, numpy arrays, torch tensors, pandas Series or categoricals, or masks of any shape with an
`ignore_index`, and come back as what they were. `Classes` has the names in order: those given as `classes`,
a categorical's categories, else those that occur, sorted.

Rates η lie in [0, 1]: 40 % is written 0.4. Randomness comes from an explicit seed alone, an integer of 0 or
more. What is not so is refused: a `ValueError` says where and why.
"""

from sce_lib.noise.cifar10n import CIFAR10N, cifar10n_agreement, cifar10n_counts
from sce_lib.noise.classes import Classes
from sce_lib.noise.counts import count_labels, realised_matrix, transition_from_counts
from sce_lib.noise.estimate import estimate_transition
from sce_lib.noise.exchange import export, load_export, read_array, read_labels
from sce_lib.noise.human import load_human_labels
from sce_lib.noise.instance import (
    confidence_law,
    confidence_noise,
    corrupt_by_law,
    instance_noise,
    part_dependent_law,
    reference_probabilities,
)
from sce_lib.noise.labels import NoisyLabels, corrupt
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
    pattern,
    report,
    total_variation,
)

__all__ = ["CIFAR10N", "CIFAR100_SUPERCLASSES", "Agreement", "Classes", "NoiseReport", "NoisyLabels"]
__all__ += ["Pattern", "agreement", "asymmetric_matrix", "check_matrix", "cifar10n_agreement"]
__all__ += ["cifar10n_counts", "confidence_law", "confidence_noise", "corrupt", "corrupt_by_law"]
__all__ += ["count_labels", "estimate_transition", "export", "instance_noise", "load_export"]
__all__ += ["load_human_labels", "pair_matrix", "part_dependent_law", "pattern", "read_array"]
__all__ += ["read_labels", "realised_matrix", "reference_probabilities", "report", "swap_matrix"]
__all__ += ["symmetric_matrix", "total_variation", "transition_from_counts"]
