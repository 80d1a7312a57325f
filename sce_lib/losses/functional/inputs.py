"""What all loss functions do with their input before the formula begins."""

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

# torch skips targets equal to its ignore_index. Here no label may be skipped unnoticed, so torch is given an
# index that no label has; ignoring is the modules' business.
_NO_LABEL = -(2**63)

Reduction = Literal["mean", "sum", "none"]


def class_dimension(logits: Tensor) -> int:
    """Return the dimension that runs over the classes: 1, or 0 for the logits of a single sample."""
    return 0 if logits.ndim == 1 else 1


def is_soft(target: Tensor) -> bool:
    """Whether the target holds probabilities rather than class indices."""
    return target.is_floating_point()


def class_indices(target: Tensor) -> Tensor:
    """Class indices as int64; torch takes uint8 too, nothing else."""
    if target.dtype == torch.uint8:
        return target.long()
    if target.dtype != torch.int64:
        raise TypeError(
            f"target must hold class indices (torch.int64 or torch.uint8) or probabilities (floating point), "
            f"got {target.dtype}; convert class indices with target.long()"
        )
    return target


def checked(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Refuse shapes and dtypes that no loss can use, lift half precision to float32."""
    if not logits.is_floating_point():
        raise TypeError(f"logits must be floating point, got {logits.dtype}")
    if logits.ndim == 0:
        raise ValueError("logits must have a class dimension, (K,), (N, K) or (N, K, d1, ...); got a scalar")
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    if is_soft(target):
        if target.shape != logits.shape:
            shapes = f"{tuple(logits.shape)}; got {tuple(target.shape)}"
            raise ValueError(
                f"a floating-point target holds class probabilities, shaped like the logits {shapes}. "
                f"Class indices must be int64: target.long()"
            )
        return logits, target.to(logits.dtype)
    return logits, checked_labels(logits, target)


def checked_labels(logits: Tensor, target: Tensor) -> Tensor:
    """Class indices as int64, after a look at their dtype and shape."""
    target = class_indices(target)
    dim = class_dimension(logits)
    expected = logits.shape[:dim] if logits.ndim <= 2 else logits.shape[:1] + logits.shape[2:]
    if target.shape != expected:
        shapes = f"{tuple(logits.shape)} must have the shape {tuple(expected)}, got {tuple(target.shape)}"
        raise ValueError(f"class indices for logits of shape {shapes}")
    return target


def negative_log_likelihood(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """``-log p_y`` of each sample, or its mean under the target's probabilities; input already checked."""
    if is_soft(target):
        return nll_of_log_p(logits.log_softmax(class_dimension(logits)), target)
    return F.cross_entropy(
        logits, target, reduction="none", ignore_index=_NO_LABEL, label_smoothing=label_smoothing
    )


def nll_of_log_p(log_p: Tensor, target: Tensor, ignore_index: int = _NO_LABEL) -> Tensor:
    """Return what :func:`negative_log_likelihood` does, by logarithms that are there already.

    It is 0, without gradient, where the target is the class index `ignore_index`.
    """
    if is_soft(target):
        return -weighted_sum(target, log_p, class_dimension(log_p))
    return F.nll_loss(log_p, target, reduction="none", ignore_index=ignore_index)


def without_impossible(logs: Tensor, weights: Tensor) -> Tensor:
    """Logarithms with 0 for ``log 0`` where its weight is 0, so that their product is 0 and not NaN."""
    return logs.masked_fill((weights == 0) & (logs == -math.inf), 0.0)


def weighted_sum(weights: Tensor, logs: Tensor, dim: int) -> Tensor:
    """Sum weights times logarithms over the classes; no weight on an impossible class counts as nothing."""
    return (weights * without_impossible(logs, weights)).sum(dim)


def expectation_over_labels(loss: Callable[[Tensor], Tensor], logits: Tensor, target: Tensor) -> Tensor:
    """Evaluate a loss that is an elementwise function of ``-log p_y``, or its mean under the target."""
    logits, target = checked(logits, target)
    if not is_soft(target):
        return loss(negative_log_likelihood(logits, target))
    dim = class_dimension(logits)
    return (target * loss(-without_impossible(logits.log_softmax(dim), target))).sum(dim)


def reduced(losses: Tensor, reduction: Reduction) -> Tensor:
    """Losses of samples as they are (``"none"``), their mean or their sum."""
    check_reduction(reduction)
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def one_hot_like(logits: Tensor, labels: Tensor) -> Tensor:
    """Class indices as probabilities shaped like the logits; torch refuses an index out of range."""
    dim = class_dimension(logits)
    return torch.zeros_like(logits).scatter(dim, labels.unsqueeze(dim), 1.0)


def check_reduction(reduction: str) -> None:
    """Refuse what torch has no reduction for."""
    if reduction not in get_args(Reduction):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def check_numbers(**values: Any) -> None:
    """Refuse what cannot be compared with a number; weights of classes are a common mistake."""
    for name, value in values.items():
        if isinstance(value, Tensor) and value.ndim:
            by_name = "weights of classes are given by name, weight=..."
            raise TypeError(f"{name} must be a number, got a tensor {tuple(value.shape)}; {by_name}")
        if not hasattr(value, "__float__"):
            raise TypeError(f"{name} must be a number, got {name}={value!r}")


def check_at_least_zero(**values: float) -> None:
    """Refuse weights of a sum of losses that are negative, infinite or NaN."""
    check_numbers(**values)
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be finite and at least 0, got {name}={value!r}")


def check_unit_interval(**values: float) -> None:
    """Refuse numbers outside of [0, 1]."""
    check_numbers(**values)
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, got {name}={value!r}")
