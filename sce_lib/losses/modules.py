"""The losses as modules: each holds its hyperparameters and aggregates its per-sample losses as torch does.

The formulas live in :mod:`sce_lib.losses.functional`; here is what ``torch.nn.CrossEntropyLoss`` adds around its
own: ``weight``, ``ignore_index`` and ``reduction``.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from sce_lib.losses import functional as L

Reduction = Literal["mean", "sum", "none"]


class Loss(nn.Module):
    r"""Base of all losses: turns per-sample losses into what ``torch.nn.CrossEntropyLoss`` would return.

    A subclass provides :meth:`per_sample`. Its logits and targets are those of
    :mod:`sce_lib.losses.functional`: logits ``(N, K)`` or ``(N, K, d1, ...)``, targets as class indices (int64)
    or as probabilities shaped like the logits.

    Parameters
    ----------
    weight : Tensor, optional
        One factor per class, shape ``(K,)``. A sample's loss is multiplied by the factor of its class; with
        probabilities, by :math:`\sum_k w_k q_k`.
    ignore_index : int
        Samples with this class index contribute neither loss nor gradient; they read 0 under ``"none"``. As in
        torch it applies to class indices only, and a value of 0 or more is refused together with probabilities.
    reduction : {"mean", "sum", "none"}
        ``"none"`` returns the per-sample losses, ``"sum"`` adds them up. ``"mean"`` divides the sum by the total
        weight of the samples that count (class indices), or by the number of samples (probabilities). The mean of
        no samples is NaN.

    Raises
    ------
    ValueError
        For an unknown reduction, a ``weight`` that is not one-dimensional or does not fit the logits.

    Notes
    -----
    With probabilities *and* ``weight``, ``torch.nn.CrossEntropyLoss`` puts the factors inside its sum over the
    classes, :math:`-\sum_k w_k q_k \log p_k`. Most losses here are no such sums, so the sample is weighted as a
    whole. The two agree where the target is one-hot.

    Examples
    --------
    A loss of your own needs one method:

    >>> import torch
    >>> class Brier(Loss):
    ...     def per_sample(self, logits, target):
    ...         one_hot = torch.nn.functional.one_hot(target, logits.shape[1])
    ...         return (logits.softmax(1) - one_hot).square().sum(1)
    >>> Brier(reduction="sum")(torch.zeros(3, 2), torch.tensor([0, 1, -100]))
    tensor(1.)
    """

    weight: Tensor | None

    def __init__(
        self, *, weight: Tensor | None = None, ignore_index: int = -100, reduction: Reduction = "mean"
    ) -> None:
        super().__init__()
        if reduction not in get_args(Reduction):
            raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
        if weight is not None and weight.ndim != 1:
            raise ValueError(f"weight must hold one factor per class, shape (K,); got {tuple(weight.shape)}")
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, before weights, ignored labels and reduction; shape ``(N, d1, ...)``."""
        raise NotImplementedError

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the reduced loss: a scalar, or ``(N, d1, ...)`` under ``reduction="none"``."""
        if target.is_floating_point():
            return self._soft(logits, target)
        return self._hard(logits, target)

    def _hard(self, logits: Tensor, target: Tensor) -> Tensor:
        counted = target != self.ignore_index
        target = target.masked_fill(~counted, 0)  # any valid class will do: its loss is dropped below
        losses = self.per_sample(logits, target)
        weights = counted.to(losses.dtype)
        if self.weight is not None:
            factors = self._class_weights(logits, losses)
            weights = weights * factors.gather(0, target.flatten()).view_as(target)
        losses = torch.where(counted, weights * losses, 0)
        if self.reduction == "mean":
            return losses.sum() / weights.sum()
        return losses.sum() if self.reduction == "sum" else losses

    def _soft(self, logits: Tensor, target: Tensor) -> Tensor:
        if self.ignore_index >= 0:
            raise ValueError(
                f"ignore_index={self.ignore_index} names a class index, but the target holds probabilities"
            )
        losses = self.per_sample(logits, target)
        if self.weight is not None:
            class_last = target.movedim(L.class_dimension(logits), -1)
            losses = losses * (class_last * self._class_weights(logits, losses)).sum(-1)
        if self.reduction == "mean":
            return losses.mean()
        return losses.sum() if self.reduction == "sum" else losses

    def _class_weights(self, logits: Tensor, losses: Tensor) -> Tensor:
        assert self.weight is not None
        num_classes = logits.shape[L.class_dimension(logits)]
        if len(self.weight) != num_classes:
            raise ValueError(f"weight has {len(self.weight)} factors for logits of {num_classes} classes")
        return self.weight.to(losses.dtype)


class CrossEntropy(Loss):
    r"""Cross entropy, :math:`-\sum_k q_k \log p_k`; see :func:`.functional.cross_entropy`.

    Parameters
    ----------
    weight, ignore_index, reduction
        As in :class:`Loss`. Equal to ``torch.nn.CrossEntropyLoss`` for class indices, and for probabilities
        without ``weight``.

    Examples
    --------
    >>> import torch
    >>> CrossEntropy()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.3863)
    """

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, shape ``(N, d1, ...)``."""
        return L.cross_entropy(logits, target)


class ReverseCrossEntropy(Loss):
    r"""Reverse cross entropy, :math:`-\sum_k p_k \max(\log q_k, A)`; see :func:`.functional.reverse_cross_entropy`.

    Parameters
    ----------
    A : float
        What stands for ``log 0``; finite and below 0.
    weight, ignore_index, reduction
        As in :class:`Loss`.

    Examples
    --------
    >>> import torch
    >>> ReverseCrossEntropy(A=-4)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(3.)
    """

    def __init__(
        self,
        *,
        A: float = L.PAPER_LOG_ZERO,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)
        L._check_log_zero(A)
        self.A = A

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, shape ``(N, d1, ...)``."""
        return L.reverse_cross_entropy(logits, target, A=self.A)

    def extra_repr(self) -> str:
        """Hyperparameters, for ``repr``."""
        return f"A={self.A}"


class SymmetricCrossEntropy(Loss):
    r"""The paper's SL, :math:`\alpha\,\ell_{ce} + \beta\,\ell_{rce}`; see :func:`.functional.symmetric_cross_entropy`.

    Parameters
    ----------
    alpha, beta : float
        Weights of cross entropy and of reverse cross entropy; finite, at least 0. A small ``alpha`` keeps
        cross entropy from fitting wrong labels; many classes need a large one to converge at all (§5.1).
    A : float
        What stands for ``log 0``; finite and below 0. With class indices only the product ``beta * A`` matters.
    weight, ignore_index, reduction
        As in :class:`Loss`.

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
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)
        L._check_at_least_zero(alpha=alpha, beta=beta)
        L._check_log_zero(A)
        self.alpha, self.beta, self.A = alpha, beta, A

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, shape ``(N, d1, ...)``."""
        return L.symmetric_cross_entropy(logits, target, self.alpha, self.beta, A=self.A)

    def extra_repr(self) -> str:
        """Hyperparameters, for ``repr``."""
        return f"alpha={self.alpha}, beta={self.beta}, A={self.A}"


class MeanAbsoluteError(Loss):
    r"""Mean absolute error, :math:`\sum_k |p_k - q_k|`; see :func:`.functional.mean_absolute_error`.

    Parameters
    ----------
    weight, ignore_index, reduction
        As in :class:`Loss`.

    Examples
    --------
    >>> import torch
    >>> MeanAbsoluteError()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.5000)
    """

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, shape ``(N, d1, ...)``."""
        return L.mean_absolute_error(logits, target)
