"""How numbers are written for people: one minus sign, one form for a mean and its range."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sce_lib.experiments.config.naming import value_in_words

MINUS = "−"


def number(value: float, digits: int = 1) -> str:
    """Return a number with so many digits behind the point and a true minus sign; nothing for NaN.

    Examples
    --------
    >>> number(-3.04), number(float("nan"))
    ('−3.0', '')
    """
    return "" if np.isnan(value) else f"{value:z.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 1) -> str:
    """Return a difference with its sign; nothing for NaN.

    Examples
    --------
    >>> signed(0.25, digits=2), signed(-3.0), signed(float("nan"))
    ('+0.25', '−3.0', '')
    """
    return "" if np.isnan(value) else f"{value:+z.{digits}f}".replace("-", MINUS)


def with_range(mean: float, low: float, high: float, digits: int = 1, *, difference: bool = False) -> str:
    """Return ``mean [low, high]``, each with its sign for a difference; the mean alone without a range.

    Examples
    --------
    >>> with_range(2.0, -1.0, 5.0), with_range(2.0, -1.0, 5.0, difference=True)
    ('2.0 [−1.0, 5.0]', '+2.0 [−1.0, +5.0]')
    >>> with_range(2.0, float("nan"), float("nan"))
    '2.0'
    """
    written = signed if difference else number
    if np.isnan(low) or np.isnan(high):
        return written(mean, digits)
    return f"{written(mean, digits)} [{written(low, digits)}, {written(high, digits)}]"


def over_seeds(values: Sequence[float] | np.ndarray, digits: int = 1, *, difference: bool = False) -> str:
    """Return the mean of values over seeds and the range of several; nothing for none.

    Examples
    --------
    >>> over_seeds([50.0, 60.0]), over_seeds([50.0]), over_seeds([])
    ('55.0 [50.0, 60.0]', '50.0', '')
    """
    array = np.asarray(values, dtype=float)
    if not array.size:
        return ""
    low, high = (array.min(), array.max()) if array.size > 1 else (np.nan, np.nan)
    return with_range(array.mean(), low, high, digits, difference=difference)


def spread(shares: Sequence[float] | np.ndarray, digits: int = 1) -> str:
    """Return `over_seeds` of shares, in per cent.

    Examples
    --------
    >>> spread([0.5, 0.6])
    '55.0 [50.0, 60.0]'
    """
    return over_seeds(100 * np.asarray(shares, dtype=float), digits)


def written(table: pd.DataFrame, digits: int | None = None) -> pd.DataFrame:
    """Return a table with its numbers as text: `number` of so many digits, or four digits that count.

    Examples
    --------
    >>> written(pd.DataFrame({"A": [-9.21034, -4.0]}))["A"].tolist()
    ['−9.21', '−4']
    """
    return table.map(lambda value: _text(value, digits))


def _text(value: object, digits: int | None) -> str:
    if not isinstance(value, float):
        return value_in_words(value)
    if np.isnan(value):
        return ""
    return value_in_words(float(value)) if digits is None else number(value, digits)
