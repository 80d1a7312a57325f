"""Modules of the paper's own losses."""

from typing import ClassVar, Unpack

from torch import Tensor

from sce_lib.losses import functional as L
from sce_lib.losses.functional.inputs import is_soft
from sce_lib.losses.functional.symmetric import mae_of_nll, rce_of_nll, sl_of_nll
from sce_lib.losses.modules.base import Aggregation, OfFormula, sample_weights, weighted_target

__all__ = ["CrossEntropy", "MeanAbsoluteError", "ReverseCrossEntropy", "SymmetricCrossEntropy"]


class CrossEntropy(OfFormula):
    r"""Cross entropy, :math:`-\sum_k q_k \log p_k`.

    Equal to ``torch.nn.CrossEntropyLoss``, whatever its keywords and for class indices and probabilities.

    Examples
    --------
    >>> import torch
    >>> CrossEntropy()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.3863)
    """

    name: ClassVar[str] = "ce"
    mean_over_labels: ClassVar[bool] = True
    _formula = staticmethod(L.cross_entropy)
    _of_nll = staticmethod(lambda nll: nll)

    def __init__(self, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({}, aggregation)


class ReverseCrossEntropy(OfFormula):
    r"""Reverse cross entropy, :math:`-\sum_k p_k \max(\log q_k, A)`; `A`, for log 0, is finite, below 0.

    Examples
    --------
    >>> import torch
    >>> ReverseCrossEntropy(A=-4)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(3.)
    """

    name: ClassVar[str] = "rce"
    _formula = staticmethod(L.reverse_cross_entropy)
    _of_nll = staticmethod(rce_of_nll)
    A: float

    def __init__(self, A: float = L.PAPER_LOG_ZERO, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({"A": A}, aggregation)


class SymmetricCrossEntropy(OfFormula):
    r"""The paper's SL, :math:`\alpha\,\ell_{ce} + \beta\,\ell_{rce}` (Eq. 7).

    Parameters
    ----------
    alpha, beta : float
        Weights of cross entropy and of reverse cross entropy; finite, at least 0. A small ``alpha`` keeps
        cross entropy from fitting wrong labels; a hard data set may need a large one to converge (§5.1).
    A : float
        What stands for ``log 0``; finite and below 0. With class indices only ``beta * A`` matters.
    clip : float, optional
        In (0, 1), what a smaller predicted probability counts as in the cross entropy. The paper has none;
        its released code is ``A=math.log(1e-4), clip=1e-7``.

    Examples
    --------
    >>> import torch
    >>> loss = SymmetricCrossEntropy(alpha=0.1, beta=1.0, A=-4)
    >>> loss(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(3.1386)
    """

    name: ClassVar[str] = "sl"
    _formula = staticmethod(L.symmetric_cross_entropy)
    _of_nll = staticmethod(sl_of_nll)
    alpha: float
    beta: float
    A: float
    clip: float | None = None

    def __init__(
        self,
        alpha: float = 0.1,
        beta: float = 1.0,
        A: float = L.PAPER_LOG_ZERO,
        clip: float | None = None,
        **aggregation: Unpack[Aggregation],
    ) -> None:
        optional = {} if clip is None else {"clip": clip}
        super().__init__({"alpha": alpha, "beta": beta, "A": A} | optional, aggregation)

    def _weighted(self, logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        if not is_soft(target):
            return super()._weighted(logits, target, weight)
        weighted = weighted_target(weight, logits, target)
        ce = L.symmetric_cross_entropy(logits, weighted, self.alpha, 0.0, clip=self.clip)
        rce = L.reverse_cross_entropy(logits, target, A=self.A)
        return ce + self.beta * sample_weights(weight, logits, target, rce.dtype) * rce


class MeanAbsoluteError(OfFormula):
    r"""Mean absolute error, :math:`\sum_k |p_k - q_k|` (§4.3).

    Examples
    --------
    >>> import torch
    >>> MeanAbsoluteError()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.5000)
    """

    name: ClassVar[str] = "mae"
    _formula = staticmethod(L.mean_absolute_error)
    _of_nll = staticmethod(mae_of_nll)

    def __init__(self, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({}, aggregation)
