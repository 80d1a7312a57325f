"""What a noise came to, whom it takes for whom, and whether it looks at the image."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sce_lib.noise import (
    CIFAR10N,
    Agreement,
    NoisyLabels,
    agreement,
    asymmetric_matrix,
    cifar10n_counts,
    corrupt,
    pattern,
    report,
    symmetric_matrix,
    total_variation,
    transition_from_counts,
)
from sce_lib.noise.matrices import PAIRS


def test_report_says_what_happened():
    labels = np.repeat([0, 1, 2], [10, 20, 0])
    page = report(corrupt(labels, symmetric_matrix(3, 0.25), seed=0))
    assert (page.num_labels, page.num_flipped) == (30, 7)  # 2.5 rounds to 2
    assert page.class_counts.tolist() == [10, 20, 0]
    assert page.class_rates[:2].tolist() == [0.2, 0.25]
    assert np.isnan(page.class_rates[2])
    assert 0 < page.largest_deviation < 0.1
    content = json.loads(json.dumps(page.as_dict(), allow_nan=False))
    assert content["class_rates"] == [0.2, 0.25, None]
    assert content["requested"][2] == [0.125, 0.125, 0.75]
    assert content["realised"][2] == [None] * 3


def test_the_hash_is_of_the_labels_alone(unbalanced):
    labels = unbalanced(10)
    hashes = {report(corrupt(labels, symmetric_matrix(10, 0.4), seed)).sha256 for seed in (0, 0, 1)}
    assert len(hashes) == 2
    assert len(hashes.pop()) == 64
    little = NoisyLabels.of(np.array([1], np.uint8), np.array([1], np.uint8), 2).sha256
    assert little == NoisyLabels.of(torch.tensor([1]), torch.tensor([1]), 2).sha256


def test_an_empty_report():
    page = report(corrupt([], symmetric_matrix(3, 0.4), seed=0)).as_dict()
    assert page["rate"] is None
    assert page["largest_deviation"] is None
    assert page["num_labels"] == 0


def random_matrix(K, seed):
    return np.random.default_rng(seed).dirichlet(np.full(K, 0.5), K)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.8])
def test_symmetric_noise_departs_from_nothing(rate):
    found = pattern(symmetric_matrix(10, rate))
    np.testing.assert_allclose(found.class_rates, rate)
    np.testing.assert_allclose(found.from_symmetric, 0, atol=1e-12)
    np.testing.assert_allclose(found.unevenness, 0 if rate else np.nan, atol=1e-12)
    np.testing.assert_allclose(found.favourite_share, 1 / 9 if rate else np.nan)
    np.testing.assert_allclose(found.margin, 1 - rate - rate / 9)


def test_the_papers_asymmetric_noise_is_all_favourites():
    found = pattern(asymmetric_matrix("cifar10", 0.4))
    pairs = PAIRS["cifar10"]
    moved = sorted(pairs)
    others = sorted(set(range(10)) - set(moved))
    assert {y: found.favourite[y] for y in moved} == pairs
    np.testing.assert_allclose(found.favourite_share[moved], 1)
    np.testing.assert_allclose(found.unevenness[moved], 8 / 9)
    assert np.isnan(found.unevenness[others]).all()
    assert np.isnan(found.favourite_share[others]).all()
    np.testing.assert_allclose(found.margin[moved], 0.2)
    np.testing.assert_allclose(found.margin[others], 1)
    # 20 % on the whole: a class at 40 % has to give back 0.4 less its even share, a clean one to lose 0.2.
    np.testing.assert_allclose(found.from_symmetric[moved], 0.4 - 0.2 / 9)
    np.testing.assert_allclose(found.from_symmetric[others], 0.2)


def test_beyond_a_half_the_margin_is_negative():
    assert pattern(asymmetric_matrix("cifar10", 0.6)).margin.min() == pytest.approx(-0.2)


@given(K=st.integers(2, 8), seed=st.integers(0, 10_000))
def test_a_pattern_against_loops(K, seed):
    T = random_matrix(K, seed)
    found = pattern(T)
    mean = sum(1 - T[y, y] for y in range(K)) / K
    for y in range(K):
        others = [k for k in range(K) if k != y]
        rate = sum(T[y, k] for k in others)
        away = abs(T[y, y] - (1 - mean)) + sum(abs(T[y, k] - mean / (K - 1)) for k in others)
        uneven = sum(abs(T[y, k] - rate / (K - 1)) for k in others) / 2
        largest = max(T[y, k] for k in others)
        assert found.class_rates[y] == pytest.approx(rate)
        assert found.from_symmetric[y] == pytest.approx(away / 2)
        assert found.unevenness[y] * rate == pytest.approx(uneven, abs=1e-9)
        assert T[y, found.favourite[y]] == largest
        assert found.favourite_share[y] * rate == pytest.approx(largest)
        assert found.margin[y] == pytest.approx(T[y, y] - largest)


def test_a_matrix_that_is_none_has_no_pattern():
    with pytest.raises(ValueError, match="row"):
        pattern([[0.5, 0.6], [0.0, 1.0]])


def test_total_variation_is_what_has_to_move():
    first, second = random_matrix(5, 1), random_matrix(5, 2)
    moved = np.maximum(first - second, 0).sum(axis=1)
    np.testing.assert_allclose(total_variation(first, second), moved)


def test_agreement_against_a_loop():
    rng = np.random.default_rng(0)
    clean, one, other = rng.integers(0, 4, (3, 500))
    found = agreement(NoisyLabels.of(clean, one, 4), NoisyLabels.of(torch.from_numpy(clean), other, 4))
    for y in range(4):
        rows = [(a, b) for c, a, b in zip(clean, one, other, strict=True) if c == y]
        assert found.both_wrong[y] == sum(a != y and b != y for a, b in rows)
        assert found.same_wrong[y] == sum(a == b != y for a, b in rows)
        assert found.first[y].tolist() == [sum(a == k for a, _ in rows) for k in range(4)]
        assert found.second[y].tolist() == [sum(b == k for _, b in rows) for k in range(4)]


def test_people_who_know_the_class_alone_err_as_their_matrices_say():
    """Noise of the class alone, however uneven, is told from noise that looks at the image."""
    clean = np.repeat(np.arange(10), 20_000)
    matrices = [transition_from_counts(cifar10n_counts(kind)) for kind in CIFAR10N[1:3]]
    drawn = [corrupt(clean, T, seed, exact=False) for seed, T in enumerate(matrices)]
    found = agreement(*drawn)
    for measured, expected in (found.wrong_too, found.same_label):
        assert measured == pytest.approx(expected, abs=0.01)


def test_one_person_twice_agrees_with_himself():
    noisy = corrupt(np.repeat([0, 1, 2], 100), symmetric_matrix(3, 0.4), seed=0)
    found = agreement(noisy, noisy)
    assert found.wrong_too == pytest.approx((1.0, 0.4))
    assert found.same_label == pytest.approx((1.0, 0.5))


def test_labels_of_other_images_are_not_compared():
    with pytest.raises(ValueError, match="other clean labels"):
        agreement(NoisyLabels.of([0, 1], [0, 0], 2), NoisyLabels.of([1, 0], [0, 0], 2))


@pytest.mark.parametrize(
    ("both", "same", "message"),
    [
        ([3, 0], [0, 0], "both_wrong ≤"),
        ([1, 0], [2, 0], "same_wrong ≤"),
        ([1, 0], [-1, 0], "does not hold"),
    ],
)
def test_counts_that_cannot_be_are_refused(both, same, message):
    with pytest.raises(ValueError, match=message):
        Agreement([[8, 2], [0, 10]], [[7, 3], [0, 10]], both, same)


def test_different_numbers_of_images_are_refused():
    with pytest.raises(ValueError, match="different numbers of images"):
        Agreement([[8, 2], [0, 10]], [[8, 3], [0, 10]], [0, 0], [0, 0])
