"""Image trees: ``<name>/{train,test}/<class>/<file>`` in a folder or a zip, decoded once and cached.

What counts. An image is a file ending in one of `IMAGE_SUFFIXES`; every other file is passed over, and so are
hidden files and ``__MACOSX``. Everything beside ``train`` and ``test`` is passed over too. An image that lies
elsewhere than directly in a class folder is refused, since leaving it out silently would change the data.
"""

import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from sce_lib.data.core import DatasetError, ImageData

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
SPLITS = ("train", "test")
# Only lossless conversions: a palette is a way of storing RGB, a bitmap of storing grayscale.
_MODES = {"L": "L", "1": "L", "RGB": "RGB", "P": "RGB"}
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile)

Reader = Callable[[str], bytes]


class Member(NamedTuple):
    """One image of a tree: its name there, its split, its class folder and its stem."""

    name: str
    split: str
    folder: str
    stem: str


def find_tree(root: Path, name: str) -> Path | None:
    """Return the folder or else the zip that holds the tree of that name, or None."""
    folder, archive = root / name, root / f"{name}.zip"
    # Where file names ignore case, `mnist` finds torchvision's `MNIST`: hence the look for a split in it.
    if any((folder / split).is_dir() for split in SPLITS):
        return folder
    return archive if archive.is_file() else None


def read_tree(tree: Path, name: str, official: tuple[str, ...] | None = None) -> ImageData:
    """Decode every image of a tree; a zip is not unpacked to disk, and may hold the splits under ``<name>/``.

    Images are ordered by their stems, numbers in them by value (``9`` before ``10``), across classes; equal
    stems by class. Class ids follow the official order where one is given, and then the folders must bear
    these names (``/`` written ``_``) or the ids; else the folder names, by value where all are whole numbers.
    """
    with open_tree(tree, name) as (names, read):
        members, folders = list_members(names, tree, name)
        order = class_order(_check_classes(members, folders, tree), official, tree)
        ids = {folder: place for place, folder in enumerate(order)}
        ranked = sorted(members, key=lambda m: (_natural(m.stem), ids[m.folder], m.name))
        images, formats = _decode(ranked, read, tree)
    labels = np.array([ids[member.folder] for member in ranked], dtype=np.int64)
    training = np.array([member.split == "train" for member in ranked])
    pixels, targets, train = (torch.from_numpy(array) for array in (images, labels, training))
    arrays = (pixels[train], targets[train], pixels[~train], targets[~train])
    return ImageData(name, *arrays, official or tuple(order), f"image tree ({', '.join(sorted(formats))})")


@contextmanager
def open_tree(tree: Path, name: str) -> Iterator[tuple[list[str], Reader]]:
    """Open a folder or zip; give the names in it (folders end in ``/``) and a reader of their bytes."""
    if tree.is_dir():
        yield walk(tree), lambda member: (tree / member).read_bytes()
        return
    try:
        archive = zipfile.ZipFile(tree)
    except (zipfile.BadZipFile, OSError) as error:
        raise DatasetError(f"{tree} is not a zip file that can be read: {error}") from error
    with archive:
        yield archive.namelist(), archive.read


def walk(tree: Path) -> list[str]:
    """Return the sorted names of all below ``train`` and ``test``, as a zip has them; links are followed."""
    names: list[str] = []
    for split in SPLITS:
        for folder, folders, files in os.walk(tree / split, followlinks=True):
            inside = Path(folder).relative_to(tree).as_posix()
            names += [f"{inside}/{name}/" for name in folders] + [f"{inside}/{name}" for name in files]
    return sorted(names)


def list_members(names: Iterable[str], tree: Path, name: str) -> tuple[list[Member], dict[str, set[str]]]:
    """Return a tree's images and, by split, all its class folders; refuse what is out of place."""
    members: list[Member] = []
    folders: dict[str, set[str]] = {split: set() for split in SPLITS}
    seen: set[str] = set()
    for full in names:
        parts = full.removesuffix("/").split("/")
        if ".." in parts or full.startswith("/") or "\\" in full:
            raise DatasetError(f"{tree}: member {full!r} points outside of the tree; make the zip anew.")
        parts = parts[1:] if parts[0] == name else parts
        if not parts or parts[0] not in SPLITS or any(p.startswith(".") or p == "__MACOSX" for p in parts):
            continue
        inside = parts if full.endswith("/") else parts[:-1]
        folders[parts[0]].update(inside[1:2])
        path = Path(parts[-1])
        if inside is parts or path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if len(parts) != 3 or full in seen:
            reason = "occurs twice" if full in seen else "is not at {train,test}/<class>/<file>"
            raise DatasetError(f"{tree}: image {full!r} {reason}.")
        seen.add(full)
        members.append(Member(full, parts[0], parts[1], path.stem))
    return members, folders


