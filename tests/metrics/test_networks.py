"""Against loops over samples, written from the definitions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from sce_lib import metrics
from sce_lib.losses import CrossEntropy, MeanAbsoluteError, SymmetricCrossEntropy

few = settings(max_examples=40)


@st.composite
def samples(draw, at_least=1):
    """True labels, given labels, predictions (random, so that ties and absent classes occur) and K."""
    k = draw(st.integers(2, 6))
    n = draw(st.integers(at_least, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return (*torch.from_numpy(rng.integers(0, k, (3, n))), k)


@st.composite
def probabilities(draw):
    true, given_labels, _, k = draw(samples())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return torch.from_numpy(rng.dirichlet(np.full(k, 0.3), len(true))), true, given_labels, k


def mean(values):
    return sum(values) / len(values) if values else math.nan


def same(a, b):
    return np.testing.assert_allclose(np.asarray(a, dtype=float), np.asarray(b, dtype=float), rtol=1e-12)


@few
@given(samples())
def test_accuracies_and_counts(data):
    true, _, predictions, k = data
    pairs = list(zip(true.tolist(), predictions.tolist(), strict=True))
    assert metrics.accuracy(true, predictions) == pytest.approx(mean([t == p for t, p in pairs]))
    by_class = [mean([p == c for t, p in pairs if t == c]) for c in range(k)]
    same(metrics.classwise_accuracy(true, predictions, k), by_class)
    table = metrics.confusion_matrix(true, predictions, k)
    assert table.tolist() == [[pairs.count((i, j)) for j in range(k)] for i in range(k)]
    predicted, correct = metrics.prediction_counts(true, predictions, k)
    assert predicted.tolist() == [sum(p == c for _, p in pairs) for c in range(k)]
    assert correct.tolist() == [sum(p == t == c for t, p in pairs) for c in range(k)]
    assert int(table.sum()) == int(predicted.sum()) == len(true)


@few
@given(probabilities())
def test_confidence_over_the_clean_portion_by_true_class(data):
    p, true, labels, k = data
    confidence = metrics.clean_confidence(p, true, true != labels)
    expected = [
        [
            mean([p[i, j].item() for i in range(len(p)) if true[i] == c and true[i] == labels[i]])
            for j in range(k)
        ]
        for c in range(k)
    ]
    same(confidence, expected)
    rows = confidence.sum(dim=1)
    assert torch.isnan(rows).logical_or((rows - 1).abs() < 1e-9).all()


@few
@given(probabilities())
def test_margins(data):
    p, _, labels, _ = data
    expected = [
        row[label] - max(v for j, v in enumerate(row) if j != label)
        for row, label in zip(p.tolist(), labels.tolist(), strict=True)
    ]
    same(metrics.margins(p, labels), expected)
    assert torch.equal(metrics.margins(p, labels) > 0, p.argmax(1) == labels)


@few
@given(probabilities())
def test_class_means_of_vectors_and_of_any_float(data):
    p, true, _, k = data
    expected = [
        [mean([p[i, j].item() for i in range(len(p)) if true[i] == c]) for j in range(k)] for c in range(k)
    ]
    same(metrics.class_means(p, true, k), expected)
    same(metrics.class_means(p[:, 0], true, k), [row[0] for row in expected])
    assert metrics.class_means(p.half(), true, k).dtype == torch.float64


def test_no_samples_have_no_mean():
    empty = torch.zeros(0, dtype=torch.int64)
    assert math.isnan(metrics.accuracy(empty, empty))
    assert torch.isnan(metrics.classwise_accuracy(empty, empty, 3)).all()
    assert torch.isnan(metrics.clean_confidence(torch.zeros(0, 3), empty, empty.bool())).all()


@few
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 6), st.floats(0.01, 5), st.floats(-9, -0.5))
def test_gradient_weight_is_equation_10_and_what_finite_differences_give(seed, alpha, beta, A):
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 2, (5, 4)))
    labels = torch.from_numpy(rng.integers(0, 4, 5))
    loss = SymmetricCrossEntropy(alpha=alpha, beta=beta, A=A)
    weight = metrics.gradient_weight(loss, logits, labels)
    p = logits.softmax(1).gather(1, labels[:, None])[:, 0]
    same(weight, 2 * (alpha + beta * -A * p) * (1 - p))
    step = 1e-6
    for i in range(len(logits)):
        sizes = []
        for j in range(logits.shape[1]):
            nudge = torch.zeros_like(logits)
            nudge[i, j] = step
            difference = loss(logits + nudge, labels) - loss(logits - nudge, labels)
            sizes.append(abs(difference.item()) / (2 * step) * len(labels))
        assert weight[i].item() == pytest.approx(sum(sizes), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("loss", [CrossEntropy(), MeanAbsoluteError()])
def test_gradient_weight_leaves_its_arguments_alone(loss):
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with torch.no_grad():
        weight = metrics.gradient_weight(loss, logits, torch.tensor([0, 1, 2, 0, 1, 2]))
    assert logits.grad is None
    assert not weight.requires_grad
    assert weight.shape == (6,)


class TestDimensionality:
    @settings(max_examples=25)
    @given(n=st.integers(4, 40), width=st.integers(1, 8), seed=st.integers(0, 2**31), data=st.data())
    def test_is_the_estimator_of_the_paper(self, n, width, seed, data):
        k = data.draw(st.integers(2, n - 1))
        points = np.random.default_rng(seed).normal(size=(n, width))
        expected = []
        for i in range(n):
            distances = sorted(np.linalg.norm(points[i] - points[j]) for j in range(n) if j != i)[:k]
            expected.append(-1 / np.mean([np.log(r / distances[-1]) for r in distances]))
        ours = metrics.local_intrinsic_dimensionality(torch.as_tensor(points), k)
        assert_close(ours, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("dimension", [1, 2, 4, 8])
    def test_finds_the_dimension_of_a_subspace(self, dimension):
        generator = torch.Generator().manual_seed(dimension)
        inner = torch.rand(2000, dimension, generator=generator)
        basis = torch.linalg.qr(torch.randn(64, dimension, generator=generator)).Q
        estimate = metrics.local_intrinsic_dimensionality(inner @ basis.T, k=20).mean().item()
        assert estimate == pytest.approx(dimension, rel=0.2)

    def test_scale_and_shape_do_not_matter(self):
        features = torch.randn(64, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        ours = metrics.local_intrinsic_dimensionality(features)
        assert_close(
            metrics.local_intrinsic_dimensionality(1e-3 * features.flatten(1) + 5), ours, rtol=1e-8, atol=0
        )

    def test_copies_do_not_break_it(self):
        features = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
        features[1] = features[0]
        estimate = metrics.local_intrinsic_dimensionality(features)
        assert estimate.isfinite().all()
        assert (estimate > 0).all()

    def test_a_collapsed_network_has_no_dimension(self):
        assert metrics.local_intrinsic_dimensionality(torch.zeros(64, 6)).isinf().all()

    def test_leaves_the_features_gradient_alone(self):
        features = torch.randn(32, 6, requires_grad=True)
        assert not metrics.local_intrinsic_dimensionality(features).requires_grad

    @pytest.mark.parametrize("k", [1, 20, 25])
    def test_impossible_numbers_of_neighbours_are_refused(self, k):
        with pytest.raises(ValueError, match=f"k={k}"):
            metrics.local_intrinsic_dimensionality(torch.randn(20, 3), k)
