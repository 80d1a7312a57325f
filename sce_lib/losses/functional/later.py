r"""Losses of the years around the paper that have cross entropy, mean absolute error or both as limits."""

import math

import torch
from torch import Tensor

from sce_lib.losses.functional import inputs
from sce_lib.losses.functional.inputs import Reduction, reduced

__all__ = ["asymmetric_exponential", "asymmetric_generalized_cross_entropy", "asymmetric_unhinged"]
__all__ += ["focal_loss", "jensen_shannon", "normalized_cross_entropy", "normalized_focal_loss"]
__all__ += ["partially_huberised_cross_entropy", "taylor_cross_entropy"]


def normalized_cross_entropy(logits: Tensor, target: Tensor, *, reduction: Reduction = "none") -> Tensor:
    r"""NCE, normalized cross entropy, :math:`\log p_y / \sum_k \log p_k` (Ma et al., ICML 2020).

    It lies between 0 and 1 and, over all labels of one sample, sums to 1. It takes at least 2 classes: with
    one it is 0/0. "NCE+RCE" is a weighted :class:`sce_lib.losses.Sum` of it and reverse cross entropy.

    Examples
    --------
    >>> normalized_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([0.2500, 0.2500])
    """
    logits, target = inputs.checked(logits, target)
    dim = inputs.class_dimension(logits)
    log_p = _finite_log_softmax(logits, dim)
    return reduced(nce_of_logs(inputs.nll_of_log_p(log_p, target), log_p), reduction)


def nce_of_logs(nll: Tensor, log_p: Tensor) -> Tensor:
    """NCE by ``-log p_y``, or its mean under the target, and all ``log p_k``."""
    return nll / -_finite(log_p, inputs.class_dimension(log_p)).sum(inputs.class_dimension(log_p))


def focal_loss(
    logits: Tensor, target: Tensor, gamma: float = 2.0, *, reduction: Reduction = "none"
) -> Tensor:
    r"""Focal loss, :math:`-(1 - p_y)^\gamma \log p_y` (Lin et al., ICCV 2017).

    ``gamma = 0`` gives cross entropy. It has no bound, and is made for rare classes and not for wrong labels;
    its factor per class is what ``weight`` of the modules is.

    Parameters
    ----------
    gamma : float
        Finite, at least 0. The authors use 2, Ma et al. (ICML 2020) 0.5.

    Examples
    --------
    >>> focal_loss(torch.zeros(2, 4), torch.tensor([0, 3]), gamma=2)
    tensor([0.7798, 0.7798])
    """
    inputs.check_at_least_zero(gamma=gamma)
    return reduced(inputs.expectation_over_labels(lambda nll: _focal(nll, gamma), logits, target), reduction)


def normalized_focal_loss(
    logits: Tensor, target: Tensor, gamma: float = 0.5, *, reduction: Reduction = "none"
) -> Tensor:
    r"""NFL, the focal loss divided by its sum over all labels (Ma et al., ICML 2020).

    :math:`(1 - p_y)^\gamma \log p_y / \sum_k (1 - p_k)^\gamma \log p_k`. As :func:`normalized_cross_entropy`,
    which ``gamma = 0`` gives, it lies between 0 and 1, sums to 1 over the labels of one sample, and takes at
    least 2 classes. "NFL+RCE" is a weighted :class:`sce_lib.losses.Sum` of it and reverse cross entropy.

    Parameters
    ----------
    gamma : float
        Finite, at least 0.

    Notes
    -----
    The gradient is that of the formula. The authors' public code has the same values, but holds the factors
    :math:`(1 - p_k)^\gamma` constant in the gradient.

    Examples
    --------
    >>> normalized_focal_loss(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([0.2500, 0.2500])
    """
    inputs.check_at_least_zero(gamma=gamma)
    logits, target = inputs.checked(logits, target)
    dim = inputs.class_dimension(logits)
    of_labels = _focal(-_finite_log_softmax(logits, dim), gamma)
    if inputs.is_soft(target):
        of_target = (target * of_labels).sum(dim)
    else:
        of_target = of_labels.gather(dim, target.unsqueeze(dim)).squeeze(dim)
    return reduced(of_target / of_labels.sum(dim), reduction)


