"""The losses as modules: hyperparameters held, per-sample losses aggregated as torch does.

The formulas are those of the function of the same name in :mod:`sce_lib.losses.functional`, which says what
the hyperparameters are; these may be given by position. What is added is what ``torch.nn.CrossEntropyLoss``
adds to its own, of which every loss is a subclass: all take ``weight``, ``ignore_index``, ``reduction`` and
``label_smoothing`` by name, as :class:`sce_lib.losses.Loss` explains. Hyperparameters out of range are
refused at construction (``ValueError``).
"""

from sce_lib.losses.modules import base, baselines, composite, later, symmetric
from sce_lib.losses.modules.base import *  # noqa: F403
from sce_lib.losses.modules.baselines import *  # noqa: F403
from sce_lib.losses.modules.composite import *  # noqa: F403
from sce_lib.losses.modules.later import *  # noqa: F403
from sce_lib.losses.modules.symmetric import *  # noqa: F403

__all__ = []
__all__ += base.__all__
__all__ += baselines.__all__
__all__ += composite.__all__
__all__ += later.__all__
__all__ += symmetric.__all__
