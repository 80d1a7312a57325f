"""Tables as the pages write them, and where the project lies."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> Iterator[str]:
    """Yield the lines of a table; the last `numbers` columns stand to the right.

    Examples
    --------
    >>> list(table(["run", "seconds"], [["CE", "3"]], numbers=1))
    ['| run | seconds |', '| :-- | --: |', '| CE | 3 |']
    """
    aligned = [":--"] * (len(header) - numbers) + ["--:"] * numbers
    yield from (f"| {' | '.join(cells)} |" for cells in (header, aligned, *rows))
