"""Image trees looked over as a whole: all that is unfit in one go, and a clean copy of what can be mended."""

import os
import shutil
import struct
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from sce_lib.data.errors import DatasetError, DatasetNotFound
from sce_lib.data.names import OFFICIAL, check_name
from sce_lib.data.trees import (
    SPLITS,
    Member,
    Reader,
    class_order,
    class_problems,
    decode,
    describe,
    find_tree,
    open_tree,
    opened,
    sort_out,
)
from sce_lib.files import data_root

__all__ = ["Conversion", "Problem", "Survey", "convert", "survey"]

Shape = tuple[int, ...]
T = TypeVar("T")

_SIXTEEN_BITS = 65_535
# Pixels; the augmentation of most data sets shifts images by 4, which is half of as many.
SMALL_SIDE = 8


class Problem(NamedTuple):
    """What `load_dataset` would refuse: the file, "" where it is the tree as a whole, and the reason."""

    file: str
    reason: str


@dataclass(frozen=True)
class Survey:
    """What a tree holds.

    Parameters
    ----------
    tree : Path
        The folder or zip.
    counts : dict of str to dict of str to int
        How many image files each class has, by split and class.
    shape : tuple of int, optional
        Height, width and channels of most images; None where none can be read.
    problems : tuple of Problem
        All that keeps the tree from being read, first of the tree and then by file.
    passed_over : tuple of str
        Files in class folders that are no images by their names, and are not looked at.
    """

    tree: Path
    counts: dict[str, dict[str, int]]
    shape: Shape | None
    problems: tuple[Problem, ...]
    passed_over: tuple[str, ...]

    @property
    def images(self) -> int:
        """How many image files there are."""
        return sum(sum(of.values()) for of in self.counts.values())

    @property
    def tiny(self) -> bool:
        """Whether a side of most images is below `SMALL_SIDE`: they can be read, but hardly trained on."""
        return self.shape is not None and min(self.shape[:2]) < SMALL_SIDE


@dataclass(frozen=True)
class Conversion:
    """What `convert` has written.

    `images` are so many, all of `size`, (width, height), and of `mode`, ``"L"`` or ``"RGB"``; `resized` of
    them had another size; what could not be read is `left_out`.
    """

    out: Path
    images: int
    size: tuple[int, int]
    mode: str
    resized: int
    left_out: tuple[Problem, ...]


def survey(tree: str | Path) -> Survey:
    """Look at every image of a tree and return all that is wrong with it.

    The size and kind (gray or colour) of most images counts as right.

    Parameters
    ----------
    tree : str or Path
        A folder or zip ``{train,test}/<class>/<file>``, or the name of one below ``$SCE_DATA``.

    Raises
    ------
    DatasetNotFound, DatasetError
        If there is no such folder or zip; if a zip cannot be opened.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp()) / "mine"
    >>> for place in ("train/ant/0", "train/ant/1", "train/bee/2", "test/ant/3", "test/bee/4"):
    ...     file = folder / f"{place}.png"
    ...     file.parent.mkdir(parents=True, exist_ok=True)
    ...     Image.new("RGBA" if place == "train/ant/1" else "RGB", (6, 4)).save(file)
    >>> found = survey(folder)
    >>> found.images, found.shape
    (5, (4, 6, 3))
    >>> [problem.file for problem in found.problems]
    ['train/ant/1.png']
    """
    with _looked_over(tree) as found:
        shapes: dict[str, Shape] = {}
        unfit: dict[str, str] = {}
        for member, read in found.images("Looking at"):
            try:
                shapes[member.name] = decode(read)[0].shape
            except DatasetError as error:
                unfit[member.name] = str(error)
    usual = _most_common(shapes.values())
    for name, shape in shapes.items():
        if usual is not None and shape != usual:
            unfit[name] = f"is {describe(shape)}; most are {describe(usual)}"
    of_files = [Problem(m.name, unfit[m.name]) for m in found.members if m.name in unfit]
    counts = {split: Counter(m.folder for m in found.members if m.split == split) for split in SPLITS}
    problems = (*found.of_tree(), *of_files)
    return Survey(found.path, {k: dict(v) for k, v in counts.items()}, usual, problems, found.passed_over)


