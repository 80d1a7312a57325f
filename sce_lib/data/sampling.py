"""Subsets that keep the share of every class, and statistics of the pixels."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

_CHUNK_VALUES = 2**22  # 32 MB as float64


def class_quotas(counts: ArrayLike, n: int) -> NDArray[np.int64]:
    """Share n places among K classes in proportion to their sizes, by the largest remainder, (K,).

    No quota is larger than its class; equal remainders go to the lower class id.
    """
    counts = np.asarray(counts, dtype=np.int64)
    quotas, remainders = np.divmod(counts * n, max(int(counts.sum()), 1))
    leftover = n - int(quotas.sum())
    quotas[np.argsort(-remainders, kind="stable")[:leftover]] += 1
    return quotas


def stratified_subset(labels: Tensor | ArrayLike, n: int, seed: int) -> Tensor:
    """Draw n samples at random, each class in proportion to its size, rounded by the largest remainder.

    Returns their indices, int64 ``(n,)``, sorted and without repetition, on the labels' device.

    Parameters
    ----------
    labels : Tensor or array_like of int (N,)
        The class of every sample.
    n, seed : int
        How many to draw, 1 to N; the seed of the draw, 0 or above. Anything else is a `ValueError`.

    Examples
    --------
    >>> labels = torch.tensor([0] * 6 + [1] * 3)
    >>> chosen = stratified_subset(labels, 3, seed=0)
    >>> labels[chosen].tolist()
    [0, 0, 1]
    """
    device = labels.device if isinstance(labels, Tensor) else torch.device("cpu")
    array = labels.cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers of shape (N,), got {array.dtype} {array.shape}.")
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 1 <= n <= len(array):
        raise ValueError(f"n must be a whole number from 1 to {len(array)} (the labels given), got {n!r}.")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed must be a whole number, 0 or above, got {seed!r}.")
    rng = np.random.default_rng(int(seed))
    present, counts = np.unique(array, return_counts=True)
    chosen = [
        rng.permutation(np.flatnonzero(array == label))[:quota]
        for label, quota in zip(present, class_quotas(counts, int(n)), strict=True)
    ]
    return torch.from_numpy(np.sort(np.concatenate(chosen))).to(device)


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
