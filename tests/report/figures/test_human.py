"""Rates by class and accuracies by set of labels are drawn as given; what was not run leaves no mark."""

import numpy as np
import pytest

from sce_lib.experiments.grids import CIFAR10N_METHODS
from sce_lib.noise import (
    CIFAR10N,
    asymmetric_matrix,
    cifar10n_counts,
    symmetric_matrix,
    transition_from_counts,
)
from sce_lib.report.figures import accuracy_by_labels, class_rates

LABELS = {"clean": "clean", "symmetric-0.4": "40 %", "asymmetric-0.4": "pairs"}


def test_rates_of_each_class():
    matrices = {kind: transition_from_counts(cifar10n_counts(kind)) for kind in CIFAR10N}
    matrices["symmetric"] = symmetric_matrix(10, 0.4)
    (axis,) = class_rates(matrices, "abcdefghij").axes
    assert [line.get_label() for line in axis.lines] == list(matrices)
    assert [tick.get_text() for tick in axis.get_xticklabels()] == list("abcdefghij")
    for line, matrix in zip(axis.lines, matrices.values(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), 100 * (1 - np.diag(matrix)))
    assert len({(line.get_marker(), line.get_color()) for line in axis.lines}) == len(matrices)


def test_rates_need_a_matrix():
    with pytest.raises(ValueError, match="row"):
        class_rates({"counts": np.full((3, 3), 5)}, "abc")
    assert class_rates({"pairs": asymmetric_matrix("digits", 0.4)}, "0123456789").axes


@pytest.fixture
def records(make_record):
    """CE under both noises with two seeds; SL under one, with one."""
    runs = [
        make_record("ce", noise, seed, last=0.5 + seed / 10) for noise in list(LABELS)[:2] for seed in (0, 1)
    ]
    return [*runs, make_record("sl", "symmetric-0.4", last=0.8)]


def test_marks_are_means_and_bars_span_the_seeds(records):
    (axis,) = accuracy_by_labels(records, LABELS, CIFAR10N_METHODS).axes
    assert {line.get_label(): line.get_ydata() for line in axis.lines} == {
        "CE": pytest.approx([55, 55]),
        "SL": pytest.approx([80]),
    }
    ce, sl = axis.lines
    assert [round(x) for x in ce.get_xdata()] == [0, 1]
    assert [round(x) for x in sl.get_xdata()] == [1]
    assert ce.get_xdata()[1] < sl.get_xdata()[0]
    assert [bar[:, 1].tolist() for bar in axis.collections[0].get_segments()] == [pytest.approx([50, 60])] * 2
    assert [tick.get_text() for tick in axis.get_xticklabels()] == list(LABELS.values())


def test_what_was_not_run_is_empty(records):
    figure = accuracy_by_labels(records, {"asymmetric-0.4": "pairs"}, CIFAR10N_METHODS)
    assert not figure.axes[0].lines


def test_smoke_is_stamped(records):
    assert "smoke" in [text.get_text() for text in accuracy_by_labels(records, LABELS, ("ce",)).texts]
