"""Losses made of losses."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Unpack, cast

import torch
from torch import Tensor, nn

from sce_lib import quoted
from sce_lib.losses.functional.baselines import smooth_target
from sce_lib.losses.functional.inputs import check_at_least_zero, check_unit_interval
from sce_lib.losses.modules.base import Aggregation, Loss, check_one_number_of_classes, refuse_smoothing

__all__ = ["SmoothedTargets", "Sum"]

_SHARED = ("weight", "ignore_index", "reduction")


class Sum(Loss):
    r"""Weighted sum of losses, :math:`\sum_i c_i \ell_i`.

    Parameters
    ----------
    terms : iterable of (float, Loss)
        One or more; coefficients are finite and at least 0. Of ``weight``, ``ignore_index`` and ``reduction``
        what is not given is taken from the losses, which must agree on it (else ``ValueError``). A loss that
        is none of this library's (``TypeError``), and one with a memory, as D2L (``ValueError``), is refused.
        ``label_smoothing`` of a term concerns that term alone, and that of the sum all of them.

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
        if not isinstance(terms, Iterable):
            raise TypeError(f"a sum takes a list of pairs, (coefficient, loss); got {quoted(terms)}")
        terms = [_checked_term(term) for term in terms]
        if not terms:
            raise ValueError("a sum needs at least one term, got none")
        losses = [loss for _, loss in terms]
        super().__init__(**shared(losses, aggregation))
        self.coefficients = [coefficient for coefficient, _ in terms]
        self.losses = nn.ModuleList(losses)
        check_one_number_of_classes(self)

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return self._weighted(logits, target, None)

    def _weighted(self, logits: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        return self._total(loss._of_samples(logits, target, weight) for loss in self._terms())

    @property
    def _by_logs(self) -> bool:  # type: ignore[override]
        if type(self).per_sample is not Sum.per_sample:
            return False
        return all(loss._by_logs and not loss.label_smoothing for loss in self._terms())

    def _from_logs(self, nll: Tensor, log_p: Tensor) -> Tensor:
        return self._total(loss._from_logs(nll, log_p) for loss in self._terms())

    def _terms(self) -> Iterator[Loss]:
        return (cast(Loss, loss) for loss in self.losses)

    def _total(self, losses: Iterable[Tensor]) -> Tensor:
        scaled = (c * loss for c, loss in zip(self.coefficients, losses, strict=True))
        return functools.reduce(torch.add, scaled)


class SmoothedTargets(Loss):
    r"""Any loss on smoothed targets, :math:`(1-\epsilon)\,q + \epsilon/K`.

    SL on these is the paper's "LSR+SL".

    Parameters
    ----------
    loss : Loss
        What is applied to the smoothed targets. Of ``weight``, ``ignore_index`` and ``reduction`` what is not
        given is taken from it. It is the same as ``label_smoothing=epsilon`` of the loss itself.
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
        check_unit_interval(epsilon=epsilon)
        refuse_smoothing(self, aggregation)
        super().__init__(**shared([loss], aggregation))
        self.loss, self.epsilon = loss, epsilon
        check_one_number_of_classes(self)

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return self._weighted(logits, target, None)

    def _weighted(self, logits: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        return self.loss._of_samples(logits, smooth_target(logits, target, self.epsilon), weight)


def _checked_term(term: Any) -> tuple[float, Loss]:
    try:
        coefficient, loss = term
    except (TypeError, ValueError):
        raise TypeError(f"a term of a sum is a pair, (coefficient, loss); got {quoted(term)}") from None
    if isinstance(coefficient, nn.Module) or not hasattr(coefficient, "__float__"):
        raise TypeError(
            f"the coefficient of a term (coefficient, loss) is a number, got {quoted(coefficient)}"
        )
    check_at_least_zero(coefficient=coefficient)
    return float(coefficient), loss


def check_part(loss: Any) -> None:
    """Refuse what cannot be part of another loss."""
    parts = loss.modules() if isinstance(loss, nn.Module) else ()
    for part in parts:
        if getattr(part, "stateful", False):
            name = type(part).__name__
            advice = (
                f"give the other to {name}" if isinstance(part, Loss) else "add the two after calling each"
            )
            raise ValueError(f"{name} has a memory and cannot be part of another loss; {advice}")
    if not isinstance(loss, Loss):
        library = "losses of sce_lib.losses can be parts of others: its CrossEntropy is torch's"
        raise TypeError(f"only {library}; got {quoted(loss)}")


def shared(losses: Sequence[Loss], given: Aggregation) -> Aggregation:
    """Complete the aggregation that was given by what the losses agree on, or say on what they do not."""
    for loss in losses:
        check_part(loss)
    for name in _SHARED:
        values = [getattr(loss, name) for loss in losses]
        if name not in given and not all(_equal(values[0], value) for value in values):
            advice = f"give {name} to the sum instead"
            raise ValueError(f"the losses of a sum disagree on {name}, {values}: {advice}")
    own = {name: getattr(losses[0], name) for name in _SHARED}
    return cast(Aggregation, own | given)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.equal(a, b)
    return a is b or (not isinstance(a, Tensor) and not isinstance(b, Tensor) and a == b)
