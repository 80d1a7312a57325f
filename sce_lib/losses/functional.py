r"""Every loss formula of the project, once: pure functions from logits and target to one loss per sample.

Throughout, :math:`z` are the logits of one sample, :math:`p = \mathrm{softmax}(z)` its predicted probabilities,
:math:`q` its target distribution and, where the target is a class index, :math:`y` that class. All functions share
the same conventions.

Parameters common to all
    ``logits`` has the shape ``(N, K)`` or ``(N, K, d1, ...)``; a single sample ``(K,)`` is accepted as well.
    ``target`` holds either class indices (int64, the shape of ``logits`` without its class dimension) or
    probabilities (floating point, the shape of ``logits``).

Result
    One loss per sample, ``(N,)`` or ``(N, d1, ...)``. Half-precision logits are computed with, and answered, in
    float32, as autocast does for cross entropy. Class weights, ignored labels and the reduction are the business
    of the modules in :mod:`sce_lib.losses.modules`.

Errors
    ``TypeError`` for a dtype and ``ValueError`` for a shape or hyperparameter out of range. Values inside the
    tensors are not looked at (that would break ``torch.compile(fullgraph=True)`` and ``torch.func.vmap``): a class
    index out of range is refused by torch itself, and probabilities are taken as they come.

With a class index, most of these losses depend on :math:`p_y` alone. They are written in terms of
:math:`\ell_{ce} = -\log p_y`, which one call to ``torch.nn.functional.cross_entropy`` provides; what follows is
elementwise work on ``N`` numbers, and it stays exact and finite where :math:`p_y` itself underflows to 0 or
rounds to 1.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

PAPER_LOG_ZERO = -4.0
"""The paper's value of ``log 0 := A`` for its comparison with other methods (§5.2)."""

# cross_entropy skips targets equal to its ignore_index; no label may be skipped silently here, so it gets a
# value that no label has.
_NO_LABEL = -(2**63)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    r"""Cross entropy, :math:`\ell_{ce} = -\sum_k q_k \log p_k` (Eq. 1).

    Parameters
    ----------
    logits : Tensor
        Shape ``(N, K)`` or ``(N, K, d1, ...)``.
    target : Tensor
        Class indices ``(N, d1, ...)`` (int64) or probabilities, shaped like ``logits``.

    Returns
    -------
    Tensor
        Shape ``(N, d1, ...)``.

    Examples
    --------
    >>> import torch
    >>> cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([1.3863, 1.3863])
    """
    return _cross_entropy(*_checked(logits, target))


def reverse_cross_entropy(logits: Tensor, target: Tensor, *, A: float = PAPER_LOG_ZERO) -> Tensor:
    r"""Reverse cross entropy, :math:`\ell_{rce} = -\sum_k p_k \max(\log q_k, A)` (Eq. 5 with ``log 0 := A``).

    A class index gives :math:`-A\,(1 - p_y)`. Probabilities below :math:`e^A`, and not only zeros, count as
    :math:`e^A`: the logarithm is floored at ``A``, so that a small probability never costs more than none at all.

    Parameters
    ----------
    logits : Tensor
        Shape ``(N, K)`` or ``(N, K, d1, ...)``.
    target : Tensor
        Class indices ``(N, d1, ...)`` (int64) or probabilities, shaped like ``logits``.
    A : float
        What stands for ``log 0``; finite and below 0.

    Returns
    -------
    Tensor
        Shape ``(N, d1, ...)``.

    Notes
    -----
    At :math:`q_k = 0` the value of the logarithm is ``A`` and its gradient with respect to the target is 0, as
    everywhere below :math:`e^A`. The gradient with respect to the logits is
    :math:`-A\,p_y\,\partial\ell_{ce}/\partial z` for a class index: it vanishes where :math:`p_y \to 0`.

    Examples
    --------
    >>> import torch
    >>> reverse_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]), A=-4)
    tensor([3., 3.])
    """
    _check_log_zero(A)
    return _reverse_cross_entropy(*_checked(logits, target), A)


