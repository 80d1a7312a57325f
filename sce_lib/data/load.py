"""`load_dataset`: one door to every data set that fits in memory."""

from pathlib import Path

import torch

from sce_lib.data.at_hand import NOT_TORCHVISIONS, explain_absence, read_at_hand, resolved
from sce_lib.data.core import ImageData
from sce_lib.data.errors import DatasetError, DatasetNotFound
from sce_lib.data.names import OFFICIAL, check_name
from sce_lib.data.official import IncompleteFiles, download_official, load_digits, read_official


def load_dataset(name: str, root: str | Path | None = None, download: bool = True) -> ImageData:
    """Return a data set by name: training and test images, labels, class names, source and fingerprint.

    What is on disk is taken first, in this order: torchvision's files, the image tree ``<root>/<name>/``, the
    zip ``<root>/<name>.zip``. Only then is anything downloaded. `ImageData.source` says which it was: the
    CIFAR-10 of JPEG files is not the lossless one.

    Parameters
    ----------
    name : str
        ``digits`` (comes with scikit-learn), ``mnist``, ``fashion_mnist``, ``cifar10``, ``cifar100``, or any
        other name, which is then an image tree of that name: ``{train,test}/<class>/<file>``. Trees are
        decoded once; the arrays are kept under ``$SCE_CACHE`` and made again when a file changes.
    root : str or Path, optional
        The folder that holds the data; by default ``$SCE_DATA``, else ``data/cache``. It is written to by
        downloads only.
    download : bool
        Whether torchvision may download what is absent (it checks the files' sums). A `DatasetNotFound` lists
        the places and the three ways to get the data.

    Examples
    --------
    >>> data = load_dataset("digits")
    >>> data.test_images.dtype, tuple(data.test_images.shape), data.source
    (torch.uint8, (500, 8, 8, 1), 'scikit-learn digits')
    """
    check_name(name)
    root = resolved(root)
    if name == "digits":
        return load_digits()
    if name == "clothing1m":
        instead = "load_clothing1m reads its images when asked for, and training does so by itself."
        raise DatasetError(f"clothing1m does not fit in memory: {instead}")
    if (data := _on_disk(name, root, download)) is not None:
        return data
    failure = _download(name, root, download)
    if failure is None and (data := read_official(name, root)) is not None:
        return data
    raise DatasetNotFound(explain_absence(name, root, failure))


def _on_disk(name: str, root: Path, download: bool) -> ImageData | None:
    if name in OFFICIAL and (data := _read_official(name, root, download)):
        return data
    if (tree := read_at_hand(name, root)) is None:
        return None
    train, test = map(torch.from_numpy, (tree.train_images, tree.test_images))
    labels, test_labels = map(torch.from_numpy, (tree.train_labels, tree.test_labels))
    return ImageData(name, train, labels, test, test_labels, tree.classes, tree.source)


def _read_official(name: str, root: Path, download: bool) -> ImageData | None:
    """Read torchvision's files, after a new download where some of them are missing or damaged."""
    try:
        return read_official(name, root)
    except IncompleteFiles as error:
        if (failure := _download(name, root, download)) is not None:
            raise DatasetError(f"{error} Download: {failure}.") from error
        return read_official(name, root)


def _download(name: str, root: Path, allowed: bool) -> str | None:
    """Return None if the files are there now, else what kept them from coming."""
    if not allowed:
        return "not tried, since download=False"
    return download_official(name, root) if name in OFFICIAL else NOT_TORCHVISIONS
