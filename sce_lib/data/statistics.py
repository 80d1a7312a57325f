"""Mean and deviation of pixels, computed once and kept on disk."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sce_lib.data.cache import Arrays, check_sum, remember
from sce_lib.data.core import ImageData, hash_tensors

_CHUNK_VALUES = 2**22  # 32 MB as float64
_STATISTICS = ("mean", "std", "pixel_mean")


@dataclass(frozen=True, eq=False)
class PixelStatistics:
    """Mean and deviation of pixel values, in units of the full range (0 is black, 1 is 255).

    Parameters
    ----------
    mean, std : Tensor
        float64 ``(C,)``, over all pixels of a channel; the deviation is the population's (divided by N).
    pixel_mean : Tensor
        float64 ``(H, W, C)``, over images alone.
    """

    mean: Tensor
    std: Tensor
    pixel_mean: Tensor


def pixel_statistics(images: Tensor | Iterable[Tensor]) -> PixelStatistics:
    """Return the statistics of a training split's pixels, on the CPU, as `sce_lib.data.normalise` takes them.

    Sums are of whole numbers and so exact: chunks, order and device change nothing.

    Parameters
    ----------
    images : Tensor or iterable of Tensor
        uint8 ``(N, H, W, C)``, or batches of that shape one after the other for what does not fit in memory;
        at least one image, and all of one size, else a `ValueError`.

    Examples
    --------
    >>> images = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1)
    >>> statistics = pixel_statistics(images)
    >>> statistics.mean.item(), statistics.std.item()
    (0.5, 0.5)
    """
    if isinstance(images, Tensor):
        images = images.split(max(1, _CHUNK_VALUES // (images[:1].numel() or 1)))
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    size: torch.Size | None = None
    for batch in images:
        if batch.dtype != torch.uint8 or batch.ndim != 4:
            got = f"{batch.dtype} {tuple(batch.shape)}"
            raise ValueError(f"pixel statistics need uint8 images (N, H, W, C), got {got}.")
        size = size or batch.shape[1:]
        if batch.shape[1:] != size:
            raise ValueError(f"images must be of one size, got {tuple(size)} and {tuple(batch.shape[1:])}.")
        values = batch.cpu().double()
        count, total, squares = count + len(batch), total + values.sum(0), squares + values.square_().sum(0)
    if count == 0:
        raise ValueError("pixel statistics need at least one image, got none.")
    pixel_mean, pixel_square = total / count, squares / count
    mean = pixel_mean.mean((0, 1))
    variance = (pixel_square.mean((0, 1)) - mean.square()).clamp_min(0)
    return PixelStatistics(mean / 255, variance.sqrt() / 255, pixel_mean / 255)


def training_statistics(data: ImageData) -> PixelStatistics:
    """Return `pixel_statistics` of the training images, kept on disk by the data's fingerprint.

    Examples
    --------
    >>> from sce_lib.data import load_dataset
    >>> training_statistics(load_dataset("digits")).pixel_mean.shape
    torch.Size([8, 8, 1])
    """
    return cached_statistics(data.fingerprint, lambda: pixel_statistics(data.train_images))


def cached_statistics(key: str, compute: Callable[[], PixelStatistics]) -> PixelStatistics:
    """Return pixel statistics from the cache, or compute and keep them by a hash of what decides them."""
    return remember(f"pixels-{key[:32]}", compute, _pack, _unpack)


def _pack(statistics: PixelStatistics) -> Arrays:
    tensors = {key: getattr(statistics, key) for key in _STATISTICS}
    return {"sum": np.array(hash_tensors(*tensors.values()))} | {k: t.numpy() for k, t in tensors.items()}


def _unpack(stored: Arrays) -> PixelStatistics:
    tensors = [torch.from_numpy(stored[key]) for key in _STATISTICS]
    check_sum(hash_tensors(*tensors), stored["sum"])
    return PixelStatistics(*tensors)
