"""CIFAR-10N in counts: what each class was called, and how often two people erred on the same image.

The labels themselves are not part of this project (they are CC BY-NC 4.0); these counts of them are, so that
what they say of human noise can be shown without them. Both files are made from the labels by

    python -c "from sce_lib.noise.cifar10n import *; write_cifar10n_counts('CIFAR-10_human.pt')"
"""

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from sce_lib.config.presets import CIFAR10N
from sce_lib.files import write_atomically
from sce_lib.noise.human import load_human_labels
from sce_lib.noise.labels import Integers, count_labels
from sce_lib.noise.report import Agreement, agreement
from sce_lib.paths import paper_root

if TYPE_CHECKING:
    import pandas as pd

_PEOPLE = CIFAR10N[1:4]
_COUNTS, _PAIRS = "cifar10n_counts.csv", "cifar10n_pairs.csv"


def cifar10n_counts(kind: str) -> Integers:
    """Return how many of CIFAR-10's 50,000 training images of class i people called j, (10, 10).

    Parameters
    ----------
    kind : str
        One of `CIFAR10N`.

    Raises
    ------
    ValueError
        For another one.

    Examples
    --------
    >>> counts = cifar10n_counts("worse_label")
    >>> int(counts.sum()), int(counts.trace())
    (50000, 29896)
    """
    if kind not in CIFAR10N:
        raise ValueError(f"CIFAR-10N has no labels {kind!r}; it has {', '.join(CIFAR10N)}")
    import pandas as pd  # whoever makes noise does not wait for it

    table = pd.read_csv(paper_root() / _COUNTS, index_col=["true", "given"])
    return table[kind].to_numpy().reshape(10, 10)


def cifar10n_agreement(first: str, second: str) -> Agreement:
    """Return how often two of the three people are wrong about the same image.

    Parameters
    ----------
    first, second : str
        Two of ``"random_label1"`` to ``3``, in this order.

    Raises
    ------
    ValueError
        For another pair.

    Examples
    --------
    >>> found, expected = cifar10n_agreement("random_label1", "random_label2").wrong_too
    >>> round(found, 2), round(expected, 2)
    (0.29, 0.19)
    """
    if (first, second) not in combinations(_PEOPLE, 2):
        raise ValueError(
            f"two of {', '.join(_PEOPLE)} are compared, in this order, not {first!r}, {second!r}"
        )
    import pandas as pd

    pairs = pd.read_csv(paper_root() / _PAIRS).query("first == @first and second == @second")
    counts = [cifar10n_counts(kind) for kind in (first, second)]
    return Agreement(*counts, *(pairs[name].to_numpy() for name in ("both_wrong", "same_wrong")))


def count_cifar10n(path: str | Path) -> "dict[str, pd.DataFrame]":
    """Return both tables, by the name of their file, from the file of labels."""
    import pandas as pd

    labels = {kind: load_human_labels(path, kind) for kind in CIFAR10N}
    places = pd.MultiIndex.from_product([range(10), range(10)], names=["true", "given"])
    counts = {kind: count_labels(noisy.clean, noisy.labels, 10).ravel() for kind, noisy in labels.items()}
    pairs = []
    for first, second in combinations(_PEOPLE, 2):
        found = agreement(labels[first], labels[second])
        columns = {"true": range(10), "both_wrong": found.both_wrong, "same_wrong": found.same_wrong}
        pairs.append(pd.DataFrame({"first": first, "second": second} | columns))
    return {
        _COUNTS: pd.DataFrame(counts, index=places).reset_index(),
        _PAIRS: pd.concat(pairs, ignore_index=True),
    }


def write_cifar10n_counts(path: str | Path) -> None:
    """Write both files of counts again, from the file of labels."""
    for name, table in count_cifar10n(path).items():
        write_atomically(paper_root() / name, table.to_csv(index=False, lineterminator="\n").encode())
