"""The losses that the paper compares itself with (§5.2)."""

import functools
import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sce_lib import quoted
from sce_lib.losses.functional import inputs
from sce_lib.losses.functional.inputs import Reduction, reduced

__all__ = ["backward_correction", "bootstrap", "forward_correction", "generalized_cross_entropy"]
__all__ += ["label_smoothing", "smooth_target"]

# How far a row's sum may be from 1; that of `sce_lib.noise`, which a test holds to.
ROW_SUM_TOLERANCE = 1e-6


def generalized_cross_entropy(
    logits: Tensor,
    target: Tensor,
    q: float = 0.7,
    truncation: float | None = None,
    *,
    reduction: Reduction = "none",
) -> Tensor:
    r"""Generalized cross entropy, :math:`(1 - p_y^q)/q` (Zhang and Sabuncu, NeurIPS 2018).

    It goes from cross entropy (:math:`q \to 0`) to :math:`1 - p_y` (``q = 1``), half the mean absolute error,
    and lies between 0 and ``1/q``.

    Parameters
    ----------
    q : float
        In (0, 1].
    truncation : float, optional
        In (0, 1), the k of the paper's truncated loss: where :math:`p_y \le k` the loss is the constant
        :math:`(1 - k^q)/q`, without gradient.

    Examples
    --------
    >>> generalized_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]), q=1.0)
    tensor([0.7500, 0.7500])
    """
    if not 0 < q <= 1:
        raise ValueError(f"q must be above 0 and at most 1, got q={q!r}")
    if truncation is not None and not 0 < truncation < 1:
        raise ValueError(f"truncation must lie strictly between 0 and 1, got truncation={truncation!r}")
    loss = functools.partial(gce_of_nll, q=q, truncation=truncation)
    return reduced(inputs.expectation_over_labels(loss, logits, target), reduction)


def gce_of_nll(nll: Tensor, q: float, truncation: float | None) -> Tensor:
    """Generalized cross entropy of a class index by its ``-log p_y``."""
    if truncation is not None:
        nll = nll.clamp(max=-math.log(truncation))
    return -torch.expm1(-q * nll) / q


def label_smoothing(
    logits: Tensor, target: Tensor, epsilon: float = 0.1, *, reduction: Reduction = "none"
) -> Tensor:
    r"""Label smoothing: cross entropy with the target :math:`(1 - \epsilon)\,q + \epsilon/K`.

    Szegedy et al., "Rethinking the Inception architecture", CVPR 2016. Smoothed targets sum to 1 for every
    number of classes.

    Parameters
    ----------
    epsilon : float
        The share of the uniform distribution, in [0, 1].

    Examples
    --------
    >>> label_smoothing(torch.tensor([[2.0, 0.0]]), torch.tensor([0]), epsilon=0.5)
    tensor([0.6269])
    """
    inputs.check_unit_interval(epsilon=epsilon)
    logits, target = inputs.checked(logits, target)
    if inputs.is_soft(target):
        losses = inputs.negative_log_likelihood(logits, smooth_target(logits, target, epsilon))
    else:
        losses = inputs.negative_log_likelihood(logits, target, label_smoothing=epsilon)
    return reduced(losses, reduction)


def smooth_target(logits: Tensor, target: Tensor, epsilon: float = 0.1) -> Tensor:
    r"""Smooth a target for any loss to use: :math:`(1 - \epsilon)\,q + \epsilon/K`, shaped like the logits.

    Of the logits only shape, dtype and device matter; ``epsilon`` is as for :func:`label_smoothing`.

    Examples
    --------
    >>> smooth_target(torch.zeros(1, 4), torch.tensor([2]), epsilon=0.4)
    tensor([[0.1000, 0.1000, 0.7000, 0.1000]])
    """
    inputs.check_unit_interval(epsilon=epsilon)
    logits, target = inputs.checked(logits, target)
    probabilities = target if inputs.is_soft(target) else inputs.one_hot_like(logits, target)
    return (1 - epsilon) * probabilities + epsilon / logits.shape[inputs.class_dimension(logits)]


