"""Corrupting labels by a transition matrix, and what came of it."""

import hashlib
import sys
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sce_lib.noise.matrices import Matrix, check_matrix, check_num_classes, generator_from

Integers = NDArray[np.integer[Any]]

# Counts are compared at this many decimals, so that 0.1 + 0.2 and 0.3 of a class are the same count.
_DECIMALS = 9


@dataclass(frozen=True, eq=False)
class NoisyLabels:
    """Labels after noise, beside what they were.

    Parameters
    ----------
    labels, clean : ndarray or Tensor (N,)
        Class indices after and before the noise; of the type, dtype and device that were given.
    flipped : ndarray or Tensor of bool (N,)
        Where the two differ.
    requested : ndarray (K, K)
        The transition matrix that was asked for; where none was, as for human labels, what was realised.
    realised : ndarray (K, K)
        The frequencies that came of it; the row of a class without a sample is NaN.

    Examples
    --------
    >>> noisy = corrupt(np.array([0, 0, 1, 1]), [[0.5, 0.5], [0.0, 1.0]], seed=0)
    >>> noisy.rate, noisy.num_classes, noisy.class_rates.tolist()
    (0.25, 2, [0.5, 0.0])
    """

    labels: Any
    clean: Any
    flipped: Any
    requested: Matrix
    realised: Matrix

    @classmethod
    def of(cls, clean: Any, labels: Any, num_classes: int, requested: ArrayLike | None = None) -> Self:
        """Put labels that are noisy already beside the clean ones, as `realised_matrix` takes both.

        The result is of the type of `clean`; `requested` is the noise's transition matrix, where it is known.

        >>> NoisyLabels.of([0, 1, 1], [0, 1, 0], num_classes=2).flipped.tolist()
        [False, False, True]
        """
        realised = realised_matrix(clean, labels, num_classes)
        T = realised if requested is None else check_matrix(requested)
        if T.shape != realised.shape:
            raise ValueError(f"a transition matrix of shape {T.shape} for {num_classes} classes")
        before = _roomy(check_labels(clean, num_classes), num_classes)
        after = check_labels(labels, num_classes).astype(before.dtype)
        flipped = _like(after != before, clean)
        return cls(_like(after, clean), _like(before.copy(), clean), flipped, T, realised)

    @property
    def sha256(self) -> str:
        """Hash of the noisy labels, as 64-bit little-endian integers: the same for numpy and torch."""
        return hashlib.sha256(check_labels(self.labels, self.num_classes).astype("<i8").tobytes()).hexdigest()

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return len(self.requested)

    @property
    def rate(self) -> float:
        """The portion of labels that are wrong, in [0, 1]; NaN where there is no label."""
        return int(self.flipped.sum()) / len(self.flipped) if len(self.flipped) else float("nan")

    @property
    def class_rates(self) -> Matrix:
        """The portion of wrong labels in each true class, (K,); NaN for a class without a sample."""
        return np.where(np.eye(self.num_classes), 0, self.realised).sum(axis=1)

    def __len__(self) -> int:
        return len(self.labels)


def transition_from_counts(counts: ArrayLike) -> Matrix:
    """Return the transition matrix that counts estimate: each row over its sum, NaN where that is 0.

    Parameters
    ----------
    counts : array_like (K, K)
        How many samples of true class i bear label j, finite and not negative, as from a set that has both
        labels. §5.3 gets Forward's matrix for Clothing1M in this way.

    Examples
    --------
    >>> transition_from_counts([[3, 1], [0, 2]]).tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(f"a table of counts is square, (K, K); this one has shape {table.shape}")
    if not (np.isfinite(table) & (table >= 0)).all():
        raise ValueError("a table of counts has no negative, infinite or missing entries")
    sums = table.sum(axis=1, keepdims=True)
    return np.divide(table, sums, out=np.full_like(table, np.nan), where=sums > 0)


def realised_matrix(clean: Any, labels: Any, num_classes: int) -> Matrix:
    """Return how often true class i bears label j, (K, K); the row of a class without a sample is NaN.

    Parameters
    ----------
    clean, labels : array_like or Tensor of int (N,)
        Class indices in [0, K) without and with noise, of one length.
    num_classes : int
        K.

    Examples
    --------
    >>> realised_matrix([0, 0, 1, 1], [0, 1, 1, 1], 2).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    return transition_from_counts(count_labels(clean, labels, num_classes))


