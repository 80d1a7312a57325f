"""Augmentation and normalisation of whole batches on the device, with no Python per image."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Fill = Literal["nearest", "zero"]
Statistic = float | Sequence[float] | Tensor


def augment(
    images: Tensor,
    *,
    shift: int | float = 0,
    flip: bool = False,
    rotation: float = 0.0,
    generator: torch.Generator | None,
    index: Tensor | None = None,
    fill: Fill = "nearest",
) -> Tensor:
    """Shift, flip and rotate every image by its own random amount (paper, §5.1 and §5.2).

    Shift, flip and the choice of a batch are one gather of pixels, so values are copied, never mixed.
    Rotation follows and interpolates. With nothing to do the result is `images` itself, not a copy.

    Parameters
    ----------
    images : Tensor
        uint8 ``(M, H, W, C)``, best contiguous.
    shift : int or float
        The largest shift. An int counts pixels: both directions are drawn uniformly from the whole numbers
        -shift to shift. A float is a fraction of the height and of the width, 0 or above and below 1: a real
        number is drawn uniformly from ±fraction and rounded to whole pixels.
    flip : bool
        Whether to mirror each image left to right with probability ½.
    rotation : float
        The largest rotation in degrees, 0 to 180; each angle is drawn uniformly from ±rotation.
    generator : torch.Generator or None
        The source of randomness, on the images' device. None will do where nothing is drawn.
    index : Tensor, optional
        int64 ``(N,)``, the images to take, repetitions allowed; by default all in order.
    fill : {"nearest", "zero"}
        What stands where the image moved away. ``"nearest"`` repeats the edge, as Keras does by default:
        it adds no black border, which would shift the pixel statistics and tell the network the shift.

    Examples
    --------
    >>> images = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 4, 1)
    >>> generator = torch.Generator().manual_seed(0)
    >>> augment(images, shift=1, flip=True, generator=generator, index=torch.tensor([0, 0])).shape
    torch.Size([2, 3, 4, 1])
    """
    _check_images(images, fill)
    if index is not None and (index.dtype != torch.int64 or index.ndim != 1):
        raise ValueError(f"index must be int64 (N,), got {index.dtype} {tuple(index.shape)}.")
    limits = _shift_limits(shift, images.shape[1], images.shape[2])
    if isinstance(rotation, bool) or not 0 <= rotation <= 180:
        raise ValueError(f"rotation must be 0 to 180 degrees, got {rotation!r}.")
    if not (any(limits) or flip or rotation):
        return images if index is None else images[index]
    if generator is None:
        drawn = "shift, flip or rotation draw at random"
        raise ValueError(f"generator=None, but {drawn}: give a torch.Generator.")
    if generator.device.type != images.device.type:
        make = f"torch.Generator({str(images.device)!r}).manual_seed(seed)"
        raise ValueError(
            f"generator is on {generator.device}, the images on {images.device}; make it by {make}."
        )
    if any(limits) or flip:
        images = _shift_and_flip(images, index, limits, flip, generator, fill)
    elif index is not None:
        images = images[index]
    if rotation:
        draws = torch.rand(len(images), generator=generator, device=images.device)
        images = rotate(images, (2 * draws - 1) * rotation, fill=fill)
    return images


def rotate(images: Tensor, degrees: Tensor, fill: Fill = "nearest") -> Tensor:
    """Rotate each image about its centre, with bilinear interpolation.

    Parameters
    ----------
    images, fill
        See `augment`; values are rounded to uint8 again.
    degrees : Tensor
        Float ``(N,)``, counter-clockwise.

    Examples
    --------
    >>> image = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).reshape(1, 2, 2, 1)
    >>> rotate(image, torch.tensor([90.0])).squeeze().tolist()
    [[2, 4], [1, 3]]
    """
    _check_images(images, fill)
    n, height, width, channels = images.shape
    if degrees.shape != (n,) or not degrees.is_floating_point():
        got = f"{degrees.dtype} {tuple(degrees.shape)}"
        raise ValueError(f"degrees must be floats ({n},), one for each image, got {got}.")
    if n == 0:
        return images
    radians = degrees.to(images.device, torch.float32) * (math.pi / 180)
    cos, sin, zero = radians.cos(), radians.sin(), torch.zeros_like(radians)
    # The grid's coordinates run from -1 to 1 on either side, whatever its length: hence the aspect ratio.
    rows = [cos, -sin * height / width, zero, sin * width / height, cos, zero]
    turns = torch.stack(rows, 1).view(n, 2, 3)
    grid = F.affine_grid(turns, [n, channels, height, width], align_corners=False)
    padding = "border" if fill == "nearest" else "zeros"
    pixels = images.permute(0, 3, 1, 2).float()
    turned = F.grid_sample(pixels, grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return turned.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def normalise(
    images: Tensor, mean: Statistic = 0.0, std: Statistic = 1.0, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Turn uint8 images into what a network takes: ``(images / 255 - mean) / std``, channels-last in memory.

    Parameters
    ----------
    images : Tensor
        uint8 ``(N, H, W, C)``; what a network takes is ``(N, C, H, W)``.
    mean, std : float, sequence of float or Tensor
        In units of the full range (`sce_lib.data.pixel_statistics` gives them so): one number, one for
        each channel ``(C,)``, or one for each pixel ``(H, W, C)``. A deviation must be above 0. In a training
        loop give tensors on the images' device: they are not copied then, and their values not looked at.
    dtype : torch.dtype
        A floating dtype; half precisions are computed in float32 and rounded once.

    Examples
    --------
    >>> images = torch.full((2, 4, 4, 3), 255, dtype=torch.uint8)
    >>> x = normalise(images, mean=[0.5, 0.5, 0.5], std=0.25)
    >>> x.shape, x[0, 0, 0, 0].item(), x.is_contiguous(memory_format=torch.channels_last)
    (torch.Size([2, 3, 4, 4]), 2.0, True)
    """
    _check_images(images)
    if not dtype.is_floating_point:
        raise TypeError(f"dtype must be floating, got {dtype}.")
    compute = torch.float64 if dtype == torch.float64 else torch.float32
    centre, spread = _statistic("mean", mean, images, compute), _statistic("std", std, images, compute)
    if not (isinstance(std, Tensor) and std.is_cuda) and not bool((spread > 0).all()):
        mend = "where a pixel or channel is constant, give 1 for it"
        raise ValueError(f"std must be above 0, got {std!r}; {mend}.")
    values = images.contiguous().to(compute).sub_(centre * 255).div_(spread * 255)
    return values.to(dtype).permute(0, 3, 1, 2)


