"""Subsets that keep the share of every class."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor


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
