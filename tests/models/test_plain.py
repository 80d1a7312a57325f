"""The two CNNs, layer by layer, at any width and size of image."""

import pytest
import torch
from torch import nn

from sce_lib.models import build_model, cnn4, cnn8


def conv_bn_relu(channels, side):
    return [(kind, channels, side, side) for kind in ("Conv2d", "BatchNorm2d", "ReLU")]


def pool(channels, side):
    return [("MaxPool2d", channels, side, side)]


def test_cnn4_layer_by_layer(images, layers):
    expected = [
        *conv_bn_relu(32, 28),
        *pool(32, 14),
        *conv_bn_relu(64, 14),
        *pool(64, 7),
        ("Linear", 128),
        ("BatchNorm1d", 128),
        ("Linear", 10),
    ]
    model = cnn4(10, 1, 28)
    assert layers(model, images("cnn4")) == expected
    assert model.fc1.in_features == 64 * 7 * 7


def test_cnn8_layer_by_layer(images, layers):
    expected = []
    for channels, side in ((64, 32), (128, 16), (196, 8)):
        expected += [*conv_bn_relu(channels, side) * 2, *pool(channels, side // 2)]
    expected += [("Linear", 256), ("BatchNorm1d", 256), ("Linear", 10)]
    assert layers(cnn8(10, 3, 32), images("cnn8")) == expected


@pytest.mark.parametrize("name", ["cnn4", "cnn8"])
def test_features_are_the_hidden_dense_layer_after_its_relu(build, images, name):
    model, x = build(name).train(), images(name, n=64)
    features = model.features(x)
    # BatchNorm centres each unit over the batch, so that its ReLU lets about half through.
    assert 0.3 < (features > 0).float().mean() < 0.7
    torch.testing.assert_close(features, model.bn1(model.fc1(model.convolutions(x).flatten(1))).clamp(min=0))


@pytest.mark.parametrize(
    ("width", "channels", "hidden"),
    [
        (0.25, [16, 16, 32, 32, 48, 48], 64),
        (0.375, [24, 24, 48, 48, 72, 72], 96),
        (0.5, [32, 32, 64, 64, 96, 96], 128),
        (2.0, [128, 128, 256, 256, 392, 392], 512),
        (0.01, [8] * 6, 8),
        (1, [64, 64, 128, 128, 196, 196], 256),
    ],
)
def test_other_widths_round_to_multiples_of_8(width, channels, hidden):
    model = cnn8(10, 3, 32, width=width)
    assert [m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)] == channels
    assert model.fc1.out_features == hidden


@pytest.mark.parametrize("name", ["cnn4", "cnn8"])
def test_digits_reach_the_dense_layer(name):
    model = build_model(name, 10, 1, 8)
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert model.fc1.in_features == (64 * 2 * 2 if name == "cnn4" else 196)


@pytest.mark.parametrize("name", ["cnn4", "cnn8"])
def test_images_of_another_size_are_named(build, small, name):
    channels, side = small[name]
    with pytest.raises(ValueError, match=rf"\({channels}, {side}, {side}\).*\(2, {channels}, 30, 30\)"):
        build(name)(torch.zeros(2, channels, 30, 30))
