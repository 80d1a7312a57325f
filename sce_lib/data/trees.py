"""Image trees: ``<name>/{train,test}/<class>/<file>`` in a folder or a zip, decoded once and cached.

What counts. An image is a file ending in one of `IMAGE_SUFFIXES`; every other file is passed over, and so are
hidden files and ``__MACOSX``. Everything beside ``train`` and ``test`` is passed over too. An image that lies
elsewhere than directly in a class folder is refused, since leaving it out silently would change the data.
"""

import contextlib
import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from sce_lib import quoted
from sce_lib.data.errors import DatasetError
from sce_lib.files import check_name

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
SPLITS = ("train", "test")
# Only lossless conversions: a palette is a way of storing RGB, a bitmap of storing grayscale.
_MODES = {"L": "L", "1": "L", "RGB": "RGB", "P": "RGB"}
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile)

# No image of a tree that fits in memory is as large as these; a file that is would take the memory of all.
_MOST_BYTES = 2**30
_MOST_PIXELS = Image.MAX_IMAGE_PIXELS or 2**27

# The flag of a zip's member that its name is UTF-8.
_UTF8 = 0x800

Reader = Callable[[str], bytes]


class Member(NamedTuple):
    """One image of a tree: its name there, its split, its class folder and its stem."""

    name: str
    split: str
    folder: str
    stem: str


class DecodedTree(NamedTuple):
    """A tree's images, uint8 ``(N, H, W, C)``, labels, int64 ``(N,)``, class names, and kinds of files."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    classes: tuple[str, ...]
    source: str


def find_tree(root: Path, name: str) -> Path | None:
    """Return the folder or else the zip that holds the tree of that name, or None."""
    folder, archive = root / name, root / f"{name}.zip"
    # Where file names ignore case, `mnist` finds torchvision's `MNIST`: hence the look for a split in it.
    if any((folder / split).is_dir() for split in SPLITS):
        return folder
    return archive if archive.is_file() else None


def read_tree(tree: Path, name: str, official: tuple[str, ...] | None = None) -> DecodedTree:
    """Decode every image of a tree; a zip is not unpacked to disk, and may hold the splits under ``<name>/``.

    Images are ordered by their stems, numbers in them by value (``9`` before ``10``), across classes; equal
    stems by class. Class ids follow the official order where one is given, and then the folders must bear
    these names (``/`` written ``_``) or the ids; else the folder names, by value where all are whole numbers.
    """
    with open_tree(tree, name) as (names, read):
        ranked, ids = rank_members(names, tree, name, official)
        images, formats = _decode(ranked, read, tree)
    labels = np.array([ids[member.folder] for member in ranked], dtype=np.int64)
    training = np.array([member.split == "train" for member in ranked])
    arrays = (images[training], labels[training], images[~training], labels[~training])
    return DecodedTree(*arrays, official or tuple(ids), f"image tree ({', '.join(sorted(formats))})")


def rank_members(
    names: Iterable[str], tree: Path, name: str, official: tuple[str, ...] | None
) -> tuple[list[Member], dict[str, int]]:
    """Return a tree's images in the order that `read_tree` has them in, and the class id of each folder."""
    members, folders, misplaced = sort_out(names, name)
    for problem in misplaced + class_problems(members, folders, tree):
        raise DatasetError(f"{tree}: {problem}")
    order = class_order(folders["train"], official, tree)
    ids = {folder: place for place, folder in enumerate(order)}
    return sorted(members, key=lambda m: (_natural(m.stem), ids[m.folder], m.name)), ids


@contextmanager
def open_tree(tree: Path, name: str) -> Iterator[tuple[list[str], Reader]]:
    """Open a folder or zip; give the names in it (folders end in ``/``) and a reader of their bytes."""
    if tree.is_dir():
        yield walk(tree), lambda member: _read_file(tree / member)
        return
    try:
        archive = zipfile.ZipFile(tree)
    except (zipfile.BadZipFile, OSError) as error:
        raise DatasetError(f"{tree} is not a zip file that can be read: {error}") from error
    with archive:
        members = [(_zip_name(info), info) for info in archive.infolist()]
        infos = dict(members)
        yield [name for name, _ in members], lambda member: _read_member(archive, infos[member])


