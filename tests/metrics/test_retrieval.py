"""Against scikit-learn, which the importer's half does not need, and against the definitions."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from sce_lib.metrics import Suspects, detection, suspects


@st.composite
def ranked(draw):
    """Scores with many ties, or few, and which labels are wrong, not none and not all."""
    n = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.integers(0, draw(st.sampled_from([1, 3, 1000])), n) / 7 - 1
    wrong = rng.random(n) < draw(st.floats(0.1, 0.9))
    wrong[rng.permutation(n)[:2]] = [True, False]
    return scores, wrong


@settings(max_examples=150)
@given(ranked())
def test_is_what_scikit_learn_says(data):
    scores, wrong = data
    found = detection(scores, wrong)
    assert found.auroc == pytest.approx(roc_auc_score(wrong, scores), abs=1e-12)
    assert found.average_precision == pytest.approx(average_precision_score(wrong, scores), abs=1e-12)
    assert (found.samples, found.flipped, found.reason) == (len(wrong), wrong.sum(), None)
    assert found.rate == wrong.mean()


@settings(max_examples=40)
@given(ranked(), st.floats(0.01, 1))
def test_precision_is_the_mean_over_orders_of_equal_scores(data, rate):
    scores, wrong = data
    found = detection(scores, wrong, rate=rate)
    m = max(1, math.floor(rate * len(wrong) + 0.5))
    cut = np.sort(scores)[::-1][m - 1]
    above, equal = scores > cut, scores == cut
    hits = wrong[above].sum() + (m - above.sum()) * wrong[equal].mean()
    assert found.precision == pytest.approx(hits / m)
    assert found.recall == pytest.approx(hits / wrong.sum())
    assert found.rate == m / len(wrong)


def test_at_the_noise_rate_precision_is_recall():
    found = detection(np.arange(10.0), np.arange(10) % 3 == 0)
    assert found.precision == found.recall == 0.5  # of 9, 8, 7, 6 two are multiples of 3


def test_at_the_noise_rate_counted_out():
    found = detection([0.9, 0.8, 0.7, 0.1], [True, False, True, False])
    assert (found.precision, found.recall, found.auroc) == (0.5, 0.5, 0.75)


def test_infinite_scores_are_scores():
    assert detection([np.inf, np.inf, -np.inf, 0.0], [True, True, False, False]).auroc == 1.0


def test_millions_do_not_overflow():
    n = 3_000_000
    wrong = np.arange(n) < n // 2
    assert detection(-np.arange(n, dtype=float), wrong).auroc == 1.0
    assert detection(np.zeros(n), wrong).auroc == 0.5


def test_within_each_class():
    rng = np.random.default_rng(0)
    scores, wrong, labels = rng.normal(size=90), rng.random(90) < 0.4, rng.integers(0, 3, 90)
    names = np.array(["cat", "dog", "yak"])[labels]
    found = detection(scores, wrong, names)
    assert list(found.by_class) == ["cat", "dog", "yak"]
    for label, part in enumerate(found.by_class.values()):
        assert part == detection(scores[labels == label], wrong[labels == label])
    for given_labels in (labels, torch.from_numpy(labels), pd.Series(labels)):
        assert list(detection(scores, wrong, given_labels).by_class.values()) == list(found.by_class.values())


@pytest.mark.parametrize("share", [0, 1])
def test_with_nothing_to_tell_apart_it_says_so(share):
    found = detection([0.3, 0.1, 0.2], [bool(share)] * 3, [0, 0, 1])
    assert all(math.isnan(v) for v in (found.auroc, found.average_precision, found.precision, found.recall))
    assert found.reason == f"{'every one' if share else 'none'} of 3 labels is wrong"
    assert found.by_class[0].reason is not None


def test_without_a_sample_it_says_so():
    assert detection([], []).reason == "none of 0 labels is wrong"


def test_takes_tensors_and_what_suspects_returns():
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    labels, flipped = torch.tensor([0, 0, 1, -100]), torch.tensor([False, True, False, True])
    found = suspects(logits, labels)
    assert detection(found, flipped) == detection(found.scores[:3], flipped[:3])
    assert detection(found, flipped, labels).by_class.keys() == {0, 1}
    assert detection(found.scores[:3].bfloat16(), flipped[:3].int()).auroc == 0.5
    with pytest.raises(ValueError, match="score at index 3 is NaN"):
        detection(found.scores, flipped)


def test_of_masks():
    scores, wrong = np.arange(6.0).reshape(2, 3), np.array([[0, 0, 0], [1, 0, 1]])
    assert detection(scores, wrong, [[0, 0, 0], [1, 1, 1]]) == detection(
        scores.ravel(), wrong.ravel(), [0, 0, 0, 1, 1, 1]
    )


def test_series_of_another_index_are_refused():
    rng = np.random.default_rng(0)
    p, names = rng.dirichlet(np.ones(3), 40), [f"{i}.png" for i in range(40)]
    labels, flipped = pd.Series(rng.integers(0, 3, 40), names), pd.Series(rng.random(40) < 0.4, names)
    found = suspects(p, labels)
    expected = detection(found.scores.to_numpy(), flipped.to_numpy(), labels.to_numpy())
    assert detection(found, flipped, labels) == detection(found.scores, flipped, labels) == expected
    shuffled = flipped.sample(frac=1, random_state=1)
    assert detection(found, shuffled.reindex(found.scores.index)).auroc == expected.auroc
    for scores in (found, found.scores):
        with pytest.raises(ValueError, match=r"scores and flipped have other indices.*\.reindex"):
            detection(scores, shuffled)
    with pytest.raises(ValueError, match="scores and flipped have other indices"):
        detection(found, flipped.reset_index(drop=True))
    with pytest.raises(ValueError, match="scores and labels have other indices"):
        detection(found, flipped, labels[::-1])
    with pytest.raises(ValueError, match="flipped and labels have other indices"):
        detection(found.scores.to_numpy(), flipped, labels[::-1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([0.1, 0.2], [True]), r"scores have shape \(2,\), flipped \(1,\)"),
        (([0.1, 0.2], [True, False], [0]), r"labels \(1,\)"),
        (([0.1, 0.2], [0, 2]), "True or False"),
        (([0.1, 0.2], [0.0, 0.5]), "True or False, not float64"),
        ((["a", "b"], [True, False]), "scores are numbers"),
        (([0.1, np.nan], [True, False]), "index 1 is NaN"),
        (([0.1, 0.2], [True, False], None, 40), r"in \(0, 1\], not 40"),
        (([0.1, 0.2], [True, False], None, 0.0), "not 0.0"),
        (([0.1, 0.2], [True, False], None, math.nan), "not nan"),
        (([0.1, 0.2], [True, False], ["a", None]), "none is missing"),
    ],
)
def test_what_cannot_be_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        detection(*arguments)


def test_a_suspects_of_arrays_is_taken_as_a_whole():
    found = Suspects(np.array([1, 0]), np.array([0.1, 0.9, np.nan]))
    assert detection(found, [False, True, True]).auroc == 1.0
