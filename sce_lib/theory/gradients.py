"""Gradients with respect to the logits in closed form: Eqs. 8 to 11 (§4.2) and 14 to 20 (Appendix B).

Throughout, the last axis of an array of logits, predictions or targets is the class; the axes before it are
free. Parameters are as in `sce_lib.theory`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sce_lib.theory.problems import Array, log_target

__all__ = ["acceleration", "ce_gradient", "gradient_magnitude", "gradient_peak", "loss_of_probability"]
__all__ += ["rce_gradient", "sl_gradient", "sl_gradient_simplified", "sl_gradient_sum", "sl_of_ce"]
__all__ += ["sl_weight", "softmax_jacobian", "softmax_jacobian_by_quotient"]


def _floats(values: ArrayLike) -> Array:
    return np.asarray(values, dtype=np.float64)


def _one_hot(label: int, classes: int) -> Array:
    if not 0 <= label < classes:
        raise ValueError(f"label {label} is outside 0 … {classes - 1}")
    return np.eye(classes)[label]


def check_parameters(alpha: float, beta: float, A: float) -> None:
    """Refuse weights and a value of log 0 that SL does not have."""
    if not (alpha >= 0 and beta >= 0 and A < 0):
        raise ValueError(f"need alpha >= 0, beta >= 0 and A < 0; got alpha={alpha}, beta={beta}, A={A}")


def softmax_jacobian_by_quotient(logits: ArrayLike) -> Array:
    """∂p_k/∂z_j at [..., k, j] by the quotient rule: Eq. 15, not simplified; e^z must not overflow.

    Examples
    --------
    >>> softmax_jacobian_by_quotient([0.0, 0.0])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    exponentials = np.exp(_floats(logits))
    total = exponentials.sum(axis=-1)[..., None, None]
    own = exponentials[..., :, None] * np.eye(exponentials.shape[-1])
    return (own * total - exponentials[..., :, None] * exponentials[..., None, :]) / total**2