def bootstrap(
    logits: Tensor,
    target: Tensor,
    beta: float | None = None,
    hard: bool = False,
    detach: bool = False,
    *,
    reduction: Reduction = "none",
) -> Tensor:
    r"""Bootstrapping, :math:`-\sum_k [\beta q_k + (1-\beta)\,\hat q_k] \log p_k`.

    By Reed et al., ICLR workshop 2015. :math:`\hat q` is the network's own opinion: its probabilities
    :math:`p` (soft) or the one-hot vector of its most probable class (hard).

    Parameters
    ----------
    beta : float, optional
        Share of the given label, in [0, 1]. The authors' values are the default: 0.95 soft, 0.8 hard.
    hard : bool
        Whether the network's opinion is its most probable class; of a tie, what torch's ``max`` picks.
    detach : bool
        Whether :math:`\hat q` is held constant in the gradient. By default it is not, which makes the soft
        form cross entropy with minimum entropy regularization. The hard form is the same either way.

    Examples
    --------
    >>> bootstrap(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), hard=True)
    tensor([1.7269])
    """
    beta = check_bootstrap(beta, hard)
    logits, target = inputs.checked(logits, target)
    dim = inputs.class_dimension(logits)
    log_p = logits.log_softmax(dim)
    if hard:
        own = -log_p.max(dim).values
        of_target = inputs.negative_log_likelihood(logits, target)
    else:
        p = log_p.exp()
        # So far down p is 0 in every precision, and 0 log 0 is 0.
        own = -((p.detach() if detach else p) * F.threshold(log_p, -1e4, -1e4)).sum(dim)
        of_target = inputs.nll_of_log_p(log_p, target)
    return reduced(beta * of_target + (1 - beta) * own, reduction)


def forward_correction(logits: Tensor, target: Tensor, T: Any, *, reduction: Reduction = "none") -> Tensor:
    r"""Forward correction, :math:`-\log (p^\top T)_y`: cross entropy of the predicted *noisy* label.

    Parameters
    ----------
    T : Tensor or array
        Transition matrix, shape ``(K, K)``, ``T[i, j]`` the probability of label j where class i is true;
        rows sum to 1 (not checked here, but by :class:`sce_lib.losses.ForwardCorrection`).

    Notes
    -----
    Patrini et al., CVPR 2017. Computed from logarithms throughout, so that the identity gives cross entropy
    at any logits. Probabilities take an intermediate tensor of K times the size of the logits. A label that
    ``T`` rules out (a column of zeros) would have an infinite loss whatever the network says; it gets the
    largest finite one, ``-log`` of the smallest normal number, and no gradient.

    Examples
    --------
    >>> T = torch.tensor([[0.8, 0.2], [0.4, 0.6]])
    >>> forward_correction(torch.zeros(1, 2), torch.tensor([0]), T).exp()
    tensor([1.6667])
    """
    logits, target = inputs.checked(logits, target)
    return reduced(forward_by_log_columns(logits, target, log_columns_of(T, logits)), reduction)


def forward_by_log_columns(logits: Tensor, target: Tensor, log_columns: Tensor) -> Tensor:
    """Forward correction by what :func:`log_columns_of` gives; input already checked."""
    dim = inputs.class_dimension(logits)
    log_p = logits.log_softmax(dim)
    if not inputs.is_soft(target):
        columns = F.embedding(target, log_columns).movedim(-1, dim)
        return -(log_p + columns).logsumexp(dim)
    log_T = log_columns.T.contiguous().reshape(log_columns.shape + (1,) * (logits.ndim - dim - 1))
    of_labels = (log_p.unsqueeze(dim + 1) + log_T).logsumexp(dim)
    return -inputs.weighted_sum(target, of_labels, dim)


def log_columns_of(T: Any, logits: Tensor) -> Tensor:
    """Logarithms of a transition matrix for logits to be added to, one row for each label."""
    T = _matrix_like(T, logits)
    return torch.where((T == 0).all(0), torch.finfo(T.dtype).tiny, T).log().T.contiguous()


