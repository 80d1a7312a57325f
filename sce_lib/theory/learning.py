"""How a sample is learned: time to learn it by gradient flow, and who gets the gradient. Not in the paper."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sce_lib.theory.gradients import check_parameters, gradient_magnitude
from sce_lib.theory.problems import Array

__all__ = ["gradient_share_below", "learning_speed", "learning_time"]


def learning_speed(
    p_y: ArrayLike, num_classes: int, alpha: float = 0.1, beta: float = 1.0, A: float = -4.0
) -> Array:
    r"""Return :math:`\dot p_y = (\alpha + \beta|A|p_y)\,p_y(1-p_y)^2\,K/(K-1)`, gradient flow's speed.

    The flow is on the logits of one sample with a hard label, whose other classes have equal probabilities,
    as they have from a uniform start on. Time is in units of the inverse learning rate.

    Examples
    --------
    >>> learning_speed([0.0, 0.5, 1.0], num_classes=2, alpha=1.0, beta=0.0)
    array([0.  , 0.25, 0.  ])
    """
    _check_classes(num_classes)
    p = _probabilities(p_y)
    return gradient_magnitude(p, alpha, beta, A) * p * (1 - p) * num_classes / (num_classes - 1)


def learning_time(
    num_classes: int,
    alpha: float = 0.1,
    beta: float = 1.0,
    A: float = -4.0,
    end: ArrayLike = 0.5,
    start: float | None = None,
) -> Array:
    r"""Return how long gradient flow takes to bring a sample's :math:`p_y` from `start` to `end`.

    In closed form, the integral of one over `learning_speed`. From 1/K to ½ CE takes :math:`\frac{K-1}{K}[2 +
    \log(K-1) - \frac{K}{K-1}]`, about log K, and RCE :math:`\frac{K-1}{K|A|}[K - \frac{K}{K-1} +
    2\log(K-1)]`, about :math:`K/|A|`: so RCE underfits where there are many classes.

    Parameters
    ----------
    num_classes : int
        K, at least 2.
    alpha, beta, A : float
        Of SL; α and β not both 0.
    end : array_like
        :math:`p_y` to reach, each strictly between 0 and 1. One below `start` gives a negative time.
    start : float, optional
        :math:`p_y` to begin at, strictly between 0 and 1; 1/K unless given.

    Examples
    --------
    >>> hundred = [(1.0, 0.0), (0.0, 1.0), (0.1, 1.0), (6.0, 0.1)]  # CE, RCE, SL, SL for CIFAR-100
    >>> [round(float(learning_time(100, alpha, beta, A=-4.0)), 1) for alpha, beta in hundred]
    [5.5, 26.8, 13.8, 0.9]
    """
    _check_classes(num_classes)
    check_parameters(alpha, beta, A)
    if alpha + beta == 0:
        raise ValueError("with alpha and beta both 0 nothing is learned: give at least one of them")
    first = 1 / num_classes if start is None else start
    for name, values in (("start", first), ("end", end)):
        p = _probabilities(values)
        if not bool(((p > 0) & (p < 1)).all()):
            raise ValueError(f"{name} must lie strictly between 0 and 1, got {values}")
    passed = _primitive(_probabilities(end), alpha, beta * abs(A)) - _primitive(
        _probabilities(first), alpha, beta * abs(A)
    )
    return passed * (num_classes - 1) / num_classes


def _primitive(p: Array, alpha: float, knob: float) -> Array:
    r"""Return the antiderivative of :math:`1/((\alpha + \gamma p)\,p\,(1-p)^2)`, by partial fractions."""
    whole = alpha + knob
    at_one = 1 / (whole * (1 - p)) - (alpha + 2 * knob) / whole**2 * np.log1p(-p)
    if knob == 0:
        return at_one + np.log(p) / alpha
    weight = np.log(alpha + knob * p)
    if alpha == 0:
        return at_one - 1 / (knob * p) + 2 / knob * weight
    # 1/α (log p − γ²/(α+γ)² log(α + γp)), so put that a small α costs no digits.
    return at_one - np.log1p(alpha / (knob * p)) / alpha + (alpha + 2 * knob) / whole**2 * weight


def gradient_share_below(
    p_y: ArrayLike, threshold: ArrayLike, alpha: float = 0.1, beta: float = 1.0, A: float = -4.0
) -> Array:
    r"""Return the share of the gradient that samples with :math:`p_y` at most a threshold get under SL.

    Gradients are measured by :math:`|\partial\ell/\partial z_y|`; the others' lengths in the same ratio. For
    every threshold the share under SL is at most the one under CE (β = 0): SL's weight rises with
    :math:`p_y`. That is the exact statement about "hard samples", §5.1.

    Parameters
    ----------
    p_y : array_like (N,)
        Probabilities of the labels, not all 1.
    threshold : array_like
        One or more thresholds, of any shape.

    Examples
    --------
    >>> p = [0.02, 0.2, 0.9]
    >>> gradient_share_below(p, 0.1, alpha=1.0, beta=0.0).round(2), gradient_share_below(p, 0.1).round(2)
    (np.float64(0.52), np.float64(0.14))
    """
    p = _probabilities(p_y)
    if p.ndim != 1 or p.size == 0:
        raise ValueError(f"p_y holds one probability a sample, shape (N,); got {p.shape}")
    sizes = gradient_magnitude(p, alpha, beta, A)
    if not sizes.sum() > 0:
        raise ValueError("no sample has a gradient, so there is none to share out")
    below = p <= np.asarray(threshold, dtype=np.float64)[..., None]
    return (below * sizes).sum(axis=-1) / sizes.sum()


def _check_classes(num_classes: int) -> None:
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")


def _probabilities(values: Any) -> Array:
    p = np.asarray(values, dtype=np.float64)
    if not bool(((p >= 0) & (p <= 1)).all()):
        raise ValueError(f"probabilities lie between 0 and 1, got {values}")
    return p
