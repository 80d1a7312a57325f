"""Early-learning regularization: its formula, its memory, and what it says of a wrong index."""

import copy
import io
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import batch
from torch.testing import assert_close

from sce_lib.losses import ELR, Loss

INDEX = torch.tensor([7, 0, 3, 9, 4, 1])


def by_hand(calls, momentum, lambda_, num_samples):
    """Return each call's losses, their gradients and the memory at the end, by the paper's formulas."""
    targets = np.zeros((num_samples, calls[0][0].shape[1]))
    told = []
    for logits, labels, index in calls:
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        q = np.eye(p.shape[1])[labels] if labels.ndim == 1 else labels
        inside = np.clip(p, 1e-4, 1 - 1e-4)
        targets[index] = momentum * targets[index] + (1 - momentum) * inside / inside.sum(1, keepdims=True)
        t = targets[index]
        agreement = (t * inside).sum(1, keepdims=True)
        losses = -(q * np.log(p)).sum(1) + lambda_ * np.log(1 - agreement[:, 0])
        free = t * (p == inside)
        slopes = p - q - lambda_ / (1 - agreement) * p * (free - (free * p).sum(1, keepdims=True))
        told.append((losses, slopes))
    return told, targets


def fresh(num_classes=5, **changes):
    return ELR(10, num_classes, **{"reduction": "none", **changes}).double()


