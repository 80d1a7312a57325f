"""Labels corrupted by a matrix: counts to the sample, the law of independent draws, and what was realised."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_lib.noise import (
    NoisyLabels,
    asymmetric_matrix,
    corrupt,
    count_labels,
    pair_matrix,
    realised_matrix,
    symmetric_matrix,
    transition_from_counts,
)
from sce_lib.noise.labels import members_of

RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
# Every rate where it meets other counts: one destination a class, nine, and nine at a rate of its own in each
# class. The other maps once each; they differ in whom they pair, and not in how many flip. At the rate 1 the
# released variant has no room: its smallest class is smaller than the mean.
NOISES = [
    *(("cifar10", "paper", rate) for rate in RATES),
    *(("symmetric", "paper", rate) for rate in RATES),
    *(("symmetric", "released", rate) for rate in RATES[:-1]),
    *((dataset, "paper", 0.4) for dataset in ("mnist", "fashion_mnist", "cifar100", "tiny_imagenet100")),
    ("cifar100", "released", 0.4),
]


@pytest.mark.parametrize(("dataset", "variant", "rate"), NOISES)
def test_realised_is_requested_to_rounding(unbalanced, mnist_counts, dataset, variant, rate):
    if dataset == "symmetric":
        labels = np.repeat(np.arange(10), mnist_counts)
        T = symmetric_matrix(10, rate, variant, mnist_counts)
    else:
        T = asymmetric_matrix(dataset, rate, variant, seed=7)
        labels = unbalanced(len(T))
    counts = np.bincount(labels, minlength=len(T))
    noisy = corrupt(labels, T, seed=3)
    np.testing.assert_array_equal(noisy.requested, T)
    present = counts > 0
    deviation = np.abs(noisy.realised - T)[present] * counts[present, None]
    assert deviation.max() < 1 + 1e-6
    kept = np.bincount(labels[~noisy.flipped], minlength=len(T))
    np.testing.assert_array_equal(counts - kept, np.rint(np.round(counts * (1 - np.diagonal(T)), 9)))


@settings(max_examples=150)
@given(
    data=st.data(),
    num_classes=st.integers(1, 7),
    size=st.integers(0, 80),
    seed=st.integers(0, 2**32),
)
def test_exact_counts_for_any_matrix(data, num_classes, size, seed):
    weights = st.lists(st.integers(0, 20), min_size=num_classes, max_size=num_classes)
    rows = data.draw(st.lists(weights, min_size=num_classes, max_size=num_classes))
    T = np.array(rows, dtype=float) + 1e-3 * np.eye(num_classes)
    T /= T.sum(axis=1, keepdims=True)
    labels = np.random.default_rng(seed).integers(0, num_classes, size)
    noisy = corrupt(labels, T, seed)
    counts = np.bincount(labels, minlength=num_classes)
    table = np.zeros((num_classes, num_classes))
    np.add.at(table, (labels, noisy.labels), 1)
    assert (np.abs(table - counts[:, None] * T) < 1 + 1e-6).all()
    assert not table[T == 0].any()
    np.testing.assert_allclose(np.abs(np.diagonal(table) - counts * np.diagonal(T)), 0, atol=0.5 + 1e-6)
    np.testing.assert_array_equal(noisy.flipped, noisy.labels != labels)
    np.testing.assert_array_equal(noisy.clean, labels)


def test_ties_between_destinations_are_broken_by_lot():
    # 4 flips among 9 alike destinations: over seeds each gets its turn, without favour for low ids.
    labels = np.zeros(10, dtype=np.int64)
    hits = sum(
        np.bincount(corrupt(labels, symmetric_matrix(10, 0.4), seed).labels, minlength=10)
        for seed in range(450)
    )
    assert hits[0] == 450 * 6
    assert hits[1:].min() > 140
    assert hits[1:].max() < 260


def test_which_samples_flip_is_by_lot():
    labels = np.zeros(20, dtype=np.int64)
    flips = sum(corrupt(labels, pair_matrix(2, {0: 1}, 0.5), seed).flipped.astype(int) for seed in range(200))
    assert flips.sum() == 200 * 10
    assert flips.min() > 60
    assert flips.max() < 140


def test_flips_start_from_the_clean_label():
    # cat -> dog -> cat, at the rate 1: a second look at changed labels would undo the first.
    noisy = corrupt(np.array([3, 3, 5, 5]), pair_matrix(10, {3: 5, 5: 3}, 1.0), seed=0)
    assert noisy.labels.tolist() == [5, 5, 3, 3]


def test_independent_draws_have_the_law_of_the_matrix():
    T = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    n = 40_000
    noisy = corrupt(np.repeat([0, 1, 2], n), T, seed=4, exact=False)
    deviation = np.abs(noisy.realised - T)
    assert (deviation <= 5 * np.sqrt(T * (1 - T) / n)).all()
    assert deviation.max() > 0
    other = corrupt(np.repeat([0, 1, 2], n), T, seed=5, exact=False)
    assert (other.labels != noisy.labels).any()


@pytest.mark.parametrize("exact", [True, False])
def test_the_seed_decides_and_global_state_is_left_alone(unbalanced, exact):
    labels, T = unbalanced(10), symmetric_matrix(10, 0.4)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first = corrupt(labels, T, seed=11, exact=exact)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    again, other = corrupt(labels, T, seed=11, exact=exact), corrupt(labels, T, seed=12, exact=exact)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.labels != other.labels).any()


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_torch_labels_come_back_as_they_came(unbalanced, dtype):
    labels = torch.from_numpy(unbalanced(10)).to(dtype)
    kept = labels.clone()
    noisy = corrupt(labels, symmetric_matrix(10, 0.4), seed=2)
    for side in (noisy.labels, noisy.clean):
        assert isinstance(side, torch.Tensor)
        assert side.dtype == dtype
        assert side.device == labels.device
    assert noisy.flipped.dtype == torch.bool
    assert torch.equal(labels, kept)
    assert torch.equal(noisy.flipped, noisy.labels != kept)
    as_numpy = corrupt(labels.numpy(), symmetric_matrix(10, 0.4), seed=2)
    np.testing.assert_array_equal(as_numpy.labels, noisy.labels.numpy())
    assert as_numpy.labels.dtype == labels.numpy().dtype
    assert as_numpy.sha256 == noisy.sha256


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_labels_stay_on_their_device(unbalanced):
    labels = torch.from_numpy(unbalanced(10)).cuda()
    noisy = corrupt(labels, symmetric_matrix(10, 0.4), seed=2)
    assert {noisy.labels.device, noisy.clean.device, noisy.flipped.device} == {labels.device}
    assert torch.equal(noisy.labels.cpu(), corrupt(labels.cpu(), symmetric_matrix(10, 0.4), seed=2).labels)


def test_what_is_returned_does_not_share_memory_with_what_was_given():
    labels = np.array([0, 1, 2])
    noisy = corrupt(labels, np.eye(3), seed=0)
    labels[:] = 0
    assert noisy.clean.tolist() == noisy.labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "empty",
    [
        [],
        np.array([]),
        np.zeros(0, np.int64),
        np.zeros(0, str),
        torch.zeros(0, dtype=torch.int64),
        pd.Series([], dtype="category"),
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_no_labels_are_no_trouble(empty, exact):
    noisy = corrupt(empty, symmetric_matrix(3, 0.4), seed=0, exact=exact)
    assert len(noisy.labels) == len(noisy.flipped) == 0
    assert np.isnan(noisy.realised).all()
    assert np.isnan(noisy.rate)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([3, 1, 4, 10], r"label 10 at index 3; allowed 0\.\.9"),
        (torch.tensor([0, -1]), r"label -1 at index 1; allowed 0\.\.9"),
        (np.array([255], np.uint8), "label 255 at index 0"),
        ([0.0, 1.0], "integers"),
        ([True, False], "bool"),
        (["cat"], "type str have 1 classes, 'cat', and there are 10"),
        ([[0, 1], [2, 10]], r"label 10 at index \(1, 1\)"),
        ([0, 1, 11, *range(2, 9)], "label 11 at index 2; allowed 0..9"),  # ten, but a slip rather than ids
        (3, r"shape \(\)"),
        (torch.eye(10)[[0, 1]], r"shape \(2, 10\)"),
    ],
)
def test_labels_that_are_none_are_named(labels, message):
    with pytest.raises(ValueError, match=message):
        corrupt(labels, symmetric_matrix(10, 0.4), seed=0)


def test_labels_whose_type_cannot_hold_all_classes_are_refused():
    with pytest.raises(ValueError, match="uint8 cannot hold 300 classes"):
        corrupt(np.zeros(5, np.uint8), symmetric_matrix(300, 0.4), seed=0)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((2, 3)) / 3, r"square.*\(2, 3\)"),
        (np.ones(3), r"square.*\(3,\)"),
        (np.zeros((0, 0)), "square"),
        ([[0.9, 0.2], [0.0, 1.0]], "row 0 .* sums to 1.1"),
        ([[1.0, 0.0], [-0.5, 1.5]], r"entry \[1, 0\] .* -0.5"),
        ([[1.0, 0.0], [float("nan"), 1.0]], r"entry \[1, 0\] .* nan"),
        ([["a", "b"], ["c", "d"]], "array of numbers"),
        ([[1.0], [0.5, 0.5]], "array of numbers"),
        (symmetric_matrix(10, 0.3).T * 2, "row 0"),
    ],
)
def test_a_matrix_that_is_none_is_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        corrupt([0, 1], matrix, seed=0)


@pytest.mark.parametrize("seed", [-1, 0.5, None, "0", True])
def test_a_seed_that_is_none_is_named(seed):
    with pytest.raises(ValueError, match="seed is an integer of 0 or more"):
        corrupt([0, 1], np.eye(2), seed=seed)
    with pytest.raises(ValueError, match="seed is an integer of 0 or more"):
        asymmetric_matrix("cifar10", 0.4, seed=seed)


def test_a_torch_matrix_will_do():
    T = torch.tensor([[0.7, 0.3], [0.1, 0.9]])
    assert corrupt([0] * 10, T, seed=0).labels.sum() == 3


def test_counts_become_frequencies():
    np.testing.assert_array_equal(transition_from_counts([[3, 1], [1, 1]]), [[0.75, 0.25], [0.5, 0.5]])
    for bad in ([[1, 2]], [[1, -1], [0, 1]], [[np.nan, 1], [0, 1]], 3):
        with pytest.raises(ValueError, match="table of counts"):
            transition_from_counts(bad)


def test_a_class_without_counts_is_named():
    counts = [[3, 1, 0], [0, 0, 0], [1, 1, 2]]
    with pytest.warns(UserWarning, match="class 1 has no counts: its row .* NaN"):
        T = transition_from_counts(counts)
    np.testing.assert_array_equal(T, [[0.75, 0.25, 0], [np.nan] * 3, [0.25, 0.25, 0.5]])
    with pytest.warns(UserWarning, match=r"class 1 \('dog'\) has no counts"):
        transition_from_counts(counts, classes=["cat", "dog", "eel"])
    with pytest.warns(UserWarning, match="classes 0, 1 have none"):
        transition_from_counts(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="2 class names for counts of 3 classes"):
        transition_from_counts(counts, classes=["cat", "dog"])


def test_a_cross_table_has_its_names():
    clean, noisy = pd.Series(["cat", "dog", "dog"]), pd.Series(["cat", "cat", "dog"])
    table = pd.crosstab(clean, noisy)
    np.testing.assert_array_equal(transition_from_counts(table), [[1, 0], [0.5, 0.5]])
    np.testing.assert_array_equal(table, count_labels(clean, noisy))
    with pytest.raises(ValueError, match="same in rows and columns"):
        transition_from_counts(table[["dog", "cat"]])
    table.loc["cat"] = 0
    with pytest.warns(UserWarning, match=r"class 0 \('cat'\) has no counts"):
        transition_from_counts(table)


def test_a_thousand_classes_are_sorted_once():
    """Every class's samples by one sort: what the loop over classes found is found, ignored ones left out."""
    rng = np.random.default_rng(0)
    for num_classes in (1, 255, 256, 1000):
        indices = rng.integers(-1, num_classes, 5000)
        for y, places in enumerate(members_of(indices, num_classes)):
            np.testing.assert_array_equal(places, np.flatnonzero(indices == y))


