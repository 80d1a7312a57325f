"""Labels that several tests of noise start from."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def mnist_counts():
    """Return the sizes of MNIST's training classes."""
    return (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)


@pytest.fixture(scope="session")
def unbalanced():
    """Return a maker of labels whose classes are of many sizes."""

    def make(num_classes, seed=0, most=60):
        sizes = np.random.default_rng(seed).integers(0, most, num_classes)
        return np.random.default_rng(seed).permutation(np.repeat(np.arange(num_classes), sizes))

    return make
