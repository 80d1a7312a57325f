"""Corrupting labels by a transition matrix, and what came of it."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sce_lib.noise.classes import IGNORED, Classes, Integers, classes_of, in_type_of, names_of_columns
from sce_lib.noise.counts import count_indices, encode_both, frequencies
from sce_lib.noise.matrices import Matrix, check_matrix, check_num_classes, generator_from

# Counts are compared at this many decimals, so that 0.1 + 0.2 and 0.3 of a class are the same count.
_DECIMALS = 9


@dataclass(frozen=True, eq=False)
class NoisyLabels:
    """Labels after noise, beside what they were.

    Parameters
    ----------
    labels, clean : ndarray, Tensor, pandas Series or categorical, (N,) or (N, ...)
        Labels after and before the noise; of the type, dtype, device and pandas index that were given.
    flipped : ndarray, Tensor or pandas Series of bool, (N,) or (N, ...)
        Where the two differ.
    requested : ndarray (K, K)
        The transition matrix that was asked for; where none was, as for human labels, what was realised; of
        noise by a law of each sample, the mean law of each class.
    realised : ndarray (K, K)
        The frequencies that came of it; the row of a class without a sample is NaN.
    classes : Classes
        The names of the classes, in the order of the matrices' rows; indices where none are given.
    law : ndarray (N, K), optional
        Of noise by a law of each sample, the probability of each label for each sample.

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
    classes: Classes = field(default=None)  # type: ignore[assignment]
    law: Matrix | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.classes is None:
            object.__setattr__(self, "classes", Classes(range(len(self.requested))))

    @staticmethod
    def of(
        clean: Any,
        labels: Any,
        num_classes: int | None = None,
        requested: ArrayLike | None = None,
        classes: Any = None,
        ignore_index: Any = None,
    ) -> "NoisyLabels":
        """Put labels that are noisy already beside the clean ones, as `realised_matrix` takes both.

        The result is of the type of `clean`; `requested` is the noise's transition matrix, where it is known.

        >>> NoisyLabels.of([0, 1, 1], [0, 1, 0], num_classes=2).flipped.tolist()
        [False, False, True]
        """
        K = None if num_classes is None else check_num_classes(num_classes, at_least=1)
        names = classes_of(clean, labels, num_classes=K, classes=classes, ignore_index=ignore_index)
        return beside(names, clean, *encode_both(names, clean, labels), requested)

    @property
    def sha256(self) -> str:
        """Hash of the noisy labels' indices, 64-bit little-endian integers: the same for numpy and torch."""
        return hashlib.sha256(self.classes.encode(self.labels).astype("<i8").tobytes()).hexdigest()

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return len(self.requested)

    @property
    def num_labels(self) -> int:
        """How many labels count: all but those of `ignore_index`."""
        if self.classes.ignore_index is None:
            return int(np.prod(self.flipped.shape))
        return int((self.classes.encode(self.clean) != IGNORED).sum())

    @property
    def rate(self) -> float:
        """The portion of labels that are wrong, in [0, 1]; NaN where there is no label."""
        return int(self.flipped.sum()) / self.num_labels if self.num_labels else float("nan")

    @property
    def class_rates(self) -> Matrix:
        """The portion of wrong labels in each true class, (K,); NaN for a class without a sample."""
        return np.where(np.eye(self.num_classes), 0, self.realised).sum(axis=1)

    def indices(self) -> tuple[Integers, Integers]:
        """Return clean and noisy labels as class indices, int64, -1 where they do not count.

        >>> [side.tolist() for side in NoisyLabels.of(["cat", "dog"], ["dog", "dog"]).indices()]
        [[0, 1], [1, 1]]
        """
        return self.classes.encode(self.clean), self.classes.encode(self.labels)

    def __len__(self) -> int:
        return len(self.labels)


def beside(
    classes: Classes,
    given: Any,
    before: Integers,
    after: Integers,
    requested: ArrayLike | None = None,
    law: Matrix | None = None,
) -> NoisyLabels:
    """Return labels of the type of `given` from their indices before and after the noise."""
    realised = frequencies(count_indices(before, after, len(classes)))
    T = realised if requested is None else check_matrix(requested)
    if T.shape != realised.shape:
        raise ValueError(f"a transition matrix of shape {T.shape} for {len(classes)} classes")
    labels, clean = classes.decode(after, given), classes.decode(before, given)
    return NoisyLabels(labels, clean, in_type_of(given, after != before), T, realised, classes, law)


