"""From a config's method to the loss that is minimised."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sce_lib import losses
from sce_lib.experiments.config import parts


def build_criterion(method: Any, matrix: np.ndarray, epochs: int, num_samples: int = 0) -> nn.Module:
    """Return the mean-reduced loss module of a method.

    Parameters
    ----------
    method : a method of `sce_lib.experiments.config.parts`
    matrix : ndarray (K, K)
        True transition matrix of the labels, for the methods that are given it.
    epochs : int
        Length of the training, in the course of which D2L's loss changes.
    num_samples : int
        Number of training samples, of each of which ELR keeps a memory; other methods do not ask.

    Raises
    ------
    ValueError
        If backward correction is asked for and the matrix is singular, or ELR without a number of samples.

    Examples
    --------
    >>> build_criterion(parts.SL(alpha=0.1, beta=1.0, A=-4.0), np.eye(10), epochs=120)
    SymmetricCrossEntropy(alpha=0.1, beta=1.0, A=-4.0)
    """

    def transition() -> torch.Tensor:
        identity = getattr(method, "matrix", "true") == "identity"
        return torch.eye(len(matrix)) if identity else torch.as_tensor(matrix, dtype=torch.float32)

    match method:
        case parts.CE():
            return _times(method.scale, losses.CrossEntropy())
        case parts.RCE():
            return _times(method.scale, losses.ReverseCrossEntropy(A=method.A))
        case parts.SL():
            return _sl(method)
        case parts.MAE():
            return losses.MeanAbsoluteError()
        case parts.GCE():
            return losses.GeneralizedCrossEntropy(q=method.q, truncation=method.truncation)
        case parts.LSR():
            return losses.LabelSmoothing(epsilon=method.epsilon)
        case parts.Bootstrap():
            return losses.Bootstrap(beta=method.beta, hard=method.hard)
        case parts.Forward():
            return losses.ForwardCorrection(transition())
        case parts.Backward():
            return losses.BackwardCorrection(transition())
        case parts.D2L():
            loss = losses.CrossEntropy() if method.A is None else _sl(method)
            return losses.D2L(loss, epochs, window=method.window, first_epoch=method.first_epoch)
        case parts.LSRSL():
            return losses.SmoothedTargets(_sl(method), epsilon=method.epsilon)
        case parts.ForwardSL():
            rce = losses.ReverseCrossEntropy(A=method.A)
            return losses.Sum([(1.0, losses.ForwardCorrection(transition())), (method.beta, rce)])
        case parts.NCERCE():
            return _sum(method, losses.NormalizedCrossEntropy(), losses.ReverseCrossEntropy(A=method.A))
        case parts.NCEMAE():
            return _sum(method, losses.NormalizedCrossEntropy(), losses.MeanAbsoluteError())
        case parts.NFLRCE():
            return _sum(
                method, losses.NormalizedFocalLoss(method.gamma), losses.ReverseCrossEntropy(A=method.A)
            )
        case parts.NFLMAE():
            return _sum(method, losses.NormalizedFocalLoss(method.gamma), losses.MeanAbsoluteError())
        case parts.AGCE():
            return losses.AsymmetricGeneralizedCrossEntropy(a=method.a, q=method.q)
        case parts.AUE():
            return losses.AsymmetricUnhinged(a=method.a, q=method.q)
        case parts.AEL():
            return losses.AsymmetricExponential(a=method.a)
        case parts.ELR():
            return losses.ELR(num_samples, len(matrix), momentum=method.momentum, lambda_=method.lambda_)
        case _:
            raise ValueError(f"no loss is known for method {method!r}")


def of_samples(criterion: nn.Module, index: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a criterion as a loss of logits and labels where these are the training samples of an index.

    ELR is told of the index and remembers the logits, unless it is in evaluation mode.
    """
    return partial(criterion, index=index) if isinstance(criterion, losses.ELR) else criterion


def _sum(method: Any, active: losses.Loss, passive: losses.Loss) -> losses.Loss:
    return losses.Sum([(method.alpha, active), (method.beta, passive)])


def _sl(method: Any) -> losses.Loss:
    return losses.SymmetricCrossEntropy(alpha=method.alpha, beta=method.beta, A=method.A)


def _times(scale: float, loss: losses.Loss) -> losses.Loss:
    return loss if scale == 1.0 else losses.Sum([(scale, loss)])
