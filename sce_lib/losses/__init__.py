"""Losses for learning with noisy labels, as functions and as modules.

>>> import torch
>>> from sce_lib.losses import SymmetricCrossEntropy
>>> loss = SymmetricCrossEntropy(alpha=0.1, beta=1.0, A=-4.0)
>>> logits = torch.randn(8, 10, requires_grad=True)
>>> loss(logits, torch.arange(8)).backward()
"""

from sce_lib.losses import functional
from sce_lib.losses.d2l import D2L, local_intrinsic_dimensionality
from sce_lib.losses.functional import (
    asymmetric_generalized_cross_entropy,
    backward_correction,
    bootstrap,
    cross_entropy,
    forward_correction,
    generalized_cross_entropy,
    jensen_shannon,
    label_smoothing,
    mean_absolute_error,
    normalized_cross_entropy,
    partially_huberised_cross_entropy,
    reverse_cross_entropy,
    smooth_target,
    symmetric_cross_entropy,
    taylor_cross_entropy,
)
from sce_lib.losses.modules import (
    AsymmetricGeneralizedCrossEntropy,
    BackwardCorrection,
    Bootstrap,
    CrossEntropy,
    ForwardCorrection,
    GeneralizedCrossEntropy,
    JensenShannon,
    LabelSmoothing,
    Loss,
    MeanAbsoluteError,
    NormalizedCrossEntropy,
    PartiallyHuberisedCrossEntropy,
    ReverseCrossEntropy,
    SmoothedTargets,
    Sum,
    SymmetricCrossEntropy,
    TaylorCrossEntropy,
)

__all__ = [
    "D2L",
    "AsymmetricGeneralizedCrossEntropy",
    "BackwardCorrection",
    "Bootstrap",
    "CrossEntropy",
    "ForwardCorrection",
    "GeneralizedCrossEntropy",
    "JensenShannon",
    "LabelSmoothing",
    "Loss",
    "MeanAbsoluteError",
    "NormalizedCrossEntropy",
    "PartiallyHuberisedCrossEntropy",
    "ReverseCrossEntropy",
    "SmoothedTargets",
    "Sum",
    "SymmetricCrossEntropy",
    "TaylorCrossEntropy",
    "asymmetric_generalized_cross_entropy",
    "backward_correction",
    "bootstrap",
    "cross_entropy",
    "forward_correction",
    "functional",
    "generalized_cross_entropy",
    "jensen_shannon",
    "label_smoothing",
    "local_intrinsic_dimensionality",
    "mean_absolute_error",
    "normalized_cross_entropy",
    "partially_huberised_cross_entropy",
    "reverse_cross_entropy",
    "smooth_target",
    "symmetric_cross_entropy",
    "taylor_cross_entropy",
]
