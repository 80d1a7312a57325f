"""What holds of every network: its size, its features, its initial weights, and what it refuses."""

import inspect
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sce_lib.models import MODELS, build_model, initialise


def count(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


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


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_the_classifier_of_the_features(build, images, name):
    model, x = build(name, num_classes=7).eval(), images(name)
    features = model.features(x)
    assert features.shape == (4, model.classifier.in_features)
    assert (features >= 0).all()
    assert (features > 0).any()
    assert model.classifier.out_features == 7
    assert torch.equal(model(x), model.classifier(features))


@pytest.mark.parametrize("name", MODELS)
def test_the_first_dense_layer_is_fc1_where_there_is_one(build, name):
    model = build(name)
    dense = [m for m in model.modules() if isinstance(m, nn.Linear)]
    assert dense[-1] is model.classifier
    if name in ("cnn4", "cnn8"):
        assert dense == [model.fc1, model.classifier]
    else:
        assert dense == [model.classifier]
        assert not hasattr(model, "fc1")


@pytest.mark.parametrize(
    ("name", "width"),
    [*((name, 0.3) for name in MODELS), *(("resnet44", width) for width in (0.1, 0.7, 1.3))],
)
def test_every_channel_count_is_a_multiple_of_8(build, images, name, width):
    model = build(name, width=width)
    assert not [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.out_channels % 8]
    assert model(images(name)).shape == (4, 10)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_grow_with_the_width(build, name):
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


@pytest.mark.parametrize("name", MODELS)
def test_channels_last_changes_nothing(build, images, name):
    # In float64: how far float32 rounds an untrained ResNet-50 depends on the number of threads.
    model, x = build(name).eval().double(), images(name).double()
    expected = model(x)
    model = model.to(memory_format=torch.channels_last)
    got = model(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(got, expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", ["cnn4", "cnn8", "resnet44"])
def test_compiles_without_a_break(build, images, name):
    model, x = build(name).eval(), images(name)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_learns(build, images, name):
    model = build(name).train()
    labels = torch.tensor([0, 1, 2, 3])
    nn.functional.cross_entropy(model(images(name)), labels).backward()
    still = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not still


@pytest.mark.parametrize("name", ["cnn4", "cnn8", "resnet44"])
def test_a_few_images_are_learnt_by_heart(build, images, name):
    model, x = build(name, seed=1).train(), images(name, n=16)
    labels = torch.arange(16) % 4
    sgd = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(25):
        sgd.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        sgd.step()
    assert (model(x).argmax(1) == labels).all()


@pytest.mark.parametrize("name", MODELS)
def test_kernels_start_he_normal_and_biases_at_zero(build, name):
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
def test_a_generator_decides_the_weights_and_global_state_is_left_alone(build, name):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert same(build(name, seed=3), build(name, seed=3))
    assert not same(build(name, seed=3), build(name, seed=4))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", MODELS)
def test_without_a_generator_torchs_random_state_decides(build, small, name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = build_model(name, 10, *small[name], width=0.25)
        other = build_model(name, 10, *small[name], width=0.25)
    assert same(model, build(name, seed=5))
    assert not same(model, other)


def test_initialise_starts_again(build, images):
    model, x = build("cnn8", seed=7), images("cnn8")
    fresh = build("cnn8", seed=7)
    model.train()(x)
    assert not same(model, fresh)  # running means have moved
    initialise(model, torch.Generator().manual_seed(7))
    assert same(model, fresh)


IMPOSSIBLE = [
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
]
# One bad value of each argument shows that a network has them looked at, and all of them are looked at alike.
ONE_OF_EACH = [IMPOSSIBLE[place] for place in (0, 2, 3, 6)]


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        *(("cnn4", *bad) for bad in IMPOSSIBLE),
        *((name, *bad) for name in MODELS if name != "cnn4" for bad in ONE_OF_EACH),
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


def test_all_networks_are_called_alike():
    first = ["num_classes", "in_channels", "image_size", "width"]
    assert all(list(inspect.signature(build).parameters)[:4] == first for build in MODELS.values())
