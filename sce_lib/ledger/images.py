"""Whether records can be compared: which images each was made from."""

from collections import Counter
from collections.abc import Iterable

from sce_lib.ledger.records import RunRecord


class MixedImages(ValueError):
    """Records of one data set were made from different images; the message names these, and the way out."""


def require_same_images(records: Iterable[RunRecord]) -> None:
    """Raise unless the records of each data set were all made from the same images.

    A run's id says which data set it is of, but not where its images came from: CIFAR-10 from JPEG files and
    the lossless one of torchvision are two experiments under one name.

    Raises
    ------
    MixedImages
        If the fingerprints of a data set's images differ.

    Examples
    --------
    >>> require_same_images([])
    """
    images: dict[str, Counter[tuple[str, str]]] = {}
    for record in records:
        made = (record.provenance.source, record.provenance.fingerprint)
        images.setdefault(record.config.dataset, Counter())[made] += 1
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