def softmax_jacobian(probabilities: ArrayLike) -> Array:
    """∂p_k/∂z_j at [..., k, j]: p_k(1 − p_k) where k = j, −p_k p_j elsewhere (Eq. 9; Eqs. 16 and 17).

    Examples
    --------
    >>> softmax_jacobian([0.5, 0.5])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    p = _floats(probabilities)
    diagonal = np.eye(p.shape[-1], dtype=bool)
    return np.where(diagonal, (p * (1 - p))[..., :, None], -p[..., :, None] * p[..., None, :])


def rce_gradient(probabilities: ArrayLike, target: ArrayLike, A: float = -4.0) -> Array:
    """∂ℓ_rce/∂z_j = −Σ_k ∂p_k/∂z_j log q_k, for any target distribution (Eq. 8), shape (..., K).

    Examples
    --------
    >>> rce_gradient([0.5, 0.5], [1.0, 0.0], A=-4.0)
    array([-1.,  1.])
    """
    return -(softmax_jacobian(probabilities) * log_target(target, A)[..., :, None]).sum(axis=-2)


def ce_gradient(probabilities: ArrayLike, label: int) -> Array:
    """∂ℓ_ce/∂z_j = p_j − 1 at the label, p_j elsewhere (Eq. 11), shape (..., K).

    Examples
    --------
    >>> ce_gradient([0.5, 0.25, 0.25], label=0)
    array([-0.5 ,  0.25,  0.25])
    """
    p = _floats(probabilities)
    return p - _one_hot(label, p.shape[-1])


def sl_gradient_sum(probabilities: ArrayLike, target: ArrayLike, A: float = -4.0) -> Array:
    """∂ℓ_sl/∂z_j = −Σ_k (q_k/p_k) ∂p_k/∂z_j − Σ_k ∂p_k/∂z_j log q_k, with α = β = 1 (Eq. 14), shape (..., K).

    A predicted probability of 0, by which the equation divides, is a `ValueError`.

    Examples
    --------
    >>> sl_gradient_sum([0.5, 0.5], [1.0, 0.0], A=-4.0)
    array([-1.5,  1.5])
    """
    p = _floats(probabilities)
    if not bool((p > 0).all()):
        raise ValueError("Eq. 14 divides by p_k: every probability must be positive (Eq. 18 has no quotient)")
    forward = (softmax_jacobian(p) * (_floats(target) / p)[..., :, None]).sum(axis=-2)
    return rce_gradient(p, target, A) - forward


def sl_gradient_simplified(probabilities: ArrayLike, target: ArrayLike, A: float = -4.0) -> Array:
    """∂ℓ_sl/∂z_j = p_j − q_j + p_j (Σ_k p_k log q_k − log q_j), with α = β = 1 (Eq. 18), shape (..., K).

    Examples
    --------
    >>> sl_gradient_simplified([0.5, 0.5], [1.0, 0.0], A=-4.0)
    array([-1.5,  1.5])
    """
    p, q, log_q = _floats(probabilities), _floats(target), log_target(target, A)
    mean = (p * log_q).sum(axis=-1, keepdims=True)
    return p - q + p * (mean - log_q)


def sl_gradient(
    probabilities: ArrayLike, label: int, alpha: float = 1.0, beta: float = 1.0, A: float = -4.0
) -> Array:
    """Gradient of SL for a hard label (Eq. 10; Eqs. 19 and 20), with α and β, shape (..., K).

    At the label α(p_y − 1) − β(A p_y² − A p_y); elsewhere α p_j − β A p_j p_y. The paper has α = β = 1.

    Examples
    --------
    >>> sl_gradient([0.5, 0.25, 0.25], label=0, A=-4.0)
    array([-1.5 ,  0.75,  0.75])
    """
    check_parameters(alpha, beta, A)
    p = _floats(probabilities)
    p_y = p[..., label, None]
    at_label = _one_hot(label, p.shape[-1]) == 1
    second = np.where(at_label, -acceleration(p, A), -A * p * p_y)
    return alpha * ce_gradient(p, label) + beta * second


def acceleration(p_y: ArrayLike, A: float = -4.0) -> Array:
    """Return A p_y² − A p_y, the "adaptive acceleration term" of §4.2.

    For A < 0 it is concave, symmetric about ½, 0 at both ends, and at most −A/4.

    Examples
    --------
    >>> acceleration([0.0, 0.25, 0.5, 0.75, 1.0], A=-4.0)
    array([0.  , 0.75, 1.  , 0.75, 0.  ])
    """
    p = _floats(p_y)
    return A * p**2 - A * p


def sl_of_ce(ce: ArrayLike, alpha: float, beta: float, A: float = -4.0) -> Array:
    """SL as a function of CE alone, for hard labels: α ℓ_ce + β|A|(1 − e^{−ℓ_ce}).

    Examples
    --------
    >>> sl_of_ce([0.0, np.log(2)], alpha=0.0, beta=1.0, A=-4.0)
    array([0., 2.])
    """
    check_parameters(alpha, beta, A)
    loss = _floats(ce)
    return alpha * loss - beta * abs(A) * np.expm1(-loss)


def sl_weight(p_y: ArrayLike, alpha: float, beta: float, A: float = -4.0) -> Array:
    """α + β|A| p_y, which *rises* with p_y: what CE's gradient is multiplied by in SL's, for hard labels.

    Examples
    --------
    >>> sl_weight([0.0, 0.5, 1.0], alpha=6.0, beta=0.1, A=-4.0)
    array([6. , 6.2, 6.4])
    """
    check_parameters(alpha, beta, A)
    return alpha + beta * abs(A) * _floats(p_y)


def gradient_magnitude(p_y: ArrayLike, alpha: float, beta: float, A: float = -4.0) -> Array:
    """``|∂ℓ_sl/∂z_y| = (α + β|A| p_y)(1 − p_y)``; the other logits together get as much.

    Examples
    --------
    >>> gradient_magnitude([0.0, 0.5, 1.0], alpha=0.1, beta=1.0, A=-4.0)
    array([0.1 , 1.05, 0.  ])
    """
    return sl_weight(p_y, alpha, beta, A) * (1 - _floats(p_y))


def gradient_peak(alpha: float, beta: float, A: float = -4.0) -> float:
    """p* = ½ − α/(2β|A|), where `gradient_magnitude` is largest, if α < β|A|; else 0.

    Examples
    --------
    >>> gradient_peak(alpha=0.1, beta=1.0, A=-4.0)
    0.4875
    >>> gradient_peak(alpha=6.0, beta=0.1, A=-4.0)
    0.0
    """
    check_parameters(alpha, beta, A)
    knob = beta * abs(A)
    return 0.5 - alpha / (2 * knob) if alpha < knob else 0.0


def loss_of_probability(
    loss: Callable[[Tensor, Tensor], Tensor], p_y: ArrayLike, num_classes: int = 2
) -> tuple[Array, Array]:
    """Value and gradient weight of a loss, each (N,), at a given p_y, the rest of the mass spread evenly.

    The weight is (∂ℓ/∂z_y) / (∂ℓ_ce/∂z_y), by automatic differentiation: what it makes of CE's gradient.
    Each p_y lies strictly between 0 and 1.

    Examples
    --------
    >>> from sce_lib.losses.functional import mean_absolute_error
    >>> value, weight = loss_of_probability(mean_absolute_error, [0.25, 0.75])
    >>> value.round(3), weight.round(3)
    (array([1.5, 0.5]), array([0.5, 1.5]))
    """
    p = torch.as_tensor(_floats(p_y).ravel())
    if not bool(((p > 0) & (p < 1)).all()):
        ends = "at the ends CE's own gradient is 0 or undefined"
        raise ValueError(f"p_y must lie strictly between 0 and 1: {ends}")
    rest = ((1 - p) / (num_classes - 1)).log()[:, None].expand(-1, num_classes - 1)
    logits = torch.cat([p.log()[:, None], rest], dim=1).requires_grad_()
    value = loss(logits, torch.zeros(len(p), dtype=torch.long))
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    weight: Any = (gradient[:, 0] / (p - 1)).numpy()
    return value.detach().numpy(), weight
