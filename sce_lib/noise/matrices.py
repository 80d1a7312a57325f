"""Transition matrices: who is taken for whom, and how often."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]
Variant = Literal["paper", "released"]
Groups = Sequence[Sequence[int]] | Sequence[Sequence[str]]
Pairs = Mapping[int, int] | Mapping[str, str]

# Whose label becomes whose, in words at `asymmetric_matrix`. MNIST and CIFAR-10: §5, "Noise setting".
# Fashion-MNIST is not in the paper; its map is the one that GCE was published with (Zhang and Sabuncu, 2018).
MNIST_PAIRS = {2: 7, 3: 8, 5: 6, 6: 5, 7: 1}
PAIRS: dict[str, dict[int, int]] = {
    "mnist": MNIST_PAIRS,
    "digits": MNIST_PAIRS,
    "fashion_mnist": {9: 7, 7: 5, 2: 6, 4: 3, 3: 4},
    "cifar10": {9: 1, 2: 0, 4: 7, 3: 5, 5: 3},
}

# CIFAR-100's twenty superclasses of five classes each, by fine id, as its authors publish them.
CIFAR100_SUPERCLASSES: dict[str, tuple[int, ...]] = {
    "aquatic_mammals": (4, 30, 55, 72, 95),
    "fish": (1, 32, 67, 73, 91),
    "flowers": (54, 62, 70, 82, 92),
    "food_containers": (9, 10, 16, 28, 61),
    "fruit_and_vegetables": (0, 51, 53, 57, 83),
    "household_electrical_devices": (22, 39, 40, 86, 87),
    "household_furniture": (5, 20, 25, 84, 94),
    "insects": (6, 7, 14, 18, 24),
    "large_carnivores": (3, 42, 43, 88, 97),
    "large_man-made_outdoor_things": (12, 17, 37, 68, 76),
    "large_natural_outdoor_scenes": (23, 33, 49, 60, 71),
    "large_omnivores_and_herbivores": (15, 19, 21, 31, 38),
    "medium_mammals": (34, 63, 64, 66, 75),
    "non-insect_invertebrates": (26, 45, 77, 79, 99),
    "people": (2, 11, 35, 46, 98),
    "reptiles": (27, 29, 44, 78, 93),
    "small_mammals": (36, 50, 65, 74, 80),
    "trees": (47, 52, 56, 59, 96),
    "vehicles_1": (8, 13, 48, 58, 90),
    "vehicles_2": (41, 69, 81, 85, 89),
}

_BLOCKS_OF_FIVE = tuple(tuple(range(start, start + 5)) for start in range(0, 100, 5))

# Which classes are alike, where two of each group are to swap. Tiny-ImageNet's neighbouring WordNet ids are
# related things, so blocks of five of its first hundred classes stand for superclasses.
GROUPS: dict[str, dict[Variant, Groups]] = {
    # The released code takes blocks of five consecutive fine ids for the superclasses, which they are not:
    # fine ids are alphabetical, and 10 of the 200 pairs within a block share a superclass.
    "cifar100": {"paper": tuple(CIFAR100_SUPERCLASSES.values()), "released": _BLOCKS_OF_FIVE},
    "tiny_imagenet100": {"paper": _BLOCKS_OF_FIVE, "released": _BLOCKS_OF_FIVE},
}

# How far a row's sum may be from 1: float32 rounding over a thousand classes passes, a typing error does not.
ROW_SUM_TOLERANCE = 1e-6


def check_rate(rate: float) -> float:
    """Return a noise rate as a float, or say in a ValueError why it is none.

    >>> check_rate(1.2)
    Traceback (most recent call last):
        ...
    ValueError: noise rate 1.2 is outside [0, 1]; 40 % is written 0.4
    """
    try:
        value = float(rate)
    except (TypeError, ValueError):
        raise ValueError(f"noise rate {rate!r} is not a number; 40 % is written 0.4") from None
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"noise rate {rate} is outside [0, 1]; 40 % is written 0.4")
    return value


def is_integer(value: Any) -> bool:
    """Return whether a value is a whole number, Python's or numpy's, and no truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_num_classes(num_classes: int, at_least: int = 2) -> int:
    """Return a number of classes, or say in a ValueError why it is none."""
    if not is_integer(num_classes):
        raise ValueError(f"num_classes is an integer of {at_least} or more, not {num_classes!r}")
    if num_classes < at_least:
        raise ValueError(f"num_classes is an integer of {at_least} or more, not {num_classes}")
    return int(num_classes)


