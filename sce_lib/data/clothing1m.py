"""Clothing1M (Xiao et al., CVPR 2015; paper, §5.3): a million images, read from disk one by one.

The official layout, as its authors hand it out::

    <root>/images/<d>/<dd>/<file>.jpg
    <root>/noisy_train_key_list.txt   <root>/clean_{train,val,test}_key_list.txt    one key a line
    <root>/noisy_label_kv.txt         <root>/clean_label_kv.txt                     "key label" a line
    <root>/category_names_eng.txt                                                   fourteen names

A key is an image's path from ``<root>``. The seven text files may also lie in ``<root>/annotations``.
"""

import contextlib
import copy
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sce_lib.data.errors import DatasetError, DatasetNotFound
from sce_lib.data.sampling import stratified_subset
from sce_lib.data.statistics import PixelStatistics, cached_statistics, pixel_statistics
from sce_lib.files import data_root

NUM_CLASSES = 14
# Noisy training images of the data set as its authors hand it out; with fewer, a tree is a part, or made.
WHOLE = 1_000_000
SOURCE, SOURCE_OF_A_PART = "Clothing1M, official layout", "Clothing1M's layout, not its million images"
RESIZE = 256
CROP = 224
# Images read into one tensor where no mini-batch says how many: what containers' shared memory, often 64 MB,
# has room for several times over.
READ_BATCH = 64
KEY_LISTS = {
    "train": ("noisy_train_key_list.txt", "noisy_label_kv.txt"),
    "clean_train": ("clean_train_key_list.txt", "clean_label_kv.txt"),
    "val": ("clean_val_key_list.txt", "clean_label_kv.txt"),
    "test": ("clean_test_key_list.txt", "clean_label_kv.txt"),
}
CATEGORIES = "category_names_eng.txt"


class LazyImages(Dataset[tuple[Tensor, int]]):
    """Images on disk with their labels, for a `torch.utils.data.DataLoader` with workers.

    Item i is the image as uint8 ``(crop, crop, 3)`` and its label: resized to ``resize`` × ``resize``
    whatever its shape, then cropped at the centre. A batch is what `sce_lib.data.augment` takes; the mean is
    subtracted there, on the device, by `sce_lib.data.normalise`.

    Parameters
    ----------
    root, keys : Path and iterable of str
        The folder that the keys start from, and the images' paths from it.
    labels : Tensor
        int64 ``(N,)``.
    listed_in, lines : Path and iterable of int
        The file that lists the keys, and the line of each: the `DatasetError` of an item whose file is
        missing or broken names image and line.
    resize, crop : int
        Sides in pixels.
    draft : bool
        Whether a JPEG is decoded at the smallest of its own scales (1, ½, ¼, ⅛) that is not below `resize`:
        faster, with pixels a little different. See Pillow's `Image.draft`.
    """

    def __init__(
        self,
        root: Path,
        keys: Iterable[str],
        labels: Tensor,
        listed_in: Path,
        lines: Iterable[int],
        resize: int = RESIZE,
        crop: int = CROP,
        draft: bool = False,
    ) -> None:
        self.root, self.listed_in, self.labels = root, listed_in, labels
        # Arrays, not lists: workers forked from this process would copy a million strings one by one.
        self._keys = np.array([key.encode() for key in keys], dtype=np.bytes_)
        self._lines = np.array(list(lines), dtype=np.int64)
        self.resize, self.crop, self.draft = resize, crop, draft

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, index: int) -> str:
        """Return the path of an image from the root."""
        return self._keys[index].decode()

    def where(self, index: int) -> str:
        """Name an image and the line that lists it, for messages."""
        return f"image {self.root / self.key(index)} ({self.listed_in}:{self._lines[index]})"

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range, there are {len(self)} images.")
        try:
            with Image.open(self.root / self.key(index)) as image:
                if self.draft:
                    image.draft("RGB", (self.resize, self.resize))
                small = image.convert("RGB").resize((self.resize, self.resize), Image.Resampling.BILINEAR)
        except FileNotFoundError as error:
            raise DatasetError(f"{self.where(index)} is missing.") from error
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise DatasetError(f"{self.where(index)} cannot be decoded: {error}") from error
        start = (self.resize - self.crop) // 2
        end = start + self.crop
        return torch.from_numpy(np.array(small.crop((start, start, end, end)))), int(self.labels[index])


class _Order:
    """The batches of one pass over images, for a loader that lives longer: `indices` is set before each."""

    def __init__(self) -> None:
        self.indices: Iterable[list[int]] = []

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.indices)


