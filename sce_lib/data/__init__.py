"""Data sets: a name in; uint8 images, labels, class names, source and fingerprint out.

Images are uint8, (N, H, W, C), with C = 1 (grayscale) or 3 (RGB); labels are int64, (N,), class ids from 0.
Data that are there but cannot be used are a `DatasetError`, data that are nowhere a `DatasetNotFound`; an
argument that is not as described is a `TypeError` or a `ValueError`.
"""

from sce_lib import require_extra

require_extra("data", "PIL", "filelock", "platformdirs", "sklearn", "tqdm")

from sce_lib.data.augmentation import augment, normalise, rotate
from sce_lib.data.cache import training_statistics
from sce_lib.data.clothing1m import ImageReader, LazyImageData, LazyImages, load_clothing1m
from sce_lib.data.core import DatasetError, DatasetNotFound, ImageData
from sce_lib.data.load import KNOWN_DATASETS, load_dataset
from sce_lib.data.made import MadeClothing1M
from sce_lib.data.sampling import PixelStatistics, pixel_statistics, stratified_subset

__all__ = ["KNOWN_DATASETS", "DatasetError", "DatasetNotFound", "ImageData", "ImageReader", "LazyImageData"]
__all__ += ["LazyImages", "MadeClothing1M", "PixelStatistics", "augment", "load_clothing1m", "load_dataset"]
__all__ += ["normalise", "pixel_statistics", "rotate", "stratified_subset", "training_statistics"]