def taylor_cross_entropy(
    logits: Tensor, target: Tensor, t: int = 2, *, reduction: Reduction = "none"
) -> Tensor:
    r"""Taylor cross entropy, :math:`\sum_{i=1}^{t} (1 - p_y)^i / i` (Feng et al., IJCAI 2020).

    From :math:`1 - p_y` (``t = 1``), half the mean absolute error, to cross entropy (:math:`t \to \infty`).

    Parameters
    ----------
    t : int
        Number of terms, at least 1.

    Examples
    --------
    >>> taylor_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]), t=2)
    tensor([1.0312, 1.0312])
    """
    if isinstance(t, bool) or not isinstance(t, int) or t < 1:
        raise ValueError(f"t must be an integer of at least 1, got t={t!r}")

    def loss(nll: Tensor) -> Tensor:
        error = -torch.expm1(-nll)
        total = error / t
        for i in range(t - 1, 0, -1):
            total = error * (1 / i + total)
        return total

    return reduced(inputs.expectation_over_labels(loss, logits, target), reduction)


def partially_huberised_cross_entropy(
    logits: Tensor, target: Tensor, tau: float = 10.0, *, reduction: Reduction = "none"
) -> Tensor:
    r"""Cross entropy that is linear in :math:`p_y` from :math:`1/\tau` down (Menon et al., ICLR 2020).

    :math:`-\log p_y` where :math:`p_y > 1/\tau`, else :math:`-\tau p_y + \log\tau + 1`, which is the most. It
    goes from :math:`1 - p_y` (``tau = 1``), half the mean absolute error, to cross entropy (:math:`\tau \to
    \infty`).

    Parameters
    ----------
    tau : float
        At least 1, finite. The largest gradient with respect to :math:`p_y`.

    Examples
    --------
    >>> partially_huberised_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]), tau=2)
    tensor([1.1931, 1.1931])
    """
    if not 1 <= tau < math.inf:
        raise ValueError(f"tau must be finite and at least 1, got tau={tau!r}")
    threshold = math.log(tau)

    def loss(nll: Tensor) -> Tensor:
        return nll.clamp(max=threshold) - torch.expm1(-(nll - threshold).relu())

    return reduced(inputs.expectation_over_labels(loss, logits, target), reduction)


def asymmetric_generalized_cross_entropy(
    logits: Tensor, target: Tensor, a: float = 0.6, q: float = 0.6, *, reduction: Reduction = "none"
) -> Tensor:
    r"""Asymmetric generalized cross entropy, :math:`[(a+1)^q - (a+p_y)^q]/q` (Zhou et al., ICML 2021).

    ``a = 0`` gives generalized cross entropy, ``q = 1`` gives :math:`1 - p_y`, half the mean absolute error.

    Parameters
    ----------
    a : float
        Finite, at least 0.
    q : float
        Finite, above 0.

    Examples
    --------
    >>> asymmetric_generalized_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]), a=1, q=2)
    tensor([1.2188, 1.2188])
    """
    if not 0 <= a < math.inf:
        raise ValueError(f"a must be finite and at least 0, got a={a!r}")
    if not 0 < q < math.inf:
        raise ValueError(f"q must be finite and above 0, got q={q!r}")

    def loss(nll: Tensor) -> Tensor:
        # log((a + p)/(a + 1)): the logarithm keeps the gradient right where both a and p are 0.
        log_a = math.log(a) if a > 0 else torch.finfo(nll.dtype).min
        log_ratio = torch.logaddexp(nll.new_full((), log_a), -nll) - math.log1p(a)
        return -((a + 1) ** q) * torch.expm1(q * log_ratio) / q

    return reduced(inputs.expectation_over_labels(loss, logits, target), reduction)


def asymmetric_unhinged(
    logits: Tensor, target: Tensor, a: float = 5.5, q: float = 3.0, *, reduction: Reduction = "none"
) -> Tensor:
    r"""AUE, the asymmetric unhinged loss (Zhou et al., ICML 2021).

    :math:`[(a - p_y)^q - (a - 1)^q]/q`, from 0 to :math:`[a^q - (a-1)^q]/q`; "AUL" in the paper, "AUE" in its
    code. ``q = 1`` gives :math:`1 - p_y`, half the mean absolute error. Weights
    :math:`w_1 > w_2 \ge \dots` of the labels of one sample, its noisy posterior say, have the label of
    :math:`w_1` as the minimum of :math:`\sum_k w_k \ell_k` wherever :math:`w_1/w_2 \ge (a/(a-1))^{q-1}`, and
    always for :math:`q \le 1`.

    Parameters
    ----------
    a : float
        Finite, at least 1.
    q : float
        Finite, above 0. The authors' values for CIFAR-10 are the default.

    Examples
    --------
    >>> asymmetric_unhinged(torch.zeros(2, 4), torch.tensor([0, 3]), a=2, q=2)
    tensor([1.0312, 1.0312])
    """
    if not 1 <= a < math.inf:
        raise ValueError(f"a must be finite and at least 1, got a={a!r}")
    if not 0 < q < math.inf:
        raise ValueError(f"q must be finite and above 0, got q={q!r}")

    def loss(nll: Tensor) -> Tensor:
        error = -torch.expm1(-nll)
        if a == 1:  # a power whose slope at 0 may be infinite
            wrong = error > 0
            return torch.where(wrong, torch.where(wrong, error, 1.0) ** q / q, 0.0)
        return -((a - 1 + error) ** q) * torch.expm1(-q * torch.log1p(error / (a - 1))) / q

    return reduced(inputs.expectation_over_labels(loss, logits, target), reduction)


