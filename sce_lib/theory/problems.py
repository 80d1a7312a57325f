"""Finite learning problems on which every risk is a finite sum, in float64 or in exact rationals."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sce_lib.noise.matrices import ROW_SUM_TOLERANCE

__all__ = ["FiniteProblem", "is_noise_tolerant", "log_target", "loss_table", "minimisers"]
__all__ += ["misclassification", "noisy_risks", "rational", "rce_table", "risks"]

Array = np.ndarray[Any, Any]


def rational(values: ArrayLike, max_denominator: int = 1_000_000) -> Array:
    """Turn numbers into an object array of the nearest `fractions.Fraction` of small denominator.

    Examples
    --------
    >>> rational([0.5, 1 / 3])
    array([Fraction(1, 2), Fraction(1, 3)], dtype=object)
    """
    array = np.asarray(values)
    result = np.empty(array.size, dtype=object)
    result[:] = [Fraction(value).limit_denominator(max_denominator) for value in array.ravel().tolist()]
    return result.reshape(array.shape)


def _numbers(name: str, values: ArrayLike) -> Array:
    """Return float64 numbers, or an object array where every entry is rational."""
    array = np.asarray(values)
    if array.dtype != object:
        return array.astype(np.float64)
    for value in array.ravel():
        if not isinstance(value, Rational):
            advice = "make all of it exact with theory.rational"
            raise ValueError(f"{name} holds {value!r} beside exact numbers: {advice}")
    return array


def _check_distributions(name: str, array: Array, axes: tuple[int, ...], tolerance: float = 1e-9) -> None:
    """Refuse what is no probability distribution over `axes`."""
    if array.size == 0:
        raise ValueError(f"{name} is empty (shape {array.shape})")
    if not bool((array >= 0).all()):
        raise ValueError(f"{name} has an entry that is negative or NaN; probabilities lie in [0, 1]")
    off = np.max(np.abs(array.sum(axis=axes) - 1))
    if off > (0 if array.dtype == object else tolerance):
        raise ValueError(f"{name} does not sum to 1 over its axes {axes}: it is off by {float(off):.3g}")


@dataclass(frozen=True, eq=False)
class FiniteProblem:
    """A distribution over finitely many inputs, label noise, and a finite class of classifiers (§4.2).

    With finitely many inputs x the expectations of Theorem 1 are sums, so nothing is estimated. Give
    fractions (see `rational`) and everything about RCE, which is linear in the prediction, is exact.

    Parameters
    ----------
    joint : array_like (n_x, K)
        P(x, y) of the clean labels; sums to 1.
    transition : array_like (K, K) or (n_x, K, K)
        ``[..., i, j]`` = P(noisy label j | clean label i, x). The second form is noise that depends on x.
    classifiers : array_like (n_f, n_x, K)
        ``[f, x]`` = what classifier f predicts at x. The *class* that every minimiser is taken over.

    Examples
    --------
    >>> problem = FiniteProblem(joint=[[0.5, 0.1], [0.1, 0.3]], transition=[[0.8, 0.2], [0.2, 0.8]],
    ...                         classifiers=[[[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]]])
    >>> problem.num_classes, problem.num_points, problem.exact
    (2, 2, False)
    >>> problem.noisy_joint.round(2)
    array([[0.42, 0.18],
           [0.14, 0.26]])
    """

    joint: Array
    transition: Array
    classifiers: Array

    def __post_init__(self) -> None:
        names = ("joint", "transition", "classifiers")
        raw = {name: np.asarray(getattr(self, name)) for name in names}
        if any(array.dtype == object for array in raw.values()):
            # Whole numbers are exact already; floats are not, and one would make every sum inexact.
            raw = {n: rational(a) if np.issubdtype(a.dtype, np.integer) else a for n, a in raw.items()}
            inexact = [name for name, array in raw.items() if array.dtype != object]
            if inexact:
                raise ValueError(f"{inexact[0]} is floating while others are exact: use theory.rational")
        for name, array in raw.items():
            object.__setattr__(self, name, _numbers(name, array))
        if self.joint.ndim != 2 or self.joint.shape[1] < 2:
            raise ValueError(f"joint has shape {self.joint.shape}; expected (n_x, K) with K >= 2")
        points, classes = self.joint.shape
        if self.transition.shape not in {(classes, classes), (points, classes, classes)}:
            raise ValueError(
                f"transition has shape {self.transition.shape}; expected {(classes, classes)}, "
                f"or {(points, classes, classes)} for noise that depends on x"
            )
        if self.classifiers.ndim != 3 or self.classifiers.shape[1:] != (points, classes):
            shape = self.classifiers.shape
            raise ValueError(f"classifiers has shape {shape}; expected (n_f, {points}, {classes})")
        _check_distributions("joint", self.joint, (0, 1))
        _check_distributions("transition", self.transition, (-1,), ROW_SUM_TOLERANCE)
        _check_distributions("classifiers", self.classifiers, (-1,))

    @property
    def num_classes(self) -> int:
        """K."""
        return int(self.joint.shape[1])

    @property
    def num_points(self) -> int:
        """n_x, the number of inputs."""
        return int(self.joint.shape[0])

    @property
    def exact(self) -> bool:
        """Whether the numbers are fractions."""
        return bool(self.joint.dtype == object)

    @property
    def transition_at(self) -> Array:
        """The transition matrix at each x, shape (n_x, K, K)."""
        return np.broadcast_to(self.transition, (self.num_points, self.num_classes, self.num_classes))

    @property
    def noise_rates(self) -> Array:
        """η_y(x) = 1 − P(noisy label y | clean label y, x), shape (n_x, K)."""
        return 1 - np.diagonal(self.transition_at, axis1=-2, axis2=-1)

    @property
    def noise_rate(self) -> Any:
        """η = E[η_y(x)], the probability that a label is wrong."""
        return (self.joint * self.noise_rates).sum()

    @property
    def noisy_joint(self) -> Array:
        """P(x, ŷ) = Σ_y P(x, y) P(ŷ | y, x), shape (n_x, K)."""
        return (self.joint[:, :, None] * self.transition_at).sum(axis=1)


def in_kind(problem: FiniteProblem, A: Any) -> Any:
    """Return A as a fraction where the problem's numbers are, so that nothing is rounded."""
    return Fraction(A) if problem.exact else A


