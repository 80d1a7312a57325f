"""Modules of the losses of the years around the paper."""

from typing import ClassVar, Unpack

from torch import Tensor

from sce_lib.losses import functional as L
from sce_lib.losses.functional.later import nce_of_logs
from sce_lib.losses.modules.base import Aggregation, OfFormula

__all__ = ["AsymmetricExponential", "AsymmetricGeneralizedCrossEntropy", "AsymmetricUnhinged", "FocalLoss"]
__all__ += ["JensenShannon", "NormalizedCrossEntropy", "NormalizedFocalLoss"]
__all__ += ["PartiallyHuberisedCrossEntropy", "TaylorCrossEntropy"]


class NormalizedCrossEntropy(OfFormula):
    r"""Normalized cross entropy, NCE, :math:`\log p_y / \sum_k \log p_k`.

    Examples
    --------
    >>> import torch
    >>> NormalizedCrossEntropy()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(0.2500)
    """

    name: ClassVar[str] = "nce"
    mean_over_labels: ClassVar[bool] = True
    _formula = staticmethod(L.normalized_cross_entropy)

    def __init__(self, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({}, aggregation)

    def _from_logs(self, nll: Tensor, log_p: Tensor) -> Tensor:
        return nce_of_logs(nll, log_p)


class FocalLoss(OfFormula):
    r"""Focal loss, :math:`-(1 - p_y)^\gamma \log p_y`; `gamma` is finite, at least 0.

    Examples
    --------
    >>> import torch
    >>> FocalLoss(gamma=2)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(0.7798)
    """

    name: ClassVar[str] = "focal"
    mean_over_labels: ClassVar[bool] = True
    _formula = staticmethod(L.focal_loss)
    gamma: float

    def __init__(self, gamma: float = 2.0, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({"gamma": gamma}, aggregation)


class NormalizedFocalLoss(OfFormula):
    r"""Normalized focal loss, NFL, :math:`(1 - p_y)^\gamma \log p_y / \sum_k (1 - p_k)^\gamma \log p_k`.

    Examples
    --------
    >>> import torch
    >>> NormalizedFocalLoss(gamma=0.5)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(0.2500)
    """

    name: ClassVar[str] = "nfl"
    mean_over_labels: ClassVar[bool] = True
    _formula = staticmethod(L.normalized_focal_loss)
    gamma: float

    def __init__(self, gamma: float = 0.5, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({"gamma": gamma}, aggregation)


class TaylorCrossEntropy(OfFormula):
    r"""Taylor cross entropy, :math:`\sum_{i=1}^{t} (1 - p_y)^i / i`; `t` is at least 1.

    Examples
    --------
    >>> import torch
    >>> TaylorCrossEntropy(t=2)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.0312)
    """

    name: ClassVar[str] = "taylor"
    mean_over_labels: ClassVar[bool] = True
    _formula = staticmethod(L.taylor_cross_entropy)
    t: int

    def __init__(self, t: int = 2, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({"t": t}, aggregation)


class PartiallyHuberisedCrossEntropy(OfFormula):
    r"""Cross entropy that is linear in :math:`p_y` from :math:`1/\tau` down; `tau` is finite, at least 1.

    Examples
    --------
    >>> import torch
    >>> PartiallyHuberisedCrossEntropy(tau=2)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.1931)
    """

    name: ClassVar[str] = "phuber"
    mean_over_labels: ClassVar[bool] = True
    _formula = staticmethod(L.partially_huberised_cross_entropy)
    tau: float

    def __init__(self, tau: float = 10.0, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({"tau": tau}, aggregation)


class AsymmetricGeneralizedCrossEntropy(OfFormula):
    r"""Asymmetric generalized cross entropy, :math:`[(a+1)^q - (a+p_y)^q]/q`; `a` ≥ 0, `q` > 0, both finite.

    Examples
    --------
    >>> import torch
    >>> AsymmetricGeneralizedCrossEntropy(a=1, q=2)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.2188)
    """

    name: ClassVar[str] = "agce"
    mean_over_labels: ClassVar[bool] = True
    _formula = staticmethod(L.asymmetric_generalized_cross_entropy)
    a: float
    q: float

    def __init__(self, a: float = 0.6, q: float = 0.6, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({"a": a, "q": q}, aggregation)


class AsymmetricUnhinged(OfFormula):
    r"""Asymmetric unhinged loss, AUE, :math:`[(a - p_y)^q - (a-1)^q]/q`; `a` ≥ 1, `q` > 0, both finite.

    Examples
    --------
    >>> import torch
    >>> AsymmetricUnhinged(a=2, q=2)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.0312)
    """

    name: ClassVar[str] = "aue"
    mean_over_labels: ClassVar[bool] = True
    _formula = staticmethod(L.asymmetric_unhinged)
    a: float
    q: float

    def __init__(self, a: float = 5.5, q: float = 3.0, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({"a": a, "q": q}, aggregation)


class AsymmetricExponential(OfFormula):
    r"""Asymmetric exponential loss, AEL, :math:`e^{-p_y/a}`; `a` is finite, above 0.

    Examples
    --------
    >>> import torch
    >>> AsymmetricExponential()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(0.9048)
    """

    name: ClassVar[str] = "ael"
    mean_over_labels: ClassVar[bool] = True
    _formula = staticmethod(L.asymmetric_exponential)
    a: float

    def __init__(self, a: float = 2.5, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({"a": a}, aggregation)


class JensenShannon(OfFormula):
    r"""Scaled Jensen-Shannon divergence of target and prediction; `pi`, the target's share, is in (0, 1).

    Examples
    --------
    >>> import torch
    >>> JensenShannon()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.0976)
    """

    name: ClassVar[str] = "js"
    _formula = staticmethod(L.jensen_shannon)
    pi: float

    def __init__(self, pi: float = 0.5, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({"pi": pi}, aggregation)
