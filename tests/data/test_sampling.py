"""Subsets with exact shares of each class, and the statistics of pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sce_lib.data import pixel_statistics, stratified_subset
from sce_lib.data.sampling import class_quotas

label_lists = st.lists(st.integers(0, 6), min_size=1, max_size=60)


@given(label_lists, st.data(), st.integers(0, 2**32))
def test_counts_are_exact_shares_rounded(labels, data, seed):
    n = data.draw(st.integers(1, len(labels)))
    labels = torch.tensor(labels)
    chosen = stratified_subset(labels, n, seed)
    assert chosen.dtype == torch.int64
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert len(chosen) == n
    counts = torch.bincount(labels, minlength=7)
    got = torch.bincount(labels[chosen], minlength=7)
    share = n * counts.double() / len(labels)
    assert ((got - share).abs() < 1).all()
    assert (got <= counts).all()
    assert torch.equal(chosen, stratified_subset(labels.numpy(), n, seed))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.data())
def test_largest_remainders_get_the_places_that_are_left(counts, data):
    n = data.draw(st.integers(0, sum(counts)))
    quotas = class_quotas(counts, n)
    shares = [n * c / sum(counts) if sum(counts) else 0 for c in counts]
    up = [k for k, q in enumerate(quotas) if q > int(shares[k] + 1e-9)]
    down = [k for k, q in enumerate(quotas) if k not in up]
    assert quotas.sum() == n
    assert all((shares[i] % 1) >= (shares[j] % 1) - 1e-9 for i in up for j in down)


def test_balanced_classes_stay_balanced():
    labels = torch.arange(10).repeat(600)
    assert torch.bincount(labels[stratified_subset(labels, 1000, 3)]).tolist() == [100] * 10


def test_seeds_decide_and_global_state_is_left_alone():
    labels = torch.arange(4).repeat(50)
    np.random.seed(0)  # noqa: NPY002
    before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    one, same, other = (stratified_subset(labels, 40, seed) for seed in (5, 5, 6))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_every_sample_can_be_chosen():
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    seen = torch.cat([stratified_subset(labels, 2, seed) for seed in range(60)])
    assert set(seen.tolist()) == set(range(6))


@pytest.mark.parametrize("n", [0, -1, 7, 2.0, True, "3", None])
def test_bad_n(n):
    with pytest.raises(ValueError, match=r"n must be a whole number from 1 to 6"):
        stratified_subset(torch.tensor([0, 0, 0, 1, 1, 1]), n, 0)


@pytest.mark.parametrize("seed", [-1, 0.5, None, True])
def test_bad_seed(seed):
    with pytest.raises(ValueError, match="seed must be"):
        stratified_subset([0, 1], 1, seed)


@pytest.mark.parametrize("labels", [torch.zeros(3), torch.zeros(2, 2, dtype=torch.int64), [0.5, 1.0]])
def test_bad_labels(labels):
    with pytest.raises(ValueError, match=r"labels must be integers of shape \(N,\)"):
        stratified_subset(labels, 1, 0)


@pytest.mark.parametrize("shape", [(7, 5, 4, 3), (2, 3, 3, 1), (1500, 30, 30, 3)])
def test_statistics_agree_with_numpy(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    statistics = pixel_statistics(torch.from_numpy(array))
    scaled = array.astype(np.float64) / 255
    assert statistics.mean.dtype == statistics.std.dtype == statistics.pixel_mean.dtype == torch.float64
    np.testing.assert_allclose(statistics.mean, scaled.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(statistics.std, scaled.std((0, 1, 2)), rtol=1e-10)
    np.testing.assert_allclose(statistics.pixel_mean, scaled.mean(0), rtol=1e-12)


def test_batches_change_nothing_to_the_last_bit():
    images = torch.randint(0, 256, (50, 6, 5, 3), dtype=torch.uint8)
    whole = pixel_statistics(images)
    parts = pixel_statistics(iter(images[torch.randperm(50)].split(7)))
    assert torch.equal(whole.mean, parts.mean)
    assert torch.equal(whole.std, parts.std)
    assert torch.equal(whole.pixel_mean, parts.pixel_mean)


def test_a_constant_image_has_no_deviation():
    assert pixel_statistics(torch.full((9, 4, 4, 1), 77, dtype=torch.uint8)).std.item() == 0


@pytest.mark.parametrize(
    ("images", "match"),
    [
        (torch.zeros(2, 3, 3, 1), "uint8"),
        (torch.zeros(2, 3, 3, dtype=torch.uint8), "uint8"),
        (torch.zeros(0, 3, 3, 1, dtype=torch.uint8), "at least one"),
        (iter(()), "at least one"),
        (iter([torch.zeros(1, s, 3, 1, dtype=torch.uint8) for s in (3, 4)]), "one size"),
    ],
)
def test_bad_images(images, match):
    with pytest.raises(ValueError, match=match):
        pixel_statistics(images)
