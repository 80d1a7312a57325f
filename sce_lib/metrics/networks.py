"""What is measured of a network: by class, on clean and on flipped samples, on the logits alone."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["accuracy", "class_means", "classwise_accuracy", "clean_confidence", "confusion_matrix"]
__all__ += ["gradient_weight", "local_intrinsic_dimensionality", "margins", "prediction_counts"]


def confusion_matrix(labels: Tensor, predictions: Tensor, num_classes: int) -> Tensor:
    """Count samples by true class (row) and predicted class (column), shape (K, K).

    Examples
    --------
    >>> confusion_matrix(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    flat = torch.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes)


def accuracy(labels: Tensor, predictions: Tensor) -> float:
    """Return the portion of samples predicted as labelled.

    Examples
    --------
    >>> accuracy(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 2, 0]))
    0.75
    """
    return (labels == predictions).double().mean().item()


def classwise_accuracy(labels: Tensor, predictions: Tensor, num_classes: int) -> Tensor:
    """Return each class's accuracy (recall), shape (K,), float64: the curves of Figs. 1, 3 and 5.

    Examples
    --------
    >>> classwise_accuracy(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2).tolist()
    [0.5, 1.0]
    """
    return class_means((labels == predictions).double(), labels, num_classes)


def class_means(values: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return the mean of per-sample values, (N,) or (N, D), within each class: (K,) or (K, D), float64.

    Examples
    --------
    >>> class_means(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 0, 2]), 3).tolist()
    [2.0, nan, 5.0]
    """
    sums = torch.zeros(num_classes, *values.shape[1:], dtype=torch.float64, device=values.device)
    sums.index_add_(0, labels, values.double())
    counts = torch.bincount(labels, minlength=num_classes)
    return sums / counts.reshape(-1, *(1,) * (values.ndim - 1))


def clean_confidence(probabilities: Tensor, clean: Tensor, flipped: Tensor) -> Tensor:
    """Return the mean predicted probabilities over the clean portion of each class, (K, K): Figs. 4a and 6a.

    Parameters
    ----------
    probabilities, clean : Tensor (N, K) and (N,)
        Predictions on the training samples, and their labels before the noise.
    flipped : Tensor of bool (N,)
        Whose label the noise has changed; these are left out.

    Examples
    --------
    >>> p = torch.tensor([[0.75, 0.25], [0.0, 1.0], [0.25, 0.75]])
    >>> clean_confidence(p, torch.tensor([0, 0, 1]), torch.tensor([False, True, False])).tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """
    kept = ~flipped
    return class_means(probabilities[kept], clean[kept], probabilities.shape[1])


def prediction_counts(clean: Tensor, predictions: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return how many samples are predicted as each class, and how many of those rightly: Figs. 4b and 6b.

    Examples
    --------
    >>> predicted, correct = prediction_counts(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2)
    >>> predicted.tolist(), correct.tolist()
    ([1, 2], [1, 1])
    """
    table = confusion_matrix(clean, predictions, num_classes)
    return table.sum(dim=0), table.diagonal()


def margins(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Return p(label) minus the largest other probability, shape (N,), in [-1, 1].

    Examples
    --------
    >>> margins(torch.tensor([[0.75, 0.25], [0.75, 0.25]]), torch.tensor([0, 1])).tolist()
    [0.5, -0.5]
    """
    others = probabilities.scatter(1, labels[:, None], -1.0).amax(dim=1)
    return probabilities.gather(1, labels[:, None])[:, 0] - others


def gradient_weight(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor) -> Tensor:
    """Return the size of each sample's gradient at its logits, ``sum_j |dloss/dz_j|``, shape (N,).

    For hard labels and SL it is ``2 (alpha + beta |A| p_y) (1 - p_y)``, by Eq. (10).

    Parameters
    ----------
    loss : callable
        A mean-reduced loss of logits (N, K) and labels (N,) in which samples do not interact.

    Examples
    --------
    >>> logits = torch.zeros(1, 2, dtype=torch.float64)
    >>> gradient_weight(torch.nn.CrossEntropyLoss(), logits, torch.tensor([0])).tolist()
    [1.0]
    """
    with torch.enable_grad():
        leaf = logits.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(leaf, labels), leaf)
    return gradient.abs().sum(dim=1) * len(labels)


def local_intrinsic_dimensionality(features: Tensor, k: int = 20) -> Tensor:
    r"""Maximum likelihood estimate of the local intrinsic dimensionality at each sample.

    :math:`-\left(\frac1k \sum_{i=1}^k \log\frac{r_i}{r_k}\right)^{-1}`, with :math:`r_i` the Euclidean
    distance to the i-th nearest of the *other* samples given (D2L takes a mini-batch of 128 at a time). A
    distance of 0 counts as the smallest positive number; k equally far neighbours give infinity.

    Parameters
    ----------
    features : Tensor (N, ...)
        Flattened to ``(N, D)``, and computed with, as the result (N,) is, in float64.
    k : int
        Number of neighbours, from 2 to N - 1, else a `ValueError`.

    Examples
    --------
    >>> line = torch.linspace(0, 1, 128)[:, None] * torch.ones(64)
    >>> local_intrinsic_dimensionality(line).median()
    tensor(1.2624, dtype=torch.float64)
    """
    if not 2 <= k < len(features):
        most = len(features) - 1
        raise ValueError(f"k must be from 2 to the number of samples less one, {most}, got k={k}")
    points = features.detach().flatten(1).double()
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(math.inf)
    nearest = distances.topk(k, largest=False).values.clamp(min=torch.finfo(torch.float64).tiny)
    return 1 / (nearest[:, -1:] / nearest).log().mean(1)  # this way round no spread at all is +inf
