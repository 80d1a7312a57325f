"""Modules of the losses of the years around the paper."""

from typing import Any, Unpack

from torch import Tensor

from sce_lib.losses import functional as L
from sce_lib.losses.functional.later import (
    check_asymmetric,
    check_huberised,
    check_jensen_shannon,
    check_taylor,
)
from sce_lib.losses.modules.base import Aggregation, Loss


class NormalizedCrossEntropy(Loss):
    r"""Normalized cross entropy, :math:`\log p_y / \sum_k \log p_k`.

    See :func:`sce_lib.losses.functional.normalized_cross_entropy`.

    Parameters
    ----------
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Examples
    --------
    >>> import torch
    >>> NormalizedCrossEntropy()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(0.2500)
    """

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.normalized_cross_entropy(logits, target)


class TaylorCrossEntropy(Loss):
    r"""Taylor cross entropy, :math:`\sum_{i=1}^{t} (1 - p_y)^i / i`.

    See :func:`sce_lib.losses.functional.taylor_cross_entropy`.

    Parameters
    ----------
    t : int
        Number of terms, at least 1.
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Examples
    --------
    >>> import torch
    >>> TaylorCrossEntropy(t=2)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.0312)
    """

    def __init__(self, t: int = 2, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__(**aggregation)
        check_taylor(t)
        self.t = t

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.taylor_cross_entropy(logits, target, self.t)

    def hyperparameters(self) -> dict[str, Any]:
        """Return the loss's own hyperparameters by name."""
        return {"t": self.t}


class PartiallyHuberisedCrossEntropy(Loss):
    r"""Cross entropy that is linear in :math:`p_y` from :math:`1/\tau` down.

    See :func:`sce_lib.losses.functional.partially_huberised_cross_entropy`.

    Parameters
    ----------
    tau : float
        At least 1, finite.
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Examples
    --------
    >>> import torch
    >>> PartiallyHuberisedCrossEntropy(tau=2)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.1931)
    """

    def __init__(self, tau: float = 10.0, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__(**aggregation)
        check_huberised(tau)
        self.tau = tau

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.partially_huberised_cross_entropy(logits, target, self.tau)

    def hyperparameters(self) -> dict[str, Any]:
        """Return the loss's own hyperparameters by name."""
        return {"tau": self.tau}


class AsymmetricGeneralizedCrossEntropy(Loss):
    r"""Asymmetric generalized cross entropy, :math:`[(a+1)^q - (a+p_y)^q]/q`.

    See :func:`sce_lib.losses.functional.asymmetric_generalized_cross_entropy`.

    Parameters
    ----------
    a : float
        Finite, at least 0.
    q : float
        Finite, above 0.
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Examples
    --------
    >>> import torch
    >>> AsymmetricGeneralizedCrossEntropy(a=1, q=2)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.2188)
    """

    def __init__(self, a: float = 0.6, q: float = 0.6, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__(**aggregation)
        check_asymmetric(a, q)
        self.a, self.q = a, q

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.asymmetric_generalized_cross_entropy(logits, target, self.a, self.q)

    def hyperparameters(self) -> dict[str, Any]:
        """Return the loss's own hyperparameters by name."""
        return {"a": self.a, "q": self.q}


class JensenShannon(Loss):
    r"""Scaled Jensen-Shannon divergence of target and prediction.

    See :func:`sce_lib.losses.functional.jensen_shannon`.

    Parameters
    ----------
    pi : float
        The target's share, strictly between 0 and 1.
    weight, ignore_index, reduction
        As in :class:`sce_lib.losses.Loss`.

    Examples
    --------
    >>> import torch
    >>> JensenShannon()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.0976)
    """

    def __init__(self, pi: float = 0.5, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__(**aggregation)
        check_jensen_shannon(pi)
        self.pi = pi

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return L.jensen_shannon(logits, target, self.pi)

    def hyperparameters(self) -> dict[str, Any]:
        """Return the loss's own hyperparameters by name."""
        return {"pi": self.pi}
