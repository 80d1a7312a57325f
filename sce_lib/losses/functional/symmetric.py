"""The paper's own losses: cross entropy, reverse cross entropy, their sum SL, and mean absolute error."""

import math

import torch
from torch import Tensor

from sce_lib.losses.functional import inputs
from sce_lib.losses.functional.inputs import Reduction, reduced

__all__ = ["PAPER_LOG_ZERO", "cross_entropy", "mean_absolute_error", "reverse_cross_entropy"]
__all__ += ["symmetric_cross_entropy"]

PAPER_LOG_ZERO = -4.0
"""The paper's ``log 0 := A`` for its comparison with other methods (§5.2)."""


def cross_entropy(logits: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    r"""Cross entropy, :math:`\ell_{ce} = -\sum_k q_k \log p_k` (Eq. 1).

    Examples
    --------
    >>> cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([1.3863, 1.3863])
    """
    return reduced(inputs.negative_log_likelihood(*inputs.checked(logits, target)), reduction)


def reverse_cross_entropy(
    logits: Tensor, target: Tensor, *, A: float = PAPER_LOG_ZERO, reduction: Reduction = "none"
) -> Tensor:
    r"""Reverse cross entropy, :math:`\ell_{rce} = -\sum_k p_k \max(\log q_k, A)` (Eq. 5, ``log 0 := A``).

    A class index gives :math:`-A\,(1 - p_y)`. With probabilities the logarithm is floored at ``A``, so that
    all of them below :math:`e^A`, and not only zeros, count as :math:`e^A`: a small probability never costs
    more than none.

    Parameters
    ----------
    A : float
        What stands for ``log 0``; finite and below 0.

    Notes
    -----
    At :math:`q_k = 0` the logarithm has the value ``A`` and the gradient 0 with respect to the target, as
    everywhere below :math:`e^A`. With respect to the logits, a class index gives
    :math:`-A\,p_y\,\partial\ell_{ce}/\partial z`, which vanishes where :math:`p_y \to 0`.

    Examples
    --------
    >>> reverse_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]), A=-4)
    tensor([3., 3.])
    """
    check_log_zero(A)
    return reduced(_reverse_cross_entropy(*inputs.checked(logits, target), A), reduction)


def symmetric_cross_entropy(
    logits: Tensor,
    target: Tensor,
    alpha: float = 0.1,
    beta: float = 1.0,
    *,
    A: float = PAPER_LOG_ZERO,
    clip: float | None = None,
    reduction: Reduction = "none",
) -> Tensor:
    r"""Symmetric cross entropy, the paper's SL: :math:`\alpha\,\ell_{ce} + \beta\,\ell_{rce}` (Eq. 7).

    A class index gives :math:`\alpha\,\ell_{ce} - \beta A\,(1 - e^{-\ell_{ce}})`, a function of the cross
    entropy alone, so that its gradient is the cross entropy's times :math:`\alpha + \beta|A|\,p_y`.

    Parameters
    ----------
    alpha, beta : float
        Weights of cross entropy and of reverse cross entropy; finite, at least 0.
    A : float
        What stands for ``log 0``; finite and below 0. :func:`reverse_cross_entropy` says what happens there.
    clip : float, optional
        In (0, 1). Below it a predicted probability counts as ``clip`` in the cross entropy, which then has no
        gradient and is at most ``-log(clip)``; reverse cross entropy keeps its own.

    Notes
    -----
    The paper clips nothing. Its released code has ``A = log(1e-4)`` and ``clip = 1e-7``: where :math:`p_y` is
    below, its cross entropy is :math:`\log 10^7 = 16.1`, and all that is left of the gradient is reverse
    cross entropy's. At any other :math:`p_y` the two agree.

    Examples
    --------
    >>> symmetric_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]), alpha=0.1, beta=1.0, A=-4)
    tensor([3.1386, 3.1386])
    """
    inputs.check_at_least_zero(alpha=alpha, beta=beta)
    check_log_zero(A)
    check_clip(clip)
    logits, target = inputs.checked(logits, target)
    if inputs.is_soft(target):
        rce = _reverse_cross_entropy(logits, target, A)
        losses = alpha * _clipped_cross_entropy(logits, target, clip) + beta * rce
    else:
        losses = sl_of_nll(inputs.negative_log_likelihood(logits, target), alpha, beta, A, clip)
    return reduced(losses, reduction)


def mean_absolute_error(logits: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    r"""Mean absolute error, :math:`\ell_{mae} = \sum_k |p_k - q_k|` (§4.3).

    It lies between 0 and 2. A class index gives :math:`2\,(1 - p_y)`, which is reverse cross entropy with ``A
    = -2``; with probabilities the two differ. Where :math:`p_k = q_k` the subgradient 0 is taken.

    Examples
    --------
    >>> mean_absolute_error(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([1.5000, 1.5000])
    """
    logits, target = inputs.checked(logits, target)
    if inputs.is_soft(target):
        dim = inputs.class_dimension(logits)
        losses = (logits.softmax(dim) - target).abs().sum(dim)
    else:
        losses = mae_of_nll(inputs.negative_log_likelihood(logits, target))
    return reduced(losses, reduction)


def rce_of_nll(nll: Tensor, A: float) -> Tensor:
    """Reverse cross entropy of a class index by its ``-log p_y``."""
    return A * torch.expm1(-nll)


def sl_of_nll(nll: Tensor, alpha: float, beta: float, A: float, clip: float | None = None) -> Tensor:
    """SL of a class index by its ``-log p_y``."""
    ce = nll if clip is None else nll.clamp(max=-math.log(clip))
    return torch.add((beta * A) * torch.expm1(-nll), ce, alpha=alpha)


def mae_of_nll(nll: Tensor) -> Tensor:
    """Mean absolute error of a class index by its ``-log p_y``."""
    return -2 * torch.expm1(-nll)


def check_log_zero(A: float) -> None:
    """Refuse an ``A`` that cannot stand for ``log 0``."""
    if not -math.inf < A < 0:
        usual = "the paper uses -4 and -6"
        raise ValueError(f"A stands for log 0 and must be finite and below 0, got A={A!r}; {usual}")


def check_clip(clip: float | None) -> None:
    """Refuse a ``clip`` that is no probability between 0 and 1."""
    if clip is not None and not 0 < clip < 1:
        usual = "the released code uses 1e-7"
        raise ValueError(f"clip must lie strictly between 0 and 1, got clip={clip!r}; {usual}")


def _clipped_cross_entropy(logits: Tensor, target: Tensor, clip: float | None) -> Tensor:
    if clip is None:
        return inputs.negative_log_likelihood(logits, target)
    most = -math.log(clip)
    return inputs.expectation_over_labels(lambda nll: nll.clamp(max=most), logits, target)


def _reverse_cross_entropy(logits: Tensor, target: Tensor, A: float) -> Tensor:
    if not inputs.is_soft(target):
        return rce_of_nll(inputs.negative_log_likelihood(logits, target), A)
    dim, positive = inputs.class_dimension(logits), target > 0
    # The inner `where` keeps the gradient at 0 from being 0 times infinity.
    log_q = torch.where(positive, torch.where(positive, target, 1.0).log(), A).clamp(min=A)
    return -(logits.softmax(dim) * log_q).sum(dim)
