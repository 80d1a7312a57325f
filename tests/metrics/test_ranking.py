"""Rankings against loops over samples, on whatever predictions and labels may come as."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_lib.losses import symmetric_cross_entropy
from sce_lib.metrics import inputs, suspects

few = settings(max_examples=40)
LOGITS = torch.tensor([[2.0, -1.0, 0.0], [0.5, 3.0, 0.0], [2.0, 0.0, -3.0], [0.0, 0.0, 1.0]])
LABELS = torch.tensor([0, 0, 2, 2])


def by_hand(p, labels, by):
    """Return each sample's score, from probabilities."""
    scores = []
    for row, y in zip(p.tolist(), labels.tolist(), strict=True):
        others = max(value for k, value in enumerate(row) if k != y)
        loss = -math.log(row[y]) if row[y] else math.inf
        scores.append({"loss": loss, "margin": others - row[y], "self_confidence": -row[y]}[by])
    return scores


def adjusted_by_hand(p, labels):
    k = p.shape[1]
    means = [np.mean([p[i, c] for i in range(len(p)) if labels[i] == c] or [np.nan]) for c in range(k)]
    most = np.nanmax(means)
    rows = [[row[c] - (most if np.isnan(means[c]) else means[c]) + most for c in range(k)] for row in p]
    return np.array([np.array(row) / sum(row) for row in rows])


@few
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 30),
    st.integers(2, 6),
    st.sampled_from(["loss", "margin", "self_confidence"]),
    st.booleans(),
)
def test_scores_and_order_are_those_of_a_loop(seed, n, k, by, adjusted):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, 0.3), n).round(1 if n % 2 else 9)  # ties, and numbers of 0
    p /= p.sum(1, keepdims=True)
    labels = rng.integers(0, k, n)
    expected = by_hand(adjusted_by_hand(p, labels) if adjusted else p, labels, by)
    found = suspects(p, labels, by, adjusted=adjusted)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-9, atol=1e-12)
    assert found.indices.tolist() == sorted(range(n), key=lambda i: (-found.scores[i], i))
    assert (found.indices.dtype, found.scores.dtype) == (np.int64, np.float64)
    with np.errstate(divide="ignore"):
        of_logits = suspects(np.log(p) + 3.0, labels, by, adjusted=adjusted)
    np.testing.assert_allclose(of_logits.scores, found.scores, rtol=1e-9, atol=1e-9)


def test_of_a_loss_of_ones_own():
    losses = symmetric_cross_entropy(LOGITS, LABELS, alpha=0.1, beta=1.0, A=-4.0)
    found = suspects(losses, LABELS)
    assert torch.equal(found.scores, losses.double())
    assert torch.equal(found.indices, losses.argsort(descending=True))
    assert torch.equal(suspects(LOGITS, LABELS).indices, found.indices)  # SL orders as its probability does


