"""Who is taken for whom and how often: each matrix against the paper's words, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_lib.noise import (
    CIFAR100_SUPERCLASSES,
    asymmetric_matrix,
    corrupt,
    pair_matrix,
    swap_matrix,
    symmetric_matrix,
)

# The coarse label of each fine id, as it is commonly listed; the library lists the ids of each coarse one.
FINE_TO_COARSE = [
    *(4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7),
    *(6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10),
    *(16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16),
    *(12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13),
]


def assert_stochastic(T, num_classes):
    assert T.shape == (num_classes, num_classes)
    assert T.dtype == np.float64
    assert (T >= 0).all()
    np.testing.assert_allclose(T.sum(axis=1), 1, atol=1e-12)


@given(num_classes=st.integers(2, 40), rate=st.floats(0, 1))
def test_symmetric_matrix_has_the_rate_off_its_diagonal_and_nothing_else(num_classes, rate):
    T = symmetric_matrix(num_classes, rate)
    assert_stochastic(T, num_classes)
    np.testing.assert_allclose(np.diagonal(T), 1 - rate, atol=1e-15)
    off = T[~np.eye(num_classes, dtype=bool)]
    np.testing.assert_allclose(off, rate / (num_classes - 1), atol=1e-15)


def test_released_symmetric_noise_flips_as_many_in_every_class(mnist_counts):
    labels = np.repeat(np.arange(10), mnist_counts)
    T = symmetric_matrix(10, 0.8, variant="released", class_counts=mnist_counts)
    assert_stochastic(T, 10)
    rates = 1 - np.diagonal(T)
    assert rates.min() == pytest.approx(0.712, abs=1e-3)
    assert rates.max() == pytest.approx(0.885, abs=1e-3)
    noisy = corrupt(labels, T, seed=1)
    assert np.bincount(labels[noisy.flipped], minlength=10).tolist() == [4800] * 10
    assert noisy.rate == 0.8


@given(num_classes=st.integers(2, 12), per_class=st.integers(1, 50), percent=st.integers(0, 100))
def test_released_symmetric_noise_is_the_papers_on_balanced_data(num_classes, per_class, percent):
    counts = [per_class] * num_classes
    released = symmetric_matrix(num_classes, percent / 100, variant="released", class_counts=counts)
    flips = np.rint((1 - np.diagonal(released)) * per_class)
    # Rounded down, of the total and then of each class's share.
    assert set(flips) == {percent * per_class * num_classes // 100 // num_classes}


@pytest.mark.parametrize("counts", [None, [5, 5], [5.0, 5.0, 5.0], [5, -1, 5], [100, 100, 1]])
def test_released_symmetric_noise_refuses_counts_that_it_cannot_use(counts):
    with pytest.raises(ValueError, match=r"class_counts|class 2 has 1"):
        symmetric_matrix(3, 0.5, variant="released", class_counts=counts)


def test_the_papers_maps_stand_as_written():
    mnist = {(2, 7), (3, 8), (5, 6), (6, 5), (7, 1)}
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    cifar = {
        ("truck", "automobile"),
        ("bird", "airplane"),
        ("deer", "horse"),
        ("cat", "dog"),
        ("dog", "cat"),
    }
    garments = [
        "T-shirt",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Boot",
    ]
    alike = {("Boot", "Sneaker"), ("Sneaker", "Sandal"), ("Pullover", "Shirt"), ("Coat", "Dress")}
    alike |= {("Dress", "Coat")}

    def flips(dataset):
        T = asymmetric_matrix(dataset, 0.3)
        pairs = np.argwhere((T > 0) & ~np.eye(10, dtype=bool)).tolist()
        assert all(T[i, j] == 0.3 and T[i, i] == 0.7 for i, j in pairs)
        return pairs

    assert {tuple(pair) for pair in flips("mnist")} == mnist
    assert flips("digits") == flips("mnist")
    assert {(names[i], names[j]) for i, j in flips("cifar10")} == cifar
    assert {(garments[i], garments[j]) for i, j in flips("fashion_mnist")} == alike


def test_superclasses_are_twenty_of_five_and_agree_with_the_common_list():
    groups = tuple(CIFAR100_SUPERCLASSES.values())
    assert np.array(groups).shape == (20, 5)
    assert sorted(np.ravel(groups)) == list(range(100))
    assert list(CIFAR100_SUPERCLASSES) == sorted(CIFAR100_SUPERCLASSES)
    coarse = {fine: superclass for superclass, members in enumerate(groups) for fine in members}
    assert [coarse[fine] for fine in range(100)] == FINE_TO_COARSE
    within = [(i, j) for start in range(0, 100, 5) for i in range(start, start + 5) for j in range(i)]
    in_block = [(i, j) for i, j in within if i // 5 == j // 5]
    assert len(in_block) == 200
    assert sum(coarse[i] == coarse[j] for i, j in in_block) == 10


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("dataset", "variant", "group_of"),
    [
        ("cifar100", "paper", FINE_TO_COARSE),
        ("cifar100", "released", [i // 5 for i in range(100)]),
        ("tiny_imagenet100", "paper", [i // 5 for i in range(100)]),
    ],
)
def test_two_classes_of_each_group_swap(dataset, variant, group_of, seed):
    T = asymmetric_matrix(dataset, 0.4, variant=variant, seed=seed)
    assert_stochastic(T, 100)
    np.testing.assert_array_equal(T, T.T)
    pairs = np.argwhere(np.triu(T, 1) > 0)
    assert sorted(group_of[i] for i, _ in pairs) == list(range(20))
    assert all(group_of[i] == group_of[j] and T[i, j] == 0.4 for i, j in pairs)
    assert 1 - np.trace(T) / 100 == pytest.approx(0.4 * 0.4)


def test_the_seed_chooses_who_swaps_and_nothing_else_does():
    drawn = [asymmetric_matrix("cifar100", 0.4, seed=seed) for seed in (0, 1, 0)]
    assert (drawn[0] != drawn[1]).any()
    np.testing.assert_array_equal(drawn[0], drawn[2])
    np.testing.assert_array_equal(
        asymmetric_matrix("cifar100", 0.1, seed=5) > 0, asymmetric_matrix("cifar100", 0.4, seed=5) > 0
    )
    np.testing.assert_array_equal(
        asymmetric_matrix("cifar10", 0.4, seed=0), asymmetric_matrix("cifar10", 0.4, seed=9)
    )


def test_the_variants_differ_on_cifar100_alone():
    datasets = ("mnist", "digits", "fashion_mnist", "cifar10", "cifar100", "tiny_imagenet100")
    apart = [
        dataset
        for dataset in datasets
        if (asymmetric_matrix(dataset, 0.4) != asymmetric_matrix(dataset, 0.4, "released")).any()
    ]
    assert apart == ["cifar100"]


def test_groups_of_ones_own():
    T = asymmetric_matrix("my_pictures", 0.2, groups=[[0, 3], [1, 2]])
    expected = pair_matrix(4, {0: 3, 3: 0, 1: 2, 2: 1}, 0.2)
    np.testing.assert_array_equal(T, expected)
    assert_stochastic(swap_matrix([[4, 0, 2], [1, 3]], 0.5, seed=2), 5)


@pytest.mark.parametrize("groups", [[[0, 1], [1, 2]], [[0, 1], [3, 4]], [[0, 1], [2]], [[1, 2]], [[0, 0, 1]]])
def test_groups_that_do_not_part_the_classes_are_refused(groups):
    with pytest.raises(ValueError, match="groups part the classes"):
        swap_matrix(groups, 0.5)


def test_pairs_by_name():
    by_name = pair_matrix(3, {"cat": "dog", "dog": "cat"}, 0.3, classes=["cat", "dog", "cow"])
    np.testing.assert_array_equal(by_name, pair_matrix(3, {0: 1, 1: 0}, 0.3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, {0: 3}, 0.3), "class 3 does not exist; allowed 0..2"),
        ((3, {-1: 0}, 0.3), "class -1 does not exist"),
        ((3, {1: 1}, 0.3), "class 1 is paired with itself"),
        ((3, {"cat": "dog"}, 0.3), "'cat' is given by name"),
        ((2, {"cat": "cow"}, 0.3, ["cat", "dog"]), "'cow' is not one of cat, dog"),
        ((3, {0: 1}, 0.3, ["cat", "dog"]), "2 class names for 3 classes"),
    ],
)
def test_pairs_that_cannot_be_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        pair_matrix(*arguments)


BUILDERS = [
    lambda rate: symmetric_matrix(10, rate),
    lambda rate: asymmetric_matrix("cifar10", rate),
    lambda rate: asymmetric_matrix("cifar100", rate),
    lambda rate: pair_matrix(3, {0: 1}, rate),
]


@pytest.mark.parametrize(
    ("build", "rate"),
    [
        *((BUILDERS[0], rate) for rate in (1.2, -0.1, float("nan"), float("inf"), "much", None)),
        *((build, 1.2) for build in BUILDERS[1:]),
    ],
)
def test_a_rate_outside_0_to_1_is_named(build, rate):
    with pytest.raises(ValueError, match=str(rate)):
        build(rate)


@pytest.mark.parametrize("num_classes", [1, 0, -3, 2.5, True, "10"])
def test_a_number_of_classes_that_is_none_is_named(num_classes):
    with pytest.raises(ValueError, match="num_classes is an integer of 2 or more"):
        symmetric_matrix(num_classes, 0.4)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'clothing1m'.*mnist.*cifar100"):
        asymmetric_matrix("clothing1m", 0.4)
    with pytest.raises(ValueError, match=r"'keras'.*paper, released"):
        asymmetric_matrix("cifar10", 0.4, variant="keras")
    with pytest.raises(ValueError, match="'keras'"):
        symmetric_matrix(10, 0.4, variant="keras")
