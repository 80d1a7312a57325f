"""Whether records can be compared, and what differs between two of them, or between two ledgers."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sce_lib.experiments.ledger.records import RunRecord, Summary
from sce_lib.experiments.ledger.store import Ledger


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
    """Return each place where two records' results differ, with both values; None where one has none.

    How well flipped labels are found is compared where both keep it: older records do not.
    """
    kept = one.detection is not None and other.detection is not None
    left, right = (dict(_leaves(record.results(detection=kept))) for record in (one, other))
    both = {place: (left.get(place), right.get(place)) for place in left | right}
    return {place: values for place, values in both.items() if values[0] != values[1]}


@dataclass(frozen=True)
class LedgerDifference:
    """Runs by ``dataset/run_id``: those that one ledger alone has, and those whose results differ.

    `differing` holds for each of the latter what `differences` returns; `equal` counts the others in both.
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
    differing = {name: found for name, found in sorted(both.items()) if found}
    alone = sorted(left.keys() - right.keys()), sorted(right.keys() - left.keys())
    return LedgerDifference(*alone, differing, equal=len(both) - len(differing))


class MixedImages(ValueError):
    """Records of one data set were made from different images; the message names these, and the way out."""


def require_same_images(records: Iterable[RunRecord | Summary]) -> None:
    """Raise unless the records of each data set were all made from the same images.

    A run's id says which data set it is of, but not where its images came from: CIFAR-10 from JPEG files and
    the lossless one of torchvision are two experiments under one name.

    Raises
    ------
    MixedImages
        If the fingerprints of a data set's images differ.
    """
    images: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for record in records:
        images[record.config.dataset][record.provenance.source, record.provenance.fingerprint] += 1
    for dataset, found in images.items():
        if len({fingerprint for _, fingerprint in found}) > 1:
            listed = "; ".join(f"{count} of {described_images(*made)}" for made, count in found.items())
            raise MixedImages(
                f"the runs of {dataset} are of different images and cannot be compared: {listed}. Keep the "
                "runs of each in a ledger of its own (--ledger, the parameter ledger, or SCE_LEDGER)"
            )


def described_images(source: str, fingerprint: str) -> str:
    """Return where images came from and how their fingerprint begins.

    Examples
    --------
    >>> described_images("torchvision MNIST", "1ab36173c544ee")
    'torchvision MNIST (1ab36173)'
    """
    return f"{source} ({fingerprint[:8]})"