def test_ties_are_in_the_order_of_the_samples():
    assert suspects(torch.ones(1000), torch.zeros(1000, dtype=torch.int64)).indices.tolist() == [*range(1000)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("label_type", [torch.uint8, torch.int32, torch.int64])
def test_any_precision_and_type_of_labels(dtype, label_type):
    found = suspects(LOGITS.to(dtype, copy=True).requires_grad_(), LABELS.to(label_type))
    assert found.scores.dtype == torch.float64
    assert not found.scores.requires_grad
    assert found.indices.tolist() == suspects(LOGITS, LABELS).indices.tolist()


def test_numpy_however_it_lies_in_memory():
    array, expected = LOGITS.numpy(), suspects(LOGITS, LABELS)
    for given_array in (array.copy("F"), array[::-1][::-1], array.astype(">f4"), array.tolist()):
        for labels in (LABELS, LABELS.numpy().astype(">i8"), LABELS.tolist()):
            found = suspects(given_array, labels)
            assert isinstance(found.indices, np.ndarray)
            np.testing.assert_allclose(found.scores, expected.scores.numpy(), rtol=1e-6)


def test_many_classes_are_worked_on_in_parts(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(101, 5, generator=generator), torch.arange(101) % 5
    whole = {(by, a): suspects(logits, labels, by, adjusted=a) for by in ("loss", "margin") for a in (0, 1)}
    monkeypatch.setattr(inputs, "_CHUNK_VALUES", 35)
    for (by, adjusted), expected in whole.items():
        found = suspects(logits, labels, by, adjusted=adjusted)
        assert torch.equal(found.indices, expected.indices)
        assert torch.allclose(found.scores, expected.scores, rtol=1e-12)


def test_names_for_labels():
    names = ["cat", "dog", "émeu #1"]
    words = [names[label] for label in LABELS]
    expected = suspects(LOGITS, LABELS)
    kinds = [words, np.array(words), np.array(words, dtype=object), tuple(words), pd.Series(words)]
    kinds += [pd.Series(words, dtype="category"), pd.Series(words, dtype="string"), LABELS]
    for labels in kinds:
        found = suspects(LOGITS, labels, classes=names)
        assert found.indices.tolist() == expected.indices.tolist()
        assert np.array_equal(np.asarray(found.scores), expected.scores.numpy())


def test_ids_that_are_numbers():
    found = suspects(LOGITS, LABELS * 5 + 3, classes=[3, 8, 13])
    assert torch.equal(found.indices, suspects(LOGITS, LABELS).indices)


def test_a_series_keeps_its_index():
    labels = pd.Series([0, 0, 2, 2], index=["a.png", "b.png", "c.png", "d.png"])
    found = suspects(LOGITS.numpy(), labels)
    assert found.scores.nlargest(1).index.tolist() == ["c.png"]
    assert labels.index[found.indices][0] == "c.png"


def test_labels_that_do_not_count():
    labels = torch.tensor([0, -100, 2, 2])
    found, expected = suspects(LOGITS, labels), suspects(LOGITS, LABELS)
    assert found.indices.tolist() == [i for i in expected.indices.tolist() if i != 1]
    assert found.scores.isnan().tolist() == [False, True, False, False]
    words = ["a", "?", "c", "c"]
    named = suspects(LOGITS, words, classes=["a", "b", "c"], ignore_index="?")
    assert named.indices.tolist() == found.indices.tolist()
    broken = LOGITS.clone()
    broken[1] = torch.nan  # nor does what is predicted for them
    assert suspects(broken, labels).indices.tolist() == found.indices.tolist()


def test_masks():
    generator = torch.Generator().manual_seed(0)
    logits, masks = torch.randn(2, 4, 3, 5, generator=generator), torch.arange(30).reshape(2, 3, 5) % 4
    masks[0, 0] = 255
    found = suspects(logits, masks, "margin", ignore_index=255)
    assert found.scores.shape == (2, 3, 5)
    assert len(found.indices) == 25
    image, y, x = torch.unravel_index(found.indices[0], masks.shape)
    p = logits[image, :, y, x].softmax(0)
    assert found.scores[image, y, x].item() == pytest.approx(
        by_hand(p[None], masks[image, y, x][None], "margin")[0]
    )
    each = torch.nn.functional.cross_entropy(logits, masks, ignore_index=255, reduction="none")
    of_losses = suspects(each, masks, given="losses", ignore_index=255)
    assert torch.equal(of_losses.indices, suspects(logits.double(), masks, ignore_index=255).indices)


def test_what_the_predictions_are_can_be_said():
    both = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    labels = torch.tensor([0, 0])
    assert suspects(both, labels).scores.tolist() == [0.0, math.inf]
    as_logits = suspects(both, labels, given="logits")
    assert as_logits.scores.tolist() == pytest.approx([math.log(math.e + 2) - 1, math.log(math.e + 2)])


def test_logits_far_apart_still_rank():
    logits = torch.tensor([[0.0, 900.0], [0.0, 2000.0], [0.0, -math.inf], [-math.inf, 0.0]])
    found = suspects(logits, torch.zeros(4, dtype=torch.int64))
    assert found.indices.tolist() == [3, 1, 0, 2]
    assert found.scores.tolist() == [900.0, 2000.0, 0.0, math.inf]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("k", "decimals"), [(100, 2), (1000, 3), (100, 3)])
@pytest.mark.parametrize("by", ["loss", "margin", "self_confidence"])
def test_rounded_probabilities_are_said_to_be_some(seed, k, decimals, by):
    rng = np.random.default_rng(seed)
    p, labels = rng.dirichlet(np.ones(k), 50).round(decimals).clip(1e-6), rng.integers(0, k, 50)
    expected = suspects(p / p.sum(axis=1, keepdims=True), labels, by)
    if np.abs(p.sum(axis=1) - 1).max() > 0.01:
        with pytest.raises(ValueError, match=r"say given='probabilities'.* or given='logits'"):
            suspects(p, labels, by)
    for adjusted in (False, True):
        found = suspects(torch.from_numpy(p), labels, by, given="probabilities", adjusted=adjusted)
        exact = suspects(p / p.sum(axis=1, keepdims=True), labels, by, adjusted=adjusted)
        np.testing.assert_allclose(found.scores.numpy(), exact.scores, rtol=1e-4, atol=1e-6)
    as_logits = suspects(p, labels, by, given="logits").scores
    np.testing.assert_allclose(as_logits, suspects(p - 1, labels, by).scores, rtol=1e-9, atol=1e-12)
    assert not np.allclose(as_logits, expected.scores)


def test_rows_within_the_tolerance_are_normalised_and_others_refused():
    p, labels = torch.tensor([[0.6, 0.6], [0.2, 0.6], [0.5, 0.5]]), [0, 0, 1]
    found = suspects(p, labels, "self_confidence", given="probabilities")
    assert found.scores.tolist() == pytest.approx([-0.5, -0.25, -0.5])
    for p_of_0 in (0.1, 0.7, -0.01):
        broken = p.clone()
        broken[1, 0] = p_of_0
        with pytest.raises(ValueError, match=r"within 0\.2; .*divide each row by its sum"):
            suspects(broken, labels, given="probabilities")


def test_one_row_that_is_none_makes_probabilities_doubtful():
    p = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.0, 0.0]])
    with pytest.raises(ValueError, match="sum to 0 in the row farthest from 1"):
        suspects(p, [0, 1, 1])


