"""Losses made of losses."""

from collections.abc import Iterable, Sequence
from typing import Any, Unpack, cast

import torch
from torch import Tensor, nn

from sce_lib.losses import functional as L
from sce_lib.losses.functional.inputs import check_at_least_zero, check_unit_interval
from sce_lib.losses.modules.base import Aggregation, Loss

__all__ = ["SmoothedTargets", "Sum"]


class Sum(Loss):
    r"""Weighted sum of losses, :math:`\sum_i c_i \ell_i`.

    Parameters
    ----------
    terms : iterable of (float, Loss)
        One or more; coefficients are finite and at least 0. Of ``weight``, ``ignore_index`` and ``reduction``
        what is not given is taken from the losses, which must agree on it (else ``ValueError``).

    Examples
    --------
    The paper's "2CE", and "Forward+SL" for symmetric noise:

    >>> from sce_lib.losses import CrossEntropy, ForwardCorrection, ReverseCrossEntropy
    >>> Sum([(2.0, CrossEntropy())])(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(2.7726)
    >>> forward_sl = Sum([(1.0, ForwardCorrection(torch.eye(4))), (1.0, ReverseCrossEntropy(A=-4))])
    >>> forward_sl(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(4.3863)
    """

    _names = ("coefficients",)

    def __init__(self, terms: Iterable[tuple[float, Loss]], **aggregation: Unpack[Aggregation]) -> None:
        terms = list(terms)
        if not terms:
            raise ValueError("a sum needs at least one term, got none")
        for coefficient, _ in terms:
            check_at_least_zero(coefficient=coefficient)
        losses = [loss for _, loss in terms]
        super().__init__(**shared(losses, aggregation))
        self.coefficients = [float(coefficient) for coefficient, _ in terms]
        self.losses = nn.ModuleList(losses)

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        losses = [cast(Loss, loss).per_sample(logits, target) for loss in self.losses]
        return torch.stack([c * loss for c, loss in zip(self.coefficients, losses, strict=True)]).sum(0)


class SmoothedTargets(Loss):
    r"""Any loss on smoothed targets, :math:`(1-\epsilon)\,q + \epsilon/K`.

    SL on these is the paper's "LSR+SL".

    Parameters
    ----------
    loss : Loss
        What is applied to the smoothed targets. Of ``weight``, ``ignore_index`` and ``reduction`` what is not
        given is taken from it; ``weight`` goes by the target before smoothing.
    epsilon : float
        The share of the uniform distribution, in [0, 1]. Reverse cross entropy floors the logarithm at ``A``,
        and it acts here: ``log(0.1/10)`` is below -4.

    Examples
    --------
    >>> from sce_lib.losses import SymmetricCrossEntropy
    >>> lsr_sl = SmoothedTargets(SymmetricCrossEntropy(alpha=0.1, beta=1.0, A=-4), epsilon=0.1)
    >>> lsr_sl(torch.zeros(2, 10), torch.tensor([0, 3]))
    tensor(3.8397)
    """

    _names = ("epsilon",)

    def __init__(self, loss: Loss, epsilon: float = 0.1, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__(**shared([loss], aggregation))
        check_unit_interval(epsilon=epsilon)
        self.loss, self.epsilon = loss, epsilon

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return self.loss.per_sample(logits, L.smooth_target(logits, target, self.epsilon))


def shared(losses: Sequence[Loss], given: Aggregation) -> Aggregation:
    """Complete the aggregation that was given by what the losses agree on, or say on what they do not."""
    for name in Aggregation.__annotations__:
        values = [getattr(loss, name) for loss in losses]
        if name not in given and not all(_equal(values[0], value) for value in values):
            advice = f"give {name} to the sum instead"
            raise ValueError(f"the losses of a sum disagree on {name}, {values}: {advice}")
    own = {name: getattr(losses[0], name) for name in Aggregation.__annotations__}
    return cast(Aggregation, own | given)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.equal(a, b)
    return a is b or (not isinstance(a, Tensor) and not isinstance(b, Tensor) and a == b)
