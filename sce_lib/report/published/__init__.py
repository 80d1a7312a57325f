"""Published numbers, as printed: the paper's Tables 1 to 3, and what others report for SL. All in per cent.

Methods and noise have this project's names: ``"forward+sl"``, ``"symmetric-0.4"``, ``"clean"``.
"""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

TABLES = (1, 2, 3)
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Reported:
    """A cell of the paper's tables.

    Parameters
    ----------
    mean : float
        Test accuracy in per cent; in Tables 1 and 2 the mean of 5 runs.
    std : float or None
        Standard deviation of those runs in percentage points; Table 3 gives none.
    table : int
        Number of the table.
    """

    mean: float
    std: float | None
    table: int


def load_table(number: int) -> pd.DataFrame:
    """Return a table of the paper, one row a cell.

    Parameters
    ----------
    number : int
        1, 2 or 3.

    Returns
    -------
    DataFrame
        Columns `table`, `dataset`, `method`, `noise`, `mean`, `std` and `note`; `std` is NaN in Table 3,
        where the paper gives none.

    Raises
    ------
    ValueError
        For another number.

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

    Returns
    -------
    DataFrame
        Columns `source`, `year`, `reference`, `network`, `epoch_rule` (``"last"``, ``"best"`` or
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

    Parameters
    ----------
    dataset, method, noise : str
        As this project names them; the noise by its short name.

    Examples
    --------
    >>> reported("cifar10", "sl", "symmetric-0.4")
    Reported(mean=85.34, std=0.07, table=1)
    >>> reported("fashion_mnist", "sl", "symmetric-0.4") is None
    True
    """
    return _cells().get((dataset, method, noise))


@cache
def _cells() -> dict[tuple[str, str, str], Reported]:
    return {
        (row["dataset"], row["method"], row["noise"]): Reported(
            row["mean"], None if math.isnan(row["std"]) else row["std"], number
        )
        for number in TABLES
        for row in load_table(number).to_dict("records")
    }


@cache
def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(_FOLDER / name, keep_default_na=False, na_values={"std": [""]})
