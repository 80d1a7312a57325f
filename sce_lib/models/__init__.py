"""The paper's networks, each with the features that the layer before its classifier gives.

Width 1 is the paper's network to the parameter; another width scales every channel count (and the hidden
dense layer) and rounds it to a multiple of 8; resnet50 scales only its bottlenecks. Where the paper's text
says no more than "8-layer CNN" or "ResNet-44", the layers are those of its released Keras code:
convolutions have biases, kernels start He-normal (fan in), biases at zero. BatchNorm keeps torch's momentum
and epsilon; Keras' slower average (0.99) would still be far from settled at the end of a short run.
Parameters are counted as torch counts them, without the running means and variances that Keras adds.

Every network has ``features(x)``, (N, D) for images (N, C, H, W), and its logits are
``classifier(features(x))``. Memory format is up to the caller; channels-last is the faster one.
"""

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from sce_lib.models.common import ImageSize, initialise
from sce_lib.models.plain import PlainCNN, cnn4, cnn8
from sce_lib.models.resnet import PreActivationResNet, resnet44, resnet50

__all__ = ["MODELS", "PlainCNN", "PreActivationResNet", "build_model", "cnn4", "cnn8", "initialise"]
__all__ += ["resnet44", "resnet50"]

MODELS: dict[str, Callable[..., nn.Module]]
MODELS = {"cnn4": cnn4, "cnn8": cnn8, "resnet44": resnet44, "resnet50": resnet50}


def build_model(
    name: str, num_classes: int, in_channels: int, image_size: ImageSize, width: float = 1.0, **options: Any
) -> nn.Module:
    """Return a network by its name in `MODELS`.

    Parameters
    ----------
    name : {"cnn4", "cnn8", "resnet44", "resnet50"}
        Which network; another is a `ValueError`, and so is an option that it does not have.
    num_classes, in_channels, image_size, width
        See `cnn4`.
    **options
        ``generator``, and ``pretrained`` for resnet50. Without a generator the initial weights are drawn from
        torch's global random state, as those of torch's own layers are: ``torch.manual_seed`` decides them,
        and the state is another afterwards. With one it is left alone.

    Examples
    --------
    >>> build_model("cnn4", 10, 1, 8, width=0.5).classifier
    Linear(in_features=64, out_features=10, bias=True)
    >>> build_model("vgg", 10, 3, 32)
    Traceback (most recent call last):
        ...
    ValueError: model 'vgg' is not known; known are cnn4, cnn8, resnet44, resnet50
    """
    if name not in MODELS:
        raise ValueError(f"model {name!r} is not known; known are {', '.join(MODELS)}")
    parameters = inspect.signature(MODELS[name]).parameters
    for option in options.keys() - parameters.keys():
        raise ValueError(f"{name} has no option {option!r}; it has {', '.join(parameters)}")
    return MODELS[name](num_classes, in_channels, image_size, width, **options)
