"""Whether predicted probabilities mean what they say."""

from typing import NamedTuple

import torch
from torch import Tensor

from sce_lib.metrics.inputs import require_probabilities

__all__ = ["Reliability", "calibration_error", "reliability"]


class Reliability(NamedTuple):
    """Samples by confidence, the largest predicted probability: a row a bin that has a sample.

    Parameters
    ----------
    confidence, accuracy : Tensor (B,)
        Mean confidence of the bin's samples, and the portion of them that are predicted rightly; float64.
    samples : Tensor (B,)
        How many samples the bin has.
    """

    confidence: Tensor
    accuracy: Tensor
    samples: Tensor


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Reliability:
    """Sort samples into bins of equal width by their confidence (Guo et al., ICML 2017).

    Parameters
    ----------
    probabilities, labels : Tensor (N, K) and (N,)
        Predictions, which sum to 1, and class indices.
    bins : int
        How many bins [0, 1] is cut into, at least 1.

    Raises
    ------
    ValueError
        For shapes that do not fit, no sample, numbers that are no probabilities, or fewer than one bin.

    Examples
    --------
    >>> p = torch.tensor([[0.75, 0.25], [1.0, 0.0], [0.25, 0.75]])
    >>> found = reliability(p, torch.tensor([0, 1, 1]), bins=2)
    >>> [round(float(values[0]), 2) for values in found]
    [0.83, 0.67, 3.0]
    """
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        shapes = f"{tuple(probabilities.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"probabilities are (N, K) and labels (N,), of one sample at least; got {shapes}")
    if bins < 1:
        raise ValueError(f"bins is how many parts [0, 1] is cut into, at least 1, not {bins}")
    require_probabilities(probabilities)
    confidence, predicted = probabilities.double().max(dim=1)
    place = (confidence * bins).long().clamp(max=bins - 1)
    count = torch.bincount(place, minlength=bins)
    seen = count > 0

    def means(values: Tensor) -> Tensor:
        sums = torch.zeros(bins, dtype=torch.float64, device=values.device).index_add_(0, place, values)
        return sums[seen] / count[seen]

    right = (predicted == labels.to(predicted.device)).double()
    return Reliability(means(confidence), means(right), count[seen])


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Return the expected calibration error: the mean distance of confidence and accuracy, over bins.

    In [0, 1]. Bins count by their samples; parameters and errors are those of `reliability`.

    Examples
    --------
    >>> p = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    >>> round(calibration_error(p, torch.tensor([0, 1, 1]), bins=2), 4)
    0.1333
    """
    found = reliability(probabilities, labels, bins)
    apart = (found.confidence - found.accuracy).abs()
    return float((apart * found.samples).sum() / found.samples.sum())
