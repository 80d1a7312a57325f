"""What all loss modules share: from per-sample losses to what ``torch.nn.CrossEntropyLoss`` would return."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypedDict, get_args

import torch
from torch import Tensor, nn

from sce_lib.losses.functional.inputs import class_dimension, is_soft

__all__ = ["Loss"]

Reduction = Literal["mean", "sum", "none"]


class Aggregation(TypedDict, total=False):
    """The keywords that every loss takes besides its own; explained at :class:`Loss`."""

    weight: Tensor | None
    ignore_index: int
    reduction: Reduction


class Loss(nn.Module):
    r"""Base of all losses; a subclass provides :meth:`per_sample`.

    Logits and targets are those of :mod:`sce_lib.losses.functional`.

    Parameters
    ----------
    weight : Tensor, optional
        One factor per class, shape ``(K,)``. A sample's loss is multiplied by the factor of its class; with
        probabilities by :math:`\sum_k w_k q_k`.
    ignore_index : int
        Samples with this class index contribute neither loss nor gradient and read 0 under ``"none"``. As in
        torch it concerns class indices only; one of 0 or more is refused together with probabilities.
    reduction : {"mean", "sum", "none"}
        ``"none"`` returns the per-sample losses, ``"sum"`` adds them up. ``"mean"`` divides the sum by the
        total weight of the samples that count (class indices) or by the number of samples (probabilities).
        The mean of no samples is NaN, as in torch.

    Notes
    -----
    With probabilities *and* ``weight``, ``torch.nn.CrossEntropyLoss`` puts the factors inside its sum over
    the classes, :math:`-\sum_k w_k q_k \log p_k`. Most losses here are no such sum, so the sample is
    weighted as a whole. The two agree where the target is one-hot.

    Examples
    --------
    A loss of your own needs one method:

    >>> class Brier(Loss):
    ...     def per_sample(self, logits, target):
    ...         one_hot = torch.nn.functional.one_hot(target, logits.shape[1])
    ...         return (logits.softmax(1) - one_hot).square().sum(1)
    >>> Brier(reduction="sum")(torch.zeros(3, 2), torch.tensor([0, 1, -100]))
    tensor(1.)
    """

    weight: Tensor | None
    _names: tuple[str, ...] = ()  # of the hyperparameters

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
        """Loss of each sample, ``(N, d1, ...)``, before weights, ignored labels and reduction."""
        raise NotImplementedError

    def hyperparameters(self) -> dict[str, Any]:
        """Return the loss's own hyperparameters by name."""
        return {name: getattr(self, name) for name in self._names}

    def extra_repr(self) -> str:
        """Hyperparameters, for ``repr``."""
        return ", ".join(f"{name}={value}" for name, value in self.hyperparameters().items())

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the reduced loss: a scalar, or ``(N, d1, ...)`` under ``reduction="none"``."""
        return self._of_probabilities(logits, target) if is_soft(target) else self._of_labels(logits, target)

    def _of_labels(self, logits: Tensor, target: Tensor) -> Tensor:
        counted = target != self.ignore_index
        target = target * counted  # an ignored label becomes class 0; its loss is dropped below
        losses = self.per_sample(logits, target)
        if (weight := self.weight) is not None:
            factors = self._factors(weight, logits, losses).gather(0, target.flatten()).view_as(target)
            losses = factors * losses
        losses = torch.where(counted, losses, 0.0)
        if self.reduction == "mean":
            total = counted.count_nonzero() if weight is None else (factors * counted).sum()
            return losses.sum() / total
        return losses.sum() if self.reduction == "sum" else losses

    def _of_probabilities(self, logits: Tensor, target: Tensor) -> Tensor:
        if self.ignore_index >= 0:
            given = f"ignore_index={self.ignore_index} names a class index"
            raise ValueError(f"{given}, but the target holds probabilities")
        losses = self.per_sample(logits, target)
        if self.weight is not None:
            classes_last = target.to(losses.dtype).movedim(class_dimension(logits), -1)
            losses = losses * (classes_last * self._factors(self.weight, logits, losses)).sum(-1)
        if self.reduction == "mean":
            return losses.mean()
        return losses.sum() if self.reduction == "sum" else losses

    @staticmethod
    def _factors(weight: Tensor, logits: Tensor, losses: Tensor) -> Tensor:
        num_classes = logits.shape[class_dimension(logits)]
        if len(weight) != num_classes:
            raise ValueError(f"weight has {len(weight)} factors for logits of {num_classes} classes")
        return weight.to(losses.dtype)


class OfFormula(Loss):
    """Base of the losses that are a function of :mod:`sce_lib.losses.functional`, hyperparameters held.

    A subclass names the function in `_formula`, and gives its hyperparameters by the function's names.
    """

    _formula: ClassVar[Callable[..., Tensor]]

    def __init__(self, hyperparameters: dict[str, Any], aggregation: Aggregation) -> None:
        super().__init__(**aggregation)
        # The function itself refuses what is out of its range, here and not in the first step of training.
        self._formula(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64), **hyperparameters)
        self._names = tuple(hyperparameters)
        for name, value in hyperparameters.items():
            setattr(self, name, value)

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return self._formula(logits, target, **self.hyperparameters())
