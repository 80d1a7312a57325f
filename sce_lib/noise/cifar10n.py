"""CIFAR-10N in counts: what each class was called, and how often two people erred on the same image.

The labels themselves are not part of this project (they are CC BY-NC 4.0); these counts of them are, so that
what they say of human noise can be shown without them. A test counts again where the labels are.
"""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from sce_lib.noise.classes import Integers
from sce_lib.noise.report import Agreement

# The majority of three people; each one's own; and one of the wrong labels wherever there is any.
CIFAR10N = ("aggre_label", "random_label1", "random_label2", "random_label3", "worse_label")
PEOPLE = CIFAR10N[1:4]
_COUNTS, _PAIRS = (Path(__file__).with_name(f"cifar10n_{name}.csv") for name in ("counts", "pairs"))


def cifar10n_counts(kind: str) -> Integers:
    """Return how many of CIFAR-10's 50,000 training images of class i people called j, (10, 10).

    The kind is one of `CIFAR10N`.

    Examples
    --------
    >>> counts = cifar10n_counts("worse_label")
    >>> int(counts.sum()), int(counts.trace())
    (50000, 29896)
    """
    if kind not in CIFAR10N:
        raise ValueError(f"CIFAR-10N has no labels {kind!r}; it has {', '.join(CIFAR10N)}")
    return _table(_COUNTS)[kind].reshape(10, 10)


def cifar10n_agreement(first: str, second: str) -> Agreement:
    """Return how often two of the three people, ``"random_label1"`` to ``3`` in order, are wrong together.

    Examples
    --------
    >>> found, expected = cifar10n_agreement("random_label1", "random_label2").wrong_too
    >>> round(found, 2), round(expected, 2)
    (0.29, 0.19)
    """
    if (first, second) not in combinations(PEOPLE, 2):
        raise ValueError(f"two of {', '.join(PEOPLE)} are compared, in this order, not {first!r}, {second!r}")
    table = _table(_PAIRS)
    pair = table[(table["first"] == first) & (table["second"] == second)]
    counts = [cifar10n_counts(kind) for kind in (first, second)]
    return Agreement(*counts, *(pair[name] for name in ("both_wrong", "same_wrong")))


def _table(file: Path) -> Any:
    """Return a file's columns, by the names in its first line."""
    return np.genfromtxt(file, delimiter=",", names=True, dtype=None, encoding="utf-8")
