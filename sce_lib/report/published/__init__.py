"""Published numbers, as printed: the paper's Tables 1 to 3, and what others report for SL. All in per cent.

Methods and noise have this project's names: ``"forward+sl"``, ``"symmetric-0.4"``, ``"clean"``.
"""

import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

TABLES = (1, 2, 3)
_FOLDER = Path(__file__).parent


class Reported(NamedTuple):
    """A cell of the paper's tables.

    Parameters
    ----------
    mean : float
        Test accuracy in per cent; in Tables 1 and 2 the mean of 5 runs.
    std : float or None
        Standard deviation of those runs in percentage points; Table 3 gives none.
    table : int
        Its number.
    """

    mean: float
    std: float | None
    table: int


def load_table(number: int) -> pd.DataFrame:
    """Return a table of the paper, one row a cell.

    Columns: `table`, `dataset`, `method`, `noise`, `mean`, `std` and `note`; `std` is NaN in Table 3.

    Raises
    ------
    ValueError
        For a number other than 1, 2 and 3.

    Examples
    --------
    >>> load_table(2).query("method == 'lsr+sl'")["mean"].tolist()
    [85.2, 79.28, 80.99]
    """
    if number not in TABLES:
        raise ValueError(f"the paper has tables 1, 2 and 3, not {number!r}")
    return _read(f"table{number}.csv").copy()


def load_others() -> pd.DataFrame:
    """Return what others report for SL and CE on CIFAR-10, one row a number.

    Columns: `source`, `year`, `reference`, `network`, `epoch_rule` (``"last"``, ``"best"`` or
    ``"unstated"``), `dataset`, `method`, `noise`, `accuracy` and `note`.

    Examples
    --------
    >>> others = load_others()
    >>> others.query("method == 'sl' and noise == 'symmetric-0.8'")["accuracy"].tolist()
    [56.26, 36.28, 25.88, 68.12]
    """
    return _read("others.csv").copy()


def reported(dataset: str, method: str, noise: str) -> Reported | None:
    """Return what the paper reports for a cell, or None where it reports nothing.

    Examples
    --------
    >>> reported("cifar10", "sl", "symmetric-0.4")
    Reported(mean=85.34, std=0.07, table=1)
    >>> reported("fashion_mnist", "sl", "symmetric-0.4") is None
    True
    """
    return _cells().get((dataset, method, noise))


def as_numbers(cell: Reported | None) -> tuple[float, float]:
    """Return the mean and the standard deviation of a cell, NaN for what is not reported."""
    mean, std, _ = cell or Reported(math.nan, None, 0)
    return mean, math.nan if std is None else std


@cache
def _cells() -> dict[tuple[str, str, str], Reported]:
    rows = pd.concat([_read(f"table{number}.csv") for number in TABLES]).drop(columns="note")
    return {
        (dataset, method, noise): Reported(mean, None if math.isnan(std) else std, number)
        for number, dataset, method, noise, mean, std in rows.itertuples(index=False)
    }


@cache
def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(_FOLDER / name, keep_default_na=False, na_values={"std": [""]})
