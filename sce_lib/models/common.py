"""What every network shares: rounding of widths, initial weights, checks of its shape."""

import math
from collections.abc import Callable
from numbers import Integral, Real

import torch
from torch import nn

ImageSize = int | tuple[int, int]


def scaled(channels: int, width: float) -> int:
    """Return a channel count at a width: unchanged at 1, else the nearest multiple of 8, at least 8.

    Examples
    --------
    >>> scaled(196, 1.0), scaled(196, 0.25), scaled(64, 0.01)
    (196, 48, 8)
    """
    return channels if width == 1 else max(8, 8 * math.floor(channels * width / 8 + 0.5))


def initialise(model: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw a network's weights anew, in place: He-normal kernels, zero biases, BatchNorm at one and zero.

    The numbers come from the generator, on the parameters' device; without one, from torch's random state.

    Examples
    --------
    >>> layer = nn.Linear(2, 1)
    >>> initialise(layer, torch.Generator().manual_seed(0))
    >>> layer.bias.tolist()
    [0.0]
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()


def initialised(build: Callable[[], nn.Module], generator: torch.Generator | None) -> nn.Module:
    """Return a network with weights that depend on the generator (or the random state) alone."""
    # torch's layers draw weights as they are made; those are thrown away and must cost no random number.
    with torch.random.fork_rng(devices=[]):
        model = build()
    initialise(model, generator)
    return model


def check_shape(num_classes: int, in_channels: int, image_size: ImageSize, width: float) -> None:
    """Refuse a network's arguments by name and value, see `cnn4`."""
    sides = image_size if isinstance(image_size, tuple) else (image_size, image_size)
    if len(sides) != 2:
        raise ValueError(f"image_size is one side or (height, width) in pixels, not {image_size!r}")
    counts = [("num_classes", num_classes), ("in_channels", in_channels)]
    for name, count in [*counts, *(("image_size", side) for side in sides)]:
        if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
            raise ValueError(f"{name} is an integer of 1 or more, not {count!r}")
    if isinstance(width, bool) or not isinstance(width, Real) or not 0 < width < math.inf:
        raise ValueError(f"width is a positive number (1 is the paper's network), not {width!r}")
