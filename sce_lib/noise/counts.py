"""How often each true class bears each label: counts, and the transition matrix that they estimate."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sce_lib.noise.classes import IGNORED, Classes, Integers, classes_of, names_of_columns
from sce_lib.noise.matrices import Matrix, check_num_classes


def transition_from_counts(counts: ArrayLike, classes: Any = None) -> Matrix:
    """Return the transition matrix that counts estimate: each row over its sum.

    The row of a class without a count is NaN, and a warning names the class: no label says what it is taken
    for, and a loss that corrects by the matrix refuses it.

    Parameters
    ----------
    counts : array_like (K, K)
        How many samples of true class i bear label j, finite and not negative, as from a set that has both
        labels (`count_labels`, or ``pandas.crosstab``, whose rows and columns must then be of the same names
        in the same order). §5.3 gets Forward's matrix for Clothing1M in this way.
    classes : sequence of str, optional
        Names of the classes, for the warning; a table's own otherwise.

    Examples
    --------
    >>> transition_from_counts([[3, 1], [0, 2]]).tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    """
    classes = names_of_columns(counts, rows_too=True) if classes is None else classes
    table = _checked(counts)
    if classes is not None and len(classes) != len(table):
        raise ValueError(f"{len(classes)} class names for counts of {len(table)} classes")
    empty = np.flatnonzero(table.sum(axis=1) == 0)
    if empty.size:
        names = ", ".join(str(i) if classes is None else f"{i} ({classes[i]!r})" for i in empty)
        one = empty.size == 1
        one = empty.size == 1
        which = f"class {names} has no counts: its row" if one else f"classes {names} have none: their rows"
        warnings.warn(f"{which} of the transition matrix cannot be estimated: NaN", stacklevel=2)
    return frequencies(table)


def _checked(counts: ArrayLike) -> Matrix:
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(f"a table of counts is square, (K, K); this one has shape {table.shape}")
    if not (np.isfinite(table) & (table >= 0)).all():
        raise ValueError("a table of counts has no negative, infinite or missing entries")
    return table


def frequencies(counts: ArrayLike) -> Matrix:
    """Return each row of counts, (K, K), over its sum; NaN, and no warning, where that is 0."""
    table = _checked(counts)
    sums = table.sum(axis=1, keepdims=True)
    return np.divide(table, sums, out=np.full_like(table, np.nan), where=sums > 0)


def realised_matrix(
    clean: Any, labels: Any, num_classes: int | None = None, classes: Any = None, ignore_index: Any = None
) -> Matrix:
    """Return how often true class i bears label j, (K, K); the row of a class without a sample is NaN.

    Parameters
    ----------
    clean, labels : array_like, Tensor, pandas Series or categorical, (N,) or (N, ...)
        Labels without and with noise, of one shape.
    num_classes : int, optional
        K; how many classes the labels have where it is not given.
    classes : sequence or Classes, optional
        Names of the classes, which fix the order; `Classes.of` the two where they are not given.
    ignore_index : int or str, optional
        The clean label of samples that do not count.

    Examples
    --------
    >>> realised_matrix([0, 0, 1, 1], [0, 1, 1, 1], 2).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    >>> realised_matrix(["cat", "cat", "dog"], ["cat", "dog", "dog"], classes=["dog", "cat"]).tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    return frequencies(count_labels(clean, labels, num_classes, classes, ignore_index))


def count_labels(
    clean: Any, labels: Any, num_classes: int | None = None, classes: Any = None, ignore_index: Any = None
) -> Integers:
    """Return how many samples of true class i bear label j, (K, K); arguments as `realised_matrix`.

    >>> count_labels([0, 0, 1, 1], [0, 1, 1, 1], 2).tolist()
    [[1, 1], [0, 2]]
    """
    K = None if num_classes is None else check_num_classes(num_classes, at_least=1)
    names = classes_of(clean, labels, num_classes=K, classes=classes, ignore_index=ignore_index)
    return count_indices(*encode_both(names, clean, labels), len(names))


def encode_both(classes: Classes, clean: Any, labels: Any) -> tuple[Integers, Integers]:
    """Return clean and noisy labels as indices, of one shape; a sample counts by both or not at all."""
    if hasattr(clean, "iloc") and hasattr(labels, "iloc") and not clean.index.equals(labels.index):
        raise ValueError("clean and noisy labels have other indices: bring them into one order, by .reindex")
    before, after = classes.encode(clean), classes.encode(labels)
    if before.shape != after.shape:
        if before.ndim == after.ndim == 1:
            raise ValueError(f"{len(before)} clean labels and {len(after)} noisy ones: each sample has both")
        raise ValueError(
            f"clean labels of shape {before.shape} and noisy ones of {after.shape}: they are alike"
        )
    for place in np.flatnonzero((before == IGNORED) != (after == IGNORED))[:1]:
        index = tuple(int(k) for k in np.unravel_index(place, before.shape))
        at = index[0] if len(index) == 1 else index
        raise ValueError(
            f"of the labels at index {at} one alone is {classes.ignore_index!r}, the ignore_index"
        )
    return before, after


def count_indices(clean: Integers, labels: Integers, num_classes: int) -> Integers:
    """Return `count_labels` of indices; those that are ignored do not count."""
    clean, labels = clean.ravel(), labels.ravel()
    if (clean == IGNORED).any():
        clean, labels = clean[clean != IGNORED], labels[clean != IGNORED]
    K = num_classes
    return np.bincount(clean * K + labels, minlength=K * K).reshape(K, K)