@pytest.mark.parametrize("k", [2, 3, 10])
def test_logits_between_0_and_1_stay_logits(k):
    logits = torch.rand(400, k, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(400) % k
    assert torch.equal(suspects(logits, labels).scores, suspects(logits, labels, given="logits").scores)


def test_names_from_a_table_and_from_categories():
    names = ["yak", "ant", "émeu #1"]
    words = pd.Series([names[label] for label in LABELS], index=list("abcd"))
    expected = suspects(LOGITS, LABELS).scores.tolist()
    table = pd.DataFrame(LOGITS.numpy(), columns=names, index=words.index)
    numbered = pd.DataFrame(LOGITS.numpy())
    categories = words.astype(pd.CategoricalDtype(names))
    of_table = [words, words.tolist(), words.astype("category"), LABELS, categories]
    given_both = [(table, labels) for labels in of_table]
    given_both += [(part, categories) for part in (LOGITS, LOGITS.numpy(), numbered)]
    given_both += [(LOGITS, pd.Categorical(words, names)), (numbered, LABELS)]
    given_both += [(pd.DataFrame(LOGITS.numpy(), columns=[3, 8, 13]), LABELS * 5 + 3)]
    for predictions, labels in given_both:
        np.testing.assert_allclose(suspects(predictions, labels).scores, expected, rtol=1e-6)
    renamed = suspects(table, words.str.upper(), classes=[name.upper() for name in names])
    np.testing.assert_allclose(renamed.scores, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="give classes="):  # two categories say nothing of three columns
        suspects(LOGITS, words.astype("category"))
    with pytest.raises(ValueError, match="label cow at index 0; allowed are yak, ant, émeu #1"):
        suspects(table, ["cow", "yak", "yak", "yak"])


def test_one_index_in_two_orders_is_refused():
    labels = pd.Series([0, 0, 2, 2], index=list("abcd"))
    table = pd.DataFrame(LOGITS.numpy(), index=list("dcba"))
    with pytest.raises(ValueError, match=r"one index in two orders: .*\.reindex"):
        suspects(table, labels)
    expected = suspects(LOGITS.numpy(), labels.to_numpy()[::-1])
    assert suspects(table, labels.reindex(table.index)).scores.tolist() == expected.scores.tolist()
    with pytest.raises(ValueError, match="two orders"):
        suspects(table[0], labels)  # losses


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((LOGITS, LABELS + 1), "label 3 at index 2; allowed are 0..2, and -100"),
        ((LOGITS, [0, 1, -1, 2]), "label -1 at index 2"),
        ((LOGITS, ["cat", "dog", "cat", "cat"]), "give classes="),
        ((LOGITS, LABELS.double()), "labels are class indices, and these are float64"),
        ((LOGITS, LABELS.bool()), "these are bool"),
        ((LOGITS, LABELS[:3]), r"shape \(4, 3\) do not fit labels of shape \(3,\)"),
        ((LOGITS[:, :1], LABELS * 0), "two classes at least"),
        ((LOGITS, torch.nn.functional.one_hot(LABELS)), "give the argmax"),
        ((LOGITS.argmax(1), LABELS), "which class is predicted does not say how surely"),
        ((["a", "b"], [0, 1]), "predictions are floats"),
        ((LOGITS.index_fill(0, torch.tensor(2), torch.nan), LABELS), "sample 2 is NaN"),
        ((LOGITS.index_fill(0, torch.tensor(3), torch.inf), LABELS), "sample 3 is NaN, or infinite"),
        ((torch.tensor([0.1, torch.nan]), [0, 0]), "sample 1 is NaN"),
        ((torch.zeros(0, 3), []), "no label counts: 0 are given"),
        (([], []), "no label counts"),
        ((LOGITS, LABELS * 0 - 100), "no label counts: 4 are given"),
        ((LOGITS, LABELS, "entropy"), "loss, margin, self_confidence, not 'entropy'"),
        ((LOGITS[:, 0], LABELS, "margin"), "give the logits"),
        ((0.5, 0), "do not fit"),
    ],
)
def test_what_cannot_be_ranked_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        suspects(*arguments)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"given": "probabilities"}, "go from -3 to 3"),
        ({"given": "scores"}, "logits, probabilities, losses, not 'scores'"),
        ({"given": "losses"}, "do not fit"),
        ({"classes": ["a", "b"]}, "classes are the 3 different names"),
        ({"classes": ["a", "b", "a"]}, "different names"),
        ({"classes": [1, 2, 3]}, "label 0 at index 0; allowed are 1, 2, 3"),
    ],
)
def test_what_is_said_of_them_must_fit(options, said):
    with pytest.raises(ValueError, match=said):
        suspects(LOGITS, LABELS, **options)


def test_a_missing_name_is_no_class():
    with pytest.raises(ValueError, match="label None at index 1; allowed are a, b, c"):
        suspects(LOGITS, ["a", None, "b", "c"], classes=["a", "b", "c"])
    with pytest.raises(ValueError, match="label nan at index 0"):
        suspects(LOGITS, pd.Series([np.nan, "a", "b", "c"], dtype="category"), classes=["a", "b", "c"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here")
def test_on_a_device():
    found = suspects(LOGITS.cuda(), LABELS, adjusted=True)
    assert found.indices.is_cuda
    assert found.indices.tolist() == suspects(LOGITS, LABELS, adjusted=True).indices.tolist()
