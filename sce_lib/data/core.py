"""What a data set is: its arrays and their fingerprint."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from sce_lib.data.errors import DatasetError
from sce_lib.data.hashing import hash_arrays


@dataclass(frozen=True, eq=False)
class ImageData:
    """A data set of images that fits in memory; a `DatasetError` if a part is not as described here.

    Parameters
    ----------
    name : str
        The name it was loaded by.
    train_images, test_images : Tensor
        uint8, ``(N, H, W, C)`` with C = 1 (grayscale) or 3 (RGB), values 0 to 255; one size for both splits.
    train_labels, test_labels : Tensor
        int64, ``(N,)``, class ids from 0 to ``num_classes - 1``.
    classes : tuple of str
        The class names; a label is a place in it.
    source : str
        What the arrays were read from, such as ``"torchvision MNIST"`` or ``"image tree (JPEG)"``.
    fingerprint : str
        SHA-256 (hexadecimal) of the four arrays with their shapes; computed, not given.

    Examples
    --------
    >>> from sce_lib.data import load_dataset
    >>> data = load_dataset("digits")
    >>> data.train_images.shape, data.num_classes, data.image_shape
    (torch.Size([1297, 8, 8, 1]), 10, (8, 8, 1))
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    source: str
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        for split in ("train", "test"):
            self._check_split(split, getattr(self, f"{split}_images"), getattr(self, f"{split}_labels"))
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            one, other = (tuple(images.shape[1:]) for images in (self.train_images, self.test_images))
            sizes = f"training images are {one} and test images {other} (height, width, channels)"
            raise DatasetError(f"{self.name}: {sizes}; they must be alike.")
        arrays = (self.train_images, self.train_labels, self.test_images, self.test_labels)
        object.__setattr__(self, "fingerprint", hash_tensors(*arrays))

    def _check_split(self, split: str, images: Tensor, labels: Tensor) -> None:
        where = f"{self.name}: {split}"
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
            got = f"{images.dtype} {tuple(images.shape)}"
            raise DatasetError(f"{where} images must be uint8 (N, H, W, 1 or 3), got {got}.")
        if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
            got = f"({len(images)},), one for each image, got {labels.dtype} {tuple(labels.shape)}"
            raise DatasetError(f"{where} labels must be int64 {got}.")
        if images.numel() == 0:
            raise DatasetError(f"{self.name}: the {split} split is empty, {tuple(images.shape)}.")
        outside = (labels < 0) | (labels >= len(self.classes))
        if outside.any():
            place = int(outside.nonzero()[0])
            K, label = len(self.classes), f"{where} label {int(labels[place])} at index {place}"
            raise DatasetError(f"{label} is not a class id; there are {K} classes, 0 to {K - 1}.")

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        height, width, channels = self.train_images.shape[1:]
        return height, width, channels


def hash_tensors(*tensors: Tensor) -> str:
    """Return the SHA-256, in hexadecimal, of tensors' dtypes, shapes and values, wherever they lie in memory.

    >>> hash_tensors(torch.arange(3)) == hash_tensors(torch.arange(6)[:3])
    True
    >>> hash_tensors(torch.zeros(2, 3)) == hash_tensors(torch.zeros(3, 2))
    False
    """
    return hash_arrays(*(tensor.detach().cpu().contiguous().numpy() for tensor in tensors))
