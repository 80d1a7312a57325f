"""Which labels are most likely wrong: a ranking by predictions that are given, from whatever network."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sce_lib.metrics import inputs
from sce_lib.metrics.inputs import Given
from sce_lib.metrics.networks import margins

__all__ = ["Suspects", "suspects"]

By = Literal["loss", "margin", "self_confidence"]


class Suspects(NamedTuple):
    """Labels ranked by how much predictions speak against them.

    Parameters
    ----------
    indices : Tensor or ndarray of int64 (M,)
        Places of the samples, the most suspicious first, equal scores in the order of the samples; those that
        do not count are left out. Labels of more dimensions, as masks, are counted flattened.
    scores : Tensor, ndarray or pandas Series
        One score a label, in the *labels'* order and shape; the higher, the more suspicious. NaN where the
        label does not count. ``scores[indices]`` are the ranked ones.
    """

    indices: Any
    scores: Any


def suspects(
    predictions: Any,
    labels: Any,
    by: By = "loss",
    *,
    given: Given | None = None,
    classes: Sequence[Any] | None = None,
    adjusted: bool = False,
    ignore_index: Any = -100,
) -> Suspects:
    r"""Rank samples by how much predictions speak against their labels, the most suspicious first.

    Predictions of networks that have not been trained on the sample find most
    (`sce_lib.experiments.out_of_fold` makes such); those of one that has find what it did not memorise.

    Parameters
    ----------
    predictions : Tensor, array_like or pandas DataFrame
        Logits or probabilities, (N, K) or, as for the losses of this library, (N, K, ...); or the loss of
        each sample, (N,). Floats of any precision, on any device.
    labels : Tensor, array_like or pandas Series
        The labels in doubt, (N,) or (N, ...): class indices in [0, K), or names out of `classes`.
    by : {"loss", "margin", "self_confidence"}
        The score: cross entropy :math:`-\log p_y`, or the losses that are given; the margin
        :math:`\max_{k \ne y} p_k - p_y`, in [-1, 1]; :math:`-p_y`, in [-1, 0], which orders as cross entropy
        does. Self-confidence and margin order as cleanlab's scores of these names.
    given : {"logits", "probabilities", "losses"}, optional
        What the predictions are. Where it is not said, (N,) are losses; rows that are not negative and sum to
        1 (within 0.01) are probabilities; all others are logits, but what may be probabilities that were
        rounded (from 0 to 1, most rows' sums within 0.2 of 1) is refused. Probabilities that are said to be
        some may sum to 1 within 0.2. Each row is divided by its sum where the two differ.
    classes : sequence, optional
        The names of the K classes, in the order of the predictions' columns, for labels that are names. Where
        they are not given they are the columns' names of a pandas DataFrame, unless these are numbered from
        0, or else the categories of labels that are a categorical with K of them.
    adjusted : bool
        Whether each class has a scale of its own, for a network that is less sure of some classes than of
        others: from each probability the mean is subtracted that the samples *labelled* so have for it, the
        largest of these means is added, and each row divided by its sum (the thresholds of confident
        learning, Northcutt et al., JAIR 2021). A class that no label names takes the largest mean.
    ignore_index : int or name, optional
        The label of samples that do not count.

    Returns
    -------
    Suspects
        Tensors on the predictions' device, or arrays where the predictions are not torch's; where the labels
        are a pandas Series the scores are one too, with its index.

    Raises
    ------
    ValueError
        For labels out of range or names of no class, shapes that do not fit, NaN, no label that counts,
        "probabilities" that are none, what may be probabilities or logits, a score that losses do not give,
        or predictions and labels of pandas with one index in two orders.

    Examples
    --------
    >>> p = np.array([[0.75, 0.25], [0.75, 0.25], [0.0, 1.0]])
    >>> found = suspects(p, ["cat", "dog", "dog"], by="margin", classes=["cat", "dog"])
    >>> found.indices.tolist(), found.scores.tolist()
    ([1, 0, 2], [-0.5, 0.5, -1.0])
    >>> suspects([0.1, 2.5, 0.2], labels=[0, 1, 1]).indices.tolist()  # by losses of one's own
    [1, 2, 0]
    """
    if by not in get_args(By):
        raise ValueError(f"by is one of {', '.join(get_args(By))}, not {by!r}")
    values = inputs.floats(predictions)
    shape = tuple(labels.shape) if isinstance(labels, Tensor) else np.shape(labels)
    kind = inputs.kind_by_shape(values, shape, given)
    losses = kind == "losses"
    if losses and (by != "loss" or adjusted):
        raise ValueError("losses alone rank by='loss' and unadjusted: for another score give the logits")
    inputs.refuse_other_order(predictions, labels)
    num_classes = None if losses else values.shape[1]
    if classes is None and num_classes is not None:
        classes = inputs.names_of(predictions, labels, num_classes)
    y = inputs.class_indices(labels, num_classes, classes, ignore_index).to(values.device).flatten()
    places = (y != inputs.IGNORED).nonzero()[:, 0]
    if not len(places):
        raise ValueError(f"no label counts: {len(y)} are given, and all of them are {ignore_index!r}")
    rows = values.flatten() if losses else values.movedim(1, -1).flatten(0, -2)
    if len(places) < len(y):
        y, rows = y[places], rows[places]
    inputs.refuse_nan(rows, places)
    score = rows.double() if losses else _scores(rows, y, by, kind, adjusted)
    inputs.refuse_nan(score, places)  # what an infinite logit comes to
    scores = score.new_full((int(np.prod(shape)),), torch.nan)
    scores[places] = score
    ranked = places[score.sort(descending=True, stable=True).indices]
    return _as_given(ranked, scores.reshape(shape), predictions, labels)


_SCORES: dict[By, Callable[[Tensor, Tensor], Tensor]] = {
    "loss": lambda p, y: -_of_label(p, y).log(),
    "margin": lambda p, y: -margins(p, y),
    "self_confidence": lambda p, y: -_of_label(p, y),
}


def _scores(rows: Tensor, y: Tensor, by: By, kind: Given | None, adjusted: bool) -> Tensor:
    """Return the score of each sample, (M,), float64, from logits or probabilities, some rows at a time."""
    logits = inputs.are_logits(rows, kind)
    size = inputs.chunk(rows)
    parts = list(zip(rows.split(size), y.split(size), strict=True))
    if by == "loss" and logits and not adjusted:  # finite where the probability is rounded to 0
        return torch.cat([cross_entropy(part.double(), label, reduction="none") for part, label in parts])

    def probabilities() -> Iterator[tuple[Tensor, Tensor]]:
        to_p = partial(torch.softmax, dim=1) if logits else inputs.normalised
        return ((to_p(part.double()), label) for part, label in parts)

    if not adjusted:
        return torch.cat([_SCORES[by](p, label) for p, label in probabilities()])
    offset = _offset(probabilities(), torch.zeros(rows.shape[1], device=rows.device))
    moved = ((p + offset, label) for p, label in probabilities())
    return torch.cat([_SCORES[by](p / p.sum(dim=1, keepdim=True), label) for p, label in moved])


def _of_label(p: Tensor, y: Tensor) -> Tensor:
    return p.gather(1, y[:, None])[:, 0]


def _offset(parts: Iterable[tuple[Tensor, Tensor]], zeros: Tensor) -> Tensor:
    """Return what is added to the probabilities of each class, (K,): the largest mean less the class's."""
    sums, counts = zeros.double(), zeros.double()
    for p, y in parts:
        sums = sums.index_add(0, y, _of_label(p, y))
        counts = counts + y.bincount(minlength=len(zeros))
    means = sums / counts
    return (means.nan_to_num(0.0).max() - means).nan_to_num(0.0)


def _as_given(indices: Tensor, scores: Tensor, predictions: Any, labels: Any) -> Suspects:
    """Return tensors where the predictions are one, else arrays; scores with the labels' index if any."""
    if hasattr(labels, "iloc") and labels.ndim == 1:  # a pandas Series, without pandas
        series = type(labels)(scores.cpu().numpy(), index=labels.index, name="score")
        return Suspects(indices if isinstance(predictions, Tensor) else indices.numpy(), series)
    if isinstance(predictions, Tensor):
        return Suspects(indices, scores)
    return Suspects(indices.numpy(), scores.numpy())
