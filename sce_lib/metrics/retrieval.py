"""How well scores find the labels that are wrong, where it is known which are."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sce_lib.metrics.ranking import Suspects

__all__ = ["Detection", "detection"]


@dataclass(frozen=True)
class Detection:
    """How well scores tell flipped labels from clean ones; all shares are in [0, 1].

    Samples of equal scores are in no order: each number is the mean over all orders of them.

    Parameters
    ----------
    samples, flipped : int
        How many labels were ranked, and how many of them are wrong.
    auroc : float
        Area under the receiver operating characteristic: the probability that a wrong label has a higher
        score than a right one, equal scores counted half. 0.5 is chance.
    average_precision : float
        Precision at each distinct score, weighted by the recall it adds. The share of wrong labels is chance.
    rate : float
        The share of samples that is looked at, from the highest score on: the noise rate, if not given.
    precision, recall : float
        The share of those that are wrong, and the share of the wrong that are among those. At the noise rate
        they are equal.
    reason : str, optional
        Why the other numbers are NaN, where they are: without a wrong label or a right one there is nothing
        to tell apart.
    by_class : dict of Detection
        The same within each class of the labels that were given, in their order.
    """

    samples: int
    flipped: int
    auroc: float = math.nan
    average_precision: float = math.nan
    rate: float = math.nan
    precision: float = math.nan
    recall: float = math.nan
    reason: str | None = None
    by_class: "dict[Any, Detection]" = field(default_factory=dict)


def detection(scores: Any, flipped: Any, labels: Any = None, rate: float | None = None) -> Detection:
    """Return how well scores find the flipped labels: AUROC, average precision, precision at the noise rate.

    Parameters
    ----------
    scores : Tensor, array_like or Suspects
        The higher, the more suspicious, one a sample in the order of `flipped`; or what `suspects` returns,
        of which the samples that count are taken.
    flipped : Tensor or array_like of bool
        Whose label is wrong, such as `sce_lib.noise.NoisyLabels.flipped`; of the scores' shape.
    labels : Tensor or array_like, optional
        Classes, as indices or names, for the same within each of them: of the given labels, to know which
        class's labels are worth a look, or of the clean ones.
    rate : float, optional
        The share of samples to look at, in (0, 1]; the share of flipped ones where it is not given. In each
        class it is the same share, or that of its own flipped labels.

    Raises
    ------
    ValueError
        For shapes or pandas indices that differ, scores that are NaN, `flipped` that is neither true nor
        false, a rate out of range.

    Examples
    --------
    >>> found = detection([2.5, 0.1, 0.7, 0.2], [True, False, False, True])
    >>> found.auroc, round(found.average_precision, 4), found.precision
    (0.75, 0.8333, 0.5)
    >>> detection([0.1, 0.2], [False, False]).reason
    'none of 2 labels is wrong'
    """
    given = scores.scores if isinstance(scores, Suspects) else scores
    _refuse_other_indices({"scores": given, "flipped": flipped, "labels": labels})
    values = _array(given)
    wrong, classes = _array(flipped), None if labels is None else _array(labels)
    for name, array in (("flipped", wrong), ("labels", classes)):
        if array is not None and array.shape != values.shape:
            raise ValueError(f"scores have shape {values.shape}, {name} {array.shape}: one for each sample")
    if (wrong.size and wrong.dtype.kind not in "biu") or not np.isin(wrong, (0, 1)).all():
        raise ValueError(f"flipped says of each label whether it is wrong, True or False, not {wrong.dtype}")
    if values.size and values.dtype.kind not in "fiu":
        raise ValueError(f"scores are numbers, not {values.dtype}")
    if rate is not None and not 0 < rate <= 1:
        raise ValueError(f"rate is the share of samples to look at, in (0, 1], not {rate}")
    values, wrong = values.ravel().astype(np.float64), wrong.ravel().astype(bool)
    counts = np.ones(len(values), dtype=bool)
    if isinstance(scores, Suspects):
        counts[:] = False
        counts[_array(scores.indices)] = True
    for place in np.flatnonzero(np.isnan(values) & counts)[:1]:
        raise ValueError(
            f"the score at index {place} is NaN; if its label does not count, give all that suspects returns"
        )
    by_class = {}
    if classes is not None:
        try:
            names, members = np.unique(classes.ravel()[counts], return_inverse=True)
        except TypeError as error:
            raise ValueError(f"labels are of one kind, and none is missing: {error}") from error
        parts = {name: members == place for place, name in enumerate(names.tolist())}
        by_class = {n: _detection(values[counts][m], wrong[counts][m], rate, {}) for n, m in parts.items()}
    return _detection(values[counts], wrong[counts], rate, by_class)


def _refuse_other_indices(given: dict[str, Any]) -> None:
    """Raise if those that are pandas' differ in their index: what is of one sample stands in one place."""
    indices = {name: value.index for name, value in given.items() if hasattr(value, "iloc")}
    first = next(iter(indices), "")
    for name in indices:
        if not indices[name].equals(indices[first]):
            raise ValueError(
                f"{first} and {name} have other indices: bring them into one order, by .reindex, or give "
                "numpy arrays, which go by place"
            )


def _array(value: Any) -> NDArray[Any]:
    if not isinstance(value, Tensor):
        return np.asarray(value)
    value = value.detach().cpu()
    return (value.double() if value.is_floating_point() else value).numpy()  # numpy has no bfloat16


def _detection(
    scores: NDArray[np.float64], wrong: NDArray[np.bool_], rate: float | None, by_class: dict[Any, Detection]
) -> Detection:
    samples, flipped = len(wrong), int(wrong.sum())
    right = samples - flipped
    if not flipped or not right:
        which = "none" if not flipped else "every one"
        return Detection(samples, flipped, reason=f"{which} of {samples} labels is wrong", by_class=by_class)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    # The last place of each group of equal scores: only there is it certain what has been taken.
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), samples - 1)
    taken = np.append(0, ends + 1)
    found = np.append(0, np.cumsum(wrong[order])[ends])
    more, passed = np.diff(found), np.diff(taken - found)
    looked_at = flipped if rate is None else max(1, math.floor(rate * samples + 0.5))
    # Within a group every order is as good as another: what is found in it grows in a straight line.
    hits = float(np.interp(looked_at, taken, found))
    return Detection(
        samples=samples,
        flipped=flipped,
        auroc=float((passed * (found[1:] + found[:-1])).sum() / (2 * flipped * right)),
        average_precision=float((more * (found[1:] / taken[1:])).sum() / flipped),
        rate=looked_at / samples,
        precision=hits / looked_at,
        recall=hits / flipped,
        by_class=by_class,
    )
