"""Data sets: a name in; uint8 images, labels, class names, source and fingerprint out."""

from sce_lib.datasets.cache import training_statistics
from sce_lib.datasets.clothing1m import ImageReader, LazyImageData, LazyImages, load_clothing1m
from sce_lib.datasets.core import DatasetError, DatasetNotFound, ImageData
from sce_lib.datasets.load import KNOWN_DATASETS, load_dataset
from sce_lib.datasets.made import MadeClothing1M
from sce_lib.datasets.sampling import PixelStatistics, pixel_statistics, stratified_subset

__all__ = [
    "KNOWN_DATASETS",
    "DatasetError",
    "DatasetNotFound",
    "ImageData",
    "ImageReader",
    "LazyImageData",
    "LazyImages",
    "MadeClothing1M",
    "PixelStatistics",
    "load_clothing1m",
    "load_dataset",
    "pixel_statistics",
    "stratified_subset",
    "training_statistics",
]
