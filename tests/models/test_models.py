import inspect
import math

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sce_lib.models import MODELS, build_model, cnn4, cnn8, initialise, resnet44, resnet50

SMALL = {"cnn4": (1, 28), "cnn8": (3, 32), "resnet44": (3, 32), "resnet50": (3, 32)}


def count(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def build(name, num_classes=10, width=0.25, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return build_model(name, num_classes, *SMALL[name], width=width, generator=generator, **options)


def images(name, n=4, seed=0):
    channels, side = SMALL[name]
    return torch.randn(n, channels, side, side, generator=torch.Generator().manual_seed(seed))


def layers(model, x):
    """Return (kind, output shape without the batch) of each leaf module, in order of their calls."""
    calls = []
    leaves = [m for m in model.modules() if not list(m.children())]
    hooks = [
        m.register_forward_hook(lambda m, _, y: calls.append((type(m).__name__, *y.shape[1:])))
        for m in leaves
    ]
    model.eval()(x)
    for hook in hooks:
        hook.remove()
    return calls


def conv_bn_relu(channels, side):
    return [(kind, channels, side, side) for kind in ("Conv2d", "BatchNorm2d", "ReLU")]


def pool(channels, side):
    return [("MaxPool2d", channels, side, side)]


@pytest.mark.parametrize(
    ("name", "num_classes", "channels", "side", "parameters"),
    [
        ("cnn4", 10, 1, 28, 422_090),
        ("cnn8", 10, 3, 32, 1_639_794),
        ("resnet44", 100, 3, 32, 668_676),
    ],
)
def test_width_1_is_the_papers_network_to_the_parameter(name, num_classes, channels, side, parameters):
    assert count(build_model(name, num_classes, channels, side)) == parameters


def test_resnet50_has_torchvisions_parameters():
    assert count(resnet50(1000, 3, 224)) == 25_557_032


def test_cnn4_layer_by_layer():
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


def test_cnn8_layer_by_layer():
    expected = []
    for channels, side in ((64, 32), (128, 16), (196, 8)):
        expected += [*conv_bn_relu(channels, side) * 2, *pool(channels, side // 2)]
    expected += [("Linear", 256), ("BatchNorm1d", 256), ("Linear", 10)]
    assert layers(cnn8(10, 3, 32), images("cnn8")) == expected


def test_resnet44_layer_by_layer():
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


def test_a_block_adds_what_it_computes_to_what_it_got():
    model = build("resnet44").eval()
    block = model.blocks[1]
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(block(x), x)
    halving = model.blocks[7]
    nn.init.zeros_(halving.conv2.weight)
    torch.testing.assert_close(halving(x), halving.projection(x))
    assert halving(x).shape == (2, 8, 3, 3)


def test_resnet50_computes_what_torchvisions_does():
    torch.manual_seed(0)
    theirs = torchvision.models.resnet50(num_classes=7).eval()
    ours = resnet50(7, 3, 64).eval()
    ours.load_state_dict(theirs.state_dict())
    x = images("resnet50", n=2)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_the_classifier_of_the_features(name):
    model, x = build(name, num_classes=7).eval(), images(name)
    features = model.features(x)
    assert features.shape == (4, model.classifier.in_features)
    assert (features >= 0).all()
    assert (features > 0).any()
    assert model.classifier.out_features == 7
    assert torch.equal(model(x), model.classifier(features))


@pytest.mark.parametrize("name", ["cnn4", "cnn8"])
def test_features_are_the_hidden_dense_layer_after_its_relu(name):
    model, x = build(name).train(), images(name, n=64)
    features = model.features(x)
    # BatchNorm centres each unit over the batch, so that its ReLU lets about half through.
    assert 0.3 < (features > 0).float().mean() < 0.7
    torch.testing.assert_close(features, model.bn1(model.fc1(model.convolutions(x).flatten(1))).clamp(min=0))


@pytest.mark.parametrize("name", MODELS)
def test_the_first_dense_layer_is_fc1_where_there_is_one(name):
    model = build(name)
    dense = [m for m in model.modules() if isinstance(m, nn.Linear)]
    assert dense[-1] is model.classifier
    if name in ("cnn4", "cnn8"):
        assert dense == [model.fc1, model.classifier]
    else:
        assert dense == [model.classifier]
        assert not hasattr(model, "fc1")


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


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("width", [0.1, 0.3, 0.7, 1.3])
def test_every_channel_count_is_a_multiple_of_8(name, width):
    model = build(name, width=width)
    assert not [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.out_channels % 8]
    assert model(images(name)).shape == (4, 10)


def test_narrow_resnets_still_halve_the_sides():
    model = resnet44(10, 3, 32, width=0.1)
    strides = [m.stride[0] for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert strides.count(2) == 2


@pytest.mark.parametrize("name", MODELS)
def test_parameters_grow_with_the_width(name):
    counts = [count(build(name, width=width)) for width in (0.25, 0.5, 1.0)]
    assert counts == sorted(set(counts))


@settings(max_examples=30)
@given(
    name=st.sampled_from(["cnn4", "cnn8", "resnet44"]),
    channels=st.integers(1, 5),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    num_classes=st.integers(1, 12),
)
def test_any_image_size_and_channel_count(name, channels, height, width, num_classes):
    model = build_model(name, num_classes, channels, (height, width), width=0.1)
    x = torch.randn(3, channels, height, width, generator=torch.Generator().manual_seed(0))
    assert model.eval()(x).shape == (3, num_classes)
    assert model(x).isfinite().all()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("side", [1, 8, 33])
def test_resnet50_takes_any_image(channels, side):
    model = resnet50(5, channels, side, width=0.125).eval()
    assert model(torch.zeros(2, channels, side, side)).shape == (2, 5)


@pytest.mark.parametrize("name", ["cnn4", "cnn8"])
def test_digits_reach_the_dense_layer(name):
    model = build_model(name, 10, 1, 8)
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert model.fc1.in_features == (64 * 2 * 2 if name == "cnn4" else 196)


@pytest.mark.parametrize("name", MODELS)
def test_channels_last_changes_nothing(name):
    # In float64: how far float32 rounds an untrained ResNet-50 depends on the number of threads.
    model, x = build(name).eval().double(), images(name).double()
    expected = model(x)
    model = model.to(memory_format=torch.channels_last)
    got = model(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(got, expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", ["cnn4", "cnn8", "resnet44"])
def test_compiles_without_a_break(name):
    model, x = build(name).eval(), images(name)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_learns(name):
    model = build(name).train()
    labels = torch.tensor([0, 1, 2, 3])
    nn.functional.cross_entropy(model(images(name)), labels).backward()
    still = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not still


@pytest.mark.parametrize("name", ["cnn4", "cnn8", "resnet44"])
def test_a_few_images_are_learnt_by_heart(name):
    model, x = build(name, seed=1).train(), images(name, n=16)
    labels = torch.arange(16) % 4
    sgd = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(25):
        sgd.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        sgd.step()
    assert (model(x).argmax(1) == labels).all()


# --- initial weights ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_kernels_start_he_normal_and_biases_at_zero(name):
    model = build(name, width=0.5)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = module.weight.detach()
            deviation = math.sqrt(2 / weight[0].numel())
            tolerance = 5 / math.sqrt(2 * weight.numel())
            assert weight.std().item() == pytest.approx(deviation, rel=tolerance)
            assert abs(weight.mean().item()) < 5 * deviation / math.sqrt(weight.numel())
            assert weight.abs().max() > 2 * deviation or weight.numel() < 200  # normal, not uniform
            assert module.bias is None or not module.bias.any()
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert not module.bias.any()


def same(model, other):
    states = model.state_dict(), other.state_dict()
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0] | states[1])


@pytest.mark.parametrize("name", MODELS)
def test_a_generator_decides_the_weights_and_global_state_is_left_alone(name):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert same(build(name, seed=3), build(name, seed=3))
    assert not same(build(name, seed=3), build(name, seed=4))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", MODELS)
def test_without_a_generator_torchs_random_state_decides(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = build_model(name, 10, *SMALL[name], width=0.25)
        other = build_model(name, 10, *SMALL[name], width=0.25)
    assert same(model, build(name, seed=5))
    assert not same(model, other)


def test_initialise_starts_again():
    model, x = build("cnn8", seed=7), images("cnn8")
    fresh = build("cnn8", seed=7)
    model.train()(x)
    assert not same(model, fresh)  # running means have moved
    initialise(model, torch.Generator().manual_seed(7))
    assert same(model, fresh)


# --- pretrained weights ------------------------------------------------------------------------------


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
    weights = torch.load(imagenet_file, weights_only=True)
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


# --- bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_classes": 0}, "num_classes is an integer of 1 or more, not 0"),
        ({"num_classes": 10.0}, r"num_classes .* not 10\.0"),
        ({"in_channels": -1}, "in_channels .* not -1"),
        ({"image_size": 0}, "image_size .* not 0"),
        ({"image_size": (32, 32, 3)}, r"image_size .* not \(32, 32, 3\)"),
        ({"image_size": (32, 0)}, "image_size .* not 0"),
        ({"width": 0.0}, r"width is a positive number .* not 0\.0"),
        ({"width": -1}, "width .* not -1"),
        ({"width": float("nan")}, "width .* not nan"),
        ({"width": float("inf")}, "width .* not inf"),
        ({"width": "wide"}, "width .* not 'wide'"),
    ],
)
def test_arguments_that_cannot_be_are_named(name, changed, message):
    arguments = {"num_classes": 10, "in_channels": 3, "image_size": 32, "width": 1.0} | changed
    with pytest.raises(ValueError, match=message):
        MODELS[name](**arguments)


def test_unknown_models_and_options_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'resnet18' is not known; known are cnn4, cnn8, resnet44, resnet50"):
        build_model("resnet18", 10, 3, 32)
    with pytest.raises(ValueError, match="cnn8 has no option 'pretrained'"):
        build_model("cnn8", 10, 3, 32, pretrained=True)


@pytest.mark.parametrize("name", ["cnn4", "cnn8"])
def test_images_of_another_size_are_named(name):
    channels, side = SMALL[name]
    with pytest.raises(ValueError, match=rf"\({channels}, {side}, {side}\).*\(2, {channels}, 30, 30\)"):
        build(name)(torch.zeros(2, channels, 30, 30))


def test_all_networks_are_called_alike():
    first = ["num_classes", "in_channels", "image_size", "width"]
    assert all(list(inspect.signature(build).parameters)[:4] == first for build in MODELS.values())