def log_target(target: ArrayLike, A: float = -4.0) -> Array:
    """Return log q with log 0 := A (§4.1), that is, log q floored at A.

    Examples
    --------
    >>> log_target([1.0, 0.0], A=-4.0)
    array([ 0., -4.])
    """
    q = np.asarray(target, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(q), A)


def rce_table(probabilities: ArrayLike, A: Any = -4.0) -> Array:
    """RCE of every prediction under every label, (..., K): −Σ_j p_j log q_j, q one-hot at k (Eq. 5).

    Examples
    --------
    >>> rce_table([0.7, 0.2, 0.1], A=-4.0).round(2)
    array([1.2, 3.2, 3.6])
    >>> rce_table(rational([0.7, 0.2, 0.1]), A=-4)
    array([Fraction(6, 5), Fraction(16, 5), Fraction(18, 5)], dtype=object)
    """
    if not A < 0:
        raise ValueError(f"A must be negative (it stands for log 0), got {A}")
    p = _numbers("probabilities", probabilities)
    if p.dtype == object:
        A = Fraction(A)
    classes = p.shape[-1]
    log_q = np.full((classes, classes), A, dtype=p.dtype)
    np.fill_diagonal(log_q, A - A)  # log 1, of A's own type
    return -(p @ log_q)


