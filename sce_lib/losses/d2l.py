"""Dimensionality-driven learning: the one method whose loss has a memory."""

import math
import statistics
from typing import Any, ClassVar, Literal, Unpack

import torch
from torch import Tensor

from sce_lib.losses.functional.inputs import checked, class_dimension, is_soft, one_hot_like
from sce_lib.losses.modules.base import Aggregation, Loss
from sce_lib.losses.modules.composite import shared


class D2L(Loss):
    r"""Dimensionality-driven learning, "D2L" (Ma et al., ICML 2018).

    The local intrinsic dimensionality (LID) of a network's features first falls and rises again once wrong
    labels are memorised. D2L watches it from epoch to epoch. Where the LID exceeds its mean over the window
    of epochs before by more than two standard deviations, training goes back by one epoch, and from then on
    the targets are :math:`\alpha q + (1-\alpha)\,\hat y`, with :math:`\hat y` the network's most probable
    class and

    .. math:: \alpha_i = \exp\left(-\frac{i}{T}\,\frac{LID_i}{\min_{j<i} LID_j}\right).

    Parameters
    ----------
    loss : Loss
        What is applied to the targets: cross entropy in D2L proper, SL in "D2L+SL". Of ``weight``,
        ``ignore_index`` and ``reduction`` what is not given is taken from it.
    epochs : int
        Length T of the training.
    window : int
        How many epochs an epoch's LID is compared with, at least 2.
    first_epoch : int
        The first epoch (from 0) that a window may contain; the turning point comes ``window`` later at the
        earliest.

    Notes
    -----
    Call :meth:`observe` after each epoch. ``alpha`` is the weight of the given labels, 1 until the turning
    point; ``turning_point`` the epoch that was given up, or None; ``lids`` every LID observed. ``state_dict``
    contains all of it, so that a checkpoint of the loss beside that of the network resumes both.

    The authors' public code has window 5 for all data sets; first epoch 5 for MNIST, 40 for CIFAR-10 and 60
    for CIFAR-100 in one version, 5, 10 and 20 in a later one. It takes the deviation of the window as a
    population's (division by the number of epochs), as is done here. Its minimum includes the present
    epoch, which makes a difference only where that is itself the minimum.

    Examples
    --------
    >>> from sce_lib.losses import CrossEntropy
    >>> loss = D2L(CrossEntropy(), epochs=10, window=3, first_epoch=0)
    >>> [loss.observe(epoch, lid) for epoch, lid in enumerate([9.0, 6.0, 5.0, 5.5, 12.0])]
    ['continue', 'continue', 'continue', 'continue', 'rollback']
    >>> loss.turning_point, loss.alpha
    (4, tensor(0.3829, dtype=torch.float64))
    """

    alpha: Tensor
    stateful: ClassVar[bool] = True
    _names = ("epochs", "window", "first_epoch")

    def __init__(
        self,
        loss: Loss,
        epochs: int,
        window: int = 5,
        first_epoch: int = 5,
        **aggregation: Unpack[Aggregation],
    ) -> None:
        given = {"epochs": (epochs, 1), "window": (window, 2), "first_epoch": (first_epoch, 0)}
        for name, (value, least) in given.items():
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {name}={value!r}")
        super().__init__(**shared([loss], aggregation))
        self.loss, self.epochs, self.window, self.first_epoch = loss, epochs, window, first_epoch
        self.register_buffer("alpha", torch.ones((), dtype=torch.float64))
        self.turning_point: int | None = None
        self.lids: list[float] = []

    def observe(self, epoch: int, lid: float) -> Literal["continue", "rollback"]:
        """Take note of the mean LID after an epoch (from 0); tell whether to go back to the weights before.

        ``"rollback"`` comes once, at the turning point. An LID that is no positive number is refused: it is
        infinite or NaN where the features of many samples coincide, since the network has collapsed.
        """
        if epoch != len(self.lids):
            raise ValueError(f"epoch {len(self.lids)} is the next to observe, got epoch {epoch}")
        if not 0 < lid < math.inf:
            raise ValueError(f"the LID of epoch {epoch} must be finite and above 0, got {lid!r}")
        before = self.lids
        self.lids = [*before, float(lid)]
        turns = self.turning_point is None and self._exceeds_window(epoch, lid)
        if turns:
            self.turning_point = epoch
        if self.turning_point is not None:
            self.alpha.fill_(math.exp(-epoch / self.epochs * lid / min(before)))
        return "rollback" if turns else "continue"

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return self._weighted(logits, target, None)

    def _weighted(self, logits: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        if self.turning_point is None:
            return self.loss._of_samples(logits, target, weight)
        logits, target = checked(logits, target)
        given = target if is_soft(target) else one_hot_like(logits, target)
        predicted = one_hot_like(logits, logits.argmax(class_dimension(logits)))
        return self.loss._of_samples(logits, self.alpha * given + (1 - self.alpha) * predicted, weight)

    def get_extra_state(self) -> dict[str, Any]:
        """State besides ``alpha``, for ``state_dict``."""
        return {"lids": list(self.lids), "turning_point": self.turning_point}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`get_extra_state` gave."""
        self.lids, self.turning_point = list(state["lids"]), state["turning_point"]

    def _exceeds_window(self, epoch: int, lid: float) -> bool:
        if epoch < self.first_epoch + self.window:
            return False
        window = self.lids[epoch - self.window : epoch]
        return lid > statistics.fmean(window) + 2 * statistics.pstdev(window)
