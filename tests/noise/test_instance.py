"""Noise that depends on the sample: its laws, the rate that comes of them, and that it does look at it."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_lib.noise import (
    agreement,
    confidence_law,
    confidence_noise,
    corrupt,
    corrupt_by_law,
    instance_noise,
    part_dependent_law,
    reference_probabilities,
)
from sce_lib.noise.instance import SPREAD, _filled, _moments, _systematic

K, N = 5, 4000
RATES = (0.0, 0.05, 0.1, 0.4, 0.8, 0.95, 1.0)


@pytest.fixture(scope="module")
def images():
    """Return images of five classes that differ in their mean, and their labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, K, N)
    return rng.random((N, 6, 6, 1)) + 0.2 * rng.random((K, 6, 6, 1))[labels], labels


@pytest.fixture(scope="module")
def predictions():
    """Return what an unsure model predicts for labels."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, K, N)
    logits = 3 * np.eye(K)[labels] + 2 * rng.standard_normal((N, K))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), labels


def own(law, labels):
    return law[np.arange(len(labels)), labels]


def test_the_law_is_the_published_one(images):
    """The same numbers from the published steps, a sample at a time: flip rates, projections, softmax."""
    x, y = images[0][:200], images[1][:200]
    law = part_dependent_law(x, y, 0.4, seed=3, classes=range(K))
    rng = np.random.default_rng(3).spawn(1)[0]
    q = rng.normal(0.4, SPREAD, 200)
    assert ((q > 0) & (q < 1)).all()  # four deviations from the ends: nothing is truncated here
    q = q * 0.4 / q.mean() if q.mean() > 0.4 else 1 - (1 - q) * 0.6 / (1 - q).mean()
    rows = x.reshape(200, -1)
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    W = np.array([rng.standard_normal((36, K)) for _ in range(K)])
    for row, label, rate, found in zip(rows, y, q, law, strict=True):
        scores = row @ W[label]
        others = [k for k in range(K) if k != label]
        weights = np.exp(scores[others] - scores[others].max())
        np.testing.assert_allclose(found[others], rate * weights / weights.sum(), rtol=1e-9, atol=1e-300)
        assert found[label] == pytest.approx(1 - rate)


@pytest.mark.parametrize("rate", RATES)
def test_rates_have_the_mean_that_is_asked_for_and_spread(images, rate):
    law = part_dependent_law(*images, rate, seed=0)
    q = 1 - own(law, images[1])
    assert ((law >= 0) & (law <= 1)).all()
    np.testing.assert_allclose(law.sum(axis=1), 1)
    assert q.mean() == pytest.approx(rate, abs=1e-12)
    if rate == 0.4:
        assert q.std() == pytest.approx(SPREAD, rel=0.05)


@pytest.mark.parametrize("rate", RATES)
def test_the_realised_rate_is_exact_or_expected(images, predictions, rate):
    for exact in (True, False):
        parts = instance_noise(*images, rate, seed=1, exact=exact)
        doubts = confidence_noise(*predictions, rate, seed=1, exact=exact)
        for noisy in (parts, doubts):
            tolerance = 0.5 / N + 1e-9 if exact else 4 * np.sqrt(rate * (1 - rate) / N) + 1e-9
            assert noisy.rate == pytest.approx(rate, abs=tolerance)
            assert noisy.law.shape == (N, K)
            np.testing.assert_array_equal(noisy.flipped, noisy.labels != noisy.clean)
            expected = [noisy.law[noisy.clean == y].mean(axis=0) for y in range(K)]
            np.testing.assert_allclose(noisy.requested, expected)
            spread = np.sqrt(noisy.requested * (1 - noisy.requested) / (N / K))
            assert (np.abs(noisy.realised - noisy.requested) <= 5 * spread + 0.002).all()


@pytest.mark.parametrize("exact", [True, False])
def test_labels_are_drawn_by_the_law_of_each_sample(exact):
    """Over many draws each of five samples gets each label as often as its law says."""
    law = np.array([[0.5, 0.5, 0], [0.1, 0.6, 0.3], [1, 0, 0], [0, 0, 1], [0.05, 0.05, 0.9]])  # 2 flips
    clean, draws = [0, 1, 0, 0, 2], 4000
    counts = np.zeros_like(law)
    for seed in range(draws):
        counts[range(5), corrupt_by_law(clean, law, seed, exact).labels] += 1
    assert (np.abs(counts / draws - law) <= 5 * np.sqrt(law * (1 - law) / draws)).all()
    assert not counts[law == 0].any()


@settings(max_examples=200)
@given(rates=st.lists(st.floats(0, 1), max_size=60), seed=st.integers(0, 2**20))
def test_a_systematic_sample_has_the_rounded_size(rates, seed):
    rates = np.array(rates)
    chosen = _systematic(rates, np.random.default_rng(seed))
    assert len(set(chosen)) == len(chosen)
    assert abs(len(chosen) - rates.sum()) <= 0.5 + 1e-6
    assert (rates[chosen] > 0).all()


@settings(max_examples=200)
@given(doubt=st.lists(st.floats(1e-12, 1), min_size=1, max_size=40), share=st.just(0.0) | st.floats(1e-6, 1))
def test_doubt_is_scaled_to_the_rate(doubt, share):
    doubt = np.array(doubt)
    flips = _filled(doubt, share * len(doubt))
    assert flips.sum() == pytest.approx(share * len(doubt), abs=1e-6)
    assert ((flips >= 0) & (flips <= 1)).all()
    below = flips < 1 - 1e-9
    if below.any():
        ratio = flips[below] / doubt[below]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_confidence_flips_where_the_model_is_unsure_to_what_it_confuses(predictions):
    p, y = predictions
    noisy = confidence_noise(p, y, 0.2, seed=0)
    sure = own(p, y)
    assert sure[noisy.flipped].mean() < sure[~noisy.flipped].mean() - 0.2
    others = p.copy()
    others[np.arange(N), y] = -1
    favourite = others.argmax(axis=1)[noisy.flipped] == noisy.labels[noisy.flipped]
    assert favourite.mean() > 0.6
    law = confidence_law(p, y, 0.2)
    free = 1 - own(law, y) < 1 - 1e-9
    off = ~np.eye(K, dtype=bool)[y] & free[:, None]
    ratio = law[off] / p[off]
    np.testing.assert_allclose(ratio, ratio[0])


def test_noise_by_parts_looks_at_the_image(images):
    """Two draws by one law agree beyond what the class alone would make them; two by a matrix do not."""
    x, y = images
    law = part_dependent_law(x, y, 0.4, seed=0)
    pair = [corrupt_by_law(y, law, seed, exact=False) for seed in (1, 2)]
    found, expected = agreement(*pair).same_label
    assert found > expected + 0.2
    pair = [corrupt(y, pair[0].requested, seed, exact=False) for seed in (1, 2)]
    found, expected = agreement(*pair).same_label
    assert found == pytest.approx(expected, abs=0.05)


def test_the_unit_of_features_does_not_matter(images):
    x, y = images
    grey = (255 * x / x.max()).astype(np.uint8)
    first = part_dependent_law(grey, y, 0.4, seed=0)
    np.testing.assert_allclose(part_dependent_law(grey / 255.0 - 3, y, 0.4, seed=0), first, atol=1e-9)
    np.testing.assert_array_equal(part_dependent_law(torch.from_numpy(grey), y, 0.4, seed=0), first)
    padded = np.concatenate([grey, np.full_like(grey, 7)], axis=3)  # constant features are left out
    mean, scale = _moments(padded.reshape(N, -1))
    assert (scale == 0).sum() == 36
    assert np.isfinite(part_dependent_law(padded, y, 0.4, seed=0)).all()
    rows = grey.reshape(N, -1).astype(float)
    np.testing.assert_allclose(mean.reshape(-1, 2)[:, 0], rows.mean(axis=0))
    np.testing.assert_allclose(scale.reshape(-1, 2)[:, 0], 1 / rows.std(axis=0))


def test_labels_come_back_as_they_were_and_the_seed_decides(images):
    x, y = images[0][:300], images[1][:300]
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first = instance_noise(x, y, 0.4, seed=5)
    reference_probabilities(x, y)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    again, other = (instance_noise(x, y, 0.4, seed=seed) for seed in (5, 6))
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.labels != other.labels).any()
    tensor = instance_noise(torch.from_numpy(x), torch.from_numpy(y).int(), 0.4, seed=5)
    assert tensor.labels.dtype == torch.int32
    np.testing.assert_array_equal(tensor.labels.numpy(), first.labels)
    words = pd.Series([f"class {label}" for label in y], index=range(1000, 1300))
    named = instance_noise(x, words, 0.4, seed=5)
    assert named.labels.tolist() == [f"class {label}" for label in first.labels]
    pd.testing.assert_index_equal(named.flipped.index, words.index)
    assert named.sha256 == first.sha256


def test_the_reference_is_the_minimum_of_its_loss_and_needs_no_seed(images):
    x, y = images[0][:500], images[1][:500]
    p = reference_probabilities(x, y)
    np.testing.assert_array_equal(p, reference_probabilities(torch.from_numpy(x), torch.from_numpy(y)))
    rows = x.reshape(500, -1)
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    # At the minimum the ridge holds the weights against the data's gradient: W = -gradient / 0.01.
    residual = p - np.eye(K)[y]
    W = -(rows.T @ residual / 500) / 0.01
    logits = rows @ W
    difference = np.log(p) - logits
    np.testing.assert_allclose(residual.mean(axis=0), 0, atol=1e-4)  # the bias has no ridge
    centred = difference - difference.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(centred, np.broadcast_to(centred.mean(axis=0), centred.shape), atol=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y: instance_noise(x[:-1], y, 0.4, 0), r"one row a label; \(3999, 6, 6, 1\) for 4000"),
        (lambda x, y: instance_noise(y, y, 0.4, 0), r"shape \(N, \.\.\.\), one row a label"),
        (lambda x, y: instance_noise(x * np.nan, y, 0.4, 0), "features of sample 0 are not finite"),
        (lambda x, y: instance_noise(x.astype(str), y, 0.4, 0), "features are numbers"),
        (lambda x, y: instance_noise(x, y, 1.4, 0), "noise rate 1.4 is outside"),
        (lambda x, y: instance_noise(x, y, 0.4, -1), "seed is an integer of 0 or more"),
        (lambda x, y: instance_noise(x, y * 0, 0.4, 0), "two classes at least"),
        (lambda x, y: instance_noise(x, y, 0.4, 0, num_classes=3), r"allowed 0\.\.2"),
        (
            lambda x, y: instance_noise(x, y.reshape(2, -1), 0.4, 0),
            r"labels of shape \(N,\), not \(2, 2000\)",
        ),
        (lambda x, y: confidence_noise(np.eye(K)[y], y, 0.4, 0), "1600 of 4000 .* unsure of 0 alone"),
        (lambda x, y: confidence_noise(np.full((N, K), 1.0), y, 0.4, 0), "row 0 of probabilities sums to 5"),
        (lambda x, y: confidence_noise(np.full((N, K), -1.0), y, 0.4, 0), "row 0 has -1: of logits"),
        (lambda x, y: confidence_noise(np.full((N, K), np.nan), y, 0.4, 0), "row 0 has nan"),
        (
            lambda x, y: confidence_noise(np.full((9, K), 0.2), y, 0.4, 0),
            "4000 labels and probabilities of 9",
        ),
        (lambda x, y: corrupt_by_law(y, np.full((9, K), 0.2), 0), "4000 labels and a law of 9"),
        (
            lambda x, y: corrupt_by_law(y, np.full(N, 0.2), 0),
            r"shape \(N, K\), not float64 of shape \(4000,\)",
        ),
    ],
)
def test_what_cannot_be_is_named(images, call, message):
    with pytest.raises(ValueError, match=message):
        call(*images)


def test_no_samples_are_no_trouble():
    noisy = instance_noise(np.zeros((0, 4)), [], 0.4, seed=0, num_classes=3)
    assert len(noisy) == 0
    np.testing.assert_array_equal(noisy.requested, np.eye(3))
