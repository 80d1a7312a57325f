"""Noise that depends on the sample: a law of each sample's label, and labels drawn by it.

A law is float64 numpy, (N, K): row n has the probability of each label for sample n. Two ways to make noise
look at the image: its parts decide (Xia et al., "Part-dependent Label Noise", NeurIPS 2020), or a reference
model's confidence in the label does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sce_lib.noise.classes import IGNORED, Classes, Integers, classes_of, is_tensor
from sce_lib.noise.labels import NoisyLabels, beside, members_of
from sce_lib.noise.matrices import Matrix, check_rate, generator_from

# Standard deviation of the samples' flip rates about the rate, as published.
SPREAD = 0.1
# Of each weight's square in the reference model's loss, half of it: no label is beyond doubt.
RIDGE = 1e-2
# How far a row of probabilities may be from 1: softmax in float16 and bfloat16 passes.
_SUM_TOLERANCE = 1e-2
# Features worked on at a time, in float64: 32 MB.
_CHUNK_VALUES = 2**22


def part_dependent_law(
    features: Any, labels: Any, rate: float, seed: int, num_classes: int | None = None, classes: Any = None
) -> Matrix:
    r"""Return the law of instance-dependent noise after Xia et al. (2020), Algorithm 2, (N, K).

    Sample n is flipped at a rate :math:`q_n` of its own, from a normal distribution about `rate` with
    standard deviation 0.1, truncated to [0, 1]. To what, its features :math:`x_n` decide by a matrix
    :math:`W_y` of its class y, (D, K), of standard normal numbers: to the other classes in proportion to the
    softmax of :math:`x_n W_y` over them. With many features that is nearly always one of them.

    Two things are ours. Features are standardised (mean 0, deviation 1 over the samples given; a constant
    one is left out), so that their unit does not matter. And the :math:`q_n` are scaled so that their mean
    is the rate, which truncation moves where it is near 0 or 1 (0.129 for 0.1).

    Parameters
    ----------
    features : array_like or Tensor (N, ...)
        Images, of uint8 or float, or features; flattened to (N, D). They are read on the CPU, so that the
        law is the same whatever the device.
    labels : array_like, Tensor, pandas Series or categorical (N,)
        Clean labels.
    rate, seed : float, int
        Mean flip rate in [0, 1]; seed of the rates and the matrices.
    num_classes, classes : int and sequence, optional
        K, or the names of the classes in order; those that occur where neither is given.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((6, 4, 4))
    >>> law = part_dependent_law(images, [0, 0, 1, 1, 2, 2], rate=0.4, seed=0)
    >>> law.shape, round(float(1 - law[range(6), [0, 0, 1, 1, 2, 2]].mean()), 6)
    ((6, 3), 0.4)
    """
    rate, rng = check_rate(rate), generator_from(seed).spawn(1)[0]  # the flips have the seed's own generator
    names, y = _indices(labels, num_classes, classes)
    rows = _rows(features, len(y))
    K, flips = len(names), _flip_rates(len(y), rate, rng)
    mean, scale = _moments(rows)
    law = np.zeros((len(y), K))
    for label, members in enumerate(members_of(y, K)):
        projection = scale[:, None] * rng.standard_normal((rows.shape[1], K))
        for part in _parts(members, rows.shape[1]):
            scores = (rows[part] - mean) @ projection
            scores[:, label] = -np.inf
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            law[part] = flips[part, None] * weights / weights.sum(axis=1, keepdims=True)
    law[np.arange(len(y)), y] = 1 - flips
    return law


def confidence_law(probabilities: Any, labels: Any, rate: float, classes: Any = None) -> Matrix:
    r"""Return the law of noise by the confidence of a reference model, (N, K).

    Labels are flipped where the model is unsure of them, to what it confuses them with:
    :math:`P(\tilde y_n = j) = c \, p_{nj}` for j other than the label, with one c for all such that the mean
    rate is the one that is asked for; who is sure to be flipped by it is flipped at the rate 1. (Chen et al.,
    "Beyond Class-Conditional Assumption", AAAI 2021, rank samples by the largest of these :math:`p_{nj}` and
    flip the first; here they are drawn.)

    Parameters
    ----------
    probabilities : array_like or Tensor (N, K)
        What the reference model predicts; rows sum to 1. `reference_probabilities` makes such.
    labels, rate, classes
        As of `part_dependent_law`; K is the number of columns.

    Raises
    ------
    ValueError
        For what are no probabilities, and where the model doubts fewer labels than are to be flipped.

    Examples
    --------
    >>> confidence_law([[0.5, 0.5], [0.75, 0.25]], [0, 0], rate=0.3).round(6).tolist()
    [[0.6, 0.4], [0.8, 0.2]]
    """
    p, rate = check_probabilities(probabilities), check_rate(rate)
    _, y = _indices(labels, p.shape[1], classes)
    if len(y) != len(p):
        raise ValueError(f"{len(y)} labels and probabilities of {len(p)} samples")
    law = p.copy()
    law[np.arange(len(y)), y] = 0
    doubt = law.sum(axis=1)
    flips = _filled(doubt, rate * len(y))
    law *= np.divide(flips, doubt, out=np.zeros_like(doubt), where=doubt > 0)[:, None]
    law[np.arange(len(y)), y] = 1 - flips
    return law


def corrupt_by_law(labels: Any, law: Any, seed: int, exact: bool = True, classes: Any = None) -> NoisyLabels:
    """Flip clean labels, each as its own law says.

    Parameters
    ----------
    labels : array_like, Tensor, pandas Series or categorical (N,)
        Clean labels, as of `corrupt`; the result is of their type, dtype, device and pandas index.
    law : array_like or Tensor (N, K)
        Probability of each label for each sample.
    seed : int
        Seed of the flips, and of nothing else.
    exact : bool
        The number of flips is the rounded sum of the samples' rates, and each sample is flipped at its rate
        (systematic sampling in an order by lot). Otherwise each label is drawn independently.
    classes : sequence, optional
        As of `corrupt`.

    Returns
    -------
    NoisyLabels
        With `law`, and as `requested` the mean law of each class (a class without a sample keeps its label):
        the transition matrix that is expected, and that a correction by "the true matrix" gets.

    Examples
    --------
    >>> noisy = corrupt_by_law(["cat", "dog"], [[0.0, 1.0], [0.0, 1.0]], seed=0)
    >>> noisy.labels.tolist(), noisy.requested.tolist()
    (['dog', 'dog'], [[0.0, 1.0], [0.0, 1.0]])
    """
    p = check_probabilities(law, "a law's probabilities")
    names, y = _indices(labels, p.shape[1], classes)
    if len(y) != len(p):
        raise ValueError(f"{len(y)} labels and a law of {len(p)} samples")
    rng, K = generator_from(seed), len(names)
    others = p / p.sum(axis=1, keepdims=True) if len(p) else p
    requested = np.eye(K)
    for label, members in enumerate(members_of(y, K)):
        if members.size:
            requested[label] = others[members].mean(axis=0)
    others[np.arange(len(y)), y] = 0
    rates = others.sum(axis=1).clip(max=1)
    flipped = _systematic(rates, rng) if exact else np.flatnonzero(rng.random(len(y)) < rates)
    noisy = y.copy()
    noisy[flipped] = _drawn(others[flipped], rng)
    return beside(names, labels, y, noisy, requested / requested.sum(axis=1, keepdims=True), law=p)


def instance_noise(
    features: Any,
    labels: Any,
    rate: float,
    seed: int,
    exact: bool = True,
    num_classes: int | None = None,
    classes: Any = None,
) -> NoisyLabels:
    """Flip clean labels by `part_dependent_law`; arguments as there, result as of `corrupt_by_law`.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((100, 8, 8))
    >>> noisy = instance_noise(images, np.arange(100) % 4, rate=0.4, seed=0)
    >>> noisy.rate, noisy.law.shape
    (0.4, (100, 4))
    """
    names, _ = _indices(labels, num_classes, classes)
    law = part_dependent_law(features, labels, rate, seed, classes=names)
    return corrupt_by_law(labels, law, seed, exact, names)


def confidence_noise(
    probabilities: Any, labels: Any, rate: float, seed: int, exact: bool = True, classes: Any = None
) -> NoisyLabels:
    """Flip clean labels by `confidence_law`; arguments as there, result as of `corrupt_by_law`.

    Examples
    --------
    >>> noisy = confidence_noise([[0.5, 0.5], [1.0, 0.0]], [0, 0], rate=0.5, seed=0)
    >>> noisy.labels.tolist()
    [1, 0]
    """
    law = confidence_law(probabilities, labels, rate, classes)
    return corrupt_by_law(labels, law, seed, exact, classes)


def reference_probabilities(
    features: Any, labels: Any, num_classes: int | None = None, classes: Any = None
) -> Matrix:
    """Return what multinomial logistic regression, fitted to the clean labels, predicts on the same samples.

    It is convex and started at 0, so that it needs no seed: L-BFGS, 100 steps at most, in float64 on the CPU,
    on standardised features, with a ridge of 0.01. Arguments as of `part_dependent_law`.

    Examples
    --------
    >>> p = reference_probabilities([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    >>> p.argmax(axis=1).tolist(), bool(p[0, 0] > p[1, 0] > 0.5)
    ([0, 0, 1, 1], True)
    """
    import torch  # whoever makes noise by a matrix does not wait for it

    names, y = _indices(labels, num_classes, classes)
    rows = _rows(features, len(y))
    mean, scale = _moments(rows)
    x, target = torch.from_numpy((rows - mean) * scale), torch.from_numpy(y)
    weight = torch.zeros(x.shape[1], len(names), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(names), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(x @ weight + bias, target) + RIDGE / 2 * (weight**2).sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimiser.step(loss)
    with torch.no_grad():
        return (x @ weight + bias).softmax(dim=1).numpy()


# --- What the laws are made of. -----------------------------------------------------------------------
def _flip_rates(n: int, rate: float, rng: np.random.Generator) -> Matrix:
    """Return rates in [0, 1] from a truncated normal distribution, of the mean that is asked for."""
    drawn = rng.normal(rate, SPREAD, n)
    while (outside := (drawn < 0) | (drawn > 1)).any():
        drawn[outside] = rng.normal(rate, SPREAD, outside.sum())
    mean = drawn.mean() if n else rate
    return drawn * (rate / mean) if mean > rate else 1 - (1 - drawn) * ((1 - rate) / (1 - mean or 1))


def _filled(doubt: Matrix, total: float) -> Matrix:
    """Return min(1, c·doubt) with the c for which the sum is the total."""
    falling = np.sort(doubt)[::-1]
    unsure = int((falling > 0).sum())
    if unsure < total - 1e-9:
        raise ValueError(
            f"{total:.0f} of {len(doubt)} labels are to be flipped, and the reference model is unsure of "
            f"{unsure} alone: lower the rate, or give it less confident probabilities"
        )
    if unsure <= total:
        return (doubt > 0).astype(float)
    rest = np.cumsum(falling[::-1])[::-1]  # of those that are not at the rate 1, if the first m are
    factors = (total - np.arange(unsure)) / rest[:unsure]
    return np.minimum(1, factors[np.argmax(factors * falling[:unsure] <= 1)] * doubt)


def _systematic(rates: Matrix, rng: np.random.Generator) -> Integers:
    """Return who is chosen, each at its rate, so that their number is the rounded sum."""
    order = rng.permutation(len(rates))
    steps = np.cumsum(rates[order])
    total = np.round(steps[-1], 9) if len(steps) else 0.0
    part = total - np.floor(total)
    start = rng.uniform(0, part) if part >= 0.5 else rng.uniform(part, 1)
    points = start + np.arange(int(np.ceil(total - start)) if total > start else 0)
    return order[np.unique(np.searchsorted(steps, points, side="right").clip(max=len(rates) - 1))]


def _drawn(weights: Matrix, rng: np.random.Generator) -> Integers:
    """Return one of K for each row of weights, in proportion to them."""
    steps = np.cumsum(weights, axis=1)
    points = rng.random(len(weights)) * steps[:, -1]
    chosen = (steps <= points[:, None]).sum(axis=1)
    return np.minimum(chosen, weights.shape[1] - 1)


# --- What is given, checked. --------------------------------------------------------------------------
def _indices(labels: Any, num_classes: int | None, classes: Any) -> tuple[Classes, Integers]:
    names = classes_of(labels, num_classes=num_classes, classes=classes, ignore_index=None)
    y = names.encode(labels)
    if y.ndim != 1:
        raise ValueError(f"noise that depends on the sample takes labels of shape (N,), not {y.shape}")
    if (y == IGNORED).any():
        raise ValueError("noise that depends on the sample knows no ignore_index: leave such samples out")
    if len(names) < 2:
        raise ValueError(f"noise takes two classes at least; here are {len(names)}: give num_classes")
    return names, y


def _rows(features: Any, n: int) -> NDArray[Any]:
    """Return features, (N, D), as numbers; each sample has some."""
    if is_tensor(features):
        features = features.detach().cpu()
        narrow = features.is_floating_point() and features.element_size() < 4  # numpy has no bfloat16
        features = features.float() if narrow else features
    rows = np.asarray(features)
    if rows.dtype.kind not in "fiub":
        raise ValueError(f"features are numbers, (N, ...), not {rows.dtype}")
    if rows.ndim < 2 or len(rows) != n:
        raise ValueError(f"features are of shape (N, ...), one row a label; {rows.shape} for {n} labels")
    return rows.reshape(n, int(np.prod(rows.shape[1:])))


def _parts(places: Integers, width: int) -> list[Integers]:
    size = max(1, _CHUNK_VALUES // max(1, width))
    return [places[start : start + size] for start in range(0, len(places), size)]


def _moments(rows: NDArray[Any]) -> tuple[Matrix, Matrix]:
    """Return each feature's mean, and one over its standard deviation: 0 for one that is constant."""
    parts = _parts(np.arange(len(rows)), rows.shape[1])
    total, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for part in parts:
        chunk = rows[part].astype(np.float64)
        for place in np.flatnonzero(~np.isfinite(chunk).all(axis=1))[:1]:
            raise ValueError(f"the features of sample {part[place]} are not finite")
        total += chunk.sum(axis=0)
    mean = total / max(1, len(rows))
    for part in parts:
        squares += ((rows[part] - mean) ** 2).sum(axis=0)
    deviation = np.sqrt(squares / max(1, len(rows)))
    constant = deviation <= 1e-12 * np.maximum(1, np.abs(mean))
    return mean, np.where(constant, 0, 1 / np.where(constant, 1, deviation))


def check_probabilities(given: Any, what: str = "probabilities") -> Matrix:
    """Return probabilities, (N, K), as float64 numpy, or name the first row that is none."""
    array = given.detach().cpu().double().numpy() if is_tensor(given) else np.asarray(given)
    if array.dtype.kind not in "fiub" or array.ndim != 2 or array.shape[1] < 2:
        raise ValueError(f"{what} are numbers of shape (N, K), not {array.dtype} of shape {array.shape}")
    p = array.astype(np.float64)
    outside = ~((p >= 0) & (p <= 1 + _SUM_TOLERANCE))  # NaN too
    for row, column in np.argwhere(outside)[:1]:
        bad = f"{p[row, column]:g}"
        raise ValueError(f"{what} lie in [0, 1], but row {row} has {bad}: of logits take the softmax")
    sums = p.sum(axis=1)
    for row in np.flatnonzero(abs(sums - 1) > _SUM_TOLERANCE)[:1]:
        raise ValueError(f"row {row} of {what} sums to {sums[row]:.6g}, not to 1: of logits take the softmax")
    return p
