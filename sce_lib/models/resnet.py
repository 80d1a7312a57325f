"""The two residual networks, of CIFAR-100 and of Clothing1M."""

from pathlib import Path

import torch
from torch import Tensor, nn

from sce_lib.models.common import ImageSize, check_shape, initialise, initialised, scaled


class PreActivationBlock(nn.Module):
    """Two 3×3 convolutions, BatchNorm and ReLU before each, added to the input (or to its projection).

    `halve` halves the sides and projects the input by a 1×1 convolution: each stage's start but the first's.
    Where the input is `activated`, just through BatchNorm and ReLU, the block's own are left out.
    """

    def __init__(self, in_channels: int, out_channels: int, halve: bool, activated: bool) -> None:
        super().__init__()
        stride = 2 if halve else 1
        self.bn1 = None if activated else nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.projection = nn.Conv2d(in_channels, out_channels, 1, stride) if halve else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, (N, out_channels, H, W) or of half the sides."""
        activated = x if self.bn1 is None else torch.relu(self.bn1(x))
        residual = self.conv2(torch.relu(self.bn2(self.conv1(activated))))
        return residual + (x if self.projection is None else self.projection(x))


class PreActivationResNet(nn.Module):
    """A stem, three stages of pre-activation blocks, BatchNorm, ReLU, global average pool, classifier.

    The stem's own BatchNorm and ReLU stand before the first block parts into its two paths, as in He et al.'s
    "Identity Mappings in Deep Residual Networks" (2016); that block then has no first BatchNorm.

    Parameters
    ----------
    blocks : int
        Blocks a stage; the depth is 6·blocks + 2.
    num_classes, in_channels, width
        See `cnn4`. Channels are 16, 32 and 64 at width 1.
    """

    def __init__(self, blocks: int, num_classes: int, in_channels: int, width: float) -> None:
        super().__init__()
        channels = [scaled(unscaled, width) for unscaled in (16, 32, 64)]
        self.stem = nn.Conv2d(in_channels, channels[0], 3, padding=1)
        self.stem_bn = nn.BatchNorm2d(channels[0])
        layers: list[nn.Module] = []
        before = channels[0]
        for stage, after in enumerate(channels):
            for block in range(blocks):
                starts = block == 0
                layers.append(PreActivationBlock(before, after, starts and stage > 0, starts and stage == 0))
                before = after
        self.blocks = nn.Sequential(*layers)
        self.final_bn = nn.BatchNorm2d(before)
        self.classifier = nn.Linear(before, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the pooled output of the last stage, (N, D), for images (N, C, H, W)."""
        x = self.blocks(torch.relu(self.stem_bn(self.stem(x))))
        return torch.relu(self.final_bn(x)).mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (N, K), for images (N, C, H, W)."""
        return self.classifier(self.features(x))


def resnet44(
    num_classes: int,
    in_channels: int,
    image_size: ImageSize,
    width: float = 1.0,
    *,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Return the ResNet-44 of §5.2 (CIFAR-100): pre-activation, three stages of 7 blocks.

    Channels are 16, 32 and 64. Convolutions and the two 1×1 projections have biases.

    Parameters as `cnn4`'s; nothing depends on `image_size`: the last stage is pooled whatever its sides.

    Examples
    --------
    >>> model = resnet44(100, in_channels=3, image_size=32)
    >>> sum(p.numel() for p in model.parameters())
    668676
    """
    check_shape(num_classes, in_channels, image_size, width)
    return initialised(lambda: PreActivationResNet(7, num_classes, in_channels, width), generator)


def resnet50(
    num_classes: int,
    in_channels: int,
    image_size: ImageSize,
    width: float = 1.0,
    *,
    pretrained: bool | str | Path = False,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Return torchvision's ResNet-50, the network of §5.3 (Clothing1M); without torchvision an `ImportError`.

    Parameters
    ----------
    num_classes, in_channels, image_size, generator
        See `cnn4`. The network does not depend on `image_size`; with pretrained weights the generator draws
        the classifier alone.
    width : float
        Factor on the bottlenecks' inner channels, as in torchvision's Wide ResNets; the outer ones stay.
    pretrained : bool or path
        ImageNet weights for all but the classifier: ``True`` for torchvision's (IMAGENET1K_V1, downloaded
        once into torch's own cache), or a file of such a state dict; for 3 channels at width 1.

    Raises
    ------
    ValueError, FileNotFoundError, RuntimeError
        For weights that do not fit, a file that is not there, and a download that fails.

    Examples
    --------
    >>> model = resnet50(14, in_channels=3, image_size=224, width=0.25)
    >>> model.classifier
    Linear(in_features=2048, out_features=14, bias=True)
    """
    check_shape(num_classes, in_channels, image_size, width)
    if pretrained and (in_channels != 3 or width != 1):
        given = f"{in_channels} at width {width}"
        raise ValueError(f"pretrained weights are for 3 channels at width 1, not {given}")
    try:
        from sce_lib.models.torchvision_resnet import ResNet50, imagenet_weights, load_backbone
    except (ImportError, RuntimeError, AttributeError, OSError) as error:  # as a misfit's import ends
        install = "pip install 'sce-lib[data]', in the version that belongs to this torch"
        why = f"which cannot be imported here ({error}): {install}"
        raise ImportError(f"resnet50 is torchvision's, {why}") from error
    with torch.random.fork_rng(devices=[]):
        model = ResNet50(num_classes, in_channels, width)
    if pretrained:
        load_backbone(model, imagenet_weights(pretrained), pretrained)
    initialise(model.fc if pretrained else model, generator)
    return model
