"""Which file each training image was read from."""

from pathlib import Path

from sce_lib.data.clothing1m import LazyImageData
from sce_lib.data.core import ImageData
from sce_lib.data.official import OFFICIAL
from sce_lib.data.trees import find_tree, open_tree, rank_members
from sce_lib.files import data_root


def image_paths(data: ImageData | LazyImageData, root: str | Path | None = None) -> list[Path] | None:
    """Return the files of the training images, in the images' order; None where images have no files.

    Parameters
    ----------
    data : ImageData or LazyImageData
        What `load_dataset` or `load_clothing1m` has returned.
    root : path, optional
        As it was given there. Of a tree in a zip, paths begin with the zip's.

    Examples
    --------
    >>> from sce_lib.data import load_dataset
    >>> image_paths(load_dataset("digits")) is None
    True
    """
    if isinstance(data, LazyImageData):
        return [data.train.root / data.train.key(place) for place in range(len(data.train))]
    if not data.source.startswith("image tree"):
        return None
    folder = Path(root).expanduser().resolve() if root is not None else data_root()
    tree = find_tree(folder, data.name)
    classes = OFFICIAL[data.name].classes if data.name in OFFICIAL else None
    paths = []
    if tree is not None:
        with open_tree(tree, data.name) as (names, _):
            ranked, _ = rank_members(names, tree, data.name, classes)
        paths = [tree / member.name for member in ranked if member.split == "train"]
    if len(paths) != len(data.train_labels):
        raise ValueError(
            f"{tree or folder / data.name} has {len(paths)} training images, and had "
            f"{len(data.train_labels)} when it was read: something changes it meanwhile, or root is another"
        )
    return paths
