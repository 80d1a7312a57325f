"""Losses for learning with noisy labels, as functions and as modules.

>>> import torch
>>> from sce_lib.losses import SymmetricCrossEntropy
>>> loss = SymmetricCrossEntropy(alpha=0.1, beta=1.0, A=-4.0)
>>> logits = torch.randn(8, 10, requires_grad=True)
>>> loss(logits, torch.arange(8)).backward()

Every loss has a short name too: ``get("sl", alpha=0.1)`` is one, and ``names()`` lists them.
"""

from sce_lib.losses import functional, modules, registry
from sce_lib.losses.calibration import calibrate
from sce_lib.losses.d2l import D2L
from sce_lib.losses.elr import ELR
from sce_lib.losses.functional.baselines import *  # noqa: F403
from sce_lib.losses.functional.later import *  # noqa: F403
from sce_lib.losses.functional.symmetric import *  # noqa: F403
from sce_lib.losses.modules.base import *  # noqa: F403
from sce_lib.losses.modules.baselines import *  # noqa: F403
from sce_lib.losses.modules.composite import *  # noqa: F403
from sce_lib.losses.modules.later import *  # noqa: F403
from sce_lib.losses.modules.symmetric import *  # noqa: F403
from sce_lib.losses.registry import *  # noqa: F403

__all__ = ["D2L", "ELR", "calibrate", "functional"]
__all__ += functional.__all__
__all__ += modules.__all__
__all__ += registry.__all__