def _shift_and_flip(
    images: Tensor,
    index: Tensor | None,
    limits: tuple[float, float],
    flip: bool,
    generator: torch.Generator,
    fill: Fill,
) -> Tensor:
    total, height, width, channels = images.shape
    device = images.device
    index = torch.arange(total, device=device) if index is None else index.to(device)
    n = len(index)
    rows = torch.arange(height, device=device) + _offsets(limits[0], n, generator)
    cols = torch.arange(width, device=device) + _offsets(limits[1], n, generator)
    if flip:
        mirrored = torch.rand((n, 1), generator=generator, device=device) < 0.5
        cols = torch.where(mirrored, width - 1 - cols, cols)
    near_rows, near_cols = rows.clamp(0, height - 1), cols.clamp(0, width - 1)
    # Whole pixels picked by their number: several times faster than three broadcast index tensors.
    pixels = (index[:, None, None] * height + near_rows[:, :, None]) * width + near_cols[:, None, :]
    moved = images.reshape(-1, channels).index_select(0, pixels.flatten()).view(n, height, width, channels)
    if fill == "zero":
        moved *= (rows == near_rows)[:, :, None, None] & (cols == near_cols)[:, None, :, None]
    return moved


def _offsets(limit: float, n: int, generator: torch.Generator) -> Tensor:
    """Draw ``(n, 1)`` whole pixels: uniform over them for an int limit, rounded reals for a float one."""
    device = generator.device
    if isinstance(limit, int):
        return torch.randint(-limit, limit + 1, (n, 1), generator=generator, device=device)
    draws = torch.rand((n, 1), generator=generator, device=device)
    return ((2 * draws - 1) * limit).round().long()


def _shift_limits(shift: int | float, height: int, width: int) -> tuple[float, float]:
    if isinstance(shift, bool) or not isinstance(shift, int | float):
        raise TypeError(f"shift must be an int (pixels) or a float (fraction of the side), got {shift!r}.")
    if isinstance(shift, int):
        if not 0 <= shift < min(height, width):
            below = f"less than the side of the images, {height}x{width} pixels"
            raise ValueError(f"shift must be 0 or above and {below}, got {shift}.")
        return shift, shift
    if not 0 <= shift < 1:
        fraction = "a fraction of the side, 0 or above and below 1"
        raise ValueError(f"a float shift is {fraction}, got {shift}; give an int for pixels.")
    return shift * height, shift * width


def _statistic(name: str, value: Statistic, images: Tensor, dtype: torch.dtype) -> Tensor:
    tensor = torch.as_tensor(value).to(images.device, dtype)
    if tensor.shape not in ((), images.shape[3:], images.shape[1:]):
        allowed = f"one number, ({images.shape[3]},) or {tuple(images.shape[1:])}"
        raise ValueError(f"{name} must be {allowed}, got the shape {tuple(tensor.shape)}.")
    return tensor


def _check_images(images: Tensor, fill: str = "nearest") -> None:
    if images.dtype != torch.uint8:
        raise TypeError(f"images must be uint8, 0 to 255, got {images.dtype}; normalise comes afterwards.")
    if images.ndim != 4:
        raise ValueError(f"images must be (N, H, W, C), got the shape {tuple(images.shape)}.")
    if fill not in ("nearest", "zero"):
        raise ValueError(f"fill must be 'nearest' or 'zero', got {fill!r}.")
