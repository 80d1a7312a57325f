"""Small networks and images that the tests of every network use."""

import pytest
import torch

from sce_lib.models import build_model

SMALL = {"cnn4": (1, 28), "cnn8": (3, 32), "resnet44": (3, 32), "resnet50": (3, 32)}


@pytest.fixture(scope="session")
def small():
    """Return the channels and the side of each network's images in the tests."""
    return SMALL


@pytest.fixture(scope="session")
def build():
    """Return a maker of narrow networks by name."""

    def make(name, num_classes=10, width=0.25, seed=0, **options):
        generator = torch.Generator().manual_seed(seed)
        return build_model(name, num_classes, *SMALL[name], width=width, generator=generator, **options)

    return make


@pytest.fixture(scope="session")
def images():
    """Return a maker of a network's images."""

    def make(name, n=4, seed=0):
        channels, side = SMALL[name]
        return torch.randn(n, channels, side, side, generator=torch.Generator().manual_seed(seed))

    return make


@pytest.fixture(scope="session")
def layers():
    """Return what lists each leaf module in order of its call: (kind, output shape without the batch)."""

    def listed(model, x):
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

    return listed