def backward_correction(logits: Tensor, target: Tensor, T: Any, *, reduction: Reduction = "none") -> Tensor:
    r"""Backward correction, :math:`-\sum_k (T^{-1})_{yk} \log p_k`.

    Its mean over the noisy labels of a class is the cross entropy at that class. Unlike the other losses it
    can be negative, and has no lower bound (Patrini et al., CVPR 2017).

    Parameters
    ----------
    T : Tensor or array
        As for :func:`forward_correction`, and invertible; inverted at every call, which
        :class:`sce_lib.losses.BackwardCorrection` does once.

    Examples
    --------
    >>> T = torch.tensor([[0.8, 0.2], [0.4, 0.6]])
    >>> logits = torch.tensor([[2.0, 0.0]])
    >>> noisy = [backward_correction(logits, torch.tensor([label]), T) for label in (0, 1)]
    >>> 0.8 * noisy[0] + 0.2 * noisy[1]  # cross entropy at the clean label 0
    tensor([0.1269])
    """
    rows = torch.linalg.inv(torch.as_tensor(T, dtype=torch.float64))
    return reduced(cross_entropy_with_rows(logits, target, rows), reduction)


def cross_entropy_with_rows(logits: Tensor, target: Tensor, rows: Tensor) -> Tensor:
    """Cross entropy after each label y has been replaced by the weights ``rows[y]``, shape ``(K, K)``."""
    logits, target = inputs.checked(logits, target)
    dim = inputs.class_dimension(logits)
    rows = _matrix_like(rows, logits)
    if inputs.is_soft(target):
        # The entries of an inverse cancel each other: no half precision here.
        with torch.autocast(logits.device.type, enabled=False):
            weights = target.movedim(dim, -1) @ rows
    else:
        weights = F.embedding(target, rows)
    return -inputs.weighted_sum(weights.movedim(-1, dim), logits.log_softmax(dim), dim)


def check_bootstrap(beta: float | None, hard: bool) -> float:
    """Refuse a share out of range; fill in the authors' where none is given."""
    if beta is None:
        return 0.8 if hard else 0.95
    inputs.check_unit_interval(beta=beta)
    return beta


def check_transitions(T: Any, invertible: bool = False) -> Tensor:
    """Return a transition matrix as float64 after a look at its values, which the functions do not take."""
    try:
        held = T if isinstance(T, Tensor) else np.asarray(T, dtype=np.float64)
        T = torch.as_tensor(held, dtype=torch.float64)
    except (TypeError, ValueError):
        raise TypeError(f"a transition matrix holds numbers, shape (K, K); got {quoted(T)}") from None
    if T.ndim != 2 or T.shape[0] != T.shape[1]:
        raise ValueError(f"a transition matrix has the shape (K, K), got {tuple(T.shape)}")
    if not ((T >= 0) & (T <= 1)).all():
        raise ValueError(f"the entries of a transition matrix lie between 0 and 1, got\n{T}")
    sums = T.sum(1)
    if (sums - 1).abs().max() > ROW_SUM_TOLERANCE:
        row = int((sums - 1).abs().argmax())
        meaning = "T[i, j] is the probability of label j where class i is true"
        raise ValueError(
            f"row {row} of the transition matrix sums to {sums[row]:.6g} and not to 1; {meaning}"
        )
    if invertible and torch.linalg.matrix_rank(T, rtol=1e-6) < len(T):
        raise ValueError(
            f"backward correction needs an invertible transition matrix, but this one is singular:\n{T}\n"
            f"Its noisy labels do not determine the clean ones; forward correction takes any matrix."
        )
    return T


def _matrix_like(T: Any, logits: Tensor) -> Tensor:
    classes = logits.shape[inputs.class_dimension(logits)]
    T = torch.as_tensor(T, dtype=logits.dtype, device=logits.device)
    if T.shape != (classes, classes):
        wanted = f"a transition matrix of shape {(classes, classes)}, got {tuple(T.shape)}"
        raise ValueError(f"logits of {classes} classes need {wanted}")
    return T
