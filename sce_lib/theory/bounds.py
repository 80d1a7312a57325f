r"""What noise can cost at most: Theorem 1 in one inequality, SL under symmetric noise, and excess error.

None of this is in the paper. For noise that may depend on x write :math:`w_{yk}(x) = 1 - \eta_y(x) -
\eta_{yk}(x)` for a true label y and a wrong one k; Theorem 1 asks that all of them be positive. For symmetric
noise of one rate they all are :math:`s = 1 - \eta K/(K-1)`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sce_lib.theory import problems
from sce_lib.theory.classes import uniform_flips
from sce_lib.theory.counterexamples import sl_table
from sce_lib.theory.problems import Array, FiniteProblem, expectation, noisy_risks, risks
from sce_lib.theory.theorem import affine_coefficients, off_diagonal_weights

__all__ = ["ErrorBound", "RiskBounds", "SLUnderNoise", "excess_error", "risk_bounds", "sl_under_noise"]
__all__ += ["tight_problem", "tolerated_ratio"]


@dataclass(frozen=True, eq=False)
class RiskBounds:
    r"""Theorem 1 in one inequality: :math:`w_{min} R \le R^\eta - |A| E\eta_y \le w_{max} R`, for RCE.

    Attributes
    ----------
    w_min, w_max : float or Fraction
        The smallest and the largest :math:`w_{yk}(x)` where P(x, y) > 0.
    clean, noisy : ndarray (n_f,)
        R(f) and :math:`R^\eta(f)` of each classifier.
    floor : float or Fraction
        :math:`|A|\,E\,\eta_y`, what the noise costs whoever predicts the true label.
    identity : ndarray (n_f,)
        :math:`|A|\,E\sum_{k \ne y} w_{yk}\,p_k`, which is what the noisy risk has beyond the floor.
    """

    w_min: Any
    w_max: Any
    clean: Array
    noisy: Array
    floor: Any
    identity: Array

    @property
    def excess(self) -> Array:
        """The noisy risk less its floor, shape (n_f,)."""
        return self.noisy - self.floor

    @property
    def kappa(self) -> Any:
        """``w_max / w_min``, by which the best risk in a class is multiplied at most; 1 for part 1."""
        if not self.w_min > 0:
            raise ValueError(f"the bound needs 1 - eta_y - eta_yk > 0 everywhere; the least is {self.w_min}")
        return self.w_max / self.w_min

    def clean_risk_at_most(self, epsilon: Any = 0) -> Any:
        r"""Return :math:`\kappa\,\inf R + \epsilon/w_{min}`.

        So large is R(f) at most for every classifier of the class whose noisy risk is within ε of the least.
        """
        if not epsilon >= 0:
            raise ValueError(f"epsilon is how far above the least risk, at least 0, not {epsilon}")
        return self.kappa * self.clean.min() + epsilon / self.w_min


def risk_bounds(problem: FiniteProblem, A: Any = -4.0) -> RiskBounds:
    r"""Evaluate both sides of :math:`w_{min} R \le R^\eta - |A| E\eta_y \le w_{max} R` on a problem.

    With constant w this is part 1 of Theorem 1; where the class has a classifier with R = 0 it is part 2. It
    holds for noise that depends on x too, and in any class.

    Examples
    --------
    >>> from sce_lib.theory.classes import random_problem
    >>> found = risk_bounds(random_problem("symmetric", num_classes=4, seed=1, exact=True), A=-4)
    >>> found.kappa, bool((found.excess == found.identity).all())
    (Fraction(1, 1), True)
    """
    A = problems.in_kind(problem, A)
    table = problems.rce_table(problem.classifiers, A)
    weights = off_diagonal_weights(problem)
    off_label = ~np.eye(problem.num_classes, dtype=bool)
    seen = (problem.joint > 0)[..., None] & off_label
    wrong = np.where(off_label, weights, 0) @ problem.classifiers[..., None]
    return RiskBounds(
        w_min=weights[seen].min(),
        w_max=weights[seen].max(),
        clean=risks(problem, table),
        noisy=noisy_risks(problem, table),
        floor=-A * problem.noise_rate,
        identity=-A * expectation(problem.joint, wrong[..., 0]),
    )


def tight_problem(kappa: int = 10) -> FiniteProblem:
    """Return a problem, in fractions, on which the bound of `risk_bounds` is attained.

    Two classes and three inputs of class 0. One classifier errs at the first input, where there is no noise;
    the other at the second, which is κ times as frequent, and where w is 1/κ. Their noisy risks are equal.

    Examples
    --------
    >>> found = risk_bounds(tight_problem(10), A=-4)
    >>> bool(found.noisy[0] == found.noisy[1]), found.clean[1] / found.clean[0]
    (True, Fraction(10, 1))
    """
    if kappa < 1:
        raise ValueError(f"kappa is w_max / w_min, at least 1, not {kappa}")
    mass = problems.rational([1, kappa, 1]) / (kappa + 2)
    joint = np.stack([mass, 0 * mass], axis=-1)
    rates = problems.rational([0, 0, 0])
    rates[1] = (1 - problems.rational([1])[0] / kappa) / 2
    transition = np.stack([np.stack([1 - rates, rates], -1), np.stack([rates, 1 - rates], -1)], axis=1)
    errs_at = np.eye(3, dtype=np.int64)[:2]
    return FiniteProblem(joint, transition, np.stack([1 - errs_at, errs_at], axis=-1))


@dataclass(frozen=True, eq=False)
class SLUnderNoise:
    r"""SL's risk under symmetric noise, in three terms.

    :math:`R^\eta = s R + \beta|A|\eta + \frac{\alpha\eta}{K-1} E\sum_k -\log p_k`: the noise smooths
    the labels of the cross entropy alone, and costs reverse cross entropy a constant.

    Attributes
    ----------
    clean, noisy, smoothing : ndarray (n_f,)
        R(f), :math:`R^\eta(f)` and the third term.
    slope, constant : float
        s and the second term.
    excess_at_most : float
        What the minimiser of the noisy risk has beyond the least clean risk of the class at most:
        :math:`\frac{\alpha\eta}{(K-1)s}\,(E\sum_k -\log p_k(f^*) - K\log K)`.
    """

    clean: Array
    noisy: Array
    smoothing: Array
    slope: float
    constant: float
    excess_at_most: float

    @property
    def decomposed(self) -> Array:
        """The sum of the three terms, shape (n_f,); equal to `noisy`."""
        return self.slope * self.clean + self.constant + self.smoothing

    @property
    def excess(self) -> float:
        """The clean risk of the (first) minimiser of the noisy risk, less the least one in the class."""
        return float(self.clean[self.noisy.argmin()] - self.clean.min())


def sl_under_noise(
    problem: FiniteProblem, alpha: float = 0.1, beta: float = 1.0, A: float = -4.0
) -> SLUnderNoise:
    """Take SL's noisy risk apart, for symmetric noise of one rate below 1 − 1/K.

    This is the positive statement about the paper's own loss: in any class the excess is proportional to α.

    Raises
    ------
    ValueError
        For noise that is not symmetric with one rate below 1 − 1/K, or a class without a finite risk.

    Examples
    --------
    >>> from sce_lib.theory.classes import random_problem
    >>> found = sl_under_noise(random_problem("symmetric", "linear", num_classes=5, seed=3))
    >>> bool(np.allclose(found.noisy, found.decomposed)), 0 <= found.excess <= found.excess_at_most
    (True, True)
    """
    classes = problem.num_classes
    transition = np.asarray(problem.transition_at, dtype=np.float64)
    eta = float(1 - transition[0, 0, 0])
    if not np.allclose(transition, uniform_flips([eta] * classes, classes), rtol=0, atol=1e-9):
        raise ValueError("SL's risk comes apart so under symmetric noise of one rate; this noise is another")
    slope, _ = affine_coefficients(eta, classes, A)
    if not slope > 0:
        raise ValueError(f"rate {eta:.4g} is not below 1 - 1/K = {1 - 1 / classes:.4g}")
    p = np.asarray(problem.classifiers, dtype=np.float64)
    joint = np.asarray(problem.joint, dtype=np.float64)
    with np.errstate(divide="ignore"):
        total = -np.log(p).sum(axis=-1)
    at_x = joint.sum(axis=-1)
    with np.errstate(invalid="ignore"):  # where an input has no mass, an infinite logarithm costs nothing
        over_labels = np.where(at_x == 0, 0, at_x * total).sum(axis=-1)
    table = sl_table(p, alpha, beta, A)
    floats = FiniteProblem(joint, problem.transition.astype(np.float64), p)
    clean, noisy = risks(floats, table), noisy_risks(floats, table)
    if not (np.isfinite(clean).any() and np.isfinite(noisy).any()):
        raise ValueError(
            "every classifier has an infinite risk: CE needs a positive probability of each label"
        )
    share = alpha * eta / (classes - 1)
    beyond = over_labels[clean.argmin()] - classes * np.log(classes)
    smoothing = share * over_labels if share else np.zeros_like(over_labels)
    at_most = float(share / slope * beyond) if share else 0.0
    return SLUnderNoise(clean, noisy, smoothing, float(slope), float(beta * abs(A) * eta), at_most)


@dataclass(frozen=True, eq=False)
class ErrorBound:
    """Excess error of each classifier, (n_f,), and what its noisy RCE risk says that it is at most."""

    excess: Array
    at_most: Array


def excess_error(problem: FiniteProblem, A: Any = -4.0) -> ErrorBound:
    r"""Bound how many more clean labels a classifier misses than the best of *all* classifiers does.

    Under symmetric noise of rate below 1 − 1/K: excess error :math:`\le \frac{K}{|A|\,s}` times the excess of
    its noisy RCE risk over all classifiers, since the largest of K probabilities is at least 1/K. In floating
    point both sides are right up to rounding.

    Raises
    ------
    ValueError
        For noise that is not symmetric with one rate below 1 − 1/K.

    Examples
    --------
    >>> from sce_lib.theory.classes import random_problem
    >>> found = excess_error(random_problem("symmetric", num_classes=4, seed=2, exact=True), A=-4)
    >>> bool((found.excess <= found.at_most).all())
    True
    """
    A, bounds = problems.in_kind(problem, A), risk_bounds(problem, A)
    weights, rounding = bounds.w_min, 0 if problem.exact else 1e-9
    if bounds.w_max - weights > rounding or not weights > rounding:
        raise ValueError("this bound is for symmetric noise of one rate below 1 - 1/K; this noise is another")
    best = problem.joint.max(axis=-1).sum()
    least = -A * (1 - problem.noisy_joint.max(axis=-1).sum())
    excess = problems.misclassification(problem) - (1 - best)
    return ErrorBound(excess, problem.num_classes * (bounds.noisy - least) / (-A * weights))


def tolerated_ratio(loss: Callable[[Tensor, Tensor], Tensor]) -> float:
    r"""Return :math:`\varphi'(1)/\varphi'(0)` of a loss :math:`\varphi(p_y)`, from 0 (not robust) to 1 (RCE).

    For convex decreasing φ and weights :math:`w_y > 0`, :math:`w_k \ge 0`, the prediction :math:`e_y`
    minimises :math:`\sum_k w_k \varphi(p_k)` over all predictions if and only if :math:`\max_{k \ne y} w_k
    \le w_y\, \varphi'(1)/\varphi'(0)`. With the noisy posterior for w: how far another label may come up to
    the true one. It is 1 for RCE (or MAE), and also where φ is concave: its minimisers are vertices. Slopes
    are taken by automatic differentiation near the ends; one at 0 that grows by more than a thousandth from
    p = 1e-6 to 1e-9 counts as infinite.

    Parameters
    ----------
    loss : callable
        A loss of logits (N, K) and labels (N,), to (N,), that depends on the label's probability alone.

    Raises
    ------
    ValueError
        For a loss that does not fall at :math:`p_y \\to 0`, as a truncated one.

    Examples
    --------
    >>> from functools import partial
    >>> from sce_lib.losses.functional import cross_entropy, reverse_cross_entropy, taylor_cross_entropy
    >>> tolerated_ratio(reverse_cross_entropy), tolerated_ratio(cross_entropy)
    (1.0, 0.0)
    >>> round(tolerated_ratio(partial(taylor_cross_entropy, t=2)), 6)
    0.5
    """
    near, nearer = (_slope_at(loss, math.log(p)) for p in _NEAR_ZERO)
    if not (near < 0 and nearer < 0):
        raise ValueError("the loss does not fall where the label has no probability: it is not decreasing")
    if math.log(nearer / near) > _DIVERGES:
        return 0.0
    return min(1.0, round(_slope_at(loss, _LOGIT_OF_ONE) / nearer, 6))


# How near to the ends of [0, 1] slopes are taken: below 1e-16 autograd knows no difference from 0.
_NEAR_ZERO, _LOGIT_OF_ONE = (1e-6, 1e-9), -math.log(1e-7)
_DIVERGES = 1e-3


def _slope_at(loss: Callable[[Tensor, Tensor], Tensor], logit: float) -> float:
    """Return φ' where the label's logit is so much above the other's: the gradient over p_y (1 − p_y)."""
    logits = torch.tensor([[logit, 0.0]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(logits, torch.tensor([0])).sum(), logits)
    at = logits.detach()[0, 0]
    return float(gradient[0, 0] / (torch.sigmoid(at) * torch.sigmoid(-at)))