def convert(tree: str | Path, out: str | Path, size: tuple[int, int] | None = None) -> Conversion:
    """Write a clean copy of a tree: PNG files of one size, all colour, or gray if all of them are.

    Images are turned upright as their EXIF data say, scaled (Lanczos) so that they fill the size, and cropped
    to their middle. What is transparent is laid on white, 16 bits become 8. What cannot be read, and what
    lies out of place, is left out, and so is a class of which a split has nothing else. The copy appears
    whole or not at all; the source is left alone.

    Parameters
    ----------
    tree : str or Path
        As `survey` takes it.
    out : str or Path
        The folder to write, which must not be there yet, and lie neither in the source nor around it.
    size : (int, int), optional
        Width and height in pixels; that of most images where it is not given.

    Raises
    ------
    DatasetError, DatasetNotFound, FileExistsError
        If fewer than two classes would be left, or the source is no tree; if `out` is there.
    ValueError
        If `out` and the source lie in one another, or a side is below 1.
    """
    out = Path(out).expanduser().absolute()
    if size is not None and min(size) < 1:
        raise ValueError(f"an image has at least 1x1 pixels, not {size[0]}x{size[1]}")
    with _looked_over(tree) as found:
        _check_target(out, found.path)
        left_out = list(found.misplaced)
        sizes: dict[Member, tuple[int, int]] = {}
        gray = True
        for member, read in found.images("Looking at"):
            try:
                with opened(read) as image:
                    plain = _plain(image)
            except DatasetError as error:
                left_out.append(Problem(member.name, str(error)))
            else:
                sizes[member], gray = plain.size, gray and plain.mode == "L"
        for empty, reason in _empty_classes(sizes, found.folders).items():
            left_out.append(Problem("", reason))
            sizes = {member: old for member, old in sizes.items() if member.folder != empty}
        kept = {split: {member.folder for member in sizes if member.split == split} for split in SPLITS}
        for problem in class_problems(list(sizes), kept, found.path):
            raise DatasetError(f"{found.path}: of what a copy could hold: {problem}")
        size, mode = size or _most_common(sizes.values()) or (1, 1), "L" if gray else "RGB"
        with _whole_folder(out) as folder:
            targets = _targets(sizes)
            for member, read in found.images("Writing", targets):
                with opened(read) as image:
                    plain = _plain(image).convert(mode)
                if plain.size != size:
                    plain = ImageOps.fit(plain, size, Image.Resampling.LANCZOS)
                target = folder / targets[member]
                target.parent.mkdir(parents=True, exist_ok=True)
                plain.save(target)
    resized = sum(old != size for old in sizes.values())
    return Conversion(out, len(sizes), size, mode, resized, tuple(left_out))


class _Tree(NamedTuple):
    """A tree that is open: what is in it, and a reader."""

    path: Path
    name: str
    members: list[Member]
    folders: dict[str, set[str]]
    misplaced: list[Problem]
    passed_over: tuple[str, ...]
    read: Reader

    def images(
        self, what: str, members: Iterable[Member] | None = None
    ) -> Iterator[tuple[Member, Callable[[], bytes]]]:
        """Yield images with what reads each, under a bar where there is a terminal."""
        members = self.members if members is None else list(members)
        for member in tqdm(members, f"{what} {self.path.name}", leave=False, disable=None, unit="image"):
            yield member, partial(self.read, member.name)

    def of_tree(self) -> list[Problem]:
        """Return what is wrong with the tree as a whole."""
        wrong = class_problems(self.members, self.folders, self.path)
        try:
            check_name(self.name)
            if self.name in OFFICIAL and not wrong:
                class_order(self.folders["train"], OFFICIAL[self.name].classes, self.path)
        except DatasetError as error:
            wrong.append(str(error))
        return [*(Problem("", reason) for reason in wrong), *self.misplaced]