def check_matrix(matrix: ArrayLike | Any) -> Matrix:
    """Return a transition matrix, an array or a tensor, as float64 numpy, or name the entry or row at fault.

    Examples
    --------
    >>> check_matrix([[0.9, 0.1], [0.3, 0.6]])
    Traceback (most recent call last):
        ...
    ValueError: row 1 of the transition matrix sums to 0.9, not to 1; T[i, j] = P(noisy = j | clean = i)
    """
    if hasattr(matrix, "detach"):
        matrix = matrix.detach().cpu().numpy()
    try:
        T = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"a transition matrix is a (K, K) array of numbers, not {matrix!r}") from None
    if T.ndim != 2 or T.shape[0] != T.shape[1] or not T.size:
        raise ValueError(f"a transition matrix is square, (K, K); this one has shape {T.shape}")
    if not np.isfinite(T).all() or (T < 0).any():
        i, j = np.argwhere(~(np.isfinite(T) & (T >= 0)))[0]
        raise ValueError(f"entry [{i}, {j}] of the transition matrix is {T[i, j]}, not a probability")
    sums = T.sum(axis=1)
    for i in np.flatnonzero(abs(sums - 1) > ROW_SUM_TOLERANCE)[:1]:
        row = f"row {i} of the transition matrix sums to {sums[i]:.6g}, not to 1"
        raise ValueError(f"{row}; T[i, j] = P(noisy = j | clean = i)")
    return T


def check_variant(variant: str) -> None:
    """Refuse a variant that is neither the paper's nor its released code's."""
    if variant not in get_args(Variant):
        raise ValueError(f"variant {variant!r} is not known; known are {', '.join(get_args(Variant))}")


def symmetric_matrix(
    num_classes: int, rate: float, variant: Variant = "paper", class_counts: ArrayLike | None = None
) -> Matrix:
    r"""Return symmetric noise, §3.2 and §5: a label is wrong at `rate`, and then any other class alike.

    .. math:: T_{ii} = 1 - \eta, \qquad T_{ij} = \eta / (K - 1)

    Parameters
    ----------
    num_classes : int
        K, 2 or more.
    rate : float
        η. RCE tolerates it below 1 - 1/K (Theorem 1).
    variant : {"paper", "released"}
        The released code flips equally many labels in every class, ⌊ηN⌋/K rounded down, so that on
        imbalanced data the rate differs between classes: 0.71 to 0.885 on MNIST at η = 0.8.
    class_counts : array_like of int (K,), optional
        Samples in each class, which the released variant needs: K counts, not too small for that many flips.

    Examples
    --------
    >>> symmetric_matrix(3, 0.5).tolist()
    [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]]
    >>> symmetric_matrix(2, 0.5, variant="released", class_counts=[60, 40]).round(3).tolist()
    [[0.583, 0.417], [0.625, 0.375]]
    """
    K, rate = check_num_classes(num_classes), check_rate(rate)
    check_variant(variant)
    rates = np.full(K, rate) if variant == "paper" else _released_rates(K, rate, class_counts)
    T = np.repeat(rates[:, None] / (K - 1), K, axis=1)
    np.fill_diagonal(T, 1 - rates)
    return T


def _released_rates(num_classes: int, rate: float, class_counts: ArrayLike | None) -> Matrix:
    """Return each class's rate where every class has the same number of flips."""
    if class_counts is None:
        raise ValueError("the released symmetric noise depends on the class sizes: give class_counts")
    counts = np.asarray(class_counts)
    if counts.shape != (num_classes,) or not np.issubdtype(counts.dtype, np.integer) or (counts < 0).any():
        raise ValueError(f"class_counts are {num_classes} integers of 0 or more, not {class_counts!r}")
    # Rounded first, since 0.29 * 100 is 28.999999999999996.
    flips = int(np.round(rate * counts.sum(), 6)) // num_classes
    for i in np.flatnonzero(counts < flips)[:1]:
        given = f"{flips} labels in every class, but class {i} has {counts[i]}"
        raise ValueError(f"the released symmetric noise flips {given}; lower the rate or use variant='paper'")
    return flips / np.maximum(counts, 1)


def pair_matrix(num_classes: int, pairs: Pairs, rate: float, classes: Sequence[Any] | None = None) -> Matrix:
    """Return noise that takes each of some classes for one other: asymmetric noise, §5.

    Parameters
    ----------
    num_classes : int
        K, 2 or more.
    pairs : mapping
        True class to another that it is taken for, ``{9: 1, 3: 5, 5: 3}``; by name where `classes` are given.
    rate : float
        η, the portion flipped of each class in `pairs`; the others stay clean.
    classes : sequence of str or int, optional
        Names or ids of the classes, in order; a `Classes`, for instance.

    Examples
    --------
    >>> pair_matrix(3, {2: 0}, rate=0.25).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.25, 0.0, 0.75]]
    >>> pair_matrix(2, {"cat": "dog"}, rate=0.25, classes=["cat", "dog"]).tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    """
    K, rate = check_num_classes(num_classes), check_rate(rate)
    if classes is not None and len(classes) != K:
        raise ValueError(f"{len(classes)} class names for {K} classes")
    T = np.eye(K)
    for source, target in pairs.items():
        i, j = _class_index(source, K, classes), _class_index(target, K, classes)
        if i == j:
            raise ValueError(f"class {source!r} is paired with itself; leave it out to keep it clean")
        T[i, i], T[i, j] = 1 - rate, rate
    return T