def count_labels(clean: Any, labels: Any, num_classes: int) -> Integers:
    """Return how many samples of true class i bear label j, (K, K); arguments as `realised_matrix`.

    >>> count_labels([0, 0, 1, 1], [0, 1, 1, 1], 2).tolist()
    [[1, 1], [0, 2]]
    """
    K = check_num_classes(num_classes, at_least=1)
    true, noisy = check_labels(clean, K).astype(np.int64), check_labels(labels, K).astype(np.int64)
    if len(true) != len(noisy):
        raise ValueError(f"{len(true)} clean labels and {len(noisy)} noisy ones: each sample has both")
    return np.bincount(true * K + noisy, minlength=K * K).reshape(K, K)


def check_labels(labels: Any, num_classes: int) -> Integers:
    """Return labels, (N,), as a numpy array of integers, or name the first that is none of the classes."""
    array = labels.detach().cpu().numpy() if is_tensor(labels) else np.asarray(labels)
    if array.ndim != 1:
        raise ValueError(f"labels are class indices of shape (N,); these have shape {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        if not array.size:  # an empty list is of floats to numpy and torch
            return array.astype(np.int64)
        raise ValueError(f"labels are integers, class indices; these are {array.dtype}: convert them first")
    for i in np.flatnonzero((array < 0) | (array >= num_classes))[:1]:
        raise ValueError(f"label {array[i]} at index {i}; allowed 0..{num_classes - 1}")
    return array


def _roomy(labels: Integers, num_classes: int) -> Integers:
    """Return the labels if their type can hold every class, since noise may give them any."""
    if np.iinfo(labels.dtype).max < num_classes - 1:
        raise ValueError(f"labels of type {labels.dtype} cannot hold {num_classes} classes: use int64")
    return labels


def _like(array: NDArray[Any], given: Any) -> Any:
    """Return an array as the type that was given: a tensor on the same device, or numpy."""
    if not is_tensor(given):
        return array
    import torch

    return torch.from_numpy(array).to(given.device)


def is_tensor(value: Any) -> bool:
    """Return whether a value is torch's; whoever has numpy arrays alone does not wait for torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def corrupt(labels: Any, matrix: ArrayLike, seed: int, exact: bool = True) -> NoisyLabels:
    """Flip clean labels as a transition matrix says.

    Every flip starts from the clean label: a label that was changed is never looked at again (a public
    reproduction does so, and its CAT gets 24 % noise where 40 % were asked for).

    Parameters
    ----------
    labels : ndarray or Tensor of int (N,)
        Clean class indices in [0, K). They are not changed; the result is of their type, dtype and device.
    matrix, seed : array_like (K, K) and int
        The transition matrix; the seed of the flips. Global random state is neither read nor moved.
    exact : bool
        In each class exactly the rounded count is flipped, and each destination gets its share rounded up
        or down (largest remainders first, ties by lot), so that every entry of the realised matrix is
        within 1/n of the requested one for a class of n. Otherwise each label is drawn independently.

    Examples
    --------
    >>> import torch
    >>> noisy = corrupt(torch.zeros(10, dtype=torch.int64), [[0.6, 0.4], [0.0, 1.0]], seed=0)
    >>> int(noisy.flipped.sum()), noisy.labels.bincount().tolist()
    (4, [6, 4])
    >>> corrupt([3, 1, 4, 10], np.eye(10), seed=0)
    Traceback (most recent call last):
        ...
    ValueError: label 10 at index 3; allowed 0..9
    """
    T = check_matrix(matrix)
    clean = _roomy(check_labels(labels, len(T)), len(T))
    rng = generator_from(seed)
    noisy = clean.copy()
    for true_class in range(len(T)):
        members = np.flatnonzero(clean == true_class)
        row = T[true_class] / T[true_class].sum()
        if exact:
            noisy[members] = _exact_destinations(true_class, len(members), row, rng)
        else:
            noisy[members] = rng.choice(len(row), size=len(members), p=row)
    return NoisyLabels.of(labels, noisy, len(T), requested=T)


def _exact_destinations(true_class: int, n: int, row: Matrix, rng: np.random.Generator) -> Integers:
    """Return n labels in random order, in counts that are the row's shares of n, rounded."""
    quota = np.round(n * row, _DECIMALS)
    # The number kept is rounded on its own, so that "the rounded count is flipped" holds whatever the
    # destinations' remainders are; these then share out the flips.
    quota[true_class] = n - np.rint(np.round(n * (1 - row[true_class]), _DECIMALS))
    counts = np.floor(quota).astype(np.int64)
    by_remainder = np.lexsort((rng.random(len(row)), np.round(counts - quota, _DECIMALS - 3)))
    counts[by_remainder[: n - counts.sum()]] += 1
    return rng.permutation(np.repeat(np.arange(len(row)), counts))
