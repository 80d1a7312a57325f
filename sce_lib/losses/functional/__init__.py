r"""Every loss formula of the project, once: pure functions, logits and target in, one loss per sample out.

:math:`z` are the logits of one sample, :math:`p = \mathrm{softmax}(z)` its predicted probabilities,
:math:`q` its target distribution and, where the target is a class index, :math:`y` that class. All
functions agree in these points:

Input
    ``logits`` of shape ``(N, K)`` or ``(N, K, d1, ...)``; a single sample ``(K,)`` will do as well.
    ``target`` holds either class indices (int64 or uint8, the shape of the logits without their class
    dimension) or probabilities (floating point, the shape of the logits).

    A formula in :math:`p_y` alone is, for probabilities, its expectation over the labels.

Result
    One loss per sample, ``(N,)`` or ``(N, d1, ...)``; with ``reduction="mean"`` or ``"sum"`` their mean or
    sum, as the modules give without ``weight`` and ignored labels. The default is ``"none"``, unlike torch's,
    since these are the formulas, and whoever wants torch's aggregation finds all of it in the modules of
    :mod:`sce_lib.losses`. Half-precision logits are computed with, and answered, in float32, as autocast
    does for cross entropy. The modules of cross entropy, reverse cross entropy, SL, mean absolute error and
    generalized cross entropy lift large ones part by part, for class indices without ``weight`` and
    ``label_smoothing``: the same numbers in a quarter of the memory, but differentiable once.

Errors
    ``TypeError`` for a dtype, ``ValueError`` for a shape or a hyperparameter. What stands in the tensors is
    not looked at, since that would break ``torch.compile(fullgraph=True)`` and ``torch.func.vmap``: a class
    index out of range is refused by torch itself, and probabilities are taken as they come.

Extreme logits
    Most of these losses need :math:`p_y` alone where the target is a class index. They are written in terms
    of :math:`\ell_{ce} = -\log p_y`, which one call to ``torch.nn.functional.cross_entropy`` gives; the
    rest is elementwise work on ``N`` numbers. So values and gradients stay finite and right where
    :math:`p_y` underflows to 0 or rounds to 1.

    At a logit of minus infinity, an impossible class, value and gradient are their limits. The limit is
    finite unless the target puts weight on that class; normalized cross entropy's is 0, since its denominator
    is infinite. Backward correction goes to plus or minus infinity with the sign of the inverse's entry, and
    is NaN where two impossible classes have entries of both signs, since it has no limit there.
"""

from sce_lib.losses.functional import baselines, later, symmetric
from sce_lib.losses.functional.baselines import *  # noqa: F403
from sce_lib.losses.functional.later import *  # noqa: F403
from sce_lib.losses.functional.symmetric import *  # noqa: F403

__all__ = []
__all__ += baselines.__all__
__all__ += later.__all__
__all__ += symmetric.__all__
