"""What all loss modules share: from per-sample losses to what ``torch.nn.CrossEntropyLoss`` would return."""

import functools
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import torch
from torch import Tensor, nn

from sce_lib.losses.functional import half
from sce_lib.losses.functional.baselines import smooth_target
from sce_lib.losses.functional.inputs import (
    Reduction,
    check_numbers,
    check_reduction,
    check_unit_interval,
    checked,
    checked_labels,
    class_dimension,
    class_indices,
    is_soft,
    nll_of_log_p,
)

__all__ = ["Loss"]


class Aggregation(TypedDict, total=False):
    """The keywords that every loss takes besides its own; explained at :class:`Loss`."""

    weight: Tensor | None
    ignore_index: int
    reduction: Reduction
    label_smoothing: float


class Loss(nn.CrossEntropyLoss):
    r"""Base of all losses, a ``torch.nn.CrossEntropyLoss``; a subclass provides :meth:`per_sample`.

    Logits and targets are those of :mod:`sce_lib.losses.functional`. The keywords are torch's, except for its
    deprecated ``size_average`` and ``reduce``, which are refused (``TypeError``): ``reduction`` says both.

    Parameters
    ----------
    weight : Tensor, optional
        One factor per class, shape ``(K,)``, finite and at least 0. The loss of a class index is multiplied
        by the factor of its class. How probabilities are weighted is said below.
    ignore_index : int
        Samples with this class index contribute neither loss nor gradient and read 0 under ``"none"``. As in
        torch it concerns class indices only; one of 0 or more is refused together with probabilities.
    reduction : {"mean", "sum", "none"}
        ``"none"`` returns the per-sample losses, ``"sum"`` adds them up. ``"mean"`` divides the sum by the
        total weight of the samples that count (class indices) or by the number of samples (probabilities).
        The mean of no samples is NaN, as in torch.
    label_smoothing : float
        The share :math:`\epsilon` of the uniform distribution, in [0, 1]: the loss becomes that of the
        probabilities :math:`(1-\epsilon)\,q + \epsilon/K`, as :class:`sce_lib.losses.SmoothedTargets` makes
        them. That one and :class:`sce_lib.losses.LabelSmoothing`, which smooth by themselves, refuse it. A
        mean over class indices still divides by the weights of these.

    Notes
    -----
    With probabilities *and* ``weight``, ``torch.nn.CrossEntropyLoss`` puts the factors inside its sum over
    the classes, :math:`-\sum_k w_k q_k \log p_k`. So does every loss here that is a mean over labels,
    :math:`\sum_k w_k q_k \ell_k` (`mean_over_labels`), and so do sums of them for each of their terms, SL for
    its cross entropy. The others are no such sum for probabilities (reverse cross entropy, mean absolute
    error, bootstrapping, Jensen-Shannon): there a sample's loss is multiplied by :math:`\sum_k w_k q_k`. The
    two agree where the target is one-hot.

    Attributes
    ----------
    mean_over_labels : bool
        Of a class: whether its loss of probabilities is :math:`\sum_k q_k \ell_k`, with :math:`\ell_k` that
        of class index k.
    stateful : bool
        Of a class: whether the loss of a sample depends on more than its logits and target, as D2L's does on
        the epoch. Such a loss cannot be part of another.

    Examples
    --------
    A loss of your own needs one method:

    >>> class Brier(Loss):
    ...     def per_sample(self, logits, target):
    ...         one_hot = torch.nn.functional.one_hot(target, logits.shape[1])
    ...         return (logits.softmax(1) - one_hot).square().sum(1)
    >>> Brier(reduction="sum")(torch.zeros(3, 2), torch.tensor([0, 1, -100]))
    tensor(1.)
    >>> isinstance(Brier(), torch.nn.CrossEntropyLoss)
    True
    """

    mean_over_labels: ClassVar[bool] = False
    stateful: ClassVar[bool] = False
    _names: tuple[str, ...] = ()  # of the hyperparameters
    # Whether `_from_logs` gives the loss of class indices, which is 0 where -log p_y is. Then torch skips
    # ignored labels by itself, and a sum of such losses takes the logarithms once.
    _by_logs: bool = False

    def __init__(
        self,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        check_weight(weight)
        if isinstance(ignore_index, bool) or not isinstance(ignore_index, int):
            raise TypeError(f"ignore_index must be a class index, an integer; got {ignore_index!r}")
        check_reduction(reduction)
        check_unit_interval(label_smoothing=label_smoothing)
        super().__init__(
            weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
        )

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "forward" not in vars(cls):
            cls.forward = _copied(cls.forward)  # type: ignore[method-assign]

    if TYPE_CHECKING:  # torch leaves the type of a module's call open

        def __call__(self, input: Tensor, target: Tensor) -> Tensor: ...  # noqa: D102

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``, before smoothing, weights, ignored labels and reduction."""
        raise NotImplementedError

    def hyperparameters(self) -> dict[str, Any]:
        """Return the loss's own hyperparameters by name."""
        return {name: getattr(self, name) for name in self._names}

    def extra_repr(self) -> str:
        """Hyperparameters, and what of torch's keywords is not the default, for ``repr``."""
        shown = self.hyperparameters()
        for name, default in (("ignore_index", -100), ("reduction", "mean"), ("label_smoothing", 0.0)):
            if (value := getattr(self, name)) != default:
                shown[name] = value
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the reduced loss of logits: a scalar, or ``(N, d1, ...)`` under ``reduction="none"``."""
        return self._of_probabilities(input, target) if is_soft(target) else self._of_labels(input, target)

    def _of_labels(self, logits: Tensor, target: Tensor) -> Tensor:
        weight = self.weight
        if self._by_logs and weight is None and not self.label_smoothing:
            losses = self._skipping(logits, target)
            target = class_indices(target)
            counted = target != self.ignore_index if self.reduction == "mean" else target
        else:
            target = class_indices(target)
            counted = target != self.ignore_index
            target = target * counted  # an ignored label becomes class 0; its loss is dropped here
            losses = torch.where(counted, self._of_samples(logits, target, weight), 0.0)
        if self.reduction != "mean":
            return losses.sum() if self.reduction == "sum" else losses
        if weight is None:
            return losses.sum() / counted.count_nonzero()
        return losses.sum() / (sample_weights(weight, logits, target, losses.dtype) * counted).sum()

    def _of_probabilities(self, logits: Tensor, target: Tensor) -> Tensor:
        if self.ignore_index >= 0:
            given = f"ignore_index={self.ignore_index} names a class index"
            raise ValueError(f"{given}, but the target holds probabilities")
        losses = self._of_samples(logits, target, self.weight)
        if self.reduction == "mean":
            return losses.mean()
        return losses.sum() if self.reduction == "sum" else losses

    def _of_samples(self, logits: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Loss of each sample, labels smoothed, classes weighted by this loss's weight or an outer one's."""
        if self.label_smoothing:
            target = smooth_target(logits, target, self.label_smoothing)
        return self.per_sample(logits, target) if weight is None else self._weighted(logits, target, weight)

    def _skipping(self, logits: Tensor, target: Tensor) -> Tensor:
        logits, target = checked(logits, target)
        log_p = logits.log_softmax(class_dimension(logits))
        return self._from_logs(nll_of_log_p(log_p, target, self.ignore_index), log_p)

    def _from_logs(self, nll: Tensor, log_p: Tensor) -> Tensor:
        raise NotImplementedError

    def _weighted(self, logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        if self.mean_over_labels and is_soft(target):
            return self.per_sample(logits, weighted_target(weight, logits, target))
        losses = self.per_sample(logits, target)
        return sample_weights(weight, logits, target, losses.dtype) * losses


def _copied(function: Any) -> Any:
    """Return a function that does the same by code of its own.

    torch.compile counts by code how often it has compiled, and gives up after eight times; so many classes of
    losses may well meet in one process.
    """
    code, name = function.__code__.replace(), function.__name__
    copied = types.FunctionType(code, function.__globals__, name, function.__defaults__, function.__closure__)
    return functools.update_wrapper(copied, function, updated=())


def check_weight(weight: Any) -> None:
    """Refuse what holds no factors of classes; how many classes there are, only the logits say."""
    if weight is None:
        return
    if not isinstance(weight, Tensor):
        given = f"got {type(weight).__name__}: weight=torch.as_tensor(...)"
        raise TypeError(f"weight must be a tensor of one factor per class, {given}")
    if weight.ndim != 1:
        raise ValueError(f"weight must hold one factor per class, shape (K,); got {tuple(weight.shape)}")
    if not weight.is_meta and not ((weight >= 0) & (weight < torch.inf)).all():
        raise ValueError(f"weight must hold finite factors of at least 0, got weight={weight.tolist()}")


def weighted_target(weight: Tensor, logits: Tensor, target: Tensor) -> Tensor:
    """Probabilities times the factors of their classes."""
    dim = class_dimension(logits)
    classes_last = target.movedim(dim, -1) * _factors(weight, logits, target.dtype)
    return classes_last.movedim(-1, dim)


def sample_weights(weight: Tensor, logits: Tensor, target: Tensor, dtype: torch.dtype) -> Tensor:
    """Weight of each sample: the factor of its class, or its mean under the target's probabilities."""
    factors = _factors(weight, logits, dtype)
    if is_soft(target):
        return (target.to(dtype).movedim(class_dimension(logits), -1) * factors).sum(-1)
    return factors.gather(0, target.flatten()).view_as(target)


def _factors(weight: Tensor, logits: Tensor, dtype: torch.dtype) -> Tensor:
    num_classes = logits.shape[class_dimension(logits)]
    if len(weight) != num_classes:
        raise ValueError(f"weight has {len(weight)} factors for logits of {num_classes} classes")
    return weight.to(dtype)


def check_one_number_of_classes(loss: Loss) -> None:
    """Refuse a loss whose matrices and weights, those of its parts too, are not of one number of classes."""
    sizes = {f"{name.rpartition('.')[2]} of {len(held)}" for name, held in loss.named_buffers() if held.ndim}
    if len({size.split()[-1] for size in sizes}) > 1:
        raise ValueError(
            f"{type(loss).__name__} is for one number of classes, but has {', '.join(sorted(sizes))}"
        )


class OfFormula(Loss):
    """Base of the losses that are a function of :mod:`sce_lib.losses.functional`, hyperparameters held.

    A subclass names the function in `_formula`, and gives its hyperparameters by the function's names.
    """

    _formula: ClassVar[Callable[..., Tensor]]
    _of_nll: ClassVar[Callable[..., Tensor] | None] = None  # of a class index; 0 at 0

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        # A subclass with a formula of its own is computed by that.
        of_formula = cls.per_sample is OfFormula.per_sample
        cls._by_logs = of_formula and (cls._of_nll is not None or cls._from_logs is not OfFormula._from_logs)

    def _skipping(self, logits: Tensor, target: Tensor) -> Tensor:
        if self._of_nll is None or not half.worth_it(logits):
            return super()._skipping(logits, target)
        target = checked_labels(logits, target)
        nll = half.negative_log_likelihood(logits, target, self.ignore_index)
        return self._of_nll(nll, **self.hyperparameters())

    def _from_logs(self, nll: Tensor, log_p: Tensor) -> Tensor:
        assert self._of_nll is not None
        return self._of_nll(nll, **self.hyperparameters())

    def __init__(self, hyperparameters: dict[str, Any], aggregation: Aggregation) -> None:
        super().__init__(**aggregation)
        # None and strings may be choices of a loss, numbers must be numbers.
        check_numbers(**{name: value for name, value in hyperparameters.items() if value is not None})
        # The function itself refuses what is out of its range, here and not in the first step of training.
        self._formula(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64), **hyperparameters)
        self._names = tuple(hyperparameters)
        for name, value in hyperparameters.items():
            setattr(self, name, value)

    def per_sample(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, ``(N, d1, ...)``."""
        return self._formula(logits, target, **self.hyperparameters())


def refuse_smoothing(loss: Loss, aggregation: Aggregation) -> None:
    """Refuse a second share of the uniform distribution for a loss that smooths its target itself."""
    if share := aggregation.get("label_smoothing"):
        name = type(loss).__name__
        raise ValueError(f"{name} smooths by epsilon: give that alone, not label_smoothing={share!r} too")
