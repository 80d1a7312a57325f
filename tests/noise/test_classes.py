"""Labels of any kind: as indices and back, and what is no label is named with its place."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_lib.noise import (
    Classes,
    NoisyLabels,
    agreement,
    corrupt,
    count_labels,
    pair_matrix,
    realised_matrix,
    report,
    swap_matrix,
    symmetric_matrix,
)

NAMES = ["cat", "dog", "eel"]
INDICES = np.array([2, 0, 1, 1, 0, 2, 0, 1, 0, 0] * 10)
WORDS = np.array(NAMES)[INDICES]
# Labels of every kind that stand for the same indices.
KINDS = {
    "list of str": WORDS.tolist(),
    "tuple of numpy str": tuple(WORDS),
    "array of str": WORDS,
    "array of objects": WORDS.astype(object),
    "array of bytes": WORDS.astype(bytes),
    "series of str": pd.Series(WORDS, index=[f"{i}.png" for i in range(100)], name="animal"),
    "series of objects": pd.Series(WORDS, dtype=object),
    "series of categories": pd.Series(WORDS, dtype="category", index=range(500, 600)),
    "categorical": pd.Categorical(WORDS),
    "categorical index": pd.CategoricalIndex(WORDS),
    "ids": INDICES * 7 - 4,
    "series of ids": pd.Series(INDICES * 7 + 100, dtype="Int64"),
    "one-based list": (INDICES + 1).tolist(),
    "tensor of ids": torch.from_numpy(INDICES.astype(np.int32)) + 1000,
    "mask of strings": WORDS.reshape(2, 5, 10),
    "mask": torch.from_numpy(INDICES.astype(np.uint8)).reshape(4, 25),
}


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_every_kind_get_the_same_noise_and_come_back_as_they_were(kind, exact):
    labels, T = KINDS[kind], symmetric_matrix(3, 0.4)
    expected = corrupt(INDICES, T, seed=1, exact=exact)
    noisy = corrupt(labels, T, seed=1, exact=exact)
    before, after = noisy.indices()
    assert before.shape == after.shape == np.shape(labels)
    np.testing.assert_array_equal(before.ravel(), INDICES)
    np.testing.assert_array_equal(after.ravel(), expected.labels)
    np.testing.assert_array_equal(np.asarray(noisy.flipped).ravel(), expected.flipped)
    np.testing.assert_array_equal(noisy.realised, expected.realised)
    assert (noisy.sha256, noisy.rate) == (expected.sha256, expected.rate)
    names = np.array(list(noisy.classes))
    np.testing.assert_array_equal(np.asarray(noisy.labels).astype(names.dtype), names[after])
    for side in (noisy.labels, noisy.clean):
        if isinstance(labels, torch.Tensor | pd.Series):
            assert side.dtype == labels.dtype
            assert type(side) is type(labels)
        elif isinstance(labels, pd.Categorical | np.ndarray):
            assert side.dtype == labels.dtype
    if isinstance(labels, pd.Series):
        for side in (noisy.labels, noisy.clean, noisy.flipped):
            pd.testing.assert_index_equal(side.index, labels.index)
            assert side.name == labels.name
        assert noisy.flipped.dtype == bool
        pd.testing.assert_series_equal(noisy.clean, labels)
        assert (noisy.flipped == (noisy.labels != labels)).all()
    for matrix in (count_labels(labels, noisy.labels), count_labels(labels, noisy.labels, 3)):
        np.testing.assert_array_equal(matrix, count_labels(INDICES, expected.labels, 3))
    np.testing.assert_array_equal(NoisyLabels.of(labels, noisy.labels).realised, noisy.realised)


def test_booleans_are_two_classes_in_order():
    for labels in (np.array([True, False, True, True]), torch.tensor([True, False, True, True])):
        noisy = corrupt(labels, [[0.0, 1.0], [0.0, 1.0]], seed=0)
        assert noisy.labels.tolist() == [True] * 4
        assert noisy.labels.dtype == labels.dtype
        assert noisy.flipped.tolist() == [False, True, False, False]
    assert list(Classes.of([True, True])) == [False, True]


def test_names_that_are_given_fix_the_order_and_may_not_occur():
    noisy = corrupt(["dog", "dog"], pair_matrix(3, {"dog": "eel"}, 1.0, NAMES), seed=0, classes=NAMES)
    assert noisy.labels.tolist() == ["eel", "eel"]
    backwards = NAMES[::-1]
    T = realised_matrix(["cat", "dog"], ["dog", "dog"], classes=backwards)
    np.testing.assert_array_equal(T, [[np.nan] * 3, [0, 1, 0], [0, 1, 0]])
    assert corrupt(["cat"], np.eye(3), 0, classes=backwards).indices()[0].tolist() == [2]
    # A categorical has an order of its own, and categories that do not occur.
    labels = pd.Series(["dog"], dtype=pd.CategoricalDtype(backwards))
    assert list(corrupt(labels, np.eye(3), 0).classes) == backwards


def test_ids_and_indices_are_told_apart():
    assert list(corrupt([30, 10, 20], np.eye(3), 0).classes) == [10, 20, 30]
    assert list(corrupt([1, 2], np.eye(3), 0).classes) == [0, 1, 2]
    ids = corrupt([10, 10], pair_matrix(2, {10: 20}, 1.0, [10, 20]), 0, classes=[10, 20])
    assert ids.labels.tolist() == [20, 20]
    named = corrupt(
        torch.tensor([0, 0]), pair_matrix(2, {"cat": "dog"}, 1.0, NAMES[:2]), 0, classes=NAMES[:2]
    )
    assert named.labels.tolist() == [1, 1]  # integers that are indices stay so, and the names are remembered
    assert list(named.classes) == ["cat", "dog"]
    with pytest.raises(ValueError, match=r"label 2 at index 1; allowed 0\.\.1; indices of 'cat', 'dog'"):
        corrupt([0, 2], np.eye(2), 0, classes=["cat", "dog"])


@pytest.mark.parametrize("ignored", [-100, 255])
@pytest.mark.parametrize("exact", [True, False])
def test_what_is_ignored_keeps_its_label_and_counts_nowhere(ignored, exact):
    mask = np.random.default_rng(0).integers(0, 3, (4, 20, 20)).astype(np.int16)
    counted = np.random.default_rng(1).random(mask.shape) < 0.8
    given = np.where(counted, mask, ignored).astype(np.int16)
    noisy = corrupt(given, symmetric_matrix(3, 0.4), seed=0, exact=exact, ignore_index=ignored)
    alone = corrupt(mask[counted], symmetric_matrix(3, 0.4), seed=0, exact=exact)
    assert (noisy.labels[~counted] == ignored).all()
    assert not noisy.flipped[~counted].any()
    np.testing.assert_array_equal(noisy.labels[counted], alone.labels)
    np.testing.assert_array_equal(noisy.realised, alone.realised)
    assert (noisy.rate, noisy.num_labels) == (alone.rate, counted.sum())
    page = report(noisy)
    assert page.num_labels == counted.sum()
    np.testing.assert_array_equal(page.class_counts, report(alone).class_counts)
    np.testing.assert_array_equal(agreement(noisy, noisy).both_wrong, agreement(alone, alone).both_wrong)
    words = ["void", "cat", "dog", "cat"]
    named = corrupt(words, [[0, 1], [1, 0]], seed=0, ignore_index="void")
    assert named.labels.tolist() == ["void", "dog", "cat", "dog"]
    with pytest.raises(ValueError, match="at index 1 one alone is 'void'"):
        count_labels(["cat", "void"], ["cat", "dog"], classes=["cat", "dog"], ignore_index="void")


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("labels", "classes", "ignored"),
    [
        (np.array([0, 1, 2] * 40), None, 2),
        (np.array([0, 1, 2] * 40), None, np.int64(0)),
        (np.array([0, 1, 2] * 40), ["cat", "dog", "eel"], 1),
        (np.array([10, 20, 30] * 40), [10, 20, 30], 20),
        (["cat", "dog", "void"] * 40, ["cat", "dog", "void"], "void"),
        (pd.Series(["cat", "dog", "void"] * 40, dtype="category"), None, "void"),
    ],
)
def test_no_label_flips_to_what_is_ignored(labels, classes, ignored, exact):
    how = {"seed": 1, "exact": exact, "classes": classes, "ignore_index": ignored}
    with pytest.raises(ValueError, match=r"is one of the matrix's 3 classes, and class .* take it out"):
        corrupt(labels, symmetric_matrix(3, 0.5), **how)
    place = np.unique(np.asarray(labels)).tolist().index(ignored)
    to_the_others = np.eye(3)
    others = [k for k in range(3) if k != place]
    to_the_others[np.ix_(others, others)] = 0.5
    noisy = corrupt(labels, to_the_others, **how)  # it is a class that nothing flips to
    assert (np.asarray(noisy.labels) == ignored).sum() == 40
    assert noisy.num_labels == 80
    assert noisy.flipped.sum() > 0


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("categories", [["a", "b", "unk"], ["unk", "a", "b"], [7, 3, 5]])
def test_what_is_ignored_is_no_class_of_a_categorical(categories, exact):
    ignored = "unk" if "unk" in categories else 3
    names = [name for name in categories if name != ignored]
    labels = pd.Categorical([names[0], names[1], ignored, names[0], names[1]] * 40, categories=categories)
    for of_kind in (labels, pd.Series(labels, index=range(5, 205))):
        noisy = corrupt(of_kind, symmetric_matrix(2, 0.5), seed=1, exact=exact, ignore_index=ignored)
        found = np.asarray(noisy.labels)
        np.testing.assert_array_equal(found == ignored, np.asarray(of_kind) == ignored)
        assert (list(noisy.classes), noisy.num_labels) == (names, 160)
        assert noisy.labels.dtype == of_kind.dtype
        plain = corrupt(np.asarray(of_kind), symmetric_matrix(2, 0.5), 1, exact, names, ignored)
        assert found.tolist() == plain.labels.tolist()
    assert count_labels(labels, labels, ignore_index=ignored).tolist() == [[80, 0], [0, 80]]
    nothing = pd.Categorical([ignored] * 3, categories=[ignored])
    assert NoisyLabels.of(nothing, nothing, ignore_index=ignored).num_labels == 0


SERIES = pd.Series(["cat", None, "dog"], index=["a.png", "b.png", "c.png"])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["cat", None, "dog"], "label None at index 1 is missing"),
        (["cat", float("nan")], "label nan at index 1 is missing"),
        (SERIES, r"label .* at index 'b.png' \(row 1\) is missing"),
        (SERIES.astype("category"), r"label nan at index 'b.png' \(row 1\) is missing"),
        (pd.Series([1, None, 2], dtype="Int64"), r"label nan at index 1 \(row 1\) is missing"),
        (pd.Series([1.0, None, 2.0]), "label nan at index 1 .row 1. is missing"),
        (pd.Categorical(["cat", None]), "label nan at index 1 is missing"),
        (["cat", "dog", 1], "'cat' at index 0 is a str, 1 at index 2 an int"),
        ([0, True], "0 at index 0 is an int, True at index 1 a bool"),
        (np.array([["cat", 1]], object), r"1 at index \(0, 1\) an int"),
        ([0.5, 1.0], "label 0.5 at index 0 is a float; .*convert them first"),
        (np.eye(3), r"float \(shape \(3, 3\)\).*argmax"),
        ([("a", 1), ("b", 2)], "of one type"),
        ([{"a": 1}, {"b": 1}], "is a dict"),
        (pd.DataFrame({"label": ["cat"]}), "one column of a table"),
        ("cat", "shape"),
        (["cat", "dog", "eel"], "type str have 3 classes, 'cat', 'dog', 'eel', and there are 2"),
        (["x" * 500, "y"] * 2 + ["z"], r"'xxx[x]+…, 'y', 'z'"),
    ],
)
def test_what_is_no_label_is_named_with_its_place(labels, message):
    with pytest.raises(ValueError, match=message) as caught:
        corrupt(labels, np.eye(2), seed=0)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["cat", "cat"], "class 'cat' is named twice"),
        (["cat", None], "class name None at index 1 is missing"),
        (["cat", 3], "class names are of one type"),
        ("ab", "a sequence of names, not 'ab'"),
        (5, "a sequence of names, not 5"),
        (["cat"], "1 class names for 2 classes"),
        (["dog", "eel"], "label 'cat' at index 0 is none of the 2 classes: 'dog', 'eel'"),
    ],
)
def test_class_names_that_do_not_fit_are_refused(classes, message):
    with pytest.raises(ValueError, match=message):
        corrupt(["cat", "dog"], np.eye(2), seed=0, classes=classes)


def test_labels_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="one type, not int and str"):
        count_labels([0, 1], ["cat", "dog"])
    with pytest.raises(ValueError, match=r"of shape \(2, 2\) and noisy ones of \(4,\)"):
        count_labels(np.zeros((2, 2), int), np.zeros(4, int), 2)
    with pytest.raises(ValueError, match="2 clean labels and 3 noisy ones"):
        count_labels(["cat", "dog"], ["cat", "dog", "dog"])
    lacking = pd.Categorical(["cat", "dog"])
    with pytest.raises(ValueError, match="'eel' is none of the labels' categories: add it"):
        corrupt(lacking, symmetric_matrix(3, 0.4), seed=0, classes=NAMES)
    with pytest.raises(ValueError, match="int8 cannot hold 2 classes"):
        corrupt(np.array([1, 1], np.int8), np.eye(2), seed=0, classes=[1, 200])
    with pytest.raises(ValueError, match="other clean labels"):
        agreement(
            NoisyLabels.of(["cat", "dog"], ["dog", "cat"]), NoisyLabels.of(["cat", "eel"], ["eel", "cat"])
        )


def test_tables_of_pandas_have_their_own_order():
    T = pair_matrix(2, {"dog": "cat"}, 1.0, ["dog", "cat"])
    table = pd.DataFrame(T, index=["dog", "cat"], columns=["dog", "cat"])
    assert corrupt(["cat", "dog"], table, seed=0).labels.tolist() == ["cat", "cat"]
    assert corrupt(["cat", "dog"], pd.DataFrame(np.eye(2)), seed=0).labels.tolist() == ["cat", "dog"]
    with pytest.raises(ValueError, match="same in rows and columns"):
        corrupt(["cat", "dog"], table[["cat", "dog"]], seed=0)
    clean, noisy = (pd.Series(["cat", "dog"], index=index) for index in ([0, 1], [1, 0]))
    with pytest.raises(ValueError, match="other indices"):
        count_labels(clean, noisy)


def test_matrices_by_name():
    ids = [10, 20, 30, 40]
    np.testing.assert_array_equal(pair_matrix(4, {40: 10}, 0.3, ids), pair_matrix(4, {3: 0}, 0.3))
    words = ["a", "b", "c", "d"]
    by_name = swap_matrix([["a", "c"], ["b", "d"]], 0.3, seed=1, classes=words)
    np.testing.assert_array_equal(by_name, swap_matrix([[0, 2], [1, 3]], 0.3, seed=1))
    np.testing.assert_array_equal(by_name, swap_matrix([["a", "c"], ["b", "d"]], 0.3, 1, Classes(words)))
    with pytest.raises(ValueError, match="class 'a' is given by name: give the names"):
        swap_matrix([["a", "b"]], 0.3)
    with pytest.raises(ValueError, match="class 5 is not one of 10, 20, 30, 40"):
        pair_matrix(4, {5: 10}, 0.3, ids)


@settings(max_examples=100)
@given(data=st.data(), names=st.lists(st.text(max_size=3), min_size=1, max_size=6, unique=True))
def test_indices_come_back_as_names_whatever_these_are(data, names):
    indices = np.array(data.draw(st.lists(st.integers(0, len(names) - 1), max_size=30)), dtype=np.int64)
    classes = Classes(names)
    labels = [names[i] for i in indices]
    np.testing.assert_array_equal(classes.encode(labels), indices)
    back = classes.decode(indices, np.array([*labels, names[0]], dtype=object))
    assert back.tolist() == labels
    assert classes == Classes(tuple(names))
    assert list(Classes.of(labels)) == sorted(set(labels))


def test_pandas_is_not_imported():
    code = "import sys, sce_lib.noise as n; n.corrupt(['a', 'b'], [[1, 0], [0, 1]], 0)"
    code += "; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
