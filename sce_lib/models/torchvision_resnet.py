"""torchvision's ResNet-50 with features, and its weights; imported when one is built, as torchvision is."""

from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

from sce_lib.models.common import scaled


class ResNet50(torchvision.models.ResNet):
    """torchvision's ResNet-50 with `features` (the pooled output) and any number of channels.

    Its parameters keep torchvision's names (the classifier is ``fc``), so that its weight files fit.
    """

    def __init__(self, num_classes: int, in_channels: int, width: float) -> None:
        block = torchvision.models.resnet.Bottleneck
        super().__init__(block, [3, 4, 6, 3], num_classes, width_per_group=scaled(64, width))
        if in_channels != 3:
            self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)

    @property
    def classifier(self) -> nn.Module:
        """The last layer, ``fc``."""
        return self.fc

    def features(self, x: Tensor) -> Tensor:
        """Return the pooled output of the last stage, (N, 2048), for images (N, C, H, W)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.avgpool(x).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (N, K), for images (N, C, H, W)."""
        return self.fc(self.features(x))


def imagenet_weights(source: bool | str | Path) -> dict[str, Tensor]:
    """Return ImageNet's state dict for ResNet-50, from torchvision or from a local file."""
    instead = "use pretrained=False for random weights, or pretrained='FILE' for weights already on disk"
    if source is True:
        try:
            return torchvision.models.ResNet50_Weights.IMAGENET1K_V1.get_state_dict(check_hash=True)
        except (OSError, RuntimeError) as error:
            failed = f"could not be downloaded ({getattr(error, 'reason', error)})"
            raise RuntimeError(f"resnet50's ImageNet weights {failed}: {instead}") from error
    path = Path(str(source)).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no file of resnet50 weights at {path}: {instead}")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} is not a state dict saved by torch: {error}") from error
    if not isinstance(weights, dict):
        raise ValueError(f"{path} is not a state dict saved by torch, but holds a {type(weights).__name__}")
    return weights


def load_backbone(model: ResNet50, weights: dict[str, Tensor], source: bool | str | Path) -> None:
    """Load everything but the classifier, whose 1000 ImageNet classes are not ours."""
    try:
        backbone = {name: value for name, value in weights.items() if not name.startswith("fc.")}
        missing, unexpected = model.load_state_dict(backbone, strict=False)
    except (RuntimeError, AttributeError) as error:
        raise ValueError(f"the weights of {source} do not fit resnet50: {error}") from error
    wrong = [name for name in missing if not name.startswith("fc.")] + unexpected
    if wrong:
        raise ValueError(f"the weights of {source} are not resnet50's: see {wrong[0]!r}")
