"""Calibration against a count by hand, and on predictions that are calibrated by construction."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sce_lib import metrics


@given(st.integers(0, 2**31), st.integers(1, 20), st.integers(2, 6), st.integers(1, 60))
def test_it_is_a_count_over_bins(seed, bins, K, n):
    rng = np.random.default_rng(seed)
    p, labels = rng.dirichlet([0.5] * K, size=n), rng.integers(K, size=n)
    confidence, right = p.max(1), p.argmax(1) == labels
    expected = 0.0
    for b in range(bins):
        within = (confidence >= b / bins) & ((confidence < (b + 1) / bins) | (b == bins - 1))
        if within.any():
            expected += within.mean() * abs(confidence[within].mean() - right[within].mean())
    error = metrics.calibration_error(torch.from_numpy(p), torch.from_numpy(labels), bins)
    assert error == pytest.approx(expected, abs=1e-9)


def test_labels_drawn_from_the_probabilities_are_calibrated():
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(40_000, 4, generator=generator).square()
    p = p / p.sum(1, keepdim=True)
    labels = torch.multinomial(p, 1, generator=generator)[:, 0]
    assert metrics.calibration_error(p, labels) < 0.02
    sure = torch.nn.functional.one_hot(p.argmax(1), 4).float()
    assert metrics.calibration_error(sure, labels) > 0.3


def test_bins_without_samples_are_left_out():
    found = metrics.reliability(torch.tensor([[1.0, 0.0], [0.5, 0.5]]), torch.tensor([0, 1]), bins=10)
    assert found.samples.tolist() == [1, 1]
    assert found.confidence.tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("p", "labels", "bins", "message"),
    [
        (torch.ones(2, 2) / 2, torch.tensor([0]), 15, "got \\(2, 2\\) and \\(1,\\)"),
        (torch.ones(0, 2), torch.tensor([], dtype=torch.long), 15, "one sample at least"),
        (torch.ones(1, 2), torch.tensor([0]), 15, "sum to 1"),
        (torch.ones(1, 2) / 2, torch.tensor([0]), 0, "at least 1, not 0"),
    ],
)
def test_what_has_no_calibration_is_refused(p, labels, bins, message):
    with pytest.raises(ValueError, match=message):
        metrics.calibration_error(p, labels, bins)
