"""From what a network trained with symmetric cross entropy says to what it knows."""

import math

from torch import Tensor

from sce_lib.losses.functional.inputs import check_at_least_zero, class_dimension
from sce_lib.losses.functional.symmetric import PAPER_LOG_ZERO, check_log_zero

__all__ = ["calibrate"]

# How far rows may be from a sum of 1: half precision keeps three digits.
_TOLERANCE = 1e-2


def calibrate(
    probabilities: Tensor, alpha: float = 0.1, beta: float = 1.0, *, A: float = PAPER_LOG_ZERO
) -> Tensor:
    r"""Return the class probabilities behind those of a network trained with SL.

    Over all classifiers SL's risk is least not at the posterior :math:`\pi` but at a :math:`p` that is more
    confident, and known: :math:`\pi_k \propto p_k / (\alpha + \beta|A|\,p_k)`. So the posterior can be had
    back. The order of the classes, and with it the accuracy, is the same before and after.

    Parameters
    ----------
    probabilities : Tensor
        A softmax's output, ``(K,)``, ``(N, K)`` or ``(N, K, d1, ...)``; class dimension as in the losses.
    alpha, beta, A : float
        Those of training. `alpha` must be above 0: with reverse cross entropy alone the optimum is a
        one-hot vector, which says nothing but the largest class.

    Returns
    -------
    Tensor
        Probabilities of the same shape and dtype.

    Raises
    ------
    ValueError
        For hyperparameters that SL does not have, `alpha` of 0, or numbers that are no probabilities.

    Notes
    -----
    If training labels were noisy, this is the posterior of the *noisy* label. A network of limited size, or
    one stopped early, is not at the optimum; measure the calibration error before and after.

    Examples
    --------
    >>> import torch
    >>> calibrate(torch.tensor([0.75, 0.25]), alpha=1.0, beta=1.0, A=-4.0)
    tensor([0.6000, 0.4000])
    """
    check_at_least_zero(alpha=alpha, beta=beta)
    check_log_zero(A)
    if alpha == 0:
        raise ValueError("alpha must be above 0: reverse cross entropy alone leaves nothing to calibrate")
    if not probabilities.is_floating_point() or probabilities.ndim == 0:
        shape = f"{probabilities.dtype} of shape {tuple(probabilities.shape)}"
        raise ValueError(f"probabilities are floating point and have a class dimension; got {shape}")
    dim = class_dimension(probabilities)
    total = probabilities.sum(dim)
    if bool((probabilities < 0).any()) or not bool(((total - 1).abs() <= _TOLERANCE).all()):
        raise ValueError(
            "probabilities must be at least 0 and sum to 1 over the classes: give a softmax's output"
        )
    if not math.isfinite(ratio := beta * abs(A) / alpha):
        raise ValueError(
            f"alpha={alpha!r} is too small beside beta * |A| = {beta * abs(A)!r} to be divided by"
        )
    p = probabilities.double()  # so that neither a small alpha nor half precision costs the order of classes
    behind = p / (1 + ratio * p)
    return (behind / behind.sum(dim, keepdim=True)).to(probabilities.dtype)