def asymmetric_exponential(
    logits: Tensor, target: Tensor, a: float = 2.5, *, reduction: Reduction = "none"
) -> Tensor:
    r"""AEL, the asymmetric exponential loss, :math:`e^{-p_y/a}` (Zhou et al., ICML 2021).

    It lies between :math:`e^{-1/a}`, not 0, and 1. Times ``a`` its gradient becomes that of :math:`1 - p_y`,
    half the mean absolute error (:math:`a \to \infty`). Weights :math:`w_1 > w_2 \ge \dots` of the labels of
    one sample have the label of :math:`w_1` as the minimum of :math:`\sum_k w_k \ell_k` wherever
    :math:`w_1/w_2 \ge e^{1/a}`.

    Parameters
    ----------
    a : float
        Finite, above 0. The authors' value for CIFAR-10 is the default.

    Examples
    --------
    >>> asymmetric_exponential(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([0.9048, 0.9048])
    """
    if not 0 < a < math.inf:
        raise ValueError(f"a must be finite and above 0, got a={a!r}")
    return reduced(
        inputs.expectation_over_labels(lambda nll: torch.exp(-torch.exp(-nll) / a), logits, target), reduction
    )


def jensen_shannon(
    logits: Tensor, target: Tensor, pi: float = 0.5, *, reduction: Reduction = "none"
) -> Tensor:
    r"""Scaled Jensen-Shannon divergence of target and prediction (Englesson and Azizpour, NeurIPS 2021).

    :math:`[H(m) - \pi H(q) - (1-\pi) H(p)] / Z` with :math:`m = \pi q + (1-\pi)\,p`, entropy :math:`H` and
    the scale :math:`Z = -(1-\pi)\log(1-\pi)`. It goes from cross entropy (:math:`\pi \to 0`) to :math:`1 -
    p_y` (:math:`\pi \to 1`, very slowly), half the mean absolute error. ``0 log 0`` counts as 0.

    Parameters
    ----------
    pi : float
        The target's share, strictly between 0 and 1. Towards 0 the difference of entropies loses digits in
        proportion to ``1/pi``; the published values are 0.1 and more.

    Examples
    --------
    >>> jensen_shannon(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([1.0976, 1.0976])
    """
    if not 0 < pi < 1:
        raise ValueError(f"pi must lie strictly between 0 and 1, got pi={pi!r}")
    logits, target = inputs.checked(logits, target)
    log_rest = math.log1p(-pi)
    scale = -(1 - pi) * log_rest
    if inputs.is_soft(target):
        dim = inputs.class_dimension(logits)
        log_p = _finite_log_softmax(logits, dim)
        log_m = torch.logaddexp(target.log() + math.log(pi), log_p + log_rest)
        mixed, own = (-(log.exp() * log).sum(dim) for log in (log_m, log_p))
        given = -torch.xlogy(target, target).sum(dim)
        return reduced((mixed - pi * given - (1 - pi) * own) / scale, reduction)
    # All classes but the label contribute the same multiple of their probability, together that of 1 - p.
    nll = inputs.negative_log_likelihood(logits, target)
    error = -torch.expm1(-nll)
    log_m = torch.log1p(-(1 - pi) * error)
    at_label = -log_m.exp() * log_m - (1 - pi) * (-nll).exp() * nll
    return reduced(error + at_label / scale, reduction)


def _focal(nll: Tensor, gamma: float) -> Tensor:
    # The slope of the power may be infinite where the error is 0; there the loss has none. Where the label is
    # impossible the error is 1, without slope.
    error = -torch.expm1(-nll.masked_fill(nll == math.inf, torch.finfo(nll.dtype).max))
    return error.clamp(min=torch.finfo(error.dtype).tiny) ** gamma * nll


def _finite_log_softmax(logits: Tensor, dim: int) -> Tensor:
    # A class at a logit of minus infinity keeps a logarithm that is finite, also summed over classes: values
    # and gradients become their limits, and no 0 is multiplied by infinity.
    return _finite(logits.log_softmax(dim), dim)


def _finite(log_p: Tensor, dim: int) -> Tensor:
    return log_p.clamp(min=torch.finfo(log_p.dtype).min / log_p.shape[dim])
