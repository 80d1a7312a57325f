"""A network small enough to train in a cell, seen as a sequence of classifiers on its training set."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sce_lib.theory.problems import Array

__all__ = ["predictions_while_training"]


def predictions_while_training(
    inputs: ArrayLike,
    labels: ArrayLike,
    loss: Callable[[Tensor, Tensor], Tensor],
    num_classes: int,
    epochs: int = 12,
    hidden: int = 64,
    learning_rate: float = 0.1,
    batch_size: int = 64,
    seed: int = 0,
    device: str = "cpu",
    at: ArrayLike | None = None,
) -> Array:
    """Train a network of one hidden layer by SGD and return what it predicts after each epoch.

    Parameters
    ----------
    inputs, labels : array_like (N, D) and (N,)
        Features, of order 1, and the labels to train on, noisy or not, in 0 … K − 1.
    epochs, hidden, learning_rate, batch_size
        Passes over the data, width of the hidden layer, SGD's step, samples a step.
    seed : int
        Of initial weights and batches; the global random state is not touched.
    at : array_like (M, D), optional
        Where to predict, by default at the inputs that are trained on (M = N).

    Returns
    -------
    ndarray (epochs + 1, M, K)
        Predicted probabilities, float64, before training and after each epoch: classifiers for a
        `FiniteProblem` whose inputs are the N training samples.

    Examples
    --------
    >>> from sce_lib.losses.functional import cross_entropy
    >>> predictions_while_training(np.eye(4), [0, 0, 1, 1], cross_entropy, 2, epochs=3).shape
    (4, 4, 2)
    """
    x = torch.as_tensor(np.asarray(inputs), dtype=torch.float32, device=device)
    y = torch.as_tensor(np.asarray(labels), dtype=torch.int64, device=device)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise ValueError(f"need inputs (N, D) and labels (N,), got shapes {shapes}")
    seen_at = x if at is None else torch.as_tensor(np.asarray(at), dtype=torch.float32, device=device)
    if seen_at.ndim != 2 or seen_at.shape[1] != x.shape[1]:
        raise ValueError(f"at needs {x.shape[1]} features, (M, {x.shape[1]}); got {tuple(seen_at.shape)}")
    generator = torch.Generator(device).manual_seed(seed)
    parameters = []
    for inside, outside in itertools.pairwise((x.shape[1], hidden, num_classes)):
        weight = torch.randn(inside, outside, generator=generator, device=device) * (2 / inside) ** 0.5
        parameters += [weight.requires_grad_(), torch.zeros(outside, device=device, requires_grad=True)]

    def logits(batch: Tensor) -> Tensor:
        w1, b1, w2, b2 = parameters
        return torch.relu(batch @ w1 + b1) @ w2 + b2

    def predicted() -> Any:
        with torch.no_grad():
            return logits(seen_at).double().softmax(dim=1).cpu().numpy()

    optimiser = torch.optim.SGD(parameters, lr=learning_rate, momentum=0.9)
    seen = [predicted()]
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator, device=device).split(batch_size):
            optimiser.zero_grad()
            loss(logits(x[rows]), y[rows]).mean().backward()
            optimiser.step()
        seen.append(predicted())
    return np.stack(seen)
