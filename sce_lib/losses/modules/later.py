"""Modules of the losses of the years around the paper."""

from typing import Unpack

from sce_lib.losses import functional as L
from sce_lib.losses.modules.base import Aggregation, OfFormula

__all__ = ["AsymmetricGeneralizedCrossEntropy", "JensenShannon", "NormalizedCrossEntropy"]
__all__ += ["PartiallyHuberisedCrossEntropy", "TaylorCrossEntropy"]


class NormalizedCrossEntropy(OfFormula):
    r"""Normalized cross entropy, NCE, :math:`\log p_y / \sum_k \log p_k`.

    Examples
    --------
    >>> import torch
    >>> NormalizedCrossEntropy()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(0.2500)
    """

    _formula = staticmethod(L.normalized_cross_entropy)

    def __init__(self, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({}, aggregation)


class TaylorCrossEntropy(OfFormula):
    r"""Taylor cross entropy, :math:`\sum_{i=1}^{t} (1 - p_y)^i / i`; `t` is at least 1.

    Examples
    --------
    >>> import torch
    >>> TaylorCrossEntropy(t=2)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.0312)
    """

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

    _formula = staticmethod(L.asymmetric_generalized_cross_entropy)
    a: float
    q: float

    def __init__(self, a: float = 0.6, q: float = 0.6, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({"a": a, "q": q}, aggregation)


class JensenShannon(OfFormula):
    r"""Scaled Jensen-Shannon divergence of target and prediction; `pi`, the target's share, is in (0, 1).

    Examples
    --------
    >>> import torch
    >>> JensenShannon()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.0976)
    """

    _formula = staticmethod(L.jensen_shannon)
    pi: float

    def __init__(self, pi: float = 0.5, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__({"pi": pi}, aggregation)
