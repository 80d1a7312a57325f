"""Data sets: a name in; uint8 images, labels, class names, source and fingerprint out.

Images are uint8, (N, H, W, C), with C = 1 (grayscale) or 3 (RGB); labels are int64, (N,), class ids from 0.
Data that are there but cannot be used are a `DatasetError`, data that are nowhere a `DatasetNotFound`; an
argument that is not as described is a `TypeError` or a `ValueError`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from sce_lib import require_extra

require_extra("data", "PIL", "filelock", "platformdirs", "sklearn", "tqdm")

if TYPE_CHECKING:
    from sce_lib.data.augmentation import augment, normalise, rotate
    from sce_lib.data.checking import Conversion, Survey, convert, survey
    from sce_lib.data.clothing1m import ImageReader, LazyImageData, LazyImages, load_clothing1m
    from sce_lib.data.core import ImageData
    from sce_lib.data.errors import DatasetError, DatasetNotFound
    from sce_lib.data.load import load_dataset
    from sce_lib.data.made import MadeClothing1M
    from sce_lib.data.names import KNOWN_DATASETS
    from sce_lib.data.paths import image_paths
    from sce_lib.data.sampling import stratified_subset
    from sce_lib.data.statistics import PixelStatistics, pixel_statistics, training_statistics

# Where each name lies; it is imported when asked for, since most need torch, whose import takes seconds.
_FILES = {
    "augmentation": ("augment", "normalise", "rotate"),
    "checking": ("Conversion", "Survey", "convert", "survey"),
    "clothing1m": ("ImageReader", "LazyImageData", "LazyImages", "load_clothing1m"),
    "core": ("ImageData",),
    "errors": ("DatasetError", "DatasetNotFound"),
    "load": ("load_dataset",),
    "made": ("MadeClothing1M",),
    "names": ("KNOWN_DATASETS",),
    "paths": ("image_paths",),
    "sampling": ("stratified_subset",),
    "statistics": ("PixelStatistics", "pixel_statistics", "training_statistics"),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}

__all__ = ["KNOWN_DATASETS", "Conversion", "DatasetError", "DatasetNotFound", "ImageData", "ImageReader"]
__all__ += ["LazyImageData", "LazyImages", "MadeClothing1M", "PixelStatistics", "Survey", "augment"]
__all__ += ["convert", "image_paths", "load_clothing1m", "load_dataset", "normalise", "pixel_statistics"]
__all__ += ["rotate", "stratified_subset", "survey", "training_statistics"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