@pytest.mark.parametrize("kind", ["labels", "probabilities"])
@settings(max_examples=25)
@given(
    momentum=st.floats(0, 0.99),
    lambda_=st.floats(0, 10),
    num_classes=st.integers(2, 8),
    scale=st.sampled_from([0.0, 1.0, 6.0]),
    seed=st.integers(0, 2**31),
)
def test_value_gradient_and_memory_are_the_papers(kind, momentum, lambda_, num_classes, scale, seed):
    loss = fresh(num_classes, momentum=momentum, lambda_=lambda_)
    data = [batch(num_classes, seed=seed + step, scale=scale) for step in range(3)]
    calls = [(one.logits.numpy(), one.target(kind).numpy(), INDEX.numpy()) for one in data]
    expected, targets = by_hand(calls, momentum, lambda_, 10)
    for one, (losses, slopes) in zip(data, expected, strict=True):
        logits = one.fresh()
        value = loss(logits, one.target(kind), INDEX)
        assert_close(value, torch.from_numpy(losses), rtol=1e-9, atol=1e-9)
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        assert_close(gradient, torch.from_numpy(slopes), rtol=1e-8, atol=1e-8)
    assert_close(loss.targets, torch.from_numpy(targets), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_without_regularization_it_is_cross_entropy(reduction):
    data = batch()
    loss = ELR(10, 5, lambda_=0, reduction=reduction)
    expected = F.cross_entropy(data.logits, data.labels, reduction=reduction)
    assert_close(loss(data.logits, data.labels, INDEX), expected)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_reductions_are_torchs(reduction):
    data = batch()
    losses = fresh()(data.logits, data.labels, INDEX)
    expected = losses.mean() if reduction == "mean" else losses.sum()
    assert_close(fresh(reduction=reduction)(data.logits, data.labels, INDEX), expected)


def test_a_repeated_prediction_is_remembered_in_the_end():
    data, loss = batch(scale=1.0), fresh(momentum=0.5)
    for _ in range(60):
        loss(data.logits, data.labels, INDEX)
    assert_close(loss.targets[INDEX], data.logits.softmax(1))
    assert (loss.targets[[2, 5, 6, 8]] == 0).all()


def test_gradient_is_cross_entropys_while_nothing_is_remembered():
    data, loss = batch(), fresh().eval()
    logits = data.fresh()
    loss(logits, data.labels, INDEX).sum().backward()
    assert_close(logits.grad, data.logits.softmax(1) - F.one_hot(data.labels, 5))


def test_it_holds_the_network_to_what_it_said():
    """Where another class is remembered, its logit is not lowered for a wrong label's sake, but raised."""
    said = torch.tensor([[3.0, 0.0, 0.0]], dtype=torch.float64)
    loss = ELR(1, 3, reduction="sum").double()
    for _ in range(20):
        loss(said, torch.tensor([0]), torch.tensor([0]))
    logits = said.clone().requires_grad_()
    loss.eval()(logits, torch.tensor([1]), torch.tensor([0])).backward()
    assert logits.grad[0, 0] < 0 < said.softmax(1)[0, 0]  # the latter is cross entropy's


def test_evaluation_leaves_the_memory_as_it_is():
    data, loss = batch(), fresh()
    loss(data.logits, data.labels, INDEX)
    before = loss.targets.clone()
    first = loss.eval()(data.logits, data.labels, INDEX)
    assert torch.equal(loss(data.logits, data.labels, INDEX), first)
    assert torch.equal(loss.targets, before)
    loss.train()(data.logits, data.labels, INDEX)
    assert not torch.equal(loss.targets, before)


def test_order_of_the_samples_does_not_matter():
    data, order = batch(), torch.tensor([4, 2, 0, 5, 1, 3])
    first, second = fresh(), fresh()
    for _ in range(3):
        value = first(data.logits, data.labels, INDEX)
        assert_close(second(data.logits[order], data.labels[order], INDEX[order]), value[order])
    assert_close(first.targets, second.targets)


def test_a_checkpoint_resumes_to_the_last_bit():
    steps = [batch(seed=seed, dtype=torch.float32) for seed in range(5)]

    def run(loss, steps):
        return [loss(one.logits, one.labels, INDEX) for one in steps]

    whole, first, second = ELR(10, 5), ELR(10, 5), ELR(10, 5)
    expected = run(whole, steps)
    run(first, steps[:2])
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert all(torch.equal(a, b) for a, b in zip(run(second, steps[2:]), expected[2:], strict=True))
    assert torch.equal(second.targets, whole.targets)
    twin = copy.deepcopy(first)
    run(twin, steps[2:])
    assert torch.equal(twin.targets, whole.targets)


def test_a_memory_of_another_size_is_not_taken_up():
    with pytest.raises(RuntimeError, match="targets"):
        ELR(9, 5).load_state_dict(ELR(10, 5).state_dict())


def test_memory_is_no_parameter():
    loss = ELR(10, 5)
    assert list(loss.parameters()) == []
    assert list(loss.state_dict()) == ["targets"]
    assert repr(loss) == "ELR(num_samples=10, num_classes=5, momentum=0.7, lambda_=3.0)"
    assert not isinstance(loss, Loss | torch.nn.CrossEntropyLoss)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("memory", ["float32", "half"])
def test_half_precision(dtype, memory):
    data = batch(dtype=torch.float32)
    loss, exact = ELR(10, 5), ELR(10, 5).double()
    if memory == "half":
        loss.to(dtype)
    logits = data.logits.to(dtype).requires_grad_()
    for _ in range(3):
        value = loss(logits, data.labels, INDEX)
        expected = exact(logits.detach().double(), data.labels, INDEX)
    assert value.dtype == torch.float32
    assert_close(value.double(), expected, rtol=1e-5 if memory == "float32" else 0.03, atol=1e-5)
    value.backward()
    assert logits.grad.isfinite().all()
    assert loss.targets.dtype == (dtype if memory == "half" else torch.float32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_finite_and_bounded_at_extreme_logits(dtype):
    rows = [[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [0.0, 0.0, 0.0], [100.0, -100.0, 99.0], [5.0, -math.inf, 0.0]]
    logits = torch.tensor(rows, dtype=dtype, requires_grad=True)
    loss = ELR(5, 3, reduction="none").to(dtype)
    for _ in range(50):
        value = loss(logits, logits.argmax(1), torch.arange(5))
        assert value.isfinite().all()
        assert value.min() >= 3 * math.log(1e-4)
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        assert gradient.isfinite().all()


def test_compiles_without_a_graph_break():
    torch.compiler.reset()
    data, loss, eager = batch(dtype=torch.float32), ELR(10, 5), ELR(10, 5)
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    for _ in range(2):
        expected = eager(data.logits, data.labels, INDEX)
        assert_close(compiled(data.logits, data.labels, INDEX), expected)
    assert_close(loss.targets, eager.targets)


def test_it_takes_torchs_keywords_and_its_own():
    data = batch()
    expected = fresh()(data.logits, data.labels, INDEX)
    assert torch.equal(fresh()(input=data.logits, target=data.labels, index=INDEX), expected)


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8], ids=str)
def test_any_integers_will_do_for_an_index(dtype):
    data = batch()
    expected = fresh()(data.logits, data.labels, INDEX)
    assert torch.equal(fresh()(data.logits, data.labels, INDEX.to(dtype)), expected)
    assert torch.equal(fresh()(data.logits, data.labels, INDEX.numpy()), expected)
    assert torch.equal(fresh()(data.logits, data.labels, INDEX.tolist()), expected)


@pytest.mark.parametrize(
    ("index", "error", "named"),
    [
        (None, TypeError, r"must be told which .* loss\(input, target, index\)"),
        (INDEX.double(), TypeError, r"integers, got torch\.float64"),
        (INDEX > 3, TypeError, r"integers, got torch\.bool"),
        (INDEX[:5], ValueError, r"\(6,\), got \(5,\)"),
        (INDEX[:, None], ValueError, r"\(6,\), got \(6, 1\)"),
        (torch.tensor([7, 0, 3, 10, 4, 1]), IndexError, "index 10 is not from 0 to 9"),
        (torch.tensor([7, 0, 3, -1, 4, 1]), IndexError, "index -1 is not from 0 to 9"),
    ],
)
def test_a_wrong_index_is_refused_and_nothing_remembered(index, error, named):
    data, loss = batch(), fresh()
    with pytest.raises(error, match=named):
        loss(data.logits, data.labels, index)
    assert (loss.targets == 0).all()


@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        (lambda d: (d.logits, d.labels + 5), IndexError, "out of bounds"),
        (lambda d: (d.logits[:, :4], d.labels), ValueError, r"\(N, 5\), got \(6, 4\)"),
        (lambda d: (d.logits[0], d.labels[0]), ValueError, r"\(N, 5\), got \(5,\)"),
        (lambda d: (d.logits, d.labels[:5]), ValueError, r"\(6,\).*\(5,\)"),
        (lambda d: (d.labels, d.labels), TypeError, "floating point"),
    ],
)
def test_wrong_logits_and_targets_are_refused(call, error, named):
    loss = fresh()
    with pytest.raises(error, match=named):
        loss(*call(batch()), INDEX)
    assert (loss.targets == 0).all()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"num_samples": 0}, "num_samples=0"),
        ({"num_samples": 2.5}, r"num_samples=2\.5"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"momentum": 1.0}, r"momentum=1\.0"),
        ({"momentum": -0.1}, r"momentum=-0\.1"),
        ({"lambda_": -1}, "lambda_=-1"),
        ({"lambda_": math.nan}, "lambda_=nan"),
        ({"reduction": "avg"}, "'avg'"),
    ],
)
def test_hyperparameters_out_of_range_are_named(given, named):
    with pytest.raises(ValueError, match=named):
        ELR(**{"num_samples": 10, "num_classes": 5, **given})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("memory", ["cuda", "cpu"])
def test_on_a_gpu(memory):
    data, loss, expected = batch(), fresh().to(memory), fresh()
    for _ in range(2):
        value = loss(data.logits.cuda(), data.labels.cuda(), INDEX)
        assert_close(value.cpu(), expected(data.logits, data.labels, INDEX))
    assert loss.targets.device.type == memory
    with pytest.raises(IndexError, match="index 10"):
        loss(data.logits.cuda(), data.labels.cuda(), torch.tensor([7, 0, 3, 10, 4, 1]).cuda())
