"""Modules of the losses that the paper compares itself with."""

from typing import Any, Unpack

import torch
from torch import Tensor

from sce_lib.losses import functional as L
from sce_lib.losses.functional.baselines import (
    check_bootstrap,
    check_generalized,
    check_transitions,
    cross_entropy_with_rows,
)
from sce_lib.losses.functional.inputs import check_unit_interval
from sce_lib.losses.modules.base import Aggregation, Loss


class GeneralizedCrossEntropy(Loss):
    r"""Generalized cross entropy, :math:`(1 - p_y^q)/q`.

    See :func:`sce_lib.losses.functional.generalized_cross_entropy`.

    Parameters
    ----------
    q : float
        In (0, 1].
    truncation : float, optional
        In (0, 1): samples with :math:`p_y` up to it have a constant loss, without gradient.
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Examples
    --------
    >>> GeneralizedCrossEntropy(q=1.0)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(0.7500)
    """

    def __init__(
        self, q: float = 0.7, truncation: float | None = None, **aggregation: Unpack[Aggregation]
    ) -> None:
        super().__init__(**aggregation)
        check_generalized(q, truncation)
        self.q, self.truncation = q, truncation

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.generalized_cross_entropy(logits, target, self.q, self.truncation)

    def hyperparameters(self) -> dict[str, Any]:
        """Return the loss's own hyperparameters by name."""
        return {"q": self.q, "truncation": self.truncation}


class LabelSmoothing(Loss):
    r"""Cross entropy with smoothed targets, :math:`(1-\epsilon)\,q + \epsilon/K`.

    See :func:`sce_lib.losses.functional.label_smoothing`; :class:`sce_lib.losses.SmoothedTargets` smooths
    for any other loss.

    Parameters
    ----------
    epsilon : float
        The share of the uniform distribution, in [0, 1].
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`. ``weight`` multiplies the whole loss of a sample, whereas
        ``torch.nn.CrossEntropyLoss(weight, label_smoothing=...)`` weights each class of the smoothed target.

    Examples
    --------
    >>> LabelSmoothing(epsilon=0.5)(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
    tensor(0.6269)
    """

    def __init__(self, epsilon: float = 0.1, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__(**aggregation)
        check_unit_interval(epsilon=epsilon)
        self.epsilon = epsilon

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.label_smoothing(logits, target, self.epsilon)

    def hyperparameters(self) -> dict[str, Any]:
        """Return the loss's own hyperparameters by name."""
        return {"epsilon": self.epsilon}


class Bootstrap(Loss):
    r"""Bootstrapping, cross entropy with the target :math:`\beta q + (1-\beta)\,\hat q`.

    See :func:`sce_lib.losses.functional.bootstrap`.

    Parameters
    ----------
    beta : float, optional
        Share of the given label, in [0, 1]; by default the authors' 0.95 (soft) or 0.8 (hard).
    hard : bool
        Whether the network's opinion is its most probable class instead of its probabilities.
    detach : bool
        Whether the network's opinion is held constant in the gradient; by default it is not.
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Examples
    --------
    >>> Bootstrap(hard=True)(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor(1.7269)
    """

    def __init__(
        self,
        beta: float | None = None,
        hard: bool = False,
        detach: bool = False,
        **aggregation: Unpack[Aggregation],
    ) -> None:
        super().__init__(**aggregation)
        self.beta, self.hard, self.detach = check_bootstrap(beta, hard), hard, detach

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.bootstrap(logits, target, self.beta, self.hard, self.detach)

    def hyperparameters(self) -> dict[str, Any]:
        """Return the loss's own hyperparameters by name."""
        return {"beta": self.beta, "hard": self.hard, "detach": self.detach}


class ForwardCorrection(Loss):
    r"""Forward correction, :math:`-\log (p^\top T)_y`.

    See :func:`sce_lib.losses.functional.forward_correction`.

    Parameters
    ----------
    T : Tensor or array
        Transition matrix, shape ``(K, K)``, ``T[i, j]`` the probability of label j where class i is true.
        Kept in float64 until it meets the logits.
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Raises
    ------
    ValueError
        If ``T`` is not square, has entries outside of [0, 1] or rows that do not sum to 1.

    Examples
    --------
    >>> loss = ForwardCorrection([[0.8, 0.2], [0.4, 0.6]])
    >>> loss(torch.zeros(1, 2), torch.tensor([0])).exp()
    tensor(1.6667)
    """

    T: Tensor

    def __init__(self, T: Any, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__(**aggregation)
        self.register_buffer("T", check_transitions(T))

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.forward_correction(logits, target, self.T)


class BackwardCorrection(Loss):
    r"""Backward correction, :math:`-\sum_k (T^{-1})_{yk} \log p_k`.

    See :func:`sce_lib.losses.functional.backward_correction`. The loss can be negative, and has no lower
    bound.

    Parameters
    ----------
    T : Tensor or array
        Transition matrix, shape ``(K, K)``, ``T[i, j]`` the probability of label j where class i is true.
        Inverted once, in float64.
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Raises
    ------
    ValueError
        If ``T`` is singular (or so near to it that its smallest singular value is below a millionth of its
        largest), not square, or has entries outside of [0, 1] or rows that do not sum to 1.

    Examples
    --------
    >>> loss = BackwardCorrection([[0.8, 0.2], [0.4, 0.6]])
    >>> loss(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
    tensor(-0.8731)
    """

    inverse: Tensor

    def __init__(self, T: Any, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__(**aggregation)
        self.register_buffer("inverse", torch.linalg.inv(check_transitions(T, invertible=True)))

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return cross_entropy_with_rows(logits, target, self.inverse)
