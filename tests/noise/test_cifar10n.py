"""The counts of CIFAR-10N in the package, against their labels and one another."""

from itertools import combinations

import numpy as np
import pytest

from sce_lib.files import data_root
from sce_lib.noise import (
    CIFAR10N,
    agreement,
    cifar10n_agreement,
    cifar10n_counts,
    count_labels,
    load_human_labels,
)

PEOPLE = CIFAR10N[1:4]


def test_every_image_is_counted_once_in_every_set_of_labels():
    for kind in CIFAR10N:
        counts = cifar10n_counts(kind)
        assert counts.shape == (10, 10)
        assert counts.sum(axis=1).tolist() == [5_000] * 10


@pytest.mark.parametrize(
    ("kind", "percent"),
    list(zip(CIFAR10N, (9.01, 17.23, 18.12, 17.64, 40.21), strict=True)),
)
def test_rates_are_those_of_the_labels(kind, percent):
    counts = cifar10n_counts(kind)
    assert 100 * (1 - counts.trace() / counts.sum()) == pytest.approx(percent, abs=0.005)


def test_the_worst_label_is_wrong_where_anyone_is():
    """Bonferroni's inequalities hold in every class, between counts from both files."""
    worst = np.diag(5_000 - cifar10n_counts("worse_label"))
    anyone = sum(np.diag(5_000 - cifar10n_counts(kind)) for kind in PEOPLE)
    twice = sum(cifar10n_agreement(*pair).both_wrong for pair in combinations(PEOPLE, 2))
    assert (anyone - twice < worst).all()
    assert (worst < anyone - twice / 2).all()


def test_unknown_labels_and_pairs_are_named():
    with pytest.raises(ValueError, match=r"'worst'; it has aggre_label, .*worse_label"):
        cifar10n_counts("worst")
    with pytest.raises(ValueError, match="in this order, not 'random_label2', 'random_label1'"):
        cifar10n_agreement("random_label2", "random_label1")


@pytest.mark.skipif(
    not (data_root() / "CIFAR-10_human.pt").is_file(), reason="the labels of CIFAR-10N are not in SCE_DATA"
)
def test_the_files_of_counts_are_those_of_the_labels():
    labels = {kind: load_human_labels(data_root() / "CIFAR-10_human.pt", kind) for kind in CIFAR10N}
    for kind, noisy in labels.items():
        assert (cifar10n_counts(kind) == count_labels(noisy.clean, noisy.labels, 10)).all()
    for pair in combinations(PEOPLE, 2):
        kept, counted = cifar10n_agreement(*pair), agreement(*(labels[kind] for kind in pair))
        assert (kept.both_wrong == counted.both_wrong).all()
        assert (kept.same_wrong == counted.same_wrong).all()
