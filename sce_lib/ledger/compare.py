"""What differs between two records, or two ledgers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sce_lib.ledger.records import RunRecord
from sce_lib.ledger.store import Ledger


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        yield f"{place}.length", len(value)
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{number}]")
    else:
        yield place, value


def differences(one: RunRecord, other: RunRecord) -> dict[str, tuple[Any, Any]]:
    """Return each place where two records' results differ, with both values; None where one has none."""
    left, right = dict(_leaves(one.results())), dict(_leaves(other.results()))
    return {
        place: (left.get(place), right.get(place))
        for place in {**left, **right}
        if left.get(place) != right.get(place)
    }


@dataclass(frozen=True)
class LedgerDifference:
    """Runs by ``dataset/run_id``: those that one ledger alone has, and those whose results differ.

    Parameters
    ----------
    only_one, only_other : list of str
        Runs without a record in the other ledger.
    differing : dict
        For each run whose results differ, as `differences` returns it.
    equal : int
        Number of runs with the same results in both.
    """

    only_one: list[str]
    only_other: list[str]
    differing: dict[str, dict[str, tuple[Any, Any]]]
    equal: int


def compare(one: Ledger, other: Ledger) -> LedgerDifference:
    """Return what differs between two ledgers.

    Examples
    --------
    >>> import tempfile
    >>> compare(Ledger(tempfile.mkdtemp()), Ledger(tempfile.mkdtemp())).equal
    0
    """
    left, right = ({f"{r.config.dataset}/{r.run_id}": r for r in ledger} for ledger in (one, other))
    both = {name: differences(left[name], right[name]) for name in left.keys() & right.keys()}
    return LedgerDifference(
        only_one=sorted(left.keys() - right.keys()),
        only_other=sorted(right.keys() - left.keys()),
        differing={name: found for name, found in sorted(both.items()) if found},
        equal=sum(not found for found in both.values()),
    )
