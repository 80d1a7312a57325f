"""Transition matrices estimated without clean labels, against those that the labels were made by."""

import numpy as np
import pandas as pd
import pytest
import torch

from sce_lib.noise import asymmetric_matrix, estimate_transition, realised_matrix, symmetric_matrix

K, N = 10, 10_000
MATRICES = {
    "symmetric": symmetric_matrix(K, 0.4),
    "heavy": symmetric_matrix(K, 0.6),
    "asymmetric": asymmetric_matrix("cifar10", 0.4),
    "arbitrary": 0.6 * np.eye(K) + 0.4 * np.random.default_rng(0).dirichlet(np.ones(K), K),
}


def drawn(T, apart, seed, off=0.0):
    """Return noisy labels of normal distributions, their true probabilities, and the clean labels."""
    rng = np.random.default_rng(seed)
    clean = rng.integers(0, K, N)
    logits = apart * (apart * np.eye(K)[clean] + rng.standard_normal((N, K)))
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True) @ T
    labels = (np.cumsum(T[clean], axis=1) < rng.random((N, 1))).sum(axis=1).clip(max=K - 1)
    p = p * np.exp(off * rng.standard_normal(p.shape))
    return p / p.sum(axis=1, keepdims=True), labels, clean


@pytest.mark.parametrize("name", MATRICES)
def test_known_matrices_are_found_as_well_as_the_docstring_says(name):
    """The errors of the docstring's table; with the classes apart they are those of clean labels counted."""
    T, errors = MATRICES[name], {"apart": [], "overlapping": [], "counted": []}
    for seed in range(4):
        for setting, apart in (("apart", 5.2), ("overlapping", 3.4)):
            p, labels, clean = drawn(T, apart, seed)
            errors[setting].append(np.abs(estimate_transition(p, labels) - T).max())
            # The anchors are of the true probabilities: exact but for what doubt is left about their class.
            assert np.abs(estimate_transition(p, labels, "anchors") - T).max() < 0.001
        errors["counted"].append(np.abs(realised_matrix(clean, labels, K) - T).max())
    assert max(errors["apart"]) < 0.055
    assert np.mean(errors["apart"]) < np.mean(errors["counted"]) + 0.01
    assert max(errors["overlapping"]) < 0.075


@pytest.mark.parametrize(("name", "most"), [("symmetric", 0.08), ("asymmetric", 0.14)])
def test_predictions_that_are_off_mislead_anchors_more_than_counts(name, most):
    p, labels, _ = drawn(MATRICES[name], 3.4, seed=0, off=0.5)
    counts, anchors = (
        np.abs(estimate_transition(p, labels, method) - MATRICES[name]).max()
        for method in ("confident_joint", "anchors")
    )
    assert counts < most < 0.2 < anchors


def test_the_confident_joint_against_a_loop():
    p, labels, _ = drawn(MATRICES["arbitrary"], 1.5, seed=1)
    thresholds = [p[labels == k, k].mean() for k in range(K)]
    counts = np.zeros((K, K))
    for row, label in zip(p, labels, strict=True):
        sure = [k for k in range(K) if row[k] >= thresholds[k]]
        if sure:
            counts[label, max(sure, key=lambda k: row[k])] += 1
    joint = counts / counts.sum(axis=1, keepdims=True) * np.bincount(labels)[:, None]
    np.testing.assert_allclose(estimate_transition(p, labels), (joint / joint.sum(axis=0)).T, atol=1e-3)


def test_labels_may_have_names_and_predictions_be_of_torch():
    p, labels, _ = drawn(MATRICES["symmetric"], 3.4, seed=0)
    expected = estimate_transition(p, labels)
    names = np.array([f"class {k}" for k in range(K)])
    np.testing.assert_array_equal(
        estimate_transition(p, pd.Series(names[labels], index=range(5, N + 5))), expected
    )
    np.testing.assert_allclose(
        estimate_transition(torch.from_numpy(p).float(), torch.from_numpy(labels)), expected, atol=1e-2
    )
    backwards = estimate_transition(p[:, ::-1], names[labels], classes=list(names[::-1]))
    np.testing.assert_allclose(backwards, expected[::-1, ::-1])
    table = pd.DataFrame(p[:, ::-1], columns=names[::-1])
    np.testing.assert_array_equal(estimate_transition(table, names[labels]), backwards)


@pytest.mark.parametrize(
    ("p", "labels", "message"),
    [
        (np.full((4, 2), 0.5), [0, 0, 0, 0], "class 1 has no label"),
        (np.full((4, 2), 0.5), ["cat"] * 4, "type str have 1 classes"),
        (np.full((4, 2), 0.7), [0, 1, 0, 1], "row 0 of probabilities sums to 1.4, not to 1: of logits"),
        ([[2.0, -1.0]] * 4, [0, 1, 0, 1], r"lie in \[0, 1\], but row 0 has 2"),
        (np.full((4, 2), np.nan), [0, 1, 0, 1], "row 0 has nan"),
        (
            np.full((3, 2), 0.5),
            [0, 1, 0, 1],
            r"probabilities of shape \(3, 2\) go with labels of shape \(3,\)",
        ),
        (np.full(4, 0.5), [0, 1, 0, 1], r"numbers of shape \(N, K\), not float64 of shape \(4,\)"),
        (np.full((4, 2), "x"), [0, 1, 0, 1], "numbers of shape"),
        ([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]], [0, 0, 1], "class 1 has no sample that is confidently of it"),
    ],
)
def test_what_cannot_be_estimated_from_is_named(p, labels, message):
    with pytest.raises(ValueError, match=message):
        estimate_transition(p, labels)


def test_a_class_without_a_label_is_named_by_its_name():
    with pytest.raises(ValueError, match=r"class 1 \('dog'\) has no label"):
        estimate_transition(np.full((4, 2), 0.5), ["cat"] * 4, classes=["cat", "dog"])
    with pytest.raises(ValueError, match="method 'dual-t' is not known; known are confident_joint, anchors"):
        estimate_transition(np.full((4, 2), 0.5), [0, 1, 0, 1], method="dual-t")


@pytest.mark.slow
@pytest.mark.parametrize("apart", [1.5, 3.4])
@pytest.mark.parametrize("name", MATRICES)
def test_the_confident_joint_is_cleanlabs(name, apart):
    cleanlab = pytest.importorskip("cleanlab", reason="cleanlab is not installed: nothing was compared")
    p, labels, _ = drawn(MATRICES[name], apart, seed=0)
    joint = cleanlab.count.estimate_joint(labels, p)  # given label, then true class
    np.testing.assert_allclose(estimate_transition(p, labels), (joint / joint.sum(axis=0)).T, atol=5e-3)