def _class_index(key: Any, num_classes: int, classes: Sequence[Any] | None) -> int:
    if classes is None and isinstance(key, str):
        raise ValueError(f"class {key!r} is given by name: give the names, in order, as classes")
    if classes is not None and (isinstance(key, str) or any(map(is_integer, classes))):
        if key not in classes:
            raise ValueError(f"class {key!r} is not one of {', '.join(map(str, classes))}")
        return list(classes).index(key)
    if not is_integer(key) or not 0 <= key < num_classes:
        raise ValueError(f"class {key!r} does not exist; allowed 0..{num_classes - 1}")
    return int(key)


def swap_matrix(groups: Groups, rate: float, seed: int = 0, classes: Sequence[Any] | None = None) -> Matrix:
    """Return noise by which two classes of each group, chosen at random, swap: CIFAR-100's, §5.

    With groups of five, two fifths of the labels can be wrong, and 0.4·η are.

    Parameters
    ----------
    groups : sequence of sequences of int or str
        The classes 0..K-1, each in one group, at least two in a group; by name where `classes` are given.
    rate : float
        η, the portion flipped of each chosen class.
    seed : int
        Chooses the pairs.
    classes : sequence of str or int, optional
        Names or ids of the classes, in order.

    Examples
    --------
    >>> swap_matrix([[0, 1], [2, 3]], rate=0.25).tolist()[0]
    [0.75, 0.25, 0.0, 0.0]
    """
    rng = generator_from(seed)
    if classes is not None:
        groups = [[_class_index(member, len(classes), classes) for member in group] for group in groups]
    elif named := [member for group in groups for member in group if isinstance(member, str)]:
        _class_index(named[0], 0, classes)  # says what is wanting
    members = sorted(member for group in groups for member in group)
    if members != list(range(len(members))) or any(len(group) < 2 for group in groups):
        parted = "each class in one group and at least two classes in a group"
        raise ValueError(f"groups part the classes 0..K-1, {parted}")
    pairs: dict[int, int] = {}
    for group in groups:
        i, j = (int(k) for k in rng.choice(np.asarray(group), size=2, replace=False))
        pairs |= {i: j, j: i}
    return pair_matrix(len(members), pairs, rate)


def generator_from(seed: int) -> np.random.Generator:
    """Return a numpy generator, or say in a ValueError why the seed is none."""
    if not is_integer(seed) or seed < 0:
        raise ValueError(f"seed is an integer of 0 or more, not {seed!r}")
    return np.random.default_rng(seed)


def asymmetric_matrix(
    dataset: str,
    rate: float,
    variant: Variant = "paper",
    seed: int = 0,
    groups: Groups | None = None,
    classes: Sequence[Any] | None = None,
) -> Matrix:
    """Return a data set's asymmetric noise, §5: classes are taken for one that looks like them.

    ============================ ======================================================================
    data set                     who is taken for whom
    ============================ ======================================================================
    mnist, digits                2→7, 3→8, 5↔6, 7→1
    cifar10                      truck→automobile, bird→airplane, deer→horse, cat↔dog
    fashion_mnist                ankle boot→sneaker→sandal, pullover→shirt, coat↔dress (not the paper's)
    cifar100                     two classes of each superclass swap
    cifar100, released           two classes of each block of five consecutive fine ids swap
    tiny_imagenet100             two classes of each block of five consecutive ids swap
    ============================ ======================================================================

    Parameters
    ----------
    dataset : str
        One of the table's names; any name where `groups` are given.
    rate : float
        η, the portion flipped of each class that is taken for another. Of all labels it is less: η/2 on
        balanced data of ten classes, 0.4·η where two classes of five swap.
    variant : {"paper", "released"}
        They differ on CIFAR-100, where the released code also draws each flip independently (`corrupt` with
        ``exact=False``); elsewhere it rounds each class's count of flips down.
    seed : int
        Chooses the classes that swap, where they are chosen at random.
    groups, classes
        See `swap_matrix`: superclasses of your own, and the names of their classes.

    Examples
    --------
    >>> T = asymmetric_matrix("cifar10", 0.25)
    >>> T[9, 1], T[9, 9], T[1, 1]
    (np.float64(0.25), np.float64(0.75), np.float64(1.0))
    >>> round(float(1 - asymmetric_matrix("cifar100", 0.4, seed=3).trace() / 100), 6)
    0.16
    """
    rate = check_rate(rate)
    check_variant(variant)
    generator_from(seed)
    if groups is None and dataset in GROUPS:
        groups = GROUPS[dataset][variant]
    if groups is not None:
        return swap_matrix(groups, rate, seed, classes)
    if dataset not in PAIRS:
        known = f"only for {', '.join([*PAIRS, *GROUPS])}; give groups of classes, or use pair_matrix"
        raise ValueError(f"no asymmetric noise is defined for {dataset!r}, {known}")
    return pair_matrix(10, PAIRS[dataset], rate)