def corrupt(
    labels: Any,
    matrix: ArrayLike,
    seed: int,
    exact: bool = True,
    classes: Any = None,
    ignore_index: Any = None,
) -> NoisyLabels:
    """Flip clean labels as a transition matrix says.

    Every flip starts from the clean label: a label that was changed is never looked at again (a public
    reproduction does so, and its CAT gets 24 % noise where 40 % were asked for).

    Parameters
    ----------
    labels : array_like, Tensor, pandas Series or categorical, (N,) or (N, ...)
        Clean labels: class indices in [0, K), names, or ids, K in all. They are not changed; the result is of
        their type, dtype, device and pandas index.
    matrix, seed : array_like (K, K) and int
        The transition matrix; the seed of the flips. Global random state is neither read nor moved.
    exact : bool
        In each class exactly the rounded count is flipped, and each destination gets its share rounded up
        or down (largest remainders first, ties by lot), so that every entry of the realised matrix is
        within 1/n of the requested one for a class of n. Otherwise each label is drawn independently.
    classes : sequence of str or int, or Classes, optional
        Names of the classes in the order of the matrix's rows. Those of a matrix that is a pandas table, or
        of the labels, sorted, where they are not given: a class that does not occur has to be.
    ignore_index : int or str, optional
        The label of samples that do not count, 255 in a mask, say: they keep it, and none flips to it.

    Raises
    ------
    ValueError
        For what is no transition matrix, labels that are none of its classes, and a matrix by which a label
        could flip to `ignore_index`.

    Examples
    --------
    >>> import torch
    >>> noisy = corrupt(torch.zeros(10, dtype=torch.int64), [[0.6, 0.4], [0.0, 1.0]], seed=0)
    >>> int(noisy.flipped.sum()), noisy.labels.bincount().tolist()
    (4, [6, 4])
    >>> corrupt([3, 1, 4, 10], np.eye(10), seed=0, classes=range(10))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: label 10 at index 3; allowed 0..9; give other ids, in order, as classes...
    >>> corrupt(["cat", "dog", "dog", "cat"], [[0.5, 0.5], [0.0, 1.0]], seed=0).labels.tolist()
    ['dog', 'dog', 'dog', 'cat']
    """
    T = check_matrix(matrix)
    classes = names_of_columns(matrix, rows_too=True) if classes is None else classes
    names = classes_of(labels, num_classes=len(T), classes=classes, ignore_index=ignore_index)
    clean, rng = names.encode(labels), generator_from(seed)
    _refuse_flips_to_ignored(T, names, labels)
    noisy = clean.copy()
    places = noisy.reshape(-1)  # a view
    for true_class, members in enumerate(members_of(clean.ravel(), len(T))):
        row = T[true_class] / T[true_class].sum()
        if exact:
            places[members] = _exact_destinations(true_class, len(members), row, rng)
        else:
            places[members] = rng.choice(len(row), size=len(members), p=row)
    return beside(names, labels, clean, noisy, T)


def _refuse_flips_to_ignored(T: Matrix, names: Classes, labels: Any) -> None:
    if (ignored := names.ignored_class(labels)) is None:
        return
    for source in np.flatnonzero(np.delete(T[:, ignored], ignored))[:1]:
        source += source >= ignored
        flip = f"class {names[int(source)]!r} flips to it with probability {T[source, ignored]:.3g}"
        raise ValueError(
            f"ignore_index {names.ignore_index!r} is one of the matrix's {len(T)} classes, and {flip}: "
            "take it out of the matrix (row and column), and give the other classes, in order, as classes"
        )


def members_of(indices: Integers, num_classes: int) -> list[Integers]:
    """Return the places of each class's samples, ascending, by one sort however many classes there are.

    >>> [places.tolist() for places in members_of(np.array([1, 0, -1, 1]), 2)]
    [[1], [0, 3]]
    """
    # Unsigned, so that -1 comes last, and small: 16 bits and less are sorted in linear time.
    codes = indices.astype(np.min_scalar_type(num_classes))
    ends = np.bincount(codes, minlength=num_classes).cumsum()[:num_classes]
    return list(np.split(np.argsort(codes, kind="stable"), ends)[:num_classes])


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