def _check_classes(members: list[Member], folders: dict[str, set[str]], tree: Path) -> set[str]:
    found = {split: {m.folder for m in members if m.split == split} for split in SPLITS}
    for split in SPLITS:
        if not folders[split]:
            raise DatasetError(
                f"{tree} has no {split} images; a tree holds {{train,test}}/<class>/<file>, and a zip may "
                f"have these under {tree.stem}/."
            )
        if empty := folders[split] - found[split]:
            where, suffixes = f"{tree}: class folder {split}/{min(empty)}", ", ".join(IMAGE_SUFFIXES)
            raise DatasetError(f"{where} holds no image ({suffixes}).")
    for split, other in (SPLITS, SPLITS[::-1]):
        if alone := found[split] - found[other]:
            raise DatasetError(f"{tree}: class folders {sorted(alone)} are in {split} but not in {other}.")
    return found["train"]


def class_order(folders: set[str], official: tuple[str, ...] | None, tree: Path) -> list[str]:
    """Return the class folders in the order of their class ids."""
    if official is None:
        return sorted(folders, key=int) if all(f.isdecimal() for f in folders) else sorted(folders)
    for order in ([c.replace("/", "_") for c in official], [str(k) for k in range(len(official))]):
        if folders == set(order):
            return order
    wanted = {c.replace("/", "_") for c in official}
    raise DatasetError(
        f"{tree}: the class folders must be {sorted(wanted)} or 0 to {len(official) - 1}; "
        f"missing {sorted(wanted - folders)}, unexpected {sorted(folders - wanted)}. "
        "A data set of your own needs a name of its own."
    )


def _natural(stem: str) -> tuple[list[str | int], str]:
    """Return a sort key by which numbers inside a stem compare by value: text and numbers alternate in it."""
    pieces = re.split(r"([0-9]+)", stem)
    return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)], stem


def _decode(members: list[Member], read: Reader, tree: Path) -> tuple[NDArray[np.uint8], set[str]]:
    """Decode into one array ``(N, H, W, C)``; the first image sets what all must be like."""
    # disable=None: no bar where there is no terminal
    bar = tqdm(members, f"Decoding {tree.name}", leave=False, disable=None, unit="image")
    images: NDArray[np.uint8] | None = None
    formats: set[str] = set()
    for place, member in enumerate(bar):
        pixels, kind = _decode_one(member, read, tree)
        if images is None:
            images = np.empty((len(members), *pixels.shape), dtype=np.uint8)
        if pixels.shape != images.shape[1:]:
            raise DatasetError(
                f"{tree}: image {member.name!r} is {_describe(pixels.shape)}, expected "
                f"{_describe(images.shape[1:])} as in {members[0].name!r}; all images must be alike."
            )
        images[place] = pixels
        formats.add(kind)
    assert images is not None
    return images, formats


def _decode_one(member: Member, read: Reader, tree: Path) -> tuple[NDArray[np.uint8], str]:
    try:
        with Image.open(io.BytesIO(read(member.name))) as image:
            image.load()
            mode, kind = image.mode, str(image.format)
            # A transparent palette would lose its transparency.
            mode = "PA" if mode == "P" and "transparency" in image.info else mode
            pixels = np.asarray(image.convert(_MODES[mode])) if mode in _MODES else None
    except (*_DECODE_ERRORS, Image.DecompressionBombError) as error:
        raise DatasetError(f"{tree}: image {member.name!r} cannot be decoded: {error}") from error
    if pixels is None:
        raise DatasetError(
            f"{tree}: image {member.name!r} has mode {mode}; only 8-bit grayscale and RGB without "
            "transparency are read. Convert it first."
        )
    return pixels.reshape(*pixels.shape[:2], -1), kind


def _describe(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{width}x{height} (width x height) {'grayscale' if channels == 1 else 'RGB'}"