def symmetric_cross_entropy(
    logits: Tensor, target: Tensor, alpha: float = 0.1, beta: float = 1.0, *, A: float = PAPER_LOG_ZERO
) -> Tensor:
    r"""Symmetric cross entropy, the paper's SL: :math:`\alpha\,\ell_{ce} + \beta\,\ell_{rce}` (Eq. 7).

    A class index gives :math:`\alpha\,\ell_{ce} - \beta A\,(1 - e^{-\ell_{ce}})`, a function of the cross entropy
    alone. So its gradient is the cross entropy's, times :math:`\alpha + \beta|A|\,p_y`.

    Parameters
    ----------
    logits : Tensor
        Shape ``(N, K)`` or ``(N, K, d1, ...)``.
    target : Tensor
        Class indices ``(N, d1, ...)`` (int64) or probabilities, shaped like ``logits``.
    alpha, beta : float
        Weights of cross entropy and of reverse cross entropy; finite, at least 0.
    A : float
        What stands for ``log 0``; finite and below 0. See :func:`reverse_cross_entropy`.

    Returns
    -------
    Tensor
        Shape ``(N, d1, ...)``.

    Examples
    --------
    >>> import torch
    >>> symmetric_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]), alpha=0.1, beta=1.0, A=-4)
    tensor([3.1386, 3.1386])
    """
    _check_at_least_zero(alpha=alpha, beta=beta)
    _check_log_zero(A)
    logits, target = _checked(logits, target)
    if _is_soft(target):
        return alpha * _cross_entropy(logits, target) + beta * _reverse_cross_entropy(logits, target, A)
    nll = _cross_entropy(logits, target)
    return alpha * nll + (beta * A) * torch.expm1(-nll)


def mean_absolute_error(logits: Tensor, target: Tensor) -> Tensor:
    r"""Mean absolute error, :math:`\ell_{mae} = \sum_k |p_k - q_k|` (§4.3); :math:`2\,(1 - p_y)` for a class index.

    For a class index it is reverse cross entropy with ``A = -2``; for probabilities it is not.

    Parameters
    ----------
    logits : Tensor
        Shape ``(N, K)`` or ``(N, K, d1, ...)``.
    target : Tensor
        Class indices ``(N, d1, ...)`` (int64) or probabilities, shaped like ``logits``.

    Returns
    -------
    Tensor
        Shape ``(N, d1, ...)``, between 0 and 2.

    Notes
    -----
    Where :math:`p_k = q_k` the subgradient 0 is taken.

    Examples
    --------
    >>> import torch
    >>> mean_absolute_error(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([1.5000, 1.5000])
    """
    logits, target = _checked(logits, target)
    if _is_soft(target):
        dim = class_dimension(logits)
        return (logits.softmax(dim) - target).abs().sum(dim)
    return -2 * torch.expm1(-_cross_entropy(logits, target))


def class_dimension(logits: Tensor) -> int:
    """Return the dimension that runs over the classes: 1, or 0 for the logits of a single sample.

    Examples
    --------
    >>> import torch
    >>> class_dimension(torch.zeros(8, 10, 32, 32)), class_dimension(torch.zeros(10))
    (1, 0)
    """
    return 0 if logits.ndim == 1 else 1


def _is_soft(target: Tensor) -> bool:
    return target.is_floating_point()


def _checked(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Refuse shapes and dtypes that no loss can use; lift half precision to float32."""
    if not logits.is_floating_point():
        raise TypeError(f"logits must be floating point, got {logits.dtype}")
    if logits.ndim == 0:
        raise ValueError("logits must have a class dimension, (K,), (N, K) or (N, K, d1, ...); got a scalar")
    dim = class_dimension(logits)
    if _is_soft(target):
        if target.shape != logits.shape:
            raise ValueError(
                f"a floating-point target holds class probabilities and has the shape of the logits, "
                f"{tuple(logits.shape)}; got {tuple(target.shape)} (class indices must be int64: target.long())"
            )
    elif target.dtype != torch.int64:
        raise TypeError(
            f"target must be class indices of dtype torch.int64 or floating-point probabilities, "
            f"got {target.dtype}; convert class indices with target.long()"
        )
    elif target.shape != logits.shape[:dim] + logits.shape[dim + 1 :]:
        raise ValueError(
            f"class indices for logits of shape {tuple(logits.shape)} have the shape "
            f"{tuple(logits.shape[:dim] + logits.shape[dim + 1 :])}, got {tuple(target.shape)}"
        )
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    return logits, target.to(logits.dtype) if _is_soft(target) else target


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits, target, reduction="none", ignore_index=_NO_LABEL)


def _reverse_cross_entropy(logits: Tensor, target: Tensor, A: float) -> Tensor:
    if _is_soft(target):
        dim = class_dimension(logits)
        return -(logits.softmax(dim) * _floored_log(target, A)).sum(dim)
    return A * torch.expm1(-_cross_entropy(logits, target))


def _floored_log(probabilities: Tensor, A: float) -> Tensor:
    """``max(log q, A)``, with gradient 0 instead of NaN at ``q = 0``."""
    positive = probabilities > 0
    return torch.where(positive, torch.where(positive, probabilities, 1).log(), A).clamp(min=A)


def _check_log_zero(A: float) -> None:
    if not -math.inf < A < 0:
        raise ValueError(
            f"A stands for log 0 and must be finite and below 0, got A={A!r}; the paper uses -4 and -6"
        )


def _check_at_least_zero(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be finite and at least 0, got {name}={value!r}")
