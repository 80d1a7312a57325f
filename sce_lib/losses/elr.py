"""Early-learning regularization: cross entropy that remembers what the network said of each sample."""

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from sce_lib.losses.functional import inputs
from sce_lib.losses.functional.inputs import Reduction

__all__ = ["ELR"]

# The authors' code keeps every probability this far from 0 and 1, so that the logarithm stays finite.
CLIP = 1e-4


class ELR(nn.Module):
    r"""Early-learning regularization, "ELR" (Liu et al., NeurIPS 2020).

    Cross entropy plus :math:`\lambda \log(1 - \langle t, p \rangle)`, with :math:`t` the moving average of
    the probabilities that the network has given the sample so far,

    .. math:: t \leftarrow \beta\, t + (1 - \beta)\, p,

    0 at first and constant in the gradient. A network learns from the right labels before it memorises the
    wrong ones; the second term, which knows nothing of labels, holds it to what it said then.

    Parameters
    ----------
    num_samples : int
        How many training samples there are; one row of the memory each.
    num_classes : int
        Number of classes K.
    momentum : float
        The average's :math:`\beta`, in [0, 1). The authors' values: 0.7 for CIFAR-10, 0.9 for CIFAR-100.
    lambda_ : float
        Weight of the regularization, finite and at least 0; 0 is cross entropy. The authors' values: 3 for
        CIFAR-10, 7 for CIFAR-100.
    reduction : {"mean", "sum", "none"}
        As for ``torch.nn.CrossEntropyLoss``.

    Notes
    -----
    The memory is per sample, so the call takes a third argument that torch's losses do not: the samples'
    positions in the training set, which a data set that gives ``(image, label, index)`` has. This is why ELR
    is no :class:`sce_lib.losses.Loss` and no ``torch.nn.CrossEntropyLoss``: whatever calls ``loss(input,
    target)`` cannot use it, and it has no ``weight`` and no ``ignore_index``.

    ``targets``, shape ``(num_samples, num_classes)``, is the memory. It is part of ``state_dict``, so that a
    checkpoint of the loss beside that of the network resumes both; it may stay on the CPU where a GPU has no
    room for it. After ``eval()`` the loss is computed with the memory as it is.

    Probabilities are kept between 1e-4 and 1 - 1e-4, without gradient beyond, and those that are remembered
    divided by their sum, as in the authors' public code. So the loss may be negative, but not without bound.
    Elsewhere the second term's gradient at logit j is :math:`-\lambda\,p_j\,(t_j - \langle t, p \rangle) /
    (1 - \langle t, p \rangle)`.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> images, labels = torch.randn(6, 3, generator=generator), torch.tensor([0, 1, 0, 1, 0, 1])
    >>> weights = torch.zeros(3, 2, requires_grad=True)
    >>> loss = ELR(num_samples=6, num_classes=2)
    >>> for epoch in range(2):
    ...     for index in torch.randperm(6, generator=generator).split(3):
    ...         value = loss(images[index] @ weights, labels[index], index)
    ...         (gradient,) = torch.autograd.grad(value, weights)
    ...         weights.data -= 0.5 * gradient
    >>> loss.targets.sum(1)  # 1 - momentum ** 2: each sample was seen twice
    tensor([0.5100, 0.5100, 0.5100, 0.5100, 0.5100, 0.5100])
    """

    name: ClassVar[str] = "elr"
    stateful: ClassVar[bool] = True
    targets: Tensor

    def __init__(
        self,
        num_samples: int,
        num_classes: int,
        momentum: float = 0.7,
        lambda_: float = 3.0,
        *,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        for name, value, least in (("num_samples", num_samples, 1), ("num_classes", num_classes, 2)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}, got {name}={value!r}")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, got momentum={momentum!r}")
        inputs.check_at_least_zero(lambda_=lambda_)
        inputs.check_reduction(reduction)
        self.num_samples, self.num_classes = num_samples, num_classes
        self.momentum, self.lambda_, self.reduction = momentum, lambda_, reduction
        self.register_buffer("targets", torch.zeros(num_samples, num_classes))

    if TYPE_CHECKING:  # torch leaves the type of a module's call open

        def __call__(self, input: Tensor, target: Tensor, index: Any) -> Tensor: ...  # noqa: D102

    def forward(self, input: Tensor, target: Tensor, index: Any = None) -> Tensor:
        """Return the reduced loss, and remember what the network says of these samples unless in ``eval()``.

        Parameters
        ----------
        input : Tensor (N, K)
            Logits.
        target : Tensor
            Class indices ``(N,)`` or probabilities ``(N, K)``.
        index : Tensor (N,)
            Positions of the samples in the training set, integers in ``[0, num_samples)``. Of one that occurs
            twice, one of the two predictions is remembered.

        Raises
        ------
        TypeError
            Without an index, or with one that does not hold integers.
        ValueError
            For an index, or logits, of another shape.
        IndexError
            For an index out of range (not looked for under ``torch.compile``).
        """
        logits, target = inputs.checked(input, target)
        if logits.ndim != 2 or logits.shape[1] != self.num_classes:
            raise ValueError(f"logits must have the shape (N, {self.num_classes}), got {tuple(logits.shape)}")
        index = self._checked(index, len(logits))
        ce = inputs.negative_log_likelihood(logits, target)  # first: what it refuses is not remembered
        p = logits.softmax(1).clamp(CLIP, 1 - CLIP)
        agreement = (self._remembered(index, p.detach()) * p).sum(1)
        return inputs.reduced(ce + self.lambda_ * torch.log1p(-agreement), self.reduction)

    def hyperparameters(self) -> dict[str, Any]:
        """Return the loss's own hyperparameters by name."""
        names = ("num_samples", "num_classes", "momentum", "lambda_")
        return {name: getattr(self, name) for name in names}

    def extra_repr(self) -> str:
        """Hyperparameters, for ``repr``."""
        return ", ".join(f"{name}={value}" for name, value in self.hyperparameters().items())

    def _checked(self, index: Any, size: int) -> Tensor:
        told = f"loss(input, target, index), with the {size} samples' positions in the training set"
        if index is None:
            raise TypeError(f"ELR remembers each sample and must be told which these are: {told}")
        index = torch.as_tensor(index)
        if index.is_floating_point() or index.is_complex() or index.dtype == torch.bool:
            raise TypeError(f"index must hold integers, got {index.dtype}: {told}")
        if index.shape != (size,):
            raise ValueError(f"index must have the shape ({size},), got {tuple(index.shape)}: {told}")
        if size and not torch.compiler.is_compiling():
            for place in (int(index.min()), int(index.max())):
                if not 0 <= place < self.num_samples:
                    raise IndexError(f"index {place} is not from 0 to {self.num_samples - 1}: {told}")
        return index.to(self.targets.device, torch.int64)

    @torch.no_grad()
    def _remembered(self, index: Tensor, p: Tensor) -> Tensor:
        """Return the moving averages of these samples; in training, after the present prediction."""
        average = self.targets[index].to(p)
        if self.training:
            average = self.momentum * average + (1 - self.momentum) * p / p.sum(1, keepdim=True)
            self.targets[index] = average.to(self.targets)
        return average
