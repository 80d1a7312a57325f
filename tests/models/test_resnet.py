"""The two residual networks: layer by layer, against torchvision's, and with weights from a file."""

import pytest
import torch
import torchvision
from torch import nn

from sce_lib.models import resnet44, resnet50


def test_resnet50_has_torchvisions_parameters():
    assert sum(p.numel() for p in resnet50(1000, 3, 224).parameters() if p.requires_grad) == 25_557_032


def test_resnet44_layer_by_layer(images, layers):
    def shapes(kind, channels, side):
        return kind, channels, side, side

    expected = [shapes("Conv2d", 16, 32), shapes("BatchNorm2d", 16, 32)]
    before = (16, 32)
    for channels, side in ((16, 32), (32, 16), (64, 8)):
        for block in range(7):
            if (channels, block) != (16, 0):
                expected.append(shapes("BatchNorm2d", *before))
            expected += [shapes(kind, channels, side) for kind in ("Conv2d", "BatchNorm2d", "Conv2d")]
            if before != (channels, side):
                expected.append(shapes("Conv2d", channels, side))  # the 1×1 projection
            before = (channels, side)
    expected += [shapes("BatchNorm2d", 64, 8), ("Linear", 100)]
    model = resnet44(100, 3, 32)
    assert layers(model, images("resnet44")) == expected
    # Depth counts the convolutions on the way and the classifier, not the projections.
    kernels = [m.kernel_size for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert kernels.count((3, 3)) + 1 == 44
    assert kernels.count((1, 1)) == 2


def test_a_block_adds_what_it_computes_to_what_it_got(build):
    model = build("resnet44").eval()
    block = model.blocks[1]
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(block(x), x)
    halving = model.blocks[7]
    nn.init.zeros_(halving.conv2.weight)
    torch.testing.assert_close(halving(x), halving.projection(x))
    assert halving(x).shape == (2, 8, 3, 3)


def test_resnet50_computes_what_torchvisions_does(images):
    torch.manual_seed(0)
    theirs = torchvision.models.resnet50(num_classes=7).eval()
    ours = resnet50(7, 3, 64).eval()
    ours.load_state_dict(theirs.state_dict())
    x = images("resnet50", n=2)
    torch.testing.assert_close(ours(x), theirs(x))


def test_narrow_resnets_still_halve_the_sides():
    model = resnet44(10, 3, 32, width=0.1)
    strides = [m.stride[0] for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert strides.count(2) == 2


@pytest.mark.parametrize(("channels", "side"), [(1, 1), (3, 8), (4, 33)])
def test_resnet50_takes_any_image(channels, side):
    model = resnet50(5, channels, side, width=0.125).eval()
    assert model(torch.zeros(2, channels, side, side)).shape == (2, 5)


@pytest.fixture(scope="module")
def imagenet_file(tmp_path_factory):
    """A file as torchvision's: a state dict with a classifier of 1000 classes."""
    path = tmp_path_factory.mktemp("weights") / "resnet50.pth"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.save(torchvision.models.resnet50().state_dict(), path)
    return path


@pytest.mark.parametrize("as_text", [True, False])
def test_pretrained_weights_from_a_file(imagenet_file, as_text):
    generator = torch.Generator().manual_seed(0)
    source = str(imagenet_file) if as_text else imagenet_file
    model = resnet50(14, 3, 224, pretrained=source, generator=generator)
    weights = torch.load(imagenet_file, weights_only=True)
    state = model.state_dict()
    assert all(torch.equal(state[key], weights[key]) for key in weights if not key.startswith("fc."))
    assert state["fc.weight"].shape == (14, 2048)
    assert state["fc.weight"].std() > 0
    assert not state["fc.bias"].any()


def test_pretrained_weights_that_do_not_fit_are_refused(imagenet_file, tmp_path):
    with pytest.raises(ValueError, match="3 channels at width 1, not 1 at width 1"):
        resnet50(14, 1, 224, pretrained=imagenet_file)
    with pytest.raises(ValueError, match=r"not 3 at width 0\.5"):
        resnet50(14, 3, 224, width=0.5, pretrained=imagenet_file)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth.*pretrained=False"):
        resnet50(14, 3, 224, pretrained=tmp_path / "nowhere.pth")
    path = tmp_path / "other.pth"
    path.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"other\.pth is not a state dict"):
        resnet50(14, 3, 224, pretrained=path)
    # Of the right shapes, and one number each on the disk.
    shapes = torch.load(imagenet_file, weights_only=True, mmap=True)
    weights = {key: torch.zeros((), dtype=value.dtype).expand(value.shape) for key, value in shapes.items()}
    wider = weights | {"conv1.weight": torch.zeros(128, 3, 7, 7)}
    for content in (
        wider,
        weights | {"layer5.weight": torch.zeros(1)},
        {"conv1.weight": torch.zeros(1)},
        {1: torch.zeros(1)},
        [1],
    ):
        torch.save(content, path)
        with pytest.raises(ValueError, match=r"other\.pth"):
            resnet50(14, 3, 224, pretrained=path)


def test_weights_that_cannot_be_downloaded_say_what_to_do(monkeypatch, tmp_path):
    # No cache, and a proxy at a port where nothing listens: the machine as it is without a network.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(
        RuntimeError, match=r"could not be downloaded .*pretrained=False.*pretrained='FILE'"
    ) as e:
        resnet50(14, 3, 224, pretrained=True)
    assert "http" not in str(e.value)
