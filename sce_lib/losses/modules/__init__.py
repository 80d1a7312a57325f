"""The losses as modules: hyperparameters held, per-sample losses aggregated as torch does.

The formulas are those of the function of the same name in :mod:`sce_lib.losses.functional`, which says what
the hyperparameters are. What is added is what ``torch.nn.CrossEntropyLoss`` adds to its own: all take
``weight``, ``ignore_index`` and ``reduction``, as :class:`sce_lib.losses.Loss` explains. Hyperparameters out
of range are refused at construction (``ValueError``).
"""

from sce_lib.losses.modules.base import Loss
from sce_lib.losses.modules.baselines import (
    BackwardCorrection,
    Bootstrap,
    ForwardCorrection,
    GeneralizedCrossEntropy,
    LabelSmoothing,
)
from sce_lib.losses.modules.composite import SmoothedTargets, Sum
from sce_lib.losses.modules.later import (
    AsymmetricGeneralizedCrossEntropy,
    JensenShannon,
    NormalizedCrossEntropy,
    PartiallyHuberisedCrossEntropy,
    TaylorCrossEntropy,
)
from sce_lib.losses.modules.symmetric import (
    CrossEntropy,
    MeanAbsoluteError,
    ReverseCrossEntropy,
    SymmetricCrossEntropy,
)

__all__ = [
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
]
