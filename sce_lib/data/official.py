"""The named data sets: scikit-learn's digits and what torchvision reads and downloads."""

import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from sce_lib.data.core import ImageData
from sce_lib.data.errors import DatasetError
from sce_lib.data.names import OFFICIAL
from sce_lib.data.sampling import class_quotas
from sce_lib.files import cache_root

DIGITS_TEST_SIZE = 500
_PROBE_SECONDS = 10


class IncompleteFiles(DatasetError):
    """Some of torchvision's files are missing or have not their MD5 sum: a new download would mend that."""


def load_digits() -> ImageData:
    """Return scikit-learn's 1,797 real 8×8 digits, 1,297 for training and 500 for testing, as 0 to 255.

    Of each class every third or fourth image, evenly spaced, is for testing: all writers are in both splits.
    """
    # Imported here: it takes more than a second, and no other data set needs it.
    from sklearn.datasets import load_digits as sklearn_digits

    digits = sklearn_digits()
    images = (digits.images.astype(np.int64) * 255 + 8) // 16
    labels = digits.target.astype(np.int64)
    testing = np.zeros(len(labels), dtype=bool)
    for label, quota in enumerate(class_quotas(np.bincount(labels), DIGITS_TEST_SIZE)):
        members = np.flatnonzero(labels == label)
        testing[members[(2 * np.arange(quota) + 1) * len(members) // (2 * quota)]] = True
    pixels = torch.from_numpy(images.astype(np.uint8)).unsqueeze(-1)
    targets, test = torch.from_numpy(labels), torch.from_numpy(testing)
    arrays = (pixels[~test], targets[~test], pixels[test], targets[test])
    return ImageData("digits", *arrays, tuple("0123456789"), "scikit-learn digits")


def files_of(reader: Any, root: Path) -> dict[Path, str | None]:
    """Return the unpacked files that a torchvision class reads, each with its MD5 sum where one is known."""
    if hasattr(reader, "resources"):
        raw = root / reader.__name__ / "raw"
        return {raw / name.removesuffix(".gz"): None for name, _ in reader.resources}
    entries = [*reader.train_list, *reader.test_list, (reader.meta["filename"], reader.meta["md5"])]
    return {root / reader.base_folder / name: md5 for name, md5 in entries}


def read_official(name: str, root: Path) -> ImageData | None:
    """Read torchvision's files below root; None if there are none."""
    official = OFFICIAL[name]
    if not (root / official.folder).is_dir():  # asked before torchvision is, which a run may do without
        return None
    files = files_of(official.reader, root)
    if not any(file.exists() for file in files):
        return None
    from torchvision.datasets.utils import check_integrity

    bad = [file for file, md5 in files.items() if not check_integrity(file, md5)]
    if bad:
        state = "does not have its MD5 sum" if bad[0].exists() else "is missing"
        mend = f"Put the official file there, or remove {bad[0].parent}."
        raise IncompleteFiles(f"{name}: {bad[0]} {state}. {mend}")
    try:
        train, test = (official.reader(root, train=train, download=False) for train in (True, False))
        arrays = (*_arrays(train), *_arrays(test))
    except (OSError, EOFError, ValueError, KeyError, AssertionError, RuntimeError, TypeError) as error:
        folder = next(iter(files)).parent
        raise DatasetError(f"{name}: the files in {folder} cannot be read, remove them: {error!r}") from error
    return ImageData(name, *arrays, official.classes, f"torchvision {official.torchvision_name}")


def _arrays(split: Any) -> tuple[Tensor, Tensor]:
    images, labels = torch.as_tensor(split.data), torch.as_tensor(split.targets, dtype=torch.int64)
    return (images.unsqueeze(-1) if images.ndim == 3 else images).contiguous(), labels


def download_official(name: str, root: Path) -> str | None:
    """Let torchvision download, or find, and unpack a data set; return None, or what kept it from that."""
    try:
        reader = OFFICIAL[name].reader
        if hasattr(reader, "resources"):
            archives = [root / reader.__name__ / "raw" / name for name, _ in reader.resources]
        else:
            archives = [root / reader.filename]
        if not all(archive.is_file() for archive in archives):
            _probe(reader)
        locks = cache_root() / "decoded"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"{name}.download.lock"):
            reader(root, train=True, download=True)
    except (OSError, RuntimeError, DatasetError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _probe(reader: Any) -> None:
    """Fail within seconds where there is no network: torchvision sets no time limit of its own."""
    mirrors = getattr(reader, "mirrors", None)
    for url in [reader.url] if mirrors is None else [m + reader.resources[0][0] for m in mirrors]:
        try:
            with urllib.request.urlopen(url, timeout=_PROBE_SECONDS):
                return
        except OSError as error:
            last = error
    raise last
