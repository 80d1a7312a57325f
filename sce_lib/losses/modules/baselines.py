"""Modules of the losses that the paper compares itself with."""

from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor

from sce_lib.losses import functional as L
from sce_lib.losses.functional.baselines import (
    check_bootstrap,
    check_transitions,
    cross_entropy_with_rows,
    forward_by_log_columns,
    gce_of_nll,
    log_columns_of,
)
from sce_lib.losses.functional.inputs import checked
from sce_lib.losses.modules.base import (
    Aggregation,
    Loss,
    OfFormula,
    check_one_number_of_classes,
    refuse_smoothing,
    weighted_target,
)

__all__ = ["BackwardCorrection", "Bootstrap", "ForwardCorrection", "GeneralizedCrossEntropy"]
__all__ += ["LabelSmoothing"]


class GeneralizedCrossEntropy(OfFormula):
    r"""Generalized cross entropy, :math:`(1 - p_y^q)/q`; `q` is in (0, 1], `truncation` in (0, 1).

    Examples
    --------
    >>> GeneralizedCrossEntropy(q=1.0)(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(0.7500)
    """

    name: ClassVar[str] = "gce"
    mean_over_labels: ClassVar[bool] = True
    _formula = staticmethod(L.generalized_cross_entropy)
    _of_nll = staticmethod(gce_of_nll)
    q: float
    truncation: float | None

    def __init__(
        self, q: float = 0.7, truncation: float | None = None, **aggregation: Unpack[Aggregation]
    ) -> None:
        super().__init__({"q": q, "truncation": truncation}, aggregation)


class LabelSmoothing(OfFormula):
    r"""Cross entropy with smoothed targets, :math:`(1-\epsilon)\,q + \epsilon/K`; `epsilon` is in [0, 1].

    Equal to ``torch.nn.CrossEntropyLoss(label_smoothing=epsilon)``. Any other loss smooths by its keyword
    ``label_smoothing`` or by :class:`sce_lib.losses.SmoothedTargets`.

    Examples
    --------
    >>> LabelSmoothing(epsilon=0.5)(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
    tensor(0.6269)
    """

    name: ClassVar[str] = "lsr"
    _formula = staticmethod(L.label_smoothing)
    epsilon: float

    def __init__(self, epsilon: float = 0.1, **aggregation: Unpack[Aggregation]) -> None:
        refuse_smoothing(self, aggregation)
        super().__init__({"epsilon": epsilon}, aggregation)

    def _weighted(self, logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        smoothed = L.smooth_target(logits, target, self.epsilon)
        return L.cross_entropy(logits, weighted_target(weight, logits, smoothed))


class Bootstrap(OfFormula):
    r"""Bootstrapping, cross entropy with the target :math:`\beta q + (1-\beta)\,\hat q`.

    `beta` is in [0, 1]; `hard` and `detach` are about :math:`\hat q`, the network's own opinion.

    Examples
    --------
    >>> Bootstrap(hard=True)(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor(1.7269)
    """

    name: ClassVar[str] = "bootstrap"
    _formula = staticmethod(L.bootstrap)
    beta: float
    hard: bool
    detach: bool

    def __init__(
        self,
        beta: float | None = None,
        hard: bool = False,
        detach: bool = False,
        **aggregation: Unpack[Aggregation],
    ) -> None:
        beta = check_bootstrap(beta, hard)
        super().__init__({"beta": beta, "hard": hard, "detach": detach}, aggregation)


class ForwardCorrection(Loss):
    r"""Forward correction, :math:`-\log (p^\top T)_y`.

    Parameters
    ----------
    T : Tensor or array
        As for :func:`~sce_lib.losses.functional.forward_correction`, but refused if it is not square, has
        entries outside of [0, 1] or rows that do not sum to 1. Kept in float64 until it meets the logits.

    Examples
    --------
    >>> loss = ForwardCorrection([[0.8, 0.2], [0.4, 0.6]])
    >>> loss(torch.zeros(1, 2), torch.tensor([0])).exp()
    tensor(1.6667)
    """

    name: ClassVar[str] = "forward"
    mean_over_labels: ClassVar[bool] = True
    T: Tensor

    def __init__(self, T: Any, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__(**aggregation)
        self.register_buffer("T", check_transitions(T))
        check_one_number_of_classes(self)
        self._kept: tuple[tuple, Tensor] | None = None

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        logits, target = checked(logits, target)
        return forward_by_log_columns(logits, target, self._log_columns(logits))

    def _log_columns(self, logits: Tensor) -> Tensor:
        """Logarithms of ``T``, kept until it, or the logits' dtype or device, is another."""
        if torch.compiler.is_compiling() or torch.is_inference_mode_enabled() or self.T.is_inference():
            return log_columns_of(self.T, logits)
        made_of = (self.T, self.T._version, logits.dtype, logits.device)
        if self._kept is None or self._kept[0][0] is not self.T or self._kept[0][1:] != made_of[1:]:
            self._kept = made_of, log_columns_of(self.T, logits)
        return self._kept[1]


class BackwardCorrection(Loss):
    r"""Backward correction, :math:`-\sum_k (T^{-1})_{yk} \log p_k`; it can be negative, with no lower bound.

    Parameters
    ----------
    T : Tensor or array
        As :class:`ForwardCorrection` takes it; a singular one is refused too, and one whose smallest singular
        value is below a millionth of its largest. Inverted once, in float64.

    Examples
    --------
    >>> loss = BackwardCorrection([[0.8, 0.2], [0.4, 0.6]])
    >>> loss(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
    tensor(-0.8731)
    """

    name: ClassVar[str] = "backward"
    mean_over_labels: ClassVar[bool] = True
    inverse: Tensor

    def __init__(self, T: Any, **aggregation: Unpack[Aggregation]) -> None:
        super().__init__(**aggregation)
        self.register_buffer("inverse", torch.linalg.inv(check_transitions(T, invertible=True)))
        check_one_number_of_classes(self)

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return cross_entropy_with_rows(logits, target, self.inverse)
