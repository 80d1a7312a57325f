r"""Every loss formula of the project, once: pure functions, logits and target in, one loss per sample out.

:math:`z` are the logits of one sample, :math:`p = \mathrm{softmax}(z)` its predicted probabilities,
:math:`q` its target distribution and, where the target is a class index, :math:`y` that class. All
functions agree in these points:

Input
    ``logits`` of shape ``(N, K)`` or ``(N, K, d1, ...)``; a single sample ``(K,)`` will do as well.
    ``target`` holds either class indices (int64, the shape of the logits without their class dimension) or
    probabilities (floating point, the shape of the logits).

    A formula in :math:`p_y` alone is, for probabilities, its expectation over the labels.

Result
    One loss per sample, ``(N,)`` or ``(N, d1, ...)``. Half-precision logits are computed with, and
    answered, in float32, as autocast does for cross entropy. Class weights, ignored labels and the
    reduction are applied by the modules of :mod:`sce_lib.losses`.

Errors
    ``TypeError`` for a dtype, ``ValueError`` for a shape or a hyperparameter. What stands in the tensors is
    not looked at, since that would break ``torch.compile(fullgraph=True)`` and ``torch.func.vmap``: a class
    index out of range is refused by torch itself, and probabilities are taken as they come.

Extreme logits
    Most of these losses need :math:`p_y` alone where the target is a class index. They are written in terms
    of :math:`\ell_{ce} = -\log p_y`, which one call to ``torch.nn.functional.cross_entropy`` gives; the
    rest is elementwise work on ``N`` numbers. So values and gradients stay finite and right where
    :math:`p_y` underflows to 0 or rounds to 1.
"""

from sce_lib.losses.functional import baselines, later, symmetric
from sce_lib.losses.functional.baselines import *  # noqa: F403
from sce_lib.losses.functional.later import *  # noqa: F403
from sce_lib.losses.functional.symmetric import *  # noqa: F403

__all__ = []
__all__ += baselines.__all__
__all__ += later.__all__
__all__ += symmetric.__all__