@contextmanager
def _looked_over(tree: str | Path) -> Iterator[_Tree]:
    path = _resolved(tree)
    name = path.name if path.is_dir() else path.stem
    with open_tree(path, name) as (names, read), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow warns of is refused by its size, or read as it will be
        members, folders, misplaced = sort_out(names, name)
        members.sort()
        images = {member.name for member in members}
        others = (n for n in names if n not in images and _in_class(n.removeprefix(f"{name}/")))
        problems = [Problem("", reason) for reason in misplaced]
        yield _Tree(path, name, members, folders, problems, tuple(sorted(others)), read)


def _resolved(tree: str | Path) -> Path:
    """Return the folder or zip that a path, or the name of a data set, means."""
    path = Path(tree).expanduser()
    if path.exists():
        return path.resolve()
    if path.name == str(tree) and (found := find_tree(data_root(), path.name)):
        return found
    raise DatasetNotFound(
        f"{path} is not there, nor is an image tree of that name in {data_root()}: give a folder or zip that "
        "holds {train,test}/<class>/<file>"
    )


def _empty_classes(members: Iterable[Member], folders: dict[str, set[str]]) -> dict[str, str]:
    """Return the classes without an image in a split, each with a sentence that says so."""
    counts = Counter((member.split, member.folder) for member in members)
    empty = {}
    for folder in sorted(folders["train"] | folders["test"]):
        train, test = (counts[split, folder] for split in SPLITS)
        if not train or not test:
            empty[folder] = (
                f"class {folder}: a class needs images in both splits, and {train} of train and {test} of "
                "test can be used"
            )
    return empty


def _in_class(name: str) -> bool:
    """Return whether a name is of a file directly in a class folder, and neither a folder nor hidden."""
    parts = name.split("/")
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return len(parts) == 3 and parts[0] in SPLITS and not hidden and parts[-1] != ""


def _most_common(values: Iterable[T]) -> T | None:
    return next((value for value, _ in Counter(values).most_common(1)), None)


def _plain(image: Image.Image) -> Image.Image:
    """Return an image upright, in mode L or RGB; a `DatasetError` if its values have no known range."""
    if image.mode == "1":
        return _plain(image.convert("L"))
    if image.mode.startswith("I"):
        values = np.asarray(image, dtype=np.int64)
        if values.min() < 0 or values.max() > _SIXTEEN_BITS:
            raise DatasetError(f"cannot be converted: its values go from {values.min()} to {values.max()}")
        return Image.fromarray(np.round(values * 255 / _SIXTEEN_BITS).astype(np.uint8))
    try:
        image = ImageOps.exif_transpose(image)
        if image.has_transparency_data:
            opaque = image.convert("RGBA")
            opaque = Image.alpha_composite(Image.new("RGBA", image.size, "white"), opaque)
            return opaque.convert("L" if image.mode in ("L", "LA", "La") else "RGB")
        if image.mode == "F":
            raise ValueError("its values have no known range")
        return image if image.mode in ("L", "RGB") else image.convert("RGB")
    except (ValueError, OSError, SyntaxError, struct.error) as error:
        raise DatasetError(f"has mode {image.mode} and cannot be converted: {error}") from error


def _check_target(out: Path, source: Path) -> None:
    if out.is_symlink() or out.exists():
        raise FileExistsError(f"{out} is there already: give a folder that is not")
    if out.resolve().is_relative_to(source):
        raise ValueError(f"{out} lies in the source, {source}, which is never written to")


def _targets(members: Iterable[Member]) -> dict[Member, str]:
    """Return where each image goes: its name as PNG, with its old ending where two would have the same."""
    targets: dict[Member, str] = {}
    taken: set[str] = set()
    for member in members:
        file = member.name.rpartition("/")[2]
        numbered = (f"{file}-{number}" for number in count(2))
        for stem in chain([member.stem, file], numbered):
            target = f"{member.split}/{member.folder}/{stem}.png"
            if target.casefold() not in taken:  # some disks tell no capital from a small letter
                break
        taken.add(target.casefold())
        targets[member] = target
    return targets


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Give a folder to write to, which becomes `out` at the end, or is gone."""
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".part"))
    try:
        yield folder
        folder.chmod(0o755)
        os.rename(folder, out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
