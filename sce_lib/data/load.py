"""`load_dataset`: one door to every data set that fits in memory."""

import difflib
import re
from functools import partial
from pathlib import Path

from sce_lib.data.cache import cached_tree
from sce_lib.data.core import DatasetError, DatasetNotFound, ImageData
from sce_lib.data.official import OFFICIAL, IncompleteFiles, download_official, load_digits, read_official
from sce_lib.data.trees import find_tree, read_tree
from sce_lib.files import data_root

KNOWN_DATASETS: tuple[str, ...] = ("digits", *OFFICIAL)
# Those, and the one that is read from disk image by image.
_NAMES = (*KNOWN_DATASETS, "clothing1m")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


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
    _check_name(name)
    root = Path(root).expanduser().resolve() if root is not None else data_root()
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
    raise DatasetNotFound(_explain(name, root, failure))


def _check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"a data set's name is a str, got {name!r}.")
    if not _NAME.fullmatch(name):
        raise DatasetError(
            f"data set name {name!r} must be letters, digits, '.', '_' and '-', beginning with a letter or "
            f"digit; known are {', '.join(_NAMES)}. A folder is given as root, not in the name."
        )


def _on_disk(name: str, root: Path, download: bool) -> ImageData | None:
    if name in OFFICIAL and (data := _read_official(name, root, download)):
        return data
    if (tree := find_tree(root, name)) is None:
        return None
    classes = OFFICIAL[name].classes if name in OFFICIAL else None
    return cached_tree(tree, name, classes, partial(read_tree, tree, name, classes))


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
    return download_official(name, root) if name in OFFICIAL else "torchvision has none of this name"


def _explain(name: str, root: Path, failure: str | None) -> str:
    """Say what was looked for, where, and how to get it."""
    close = difflib.get_close_matches(name.lower(), _NAMES, n=1)
    guess = f" Did you mean {close[0]!r}?" if close and close[0] != name else ""
    looked = [f"{root / name}/{{train,test}}/<class>/<file>", f"{root / name}.zip"]
    if name in OFFICIAL:
        looked.insert(0, f"{root / OFFICIAL[name].folder}/, torchvision's files")
    lines = [
        f"Data set {name!r} was not found.{guess} Known: {', '.join(_NAMES)}.",
        "Looked for:",
        *(f"  {place}" for place in looked),
        f"Download: {failure}.",
        "Three ways to get data:",
        f"  1. download: load_dataset({name!r}, download=True) where there is internet "
        f"(torchvision has {', '.join(OFFICIAL)});",
        f"  2. put the official files, or torchvision's folder, under SCE_DATA (or root=), here {root};",
        f"  3. an image tree of your own, {looked[-2]} or that as {looked[-1]}.",
        "The digits need none of these: load_dataset('digits').",
    ]
    return "\n".join(lines)
