"""Modules of the paper's own losses."""

from typing import Any, Unpack

from torch import Tensor

from sce_lib.losses import functional as L
from sce_lib.losses.functional.inputs import check_at_least_zero
from sce_lib.losses.functional.symmetric import check_log_zero
from sce_lib.losses.modules.base import Aggregation, Loss


class CrossEntropy(Loss):
    r"""Cross entropy, :math:`-\sum_k q_k \log p_k`; see :func:`sce_lib.losses.functional.cross_entropy`.

    Equal to ``torch.nn.CrossEntropyLoss`` for class indices, and for probabilities without ``weight``.

    Parameters
    ----------
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Examples
    --------
    >>> import torch
    >>> CrossEntropy()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.3863)
    """

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.cross_entropy(logits, target)


class ReverseCrossEntropy(Loss):
    r"""Reverse cross entropy, :math:`-\sum_k p_k \max(\log q_k, A)`.

    See :func:`sce_lib.losses.functional.reverse_cross_entropy`.

    Parameters
    ----------
    A : float
        What stands for ``log 0``; finite and below 0.
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Examples
    --------
    >>> import torch
    >>> ReverseCrossEntropy(A=-4)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(3.)
    """

    def __init__(self, *, A: float = L.PAPER_LOG_ZERO, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__(**aggregation)
        check_log_zero(A)
        self.A = A

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.reverse_cross_entropy(logits, target, A=self.A)

    def hyperparameters(self) -> dict[str, Any]:
        """Return the loss's own hyperparameters by name."""
        return {"A": self.A}


class SymmetricCrossEntropy(Loss):
    r"""The paper's SL, :math:`\alpha\,\ell_{ce} + \beta\,\ell_{rce}`.

    See :func:`sce_lib.losses.functional.symmetric_cross_entropy`.

    Parameters
    ----------
    alpha, beta : float
        Weights of cross entropy and of reverse cross entropy; finite, at least 0. A small ``alpha`` keeps
        cross entropy from fitting wrong labels; a hard data set may need a large one to converge (§5.1).
    A : float
        What stands for ``log 0``; finite and below 0. With class indices only the product ``beta * A``
        matters.
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Examples
    --------
    >>> import torch
    >>> loss = SymmetricCrossEntropy(alpha=0.1, beta=1.0, A=-4)
    >>> loss(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(3.1386)
    """

    def __init__(
        self,
        alpha: float = 0.1,
        beta: float = 1.0,
        *,
        A: float = L.PAPER_LOG_ZERO,
        **aggregation: Unpack[Aggregation],
    ) -> None:
        super().__init__(**aggregation)
        check_at_least_zero(alpha=alpha, beta=beta)
        check_log_zero(A)
        self.alpha, self.beta, self.A = alpha, beta, A

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.symmetric_cross_entropy(logits, target, self.alpha, self.beta, A=self.A)

    def hyperparameters(self) -> dict[str, Any]:
        """Return the loss's own hyperparameters by name."""
        return {"alpha": self.alpha, "beta": self.beta, "A": self.A}


class MeanAbsoluteError(Loss):
    r"""Mean absolute error, :math:`\sum_k |p_k - q_k|`.

    See :func:`sce_lib.losses.functional.mean_absolute_error`.

    Parameters
    ----------
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Examples
    --------
    >>> import torch
    >>> MeanAbsoluteError()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.5000)
    """

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.mean_absolute_error(logits, target)
