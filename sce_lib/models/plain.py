"""The two plain convolutional networks, of MNIST and of CIFAR-10."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sce_lib.models.common import ImageSize, check_shape, initialised, scaled


class PlainCNN(nn.Module):
    """Stages of 3×3 conv-BN-ReLU, each ended by a 2×2 max-pool, then dense-BN-ReLU and the classifier.

    `fc1` is the first dense layer, the only one with an L2 penalty in the released code for CIFAR-10;
    `classifier` is the last. A pool rounds an odd side up, so that no image is too small (a side of 1 stays
    1); at the paper's image sizes every side is even and nothing is rounded.

    Parameters
    ----------
    stages, hidden : sequence of sequences of int, and int
        Output channels of each stage's convolutions, and of the hidden dense layer, before scaling.
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
        width: float,
    ) -> None:
        super().__init__()
        sides = image_size if isinstance(image_size, tuple) else (image_size, image_size)
        self.image_shape = (in_channels, *sides)
        layers: list[nn.Module] = []
        channels = in_channels
        for stage in stages:
            for unscaled in stage:
                conv = nn.Conv2d(channels, scaled(unscaled, width), 3, padding=1)
                channels = conv.out_channels
                layers += [conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        height, breadth = (math.ceil(side / 2 ** len(stages)) for side in sides)
        self.convolutions = nn.Sequential(*layers)
        self.fc1 = nn.Linear(channels * height * breadth, scaled(hidden, width))
        self.bn1 = nn.BatchNorm1d(self.fc1.out_features)
        self.classifier = nn.Linear(self.fc1.out_features, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the hidden dense layer's output after its ReLU, (N, D), for images (N, C, H, W).

        Images of another size than the network was built for are a `ValueError`.
        """
        if tuple(x.shape[1:]) != self.image_shape:
            raise ValueError(f"images of shape {self.image_shape} each, not a batch of {tuple(x.shape)}")
        return torch.relu(self.bn1(self.fc1(self.convolutions(x).flatten(1))))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (N, K), for images (N, C, H, W)."""
        return self.classifier(self.features(x))


def cnn4(
    num_classes: int,
    in_channels: int,
    image_size: ImageSize,
    width: float = 1.0,
    *,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Return the 4-layer CNN of §5.2 (MNIST): conv 32, pool, conv 64, pool, dense 128, dense K.

    Each layer but the last is followed by BatchNorm and ReLU. 422,090 parameters at 1×28×28 and K = 10.

    Parameters
    ----------
    num_classes, in_channels : int
        K, the number of logits, and C of the images, 1 for grey and 3 for colour; from 1 on.
    image_size : int or (int, int)
        Side of the images in pixels, or height and width; any from 1 on.
    width : float
        Factor on every channel count and on the hidden dense layer; above 0. Others are a `ValueError`.
    generator : torch.Generator, optional
        Source of the initial weights; without one they are drawn from torch's global random state, which
        moves on as it does for torch's own layers.

    Examples
    --------
    >>> model = cnn4(10, in_channels=1, image_size=28)
    >>> sum(p.numel() for p in model.parameters())
    422090
    >>> model.features(torch.zeros(2, 1, 28, 28)).shape, model(torch.zeros(2, 1, 28, 28)).shape
    (torch.Size([2, 128]), torch.Size([2, 10]))
    """
    check_shape(num_classes, in_channels, image_size, width)
    shape = (num_classes, in_channels, image_size, width)
    return initialised(lambda: PlainCNN(((32,), (64,)), 128, *shape), generator)


def cnn8(
    num_classes: int,
    in_channels: int,
    image_size: ImageSize,
    width: float = 1.0,
    *,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Return the 8-layer CNN of §3.2, §5.1 and §5.2 (CIFAR-10): six convolutions and two dense layers.

    Convolutions 64, 64, pool, 128, 128, pool, 196, 196, pool, then dense 256 and dense K; each layer but the
    last is followed by BatchNorm and ReLU. Parameters as `cnn4`'s.

    Examples
    --------
    >>> model = cnn8(10, in_channels=3, image_size=32)
    >>> sum(p.numel() for p in model.parameters())
    1639794
    """
    check_shape(num_classes, in_channels, image_size, width)
    shape = (num_classes, in_channels, image_size, width)
    return initialised(lambda: PlainCNN(((64, 64), (128, 128), (196, 196)), 256, *shape), generator)