class _Loader:
    """Reads batches of images, by processes that stay from one pass to the next until they are stopped."""

    def __init__(self, images: LazyImages, device: torch.device, workers: int) -> None:
        self._order = _Order()
        self._batches = DataLoader(
            images,
            batch_sampler=self._order,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # else it draws from the global one
        )

    def read(self, order: list[list[int]]) -> Iterator[Tensor]:
        """Yield the images of each list of indices; an error stops the processes."""
        self._order.indices = order
        try:
            for images, _ in self._batches:
                yield images
        except GeneratorExit:  # whoever asked has enough; the next pass begins anew
            raise
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the processes now: an error's traceback would keep them as long as someone keeps it."""
        running, self._batches._iterator = self._batches._iterator, None
        if running is not None and self._batches.num_workers:
            running._shutdown_workers()  # type: ignore[attr-defined]


class ImageReader:
    """Images on disk in the place of a tensor of them: ``[index]`` chooses, `split` and `batches` read.

    Parameters
    ----------
    images, device : LazyImages and torch.device
        What is read, and where batches go.
    workers : int
        Processes that read ahead; 0 for none. They do not change what is read. They start with the first
        batch and stay for the next pass, of this reader and of those chosen from it, until `close`.
    index : Tensor, optional
        int64 ``(N,)``, the images to take; all in order where it is not given.
    """

    def __init__(
        self, images: LazyImages, device: torch.device, workers: int = 0, index: Tensor | None = None
    ) -> None:
        self.images, self.device, self.workers = images, device, workers
        self.index = torch.arange(len(images)) if index is None else index.cpu()
        self._loader = _Loader(images, device, workers)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: Tensor) -> "ImageReader":
        chosen = copy.copy(self)
        chosen.index = self.index[index.cpu()]
        return chosen

    def close(self) -> None:
        """Stop the processes; those of the next pass start anew."""
        self._loader.stop()

    def split(self, size: int) -> Iterator[Tensor]:
        """Yield all images in order, in batches of at most `size`."""
        return self.batches(torch.arange(len(self)).split(min(size, READ_BATCH)))

    def batches(self, order: Iterable[Tensor]) -> Iterator[Tensor]:
        """Yield a batch for each tensor of places in `order`: uint8 ``(n, H, W, C)`` on the device.

        One pass at a time: another one ends it.
        """
        for images in self._loader.read([self.index[places.cpu()].tolist() for places in order]):
            yield images.to(self.device, non_blocking=True)


@dataclass(frozen=True, eq=False)
class LazyImageData:
    """A data set of images too large for memory.

    Parameters
    ----------
    train : LazyImages
        The training images with their noisy labels.
    val, test, clean_train : LazyImages
        Validation, test and training images with clean labels; the paper does not train on the last.
    noise_counts : Tensor
        int64 ``(K, K)``: how many images of clean class i (row) have the noisy label j, over all images with
        both labels except the test images. Forward's matrix is estimated from it.
    name, classes, source, fingerprint
        See `ImageData`. The source is `SOURCE`, or `SOURCE_OF_A_PART` where not all noisy images are there;
        the fingerprint is of all keys and labels (the images themselves are not read for it).
    """

    name: str
    train: LazyImages
    val: LazyImages
    test: LazyImages
    clean_train: LazyImages
    noise_counts: Tensor
    classes: tuple[str, ...]
    source: str
    fingerprint: str

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self.train.crop, self.train.crop, 3

    def statistics(self, n: int = 10_000, seed: int = 0, num_workers: int = 0) -> PixelStatistics:
        """Return the pixel statistics of a stratified sample of the training images, kept on disk.

        The seed draws `n`, or all where there are fewer; the processes that read do not change the result.
        """
        n = min(n, len(self.train))
        how: tuple = (self.fingerprint, n, seed, self.train.resize, self.train.crop)
        how += ("draft",) if self.train.draft else ()

        def compute() -> PixelStatistics:
            sample = stratified_subset(self.train.labels, n, seed)
            reader = ImageReader(self.train, torch.device("cpu"), num_workers, sample)
            with contextlib.closing(reader):
                return pixel_statistics(reader.split(READ_BATCH))

        return cached_statistics(hashlib.sha256(repr(how).encode()).hexdigest(), compute)