# What a seed has given since the first record: stored runs rest on these bits.
FIRST = {
    (2, True): "ae5cbda6621e791c",
    (2, False): "7307811036379fa4",
    (10, True): "066dbbd155787887",
    (10, False): "65e11de5eddde0d2",
    (300, True): "9fb897ee219e1944",
    (300, False): "32e78731fc48df02",
}


@pytest.mark.parametrize(("num_classes", "exact"), FIRST)
def test_a_seed_gives_the_labels_that_it_always_gave(num_classes, exact):
    clean = np.arange(3000) ** 2 % 7919 % num_classes
    noisy = corrupt(clean, symmetric_matrix(num_classes, 0.4), seed=5, exact=exact)
    assert noisy.sha256.startswith(FIRST[num_classes, exact])


def test_realised_matrix_against_a_loop():
    rng = np.random.default_rng(0)
    clean, labels = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    expected = [[np.mean(labels[clean == i] == j) for j in range(5)] for i in range(5)]
    np.testing.assert_allclose(realised_matrix(torch.from_numpy(clean), labels.tolist(), 5), expected)
    with pytest.raises(ValueError, match="300 clean labels and 299 noisy"):
        realised_matrix(clean, labels[1:], 5)


def test_labels_noisy_already():
    noisy = NoisyLabels.of(torch.tensor([0, 1, 1]), [1, 1, 0], num_classes=3)
    assert noisy.flipped.tolist() == [True, False, True]
    assert isinstance(noisy.labels, torch.Tensor)
    np.testing.assert_array_equal(noisy.requested, noisy.realised)
    with pytest.raises(ValueError, match="label 3 at index 2"):
        NoisyLabels.of([0, 1, 1], [0, 1, 3], num_classes=3)
    with pytest.raises(ValueError, match=r"\(2, 2\) for 3 classes"):
        NoisyLabels.of([0, 1], [0, 1], num_classes=3, requested=np.eye(2))
    with pytest.raises(AttributeError):
        noisy.labels = noisy.clean
