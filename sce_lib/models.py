"""The paper's networks, each with the features that its second last dense layer gives.

Width 1 is the paper's network to the parameter; another width scales every channel count (and the hidden
dense layer) and rounds it to a multiple of 8. Where the paper's text says only "8-layer CNN", the layers are
those of its released Keras code.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

ImageSize = int | tuple[int, int]


def scaled(channels: int, width: float) -> int:
    """Return a channel count at a width: unchanged at 1, else the nearest multiple of 8, at least 8.

    Examples
    --------
    >>> scaled(196, 1.0), scaled(196, 0.25), scaled(64, 0.01)
    (196, 48, 8)
    """
    return channels if width == 1 else max(8, 8 * math.floor(channels * width / 8 + 0.5))


def initialise(model: nn.Module, generator: torch.Generator | None = None) -> nn.Module:
    """Draw a network's weights anew: He-normal kernels, zero biases, BatchNorm at one and zero.

    Parameters
    ----------
    model : Module
        Changed in place, and returned.
    generator : torch.Generator, optional
        Where the numbers come from; torch's current random state without one.

    Examples
    --------
    >>> draw = lambda: initialise(nn.Linear(2, 1), torch.Generator().manual_seed(0)).weight
    >>> torch.equal(draw(), draw())
    True
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()
    return model


def _conv_bn_relu(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]


class PlainCNN(nn.Module):
    """Stages of 3×3 conv-BN-ReLU, each ended by a 2×2 max-pool, then dense-BN-ReLU and the classifier.

    `fc1` is the first dense layer, the one that the released code alone gives an L2 penalty; `classifier` is
    the last. A pool rounds an odd side up, so that no image is too small; the paper's sides are all even.

    Parameters
    ----------
    stages : sequence of sequences of int
        Output channels of each stage's convolutions, before scaling.
    hidden : int
        Outputs of the hidden dense layer, before scaling.
    num_classes, in_channels, image_size, width
        See `cnn4`.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[int]],
        hidden: int,
        num_classes: int,
        in_channels: int,
        image_size: ImageSize,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        height, breadth = (image_size, image_size) if isinstance(image_size, int) else image_size
        layers: list[nn.Module] = []
        channels = in_channels
        for stage in stages:
            for unscaled in stage:
                layers += _conv_bn_relu(channels, scaled(unscaled, width))
                channels = scaled(unscaled, width)
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            height, breadth = -(-height // 2), -(-breadth // 2)
        self.convolutions = nn.Sequential(*layers)
        self.fc1 = nn.Linear(channels * height * breadth, scaled(hidden, width))
        self.bn1 = nn.BatchNorm1d(scaled(hidden, width))
        self.classifier = nn.Linear(scaled(hidden, width), num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the hidden dense layer's output after its ReLU, (N, D), for images (N, C, H, W)."""
        return torch.relu(self.bn1(self.fc1(self.convolutions(x).flatten(1))))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (N, K), for images (N, C, H, W)."""
        return self.classifier(self.features(x))


def cnn4(num_classes: int, in_channels: int, image_size: ImageSize, width: float = 1.0) -> nn.Module:
    """Return the 4-layer CNN of §5.2's MNIST: conv32, pool, conv64, pool, fc128, fc K.

    Examples
    --------
    >>> sum(p.numel() for p in cnn4(10, 1, 28).parameters())
    422090
    """
    return initialise(PlainCNN(((32,), (64,)), 128, num_classes, in_channels, image_size, width))


def cnn8(num_classes: int, in_channels: int, image_size: ImageSize, width: float = 1.0) -> nn.Module:
    """Return the 8-layer CNN of CIFAR-10: six convolutions (64, 128, 196, two each), fc256, fc K.

    Examples
    --------
    >>> sum(p.numel() for p in cnn8(10, 3, 32).parameters())
    1639794
    """
    return initialise(
        PlainCNN(((64, 64), (128, 128), (196, 196)), 256, num_classes, in_channels, image_size, width)
    )
