"""Cross entropy of large half-precision logits, of which no float32 copy is kept."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

# From so many logits on, they are lifted to float32 a sixteenth at a time.
LARGE, PARTS = 2**20, 16


def worth_it(logits: Tensor) -> bool:
    """Whether these are logits of several samples, in half precision, so many that their copies matter."""
    half = logits.dtype in (torch.float16, torch.bfloat16)
    return half and logits.ndim > 1 and logits.numel() >= LARGE and not torch.compiler.is_compiling()


def negative_log_likelihood(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """``-log p_y`` in float32, 0 for ignored labels: to the bit what lifting all logits at once gives.

    Logarithms are computed again in the backward pass, which can itself not be differentiated.
    """
    return _NegativeLogLikelihood.apply(logits, target, ignore_index)


class _NegativeLogLikelihood(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
        parts = (
            F.nll_loss(z.float().log_softmax(1), y, reduction="none", ignore_index=ignore_index)
            for z, y in _parts(logits, target)
        )
        return torch.cat(list(parts))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        logits, target, ctx.ignore_index = inputs
        ctx.save_for_backward(logits, target)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        logits, target = ctx.saved_tensors
        counted = target != ctx.ignore_index
        gradients = torch.empty_like(logits)
        parts = _parts(logits, target * counted, slope * counted, gradients)
        for z, y, of_loss, gradient in parts:
            log_p = z.float().log_softmax(1)
            of_log_p = torch.zeros_like(log_p).scatter_(1, y.unsqueeze(1), -of_loss.unsqueeze(1))
            gradient.copy_(torch._log_softmax_backward_data(of_log_p, log_p, 1, torch.float32))
        return gradients, None, None


def _parts(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(tensor.chunk(PARTS) for tensor in tensors), strict=True)
