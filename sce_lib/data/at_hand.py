"""What lies on this disk, looked for and read without torch, whose import takes seconds."""

from pathlib import Path

from sce_lib.data.cache import cached_tree
from sce_lib.data.errors import DatasetError, DatasetNotFound
from sce_lib.data.names import OFFICIAL, check_name, not_found
from sce_lib.data.trees import DecodedTree, find_tree
from sce_lib.files import data_root

NOT_TORCHVISIONS = "torchvision has none of this name"


def require_at_hand(name: str, root: str | Path | None = None, shift: float = 0) -> None:
    """Raise what `load_dataset` would, as far as that can be known without torch.

    An image tree is decoded, into the cache; at what torchvision reads or downloads nothing is looked.
    `shift` is that of the augmentation that its images are to bear, see `require_room`.

    Raises
    ------
    DatasetNotFound, DatasetError
        For a name that leads nowhere; for a tree of which an image cannot be read or is unlike the others.
        For images that are too small for the shift.

    Examples
    --------
    >>> require_at_hand("digits")
    """
    check_name(name)
    root = resolved(root)
    if name in ("digits", "clothing1m") or (name in OFFICIAL and (root / OFFICIAL[name].folder).is_dir()):
        return
    tree = read_at_hand(name, root)
    if tree is not None:
        require_room(name, tree.train_images.shape[1:], shift)
    elif name not in OFFICIAL:
        raise DatasetNotFound(explain_absence(name, root, NOT_TORCHVISIONS))


def require_room(name: str, shape: tuple[int, ...], shift: float) -> None:
    """Raise if images (H, W, C) would be shifted out of sight; below 1 a shift is a fraction of the side.

    Raises
    ------
    DatasetError
        Saying what to do.

    Examples
    --------
    >>> require_room("cifar10", (32, 32, 3), shift=4)
    """
    height, width, *_ = shape
    if shift >= 1 and min(height, width) <= shift:
        raise DatasetError(
            f"images of {name} are {width}x{height} pixels (width x height), too small for the augmentation, "
            f"which shifts them by up to {shift:g} pixels: make larger ones with `sce data check {name} "
            "--convert FOLDER --size 32`, or train without the shift (`sce run --config` with a shift of 0)"
        )


def resolved(root: str | Path | None) -> Path:
    """Return the folder of data sets that is meant."""
    return Path(root).expanduser().resolve() if root is not None else data_root()


def read_at_hand(name: str, root: Path) -> DecodedTree | None:
    """Return the image tree of that name, or None if there is none."""
    if (tree := find_tree(root, name)) is None:
        return None
    return cached_tree(tree, name, OFFICIAL[name].classes if name in OFFICIAL else None)


def explain_absence(name: str, root: Path, failure: str | None) -> str:
    """Return the message for a data set that is not there, with the names of the trees that are."""
    entries = root.iterdir() if root.is_dir() else ()
    names = {entry.name.removesuffix(".zip") for entry in entries if not entry.name.startswith(".")}
    return not_found(name, root, str(failure), [name for name in names if find_tree(root, name)])