def load_clothing1m(
    root: str | Path | None = None,
    *,
    resize: int = RESIZE,
    crop: int = CROP,
    draft: bool = False,
    check_images: bool = True,
) -> LazyImageData:
    """Open Clothing1M in its official layout; images are read when asked for.

    Parameters
    ----------
    root : str or Path, optional
        The folder with the key lists and ``images``; by default ``clothing1m`` under ``$SCE_DATA``.
    resize, crop : int
        Sides in pixels, 256 and 224 in the paper (§5.3); ``1 <= crop <= resize``.
    draft : bool
        See `LazyImages`.
    check_images : bool
        Whether to look for every listed image now (seconds to minutes for a million) rather than find it
        missing in the middle of training. A `DatasetError` names the file and line of what is at fault.
    """
    if not 1 <= crop <= resize:
        raise DatasetError(f"crop must be 1 to resize, got crop={crop}, resize={resize}.")
    root = Path(root).expanduser().resolve() if root is not None else data_root() / "clothing1m"
    texts = _find_texts(root)
    classes = tuple(line for _, line in _lines(texts[CATEGORIES]))
    if len(classes) != NUM_CLASSES or len(set(classes)) != NUM_CLASSES:
        wanted = f"{NUM_CLASSES} different class names, one a line"
        raise DatasetError(f"{texts[CATEGORIES]} must hold {wanted}, got {classes}.")
    noisy, clean = _read_labels(texts["noisy_label_kv.txt"]), _read_labels(texts["clean_label_kv.txt"])
    splits: dict[str, LazyImages] = {}
    digest = hashlib.sha256()
    for split, (listing, table) in KEY_LISTS.items():
        keys = _read_keys(texts[listing])
        labels = noisy if split == "train" else clean
        for key, line in keys.items():
            if key not in labels:
                raise DatasetError(f"{texts[listing]}:{line}: key {key!r} has no label in {texts[table]}.")
        values = [labels[key] for key in keys]
        digest.update(repr((split, list(keys), values)).encode())
        targets = torch.tensor(values, dtype=torch.int64)
        images = LazyImages(root, keys, targets, texts[listing], keys.values(), resize, crop, draft)
        for index in range(len(images) if check_images else 0):
            if not os.path.isfile(os.path.join(root, images.key(index))):
                raise DatasetError(f"{images.where(index)} is missing.")
        splits[split] = images
    noise_counts = torch.zeros(NUM_CLASSES, NUM_CLASSES, dtype=torch.int64)
    for key in clean.keys() & noisy.keys() - _read_keys(texts[KEY_LISTS["test"][0]]).keys():
        noise_counts[clean[key], noisy[key]] += 1
    return LazyImageData(
        name="clothing1m",
        **splits,
        noise_counts=noise_counts,
        classes=classes,
        source=SOURCE if len(splits["train"]) == WHOLE else SOURCE_OF_A_PART,
        fingerprint=digest.hexdigest(),
    )


def _find_texts(root: Path) -> dict[str, Path]:
    names = sorted({CATEGORIES, *(name for pair in KEY_LISTS.values() for name in pair)})
    found = {n: p for n in names for p in (root / "annotations" / n, root / n) if p.is_file()}
    if missing := [name for name in names if name not in found]:
        raise DatasetNotFound(
            f"Clothing1M: {', '.join(missing)} not found in {root} or {root / 'annotations'}. It cannot be "
            "downloaded without its authors' leave: ask them for it (github.com/Cysu/noisy_label) and unpack "
            "it there, or give the folder as root."
        )
    return found


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank with their numbers, from 1."""
    try:
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if line.strip():
                yield number, line.strip()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file} is not UTF-8 text: {error}") from error


def _read_keys(file: Path) -> dict[str, int]:
    """Return the keys in order, each with its line."""
    keys: dict[str, int] = {}
    for number, key in _lines(file):
        if len(key.split()) != 1 or Path(key).is_absolute() or ".." in Path(key).parts:
            raise DatasetError(f"{file}:{number}: {key!r} is not a key such as 'images/0/00/name.jpg'.")
        if key in keys:
            raise DatasetError(f"{file}:{number}: key {key!r} stands in line {keys[key]} already.")
        keys[key] = number
    if not keys:
        raise DatasetError(f"{file} lists no images.")
    return keys


def _read_labels(file: Path) -> dict[str, int]:
    labels: dict[str, int] = {}
    for number, line in _lines(file):
        key, *rest = line.split()
        at = f"{file}:{number}"
        if len(rest) != 1 or not rest[0].isdecimal() or not int(rest[0]) < NUM_CLASSES:
            raise DatasetError(f"{at}: {line!r} is not 'key label' with a label from 0 to {NUM_CLASSES - 1}.")
        if labels.setdefault(key, int(rest[0])) != int(rest[0]):
            raise DatasetError(f"{at}: key {key!r} has the label {labels[key]} in an earlier line.")
    return labels
