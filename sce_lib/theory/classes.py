"""Classes of classifiers, the optimum over all of them, and random problems in a stated setting."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from sce_lib.theory.problems import Array, FiniteProblem

__all__ = ["SETTINGS", "deterministic_classifiers", "linear_classifiers", "linear_grid", "optimal_classifier"]
__all__ += ["random_problem", "uniform_flips"]

Family = Literal["random", "deterministic", "linear"]
Setting = Literal[
    "symmetric",
    "symmetric_above_bound",
    "class_dependent_rate",
    "x_dependent_rate",
    "asymmetric_realisable",
    "asymmetric",
]

SETTINGS: dict[Setting, str] = {
    "symmetric": "uniform flips, one rate η < 1 − 1/K (Theorem 1, first part)",
    "symmetric_above_bound": "uniform flips, one rate η > 1 − 1/K",
    "class_dependent_rate": "uniform flips, a rate η_y < 1 − 1/K for each class",
    "x_dependent_rate": "uniform flips, a rate η(x) < 1 − 1/K for each x",
    "asymmetric_realisable": "η_yk < 1 − η_y, and some f in the class has R(f) = 0 (Theorem 1, second part)",
    "asymmetric": "η_yk < 1 − η_y, and R(f*) > 0",
}

_MAX_DETERMINISTIC = 100_000

# Below this share of CE in SL the optimum is RCE's in every digit that float64 has.
_NO_CE = 1e-200

_fractions = np.frompyfunc(Fraction, 2, 1)


def deterministic_classifiers(num_points: int, num_classes: int) -> Array:
    """All K^n_x classifiers that put probability 1 on one class at each x, shape (K^n_x, n_x, K).

    RCE's risk is linear in f(x), so over *all* classifiers some minimiser is one of these; at most 100,000.

    Examples
    --------
    >>> deterministic_classifiers(num_points=2, num_classes=3).shape
    (9, 2, 3)
    """
    if num_classes**num_points > _MAX_DETERMINISTIC:
        raise ValueError(
            f"{num_classes}^{num_points} deterministic classifiers are too many to list "
            f"(at most {_MAX_DETERMINISTIC}); take fewer points"
        )
    decisions = np.array(list(product(range(num_classes), repeat=num_points)))
    return np.eye(num_classes, dtype=np.int64)[decisions]


def linear_classifiers(points: ArrayLike, weights: ArrayLike, biases: ArrayLike) -> Array:
    """Softmax of linear functions: p(x) = softmax(x W + b), shape (n_f, n_x, K), for many (W, b) at once.

    The points are (n_x, d), the weights (n_f, d, K), the biases (n_f, K).

    Examples
    --------
    >>> linear_classifiers([[-1.0], [1.0]], [[[0.0, 2.0]]], [[0.0, 0.0]]).round(2)
    array([[[0.88, 0.12],
            [0.12, 0.88]]])
    """
    logits = np.asarray(points) @ np.asarray(weights) + np.asarray(biases)[:, None, :]
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def linear_grid(points: ArrayLike, slopes: ArrayLike, offsets: ArrayLike) -> Array:
    """Two-class linear classifiers on a line for a grid of slopes w and offsets b: p_1(x) = σ(w x + b).

    The points are (n_x,). With n_b offsets, classifier ``i * n_b + j`` has slope i and offset j.

    Examples
    --------
    >>> linear_grid([-1.0, 0.0, 1.0], slopes=[1.0, 2.0], offsets=[0.0]).shape
    (2, 3, 2)
    """
    w, b = (grid.ravel() for grid in np.meshgrid(slopes, offsets, indexing="ij"))
    nothing = np.zeros_like(w)
    x = np.asarray(points, dtype=np.float64)[:, None]
    return linear_classifiers(x, np.stack([nothing, w], -1)[:, None, :], np.stack([nothing, b], -1))


def optimal_classifier(joint: ArrayLike, alpha: float = 0.0, beta: float = 1.0, A: float = -4.0) -> Array:
    """Return the classifier, (n_x, K), with the least SL risk over *all* of them (Eq. 7 minimised at each x).

    With posterior π(x) = P(y | x) the risk at x is Σ_k π_k (−α log p_k + β|A|(1 − p_k)), convex in p.
    Lagrange's condition gives p_k = α π_k / (λ − β|A| π_k): p ranks the classes as π does. CE (β = 0) returns
    the posterior itself, RCE (α = 0) puts probability 1 on its largest entry.

    The joint, (n_x, K), is P(x, y), or P(x, ŷ) for the noisy optimum; α and β are not both zero.

    Examples
    --------
    >>> optimal_classifier([[0.6, 0.4]], alpha=1.0, beta=0.0).round(3)
    array([[0.6, 0.4]])
    >>> optimal_classifier([[0.6, 0.4]], alpha=1.0, beta=1.0, A=-4.0).round(3)
    array([[0.75, 0.25]])
    >>> optimal_classifier([[0.6, 0.4]], alpha=0.0)
    array([[1., 0.]])
    """
    if alpha < 0 or beta < 0 or alpha + beta == 0 or not A < 0:
        raise ValueError(
            f"need alpha >= 0, beta >= 0, not both 0, and A < 0; got alpha={alpha}, beta={beta}, A={A}"
        )
    mass = np.asarray(joint, dtype=np.float64)
    total = mass.sum(axis=-1, keepdims=True)
    posterior = np.where(total > 0, mass / np.where(total > 0, total, 1), 1 / mass.shape[-1])
    ce_share = alpha / (alpha + beta * abs(A))
    if ce_share < _NO_CE:
        return np.eye(mass.shape[-1])[posterior.argmax(axis=-1)]
    largest = posterior.max(axis=-1, keepdims=True)
    behind = (1 - ce_share) * (largest - posterior)
    # With α + β|A| scaled to 1, λ = mu + β|A| max π and mu lies between these: Σ_k p_k falls from ≥ 1 to ≤ 1.
    low, high = ce_share * largest, np.full_like(largest, ce_share)
    for _ in range(100):
        mu = (low + high) / 2
        above = (ce_share * posterior / (mu + behind)).sum(axis=-1, keepdims=True) > 1
        low, high = np.where(above, mu, low), np.where(above, high, mu)
    p = ce_share * posterior / (high + behind)
    return p / p.sum(axis=-1, keepdims=True)


def uniform_flips(rates: Array | Sequence[object], num_classes: int) -> Array:
    """Rows that keep label y with probability 1 − η_y and spread η_y evenly over the others.

    The rates are η_y, (K,), or η_y(x), (n_x, K), and give (K, K) or (n_x, K, K).

    Examples
    --------
    >>> uniform_flips([0.2, 0.4], num_classes=2)
    array([[0.8, 0.2],
           [0.4, 0.6]])
    """
    eta = np.asarray(rates)[..., None]
    return np.where(np.eye(num_classes, dtype=bool), 1 - eta, eta / (num_classes - 1))


def _normalised(weights: Array, axes: tuple[int, ...]) -> Array:
    """Whole numbers to fractions that sum to 1 over `axes`."""
    exact = weights.astype(object)
    return _fractions(exact, exact.sum(axis=axes, keepdims=True))


def _random_transition(setting: Setting, points: int, classes: int, rng: np.random.Generator) -> Array:
    """Draw exact noise in the stated setting."""
    if setting in ("asymmetric", "asymmetric_realisable"):
        weights = rng.integers(1, 1000, size=(classes, classes))
        # The diagonal must exceed every other entry of its row: η_yk < 1 − η_y, and no more than that.
        np.fill_diagonal(weights, weights.max(axis=1) + rng.integers(1, 200, size=classes))
        return _normalised(weights, (1,))
    shape = {"class_dependent_rate": (classes,), "x_dependent_rate": (points, 1)}.get(setting, (1,))
    share = _fractions(rng.integers(1, 1000, size=shape).astype(object), 1000)
    bound = Fraction(classes - 1, classes)
    rates = bound + (1 - bound) * share if setting == "symmetric_above_bound" else bound * share
    return uniform_flips(np.broadcast_to(rates, (*shape[:-1], classes)), classes)


def random_problem(
    setting: Setting = "symmetric",
    family: Family = "random",
    num_classes: int = 3,
    num_points: int = 4,
    num_classifiers: int = 20,
    seed: int = 0,
    exact: bool = False,
) -> FiniteProblem:
    """Draw a problem that meets the stated setting (see `SETTINGS`), and nothing more.

    Parameters
    ----------
    family : {"random", "deterministic", "linear"}
        The class of classifiers: arbitrary random predictions; all deterministic ones; or softmax-linear ones
        with random weights on random points of the plane, a class that cannot fit every posterior. In
        "asymmetric_realisable" the first random classifier is the true labelling, so that R(f*) = 0.
    num_classes, num_points, num_classifiers, seed : int
        K, n_x, n_f ("deterministic" always has K^n_x), and the draw's own seed.
    exact : bool
        Fractions in place of floats; not for "linear", whose predictions are irrational.

    Examples
    --------
    >>> random_problem("symmetric", num_classes=5, seed=1).transition.shape
    (5, 5)
    >>> random_problem("asymmetric_realisable", exact=True, seed=1).exact
    True
    """
    if setting not in SETTINGS:
        raise ValueError(f"unknown setting {setting!r}; known: {', '.join(SETTINGS)}")
    if family not in ("random", "deterministic", "linear"):
        raise ValueError(f"unknown family {family!r}; known: random, deterministic, linear")
    if family == "linear" and exact:
        raise ValueError("a linear softmax classifier has irrational predictions: exact=True needs another")
    if family == "linear" and setting == "asymmetric_realisable":
        raise ValueError("no softmax of finite logits reaches R(f*) = 0: take family random or deterministic")
    if num_classes < 2 or num_points < 1 or num_classifiers < 1:
        raise ValueError(
            f"need num_classes >= 2, num_points >= 1, num_classifiers >= 1; got {num_classes}, "
            f"{num_points}, {num_classifiers}"
        )
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 1000, size=(num_points, num_classes))
    if setting == "asymmetric_realisable":  # R(f*) = 0 is wanted: each x has one label
        weights *= np.eye(num_classes, dtype=np.int64)[rng.integers(num_classes, size=num_points)]
    joint = _normalised(weights, (0, 1))
    transition = _random_transition(setting, num_points, num_classes, rng)
    if family == "linear":
        spread = rng.uniform(0.5, 5.0, size=(num_classifiers, 1, 1))
        slopes = spread * rng.normal(size=(num_classifiers, 2, num_classes))
        biases = spread[:, 0] * rng.normal(size=(num_classifiers, num_classes))
        classifiers = linear_classifiers(rng.normal(size=(num_points, 2)), slopes, biases)
    elif family == "deterministic":
        classifiers = deterministic_classifiers(num_points, num_classes).astype(object)
    else:
        shares = rng.integers(1, 1000, size=(num_classifiers, num_points, num_classes))
        if setting == "asymmetric_realisable":
            shares[0] = (joint > 0).astype(np.int64)
        classifiers = _normalised(shares, (-1,))
    if exact:
        return FiniteProblem(joint, transition, classifiers)
    return FiniteProblem(*(part.astype(np.float64) for part in (joint, transition, classifiers)))
