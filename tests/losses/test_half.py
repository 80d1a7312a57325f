"""Large half-precision logits: the bits of lifting them all, in a quarter of the memory."""

import itertools

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from torch.testing import assert_close

from sce_lib import losses
from sce_lib.losses.functional import half

KINDS = [
    losses.CrossEntropy,
    losses.ReverseCrossEntropy,
    losses.SymmetricCrossEntropy,
    losses.MeanAbsoluteError,
    losses.GeneralizedCrossEntropy,
]


def drawn(shape, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = (3 * torch.randn(shape, generator=generator)).to(dtype)
    labels = torch.randint(shape[1], shape[:1] + shape[2:], generator=generator)
    labels.view(-1)[::3] = -100
    return logits, labels


def outcome(loss, logits, labels):
    logits = logits.clone().requires_grad_()
    value = loss(logits, labels)
    return value, torch.autograd.grad(1.7 * value.sum(), logits)[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(37, 5), (16, 3), (3, 4), (5, 4, 2, 3)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_bits_are_those_of_lifting_all(kind, dtype, shape, reduction, monkeypatch):
    logits, labels = drawn(shape, dtype)
    loss = kind(reduction=reduction)
    assert not half.worth_it(logits)
    expected = outcome(loss, logits, labels)
    monkeypatch.setattr(half, "LARGE", 1)
    assert half.worth_it(logits)
    assert_close(outcome(loss, logits, labels), expected, rtol=0, atol=0)
    assert expected[0].dtype == torch.float32
    assert expected[1].dtype == dtype


def test_transforms_and_refusals(monkeypatch):
    logits, labels = drawn((6, 5), torch.bfloat16)
    loss = losses.SymmetricCrossEntropy(reduction="sum")
    expected = outcome(losses.SymmetricCrossEntropy(reduction="none"), logits, labels)[0]
    monkeypatch.setattr(half, "LARGE", 1)
    values = torch.func.vmap(loss)(logits.unsqueeze(1), labels.unsqueeze(1))
    assert_close(values, expected, rtol=0, atol=0)
    with pytest.raises(ValueError, match=r"\(6,\), got \(5,\)"):
        loss(logits, labels[:5])
    with pytest.raises((IndexError, RuntimeError), match=r"out of (bounds|range)"):
        loss(logits, labels.clamp(min=0) + 4)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, labels), logits, create_graph=True)
    with pytest.raises(RuntimeError, match=r"once_differentiable|does not require grad"):
        gradient.sum().backward()


def test_little_memory_is_taken():
    logits, labels = drawn((1100, 1000), torch.bfloat16)
    logits.requires_grad_()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        losses.SymmetricCrossEntropy()(logits, labels).backward()
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    size = logits.numel() * logits.element_size()
    assert size <= max(itertools.accumulate(changes)) < 1.75 * size