def _read_file(path: Path) -> bytes:
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OSError("it is no regular file")  # reading a pipe would wait for ever
    _check_bytes(state.st_size)
    return path.read_bytes()


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    _check_bytes(info.file_size)
    return archive.read(info)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name; many programs write UTF-8 without saying so, which then reads as cp437."""
    if not info.flag_bits & _UTF8:
        with contextlib.suppress(UnicodeError):
            return info.filename.encode("cp437").decode("utf-8")
    return info.filename


def _check_bytes(size: int) -> None:
    if size > _MOST_BYTES:
        raise OSError(f"it has {size:,} bytes, unpacked; at most {_MOST_BYTES:,} are read")


def walk(tree: Path) -> list[str]:
    """Return the sorted names of all below ``train`` and ``test``, as a zip has them; links are followed."""
    splits = [split for split in SPLITS if (tree / split).is_dir()]
    return sorted(name for split in splits for name in _below(tree / split, split, frozenset()))


def _below(folder: Path, inside: str, above: frozenset[str]) -> Iterator[str]:
    above |= {os.path.realpath(folder)}
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{inside}/{entry.name}"
            if not entry.is_dir():
                yield name
                continue
            yield f"{name}/"
            if os.path.realpath(entry.path) not in above:  # else a link that leads back
                yield from _below(Path(entry.path), name, above)


def sort_out(names: Iterable[str], name: str) -> tuple[list[Member], dict[str, set[str]], list[str]]:
    """Return a tree's images, by split all its class folders, and a sentence for each name out of place."""
    members: list[Member] = []
    folders: dict[str, set[str]] = {split: set() for split in SPLITS}
    problems: list[str] = []
    seen: set[str] = set()
    for full in names:
        parts = full.removesuffix("/").split("/")
        if ".." in parts or full.startswith("/") or "\\" in full:
            problems.append(f"member {quoted(full)} points outside of the tree; make the zip anew.")
            continue
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
            problems.append(f"image {quoted(full)} {reason}.")
            continue
        seen.add(full)
        members.append(Member(full, parts[0], parts[1], path.stem))
    return members, folders, problems


def class_problems(members: list[Member], folders: dict[str, set[str]], tree: Path) -> list[str]:
    """Return a sentence for each split or class without images, classes of one split alone, and one class."""
    found = {split: {m.folder for m in members if m.split == split} for split in SPLITS}
    problems = []
    for folder in sorted(folders["train"] | folders["test"]):
        try:
            check_name(folder)
        except ValueError as error:
            problems.append(f"a class folder is called {quoted(folder)}, but {error}.")
    for split in SPLITS:
        if not folders[split]:
            problems.append(
                f"there are no {split} images; a tree holds {{train,test}}/<class>/<file>, and a zip may "
                f"have these under {tree.stem}/."
            )
        for empty in sorted(folders[split] - found[split]):
            problems.append(f"class folder {split}/{empty} holds no image ({', '.join(IMAGE_SUFFIXES)}).")
    for split, other in (SPLITS, SPLITS[::-1]):
        if folders[other] and (alone := folders[split] - folders[other]):
            problems.append(f"class folders {sorted(alone)} are in {split} but not in {other}.")
    if len(classes := found["train"] | found["test"]) == 1:
        problems.append(f"{quoted(*classes)} is the only class with images; at least 2 are needed.")
    return problems


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
                f"{tree}: image {member.name!r} is {describe(pixels.shape)}, expected "
                f"{describe(images.shape[1:])} as in {members[0].name!r}; all images must be alike."
            )
        images[place] = pixels
        formats.add(kind)
    assert images is not None
    return images, formats


def _decode_one(member: Member, read: Reader, tree: Path) -> tuple[NDArray[np.uint8], str]:
    try:
        return decode(lambda: read(member.name))
    except DatasetError as error:
        raise DatasetError(f"{tree}: image {member.name!r} {error}") from error


def decode(read: Callable[[], bytes]) -> tuple[NDArray[np.uint8], str]:
    """Return an image's pixels, ``(H, W, C)``, and the format of its file; a `DatasetError` says why not."""
    with opened(read) as image:
        # A transparent palette would lose its transparency.
        mode = "PA" if image.mode == "P" and "transparency" in image.info else image.mode
        if mode not in _MODES:
            raise DatasetError(
                f"has mode {mode}; only 8-bit grayscale and RGB without transparency are read. "
                "Convert it first."
            )
        pixels = np.asarray(image.convert(_MODES[mode]))
        return pixels.reshape(*pixels.shape[:2], -1), str(image.format)


@contextmanager
def opened(read: Callable[[], bytes]) -> Iterator[Image.Image]:
    """Open an image and load its pixels, in whatever mode it has; a `DatasetError` says why not."""
    try:
        if not (content := read()):
            raise OSError("the file is empty")
        image = Image.open(io.BytesIO(content))
        if image.width * image.height > _MOST_PIXELS:
            raise OSError(f"it has {image.width}x{image.height} pixels; at most {_MOST_PIXELS:,} are decoded")
        image.load()
    except UnidentifiedImageError as error:
        raise DatasetError("cannot be decoded: it is no image, whatever its name says") from error
    except (*_DECODE_ERRORS, Image.DecompressionBombError) as error:
        raise DatasetError(f"cannot be decoded: {error}") from error
    with image:
        yield image


def describe(shape: tuple[int, ...]) -> str:
    """Return a shape ``(H, W, C)`` in words."""
    height, width, channels = shape
    return f"{width}x{height} (width x height) {'grayscale' if channels == 1 else 'RGB'}"