def loss_table(probabilities: ArrayLike, loss: Callable[[Tensor, Tensor], Tensor]) -> Array:
    """Any loss of every prediction under every label, (..., K), in float64; a probability of 0 is allowed.

    Examples
    --------
    >>> from sce_lib.losses.functional import cross_entropy
    >>> loss_table([[0.5, 0.5], [0.9, 0.1]], cross_entropy).round(3)
    array([[0.693, 0.693],
           [0.105, 2.303]])
    """
    p = torch.as_tensor(np.asarray(probabilities, dtype=np.float64))
    classes = p.shape[-1]
    logits = p.reshape(-1, classes).log().repeat_interleave(classes, dim=0)
    labels = torch.arange(classes).repeat(p.numel() // classes)
    return loss(logits, labels).reshape(p.shape).numpy()


def expectation(joint: Array, values: Array) -> Array:
    """Σ_{x,y} P(x, y)·value(x, y): the last two axes are summed; probability 0 times ∞ counts as 0."""
    with np.errstate(invalid="ignore"):
        return np.where(joint == 0, 0, joint * values).sum(axis=(-2, -1))


def risks(problem: FiniteProblem, table: Array) -> Array:
    """R(f) = E_{x,y} ℓ(f(x), y) of every classifier under the clean labels, shape (n_f,).

    The table of ℓ(f(x), k) comes from `rce_table` or `loss_table`.

    Examples
    --------
    >>> problem = FiniteProblem([[0.5, 0.5]], [[0.8, 0.2], [0.2, 0.8]], [[[1, 0]], [[0.5, 0.5]]])
    >>> risks(problem, rce_table(problem.classifiers, A=-4.0))
    array([2., 2.])
    """
    return expectation(problem.joint, table)


def noisy_risks(problem: FiniteProblem, table: Array) -> Array:
    """R^η(f) = E_{x,ŷ} ℓ(f(x), ŷ) of every classifier under the noisy labels, shape (n_f,); see `risks`."""
    return expectation(problem.noisy_joint, table)


def minimisers(values: Array, tolerance: float = 1e-12) -> Array:
    """Return the indices of the smallest risk and its ties.

    `tolerance` is relative to the largest of the risks, so that the size of A does not matter; fractions are
    compared exactly.

    Examples
    --------
    >>> minimisers(np.array([0.3, 0.1, 0.1])), minimisers(1e-30 * np.array([0.3, 0.1, 0.1]))
    (array([1, 2]), array([1, 2]))
    """
    finite = np.abs(values[np.isfinite(values.astype(np.float64))])
    slack = 0 if values.dtype == object or not finite.size else tolerance * finite.max()
    return np.flatnonzero(values <= values.min() + slack)


def misclassification(problem: FiniteProblem) -> Array:
    """P(argmax f(x) ≠ y) under the clean labels, shape (n_f,); of tied predictions the first counts.

    Examples
    --------
    >>> problem = FiniteProblem([[0.75, 0.25]], np.eye(2), [[[1, 0]], [[0, 1]]])
    >>> misclassification(problem)
    array([0.25, 0.75])
    """
    decision = np.argmax(problem.classifiers, axis=-1)
    return 1 - problem.joint[np.arange(problem.num_points), decision].sum(axis=-1)


def is_noise_tolerant(problem: FiniteProblem, table: Array, tolerance: float = 1e-12) -> bool:
    """Whether the minimisers of R^η misclassify as the minimisers of R do: §4.2's definition.

    Both are taken in ``problem.classifiers``. Where several tie, the sets of their errors are compared.

    Examples
    --------
    >>> clean, swapped = [[1, 0]], [[0, 1]]
    >>> mostly_flipped = [[0.2, 0.8], [0.8, 0.2]]
    >>> problem = FiniteProblem([[0.75, 0.25]], mostly_flipped, [clean, swapped])
    >>> is_noise_tolerant(problem, rce_table(problem.classifiers))
    False
    """
    errors = misclassification(problem)
    clean = errors[minimisers(risks(problem, table), tolerance)]
    noisy = errors[minimisers(noisy_risks(problem, table), tolerance)]
    slack = 0 if problem.exact else 1e-9
    apart = np.abs(clean[:, None] - noisy)
    return bool((apart.min(axis=0) <= slack).all() and (apart.min(axis=1) <= slack).all())
