"""Transition matrices: who is taken for whom, and how often."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]
Variant = Literal["paper", "released"]

# How far a row's sum may be from 1: a matrix typed in with four digits passes, a forgotten entry does not.
ROW_SUM_TOLERANCE = 1e-4


def check_rate(rate: float) -> float:
    """Return a noise rate as a float, or say why it is none.

    Raises
    ------
    ValueError
        If it is not a number in [0, 1].

    Examples
    --------
    >>> check_rate(1.2)
    Traceback (most recent call last):
        ...
    ValueError: noise rate 1.2 is outside [0, 1]; 40 % is written 0.4
    """
    try:
        value = float(rate)
    except (TypeError, ValueError):
        raise ValueError(f"noise rate {rate!r} is not a number; 40 % is written 0.4") from None
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"noise rate {rate} is outside [0, 1]; 40 % is written 0.4")
    return value


def check_num_classes(num_classes: int, at_least: int = 2) -> int:
    """Return a number of classes, or say why it is none.

    Raises
    ------
    ValueError
        If it is not an integer of `at_least` or more.

    Examples
    --------
    >>> check_num_classes(1)
    Traceback (most recent call last):
        ...
    ValueError: num_classes is an integer of 2 or more, not 1
    """
    if isinstance(num_classes, bool | np.bool_) or not isinstance(num_classes, int | np.integer):
        raise ValueError(f"num_classes is an integer of {at_least} or more, not {num_classes!r}")
    if num_classes < at_least:
        raise ValueError(f"num_classes is an integer of {at_least} or more, not {num_classes}")
    return int(num_classes)


def check_matrix(matrix: ArrayLike | Any) -> Matrix:
    """Return a transition matrix as float64 numpy, its rows summing to 1, or say what is wrong with it.

    Parameters
    ----------
    matrix : array_like (K, K)
        T[i, j], the probability of noisy label j given clean label i; a torch tensor will do.

    Raises
    ------
    ValueError
        If it is not square, has an entry that is negative or not finite, or a row that does not sum to 1.

    Examples
    --------
    >>> check_matrix([[0.9, 0.1], [0.3, 0.6]])
    Traceback (most recent call last):
        ...
    ValueError: row 1 of the transition matrix sums to 0.9, not to 1; T[i, j] = P(noisy = j | clean = i)
    """
    if hasattr(matrix, "detach"):
        matrix = matrix.detach().cpu().numpy()
    try:
        T = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"a transition matrix is a (K, K) array of numbers, not {matrix!r}") from None
    if T.ndim != 2 or T.shape[0] != T.shape[1] or not T.size:
        raise ValueError(f"a transition matrix is square, (K, K); this one has shape {T.shape}")
    if not np.isfinite(T).all() or (T < 0).any():
        i, j = np.argwhere(~(np.isfinite(T) & (T >= 0)))[0]
        raise ValueError(f"entry [{i}, {j}] of the transition matrix is {T[i, j]}, not a probability")
    sums = T.sum(axis=1)
    for i in np.flatnonzero(abs(sums - 1) > ROW_SUM_TOLERANCE)[:1]:
        raise ValueError(
            f"row {i} of the transition matrix sums to {sums[i]:.6g}, not to 1; "
            "T[i, j] = P(noisy = j | clean = i)"
        )
    return T / sums[:, None]


def symmetric_matrix(num_classes: int, rate: float) -> Matrix:
    r"""Return symmetric noise, §3.2 and §5: a label is wrong at `rate`, and then any other class alike.

    .. math:: T_{ii} = 1 - \eta, \qquad T_{ij} = \eta / (K - 1)

    Parameters
    ----------
    num_classes : int
        K, 2 or more.
    rate : float
        η in [0, 1]. RCE tolerates it below 1 - 1/K (Theorem 1).

    Returns
    -------
    ndarray (K, K), float64

    Raises
    ------
    ValueError
        For a rate outside [0, 1] or fewer than 2 classes.

    Examples
    --------
    >>> symmetric_matrix(3, 0.5).tolist()
    [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]]
    """
    K, rate = check_num_classes(num_classes), check_rate(rate)
    T = np.full((K, K), rate / (K - 1))
    np.fill_diagonal(T, 1 - rate)
    return T
