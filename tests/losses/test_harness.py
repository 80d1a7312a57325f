"""One set of demands, made of every loss."""

import contextlib
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import CASES, Case, batch, reference_loss
from torch.testing import assert_close

from sce_lib import losses
from sce_lib.losses import functional as L

KINDS = ("labels", "probabilities")
SHAPES = [(6,), (3, 4), (2, 3, 2)]

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
with_function = pytest.mark.parametrize(
    "case", [case for case in CASES if case.function], ids=lambda case: case.name
)
every_kind = pytest.mark.parametrize("kind", KINDS)


def gradient(losses: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(losses.sum(), logits)[0]


@every_case
@every_kind
@settings(max_examples=12)
@given(
    num_classes=st.integers(2, 12),
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple),
    seed=st.integers(0, 2**31),
    scale=st.sampled_from([0.0, 0.5, 2.0, 6.0]),
)
def test_value_and_gradient_are_those_of_the_general_formula(case, kind, num_classes, shape, seed, scale):
    data = batch(num_classes, shape, seed, scale)
    if scale == 0.0:  # equal logits: break ties, at which argmax is anyone's choice
        data.logits.add_(1e-3 * torch.arange(num_classes).view(-1, *[1] * (len(shape) - 1)))
    ours, theirs = data.fresh(), data.fresh()
    value = case.module(data.T, reduction="none")(ours, data.target(kind))
    expected = reference_loss(case, theirs, data.target(kind), data.T)
    assert value.shape == shape
    assert_close(value, expected, rtol=1e-12, atol=1e-12)
    assert_close(gradient(value, ours), gradient(expected, theirs), rtol=1e-10, atol=1e-10)


@with_function
@every_kind
def test_function_and_module_are_the_same_numbers(case, kind):
    data = batch(shape=(2, 3, 2))
    value = case.function(data.logits, data.target(kind), data.T)
    assert_close(case.module(data.T).per_sample(data.logits, data.target(kind)), value, rtol=0, atol=1e-14)


@every_case
def test_one_hot_probabilities_are_a_label(case):
    data = batch(shape=(2, 3, 2))
    one_hot = F.one_hot(data.labels, 5).movedim(-1, 1).double()
    module = case.module(data.T, reduction="none")
    hard, soft = data.fresh(), data.fresh()
    by_label, by_probabilities = module(hard, data.labels), module(soft, one_hot)
    assert_close(by_label, by_probabilities, rtol=1e-12, atol=1e-12)
    assert_close(gradient(by_label, hard), gradient(by_probabilities, soft), rtol=1e-10, atol=1e-10)


@every_case
@every_kind
def test_a_batch_is_its_samples(case, kind):
    data = batch(shape=(3, 4))
    module = case.module(data.T, reduction="none")
    target = data.target(kind)
    together = module(data.logits, target)
    for n in range(3):
        assert_close(module(data.logits[n : n + 1], target[n : n + 1]), together[n : n + 1])
        for d in range(4):
            assert_close(module(data.logits[n, :, d], target[n, ..., d]), together[n, d])


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.stops_gradient], ids=lambda case: case.name
)
@every_kind
def test_finite_differences(case, kind):
    data = batch(shape=(4,), seed=1)
    module = case.module(data.T, reduction="none")
    assert torch.autograd.gradcheck(lambda z: module(z, data.target(kind)), data.fresh())


@every_case
@every_kind
@pytest.mark.parametrize("autocast", [True, False], ids=["autocast", "plain"])
def test_half_precision(case, kind, autocast):
    # Each of the two types with either target and with and without autocast.
    dtype = torch.bfloat16 if autocast == (kind == "labels") else torch.float16
    data = batch(shape=(16,), dtype=torch.float32)
    layer = torch.nn.Linear(5, 5)
    if not autocast:
        layer.to(dtype)
    with torch.autocast("cpu", dtype=dtype) if autocast else contextlib.nullcontext():
        logits = layer(data.logits if autocast else data.logits.to(dtype))
        value = case.module(data.T)(logits, data.target(kind).to(dtype) if kind != "labels" else data.labels)
    assert logits.dtype == dtype
    assert value.dtype == torch.float32
    target = data.labels if kind == "labels" else data.probabilities.to(dtype).double()
    exact = case.module(data.T)(logits.double(), target)
    assert_close(value.double(), exact, rtol=1e-5, atol=1e-5)
    value.backward()
    assert layer.weight.grad.isfinite().all()


def extreme_logits(dtype):
    rows = [
        [1e4, -1e4, -1e4, -1e4, -1e4],
        [-1e4, 1e4, 1e4, 1e4, 1e4],
        [-1e4, 1e4, 0.0, 0.0, 0.0],
        [1e4, 1e4, -1e4, -1e4, 1e4],
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [-1e4, -1e4, -1e4, -1e4, -1e4],
        [100.0, -100.0, 0.0, 90.0, -3.0],
    ]
    return torch.tensor(rows, dtype=dtype).repeat_interleave(5, 0), torch.arange(5).repeat(7)


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@every_kind
def test_finite_at_extreme_logits(case, dtype, kind):
    logits, target = extreme_logits(dtype)
    if kind == "probabilities":  # one-hot, uniform and random ones
        one_hot, uniform = F.one_hot(target, 5).to(dtype), torch.full_like(logits, 0.2)
        target = torch.cat([one_hot, uniform, batch(shape=(35,), dtype=dtype).probabilities])
        logits = logits.repeat(3, 1)
    logits.requires_grad_()
    value = case.module(batch().T, reduction="none")(logits, target)
    assert value.isfinite().all()
    assert gradient(value, logits).isfinite().all()


@every_case
def test_labels_and_probabilities_agree_at_extreme_logits(case):
    logits, labels = extreme_logits(torch.float64)
    hard, soft = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    module = case.module(batch().T, reduction="none")
    by_label, by_probabilities = module(hard, labels), module(soft, F.one_hot(labels, 5).double())
    assert_close(by_label, by_probabilities, rtol=1e-12, atol=1e-12)
    if case.name != "mae":  # |p - q| has a kink where p = q, which extreme logits reach
        assert_close(gradient(by_label, hard), gradient(by_probabilities, soft), rtol=1e-10, atol=1e-10)


@every_case
@pytest.mark.parametrize("kind", [*KINDS, "positive probabilities"])
@settings(max_examples=10)
@given(
    num_classes=st.integers(2, 7),
    impossible=st.integers(1, 3),
    shape=st.sampled_from(SHAPES),
    seed=st.integers(0, 2**31),
)
def test_an_impossible_class_gives_the_limit(case, kind, num_classes, impossible, shape, seed):
    """At logits of minus infinity on other classes, value and gradient are those far down, to infinity."""
    data = batch(num_classes, shape, seed)
    target = data.target(kind.split()[-1])
    nobodys = torch.ones_like(data.logits, dtype=torch.bool).scatter(1, data.labels.unsqueeze(1), False)
    ranks = (data.logits + 100.0 * nobodys).argsort(1, descending=True).argsort(1)
    gone = nobodys & (ranks < impossible)
    if kind == "probabilities":
        target = target.masked_fill(gone, 0.0) / target.masked_fill(gone, 0.0).sum(1, keepdim=True)
    elif kind != "labels":
        target = 0.9 * target + 0.1 / num_classes
    module = case.module(data.T, reduction="none")
    here = data.logits.masked_fill(gone, -math.inf).requires_grad_()
    near = data.logits.masked_fill(gone, -1e300).requires_grad_()
    value, limit = module(here, target), module(near, target)
    infinite = limit.detach().abs() > 1e200
    expected = torch.where(infinite, limit.sign() * math.inf, limit)
    if "backward" in case.name and impossible > 1:  # infinities of both signs: there is no limit
        expected = torch.where(value.isnan() & infinite, value, expected)
    assert_close(value, expected, rtol=1e-12, atol=1e-12, equal_nan=True)
    assert_close(gradient(value, here), gradient(limit, near), rtol=1e-10, atol=1e-10)


def check_compiled(case: Case, kind: str, backend: str) -> None:
    torch.compiler.reset()
    data = batch(shape=(6,), dtype=torch.float32)
    weight = torch.rand(5, generator=torch.Generator().manual_seed(0)) + 0.5
    module = case.module(data.T, weight=weight)
    compiled = torch.compile(module, fullgraph=True, backend=backend)
    eager_logits, compiled_logits = data.fresh(), data.fresh()
    eager, value = (
        module(eager_logits, data.target(kind)),
        compiled(compiled_logits, data.target(kind)),
    )
    assert_close(value, eager)
    assert_close(gradient(value, compiled_logits), gradient(eager, eager_logits))


@every_case
@every_kind
def test_compiles_without_a_graph_break(case, kind):
    check_compiled(case, kind, "eager")


def test_sl_compiles_to_machine_code():
    check_compiled(next(case for case in CASES if case.name == "sl"), "labels", "inductor")


@pytest.mark.slow
@every_case
@every_kind
def test_compiles_to_machine_code(case, kind):
    check_compiled(case, kind, "inductor")


@every_case
@every_kind
def test_vmap_and_grad_give_per_sample_gradients(case, kind):
    data = batch(shape=(6,))
    module = case.module(data.T, weight=torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0]), reduction="sum")
    target = data.target(kind)
    per_sample = torch.func.vmap(torch.func.grad(module))(data.logits, target)
    logits = data.fresh()
    assert_close(per_sample, gradient(module(logits, target), logits))
    values = torch.func.vmap(module)(data.logits.unsqueeze(1), target.unsqueeze(1))
    assert_close(values.sum(), module(data.logits, target))


def table_of_labels(case, data, shape):
    """Loss of every sample for every label, (N, K, d1, ...)."""
    module = case.module(data.T, reduction="none")
    return torch.stack([module(data.logits, torch.full(shape, k)) for k in range(5)], 1)


def weighted(loss, logits, probabilities, weight):
    """What each sample's loss becomes with weights of classes, written out from the losses without any."""
    shares = [weight[k] * probabilities[:, k] for k in range(logits.shape[1])]
    labels = [torch.full_like(logits[:, 0], k, dtype=torch.int64) for k in range(logits.shape[1])]

    def over_labels(loss):
        return sum(share * loss.per_sample(logits, k) for share, k in zip(shares, labels, strict=True))

    match loss:
        case losses.SymmetricCrossEntropy():
            ce = losses.SymmetricCrossEntropy(loss.alpha, 0.0, clip=loss.clip)
            rce = weighted(losses.ReverseCrossEntropy(A=loss.A), logits, probabilities, weight)
            return over_labels(ce) + loss.beta * rce
        case losses.Sum():
            parts = zip(loss.coefficients, loss.losses, strict=True)
            return sum(c * weighted(part, logits, probabilities, weight) for c, part in parts)
        case losses.SmoothedTargets():
            smoothed = L.smooth_target(logits, probabilities, loss.epsilon)
            return weighted(loss.loss, logits, smoothed, weight)
        case losses.LabelSmoothing():
            smoothed = L.smooth_target(logits, probabilities, loss.epsilon)
            return weighted(losses.CrossEntropy(), logits, smoothed, weight)
        case losses.D2L():
            own = F.one_hot(logits.argmax(1), logits.shape[1]).movedim(-1, 1)
            mixed = loss.alpha * probabilities + (1 - loss.alpha) * own
            return weighted(loss.loss, logits, mixed, weight)
    if not loss.mean_over_labels:
        return sum(shares) * loss.per_sample(logits, probabilities)
    return over_labels(loss)


# Any two values of any two of these meet in one of the nine. All of them together meet in test_modules, of
# one loss: what is made of the losses of samples is one piece of code, and the same for every loss.
AGGREGATIONS = [
    (SHAPES[0], False, -100, "mean"),
    (SHAPES[0], True, 2, "sum"),
    (SHAPES[0], True, 255, "none"),
    (SHAPES[1], True, 2, "mean"),
    (SHAPES[1], False, 255, "sum"),
    (SHAPES[1], True, -100, "none"),
    (SHAPES[2], True, 255, "mean"),
    (SHAPES[2], True, -100, "sum"),
    (SHAPES[2], False, 2, "none"),
]
CLASS_WEIGHTS = torch.tensor([0.0, 1.0, 0.3, 2.0, 1.5], dtype=torch.float64)


@every_case
@pytest.mark.parametrize(("shape", "is_weighted", "ignore_index", "reduction"), AGGREGATIONS, ids=str)
def test_weight_ignore_index_and_reduction_mean_what_torch_means(
    case, shape, is_weighted, ignore_index, reduction
):
    data = batch(shape=shape)
    labels = data.labels.clone()
    labels.view(-1)[::3] = ignore_index
    weight = CLASS_WEIGHTS if is_weighted else None
    aggregation = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    module = case.module(data.T, **aggregation)
    value = module(data.logits, labels)
    if is_weighted and isinstance(module, losses.LabelSmoothing | losses.SmoothedTargets | losses.D2L):
        # These make probabilities of a label, which torch weights class by class, and divides by the label's.
        counted = labels != ignore_index
        one_hot = F.one_hot(labels * counted, 5).movedim(-1, 1).double()
        per_sample = weighted(module, data.logits, one_hot, weight) * counted
        total = (weight[labels * counted] * counted).sum()
        reduced = {"mean": per_sample.sum() / total, "sum": per_sample.sum(), "none": per_sample}
        assert_close(value, reduced[reduction])
        return
    # nll_loss aggregates -input[label] as CrossEntropyLoss does, so it is torch's meaning for any loss.
    assert_close(value, F.nll_loss(-table_of_labels(case, data, shape), labels, **aggregation))


@every_case
@pytest.mark.parametrize(
    ("shape", "reduction"), list(zip(SHAPES, ("mean", "sum", "none"), strict=True)), ids=str
)
def test_weights_act_on_the_classes_of_probabilities(case, shape, reduction):
    data = batch(shape=shape)
    module = case.module(data.T, weight=CLASS_WEIGHTS, reduction=reduction)
    expected = weighted(module, data.logits, data.probabilities, CLASS_WEIGHTS)
    expected = {"mean": expected.mean(), "sum": expected.sum(), "none": expected}[reduction]
    assert_close(module(data.logits, data.probabilities), expected)


@every_case
@every_kind
@pytest.mark.parametrize("is_weighted", [False, True], ids=["plain", "weighted"])
def test_label_smoothing_is_that_of_smoothed_targets(case, kind, is_weighted):
    data = batch(shape=(3, 4))
    aggregation = {"weight": CLASS_WEIGHTS if is_weighted else None, "reduction": "mean"}
    by_hand = losses.LabelSmoothing | losses.SmoothedTargets
    if isinstance(case.module(data.T), by_hand):
        with pytest.raises(ValueError, match=r"epsilon.* not label_smoothing=0\.2"):
            case.module(data.T, label_smoothing=0.2)
        return
    module = case.module(data.T, label_smoothing=0.2, **aggregation)
    ours, theirs = data.fresh(), data.fresh()
    value = module(ours, data.target(kind))
    smoothed = L.smooth_target(data.logits, data.target(kind), 0.2)
    expected = case.module(data.T, **aggregation | {"reduction": "sum"})(theirs, smoothed)
    by_weight = is_weighted and kind == "labels"
    expected = expected / (CLASS_WEIGHTS[data.labels].sum() if by_weight else data.labels.numel())
    assert_close(value, expected)
    assert_close(gradient(value, ours), gradient(expected, theirs))
    assert case.module(data.T, label_smoothing=0.0).label_smoothing == 0
    if not module.stateful:
        wrapped = losses.SmoothedTargets(case.module(data.T, **aggregation), epsilon=0.2)
        assert_close(wrapped(data.logits, data.target(kind)), value, rtol=1e-14, atol=1e-14)


@every_case
@every_kind
def test_names_of_classes_do_not_matter(case, kind):
    data = batch(num_classes=7, shape=(4, 3), seed=2)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(3))
    weight = torch.arange(1.0, 8.0, dtype=torch.float64)
    target = data.target(kind)
    renamed = order.argsort()[target] if kind == "labels" else target[:, order]
    value = case.module(data.T, weight=weight)(data.logits, target)
    permuted = case.module(data.T[order][:, order], weight=weight[order])
    assert_close(permuted(data.logits[:, order], renamed), value, rtol=1e-12, atol=1e-12)


@every_case
@every_kind
@pytest.mark.parametrize(("shape", "reduction"), [((0,), "mean"), ((0, 3), "sum"), ((2, 0), "none")], ids=str)
def test_empty_batches_are_torchs(case, kind, shape, reduction):
    data = batch(shape=shape)
    logits, theirs = data.fresh(), data.fresh()
    value = case.module(data.T, reduction=reduction)(logits, data.target(kind))
    expected = F.cross_entropy(theirs, data.target(kind), reduction=reduction)
    assert_close(value, expected, equal_nan=True)
    assert gradient(value, logits).shape == logits.shape


@every_case
def test_ignored_samples_leave_no_trace(case):
    data = batch(shape=(20,))
    labels = data.labels.clone()
    labels[1] = -100
    logits = data.fresh()
    module = case.module(data.T, reduction="sum")
    module(logits, labels).backward()
    assert (logits.grad[1] == 0).all()
    assert (logits.grad != 0).any()
    nothing = torch.full((20,), -100)
    assert module(data.logits, nothing) == 0
    assert case.module(data.T)(data.logits, nothing).isnan()
    assert (case.module(data.T, reduction="none")(data.logits, nothing) == 0).all()


@every_case
def test_labels_out_of_range_are_refused(case):
    data = batch(shape=(6,))
    module = case.module(data.T, ignore_index=255)
    for label in (5, -1, -100):
        labels = data.labels.clone()
        labels[4] = label
        with pytest.raises((IndexError, RuntimeError), match=r"out of (bounds|range)"):
            module(data.logits, labels)


@every_case
def test_shapes_and_dtypes_are_checked(case):
    data = batch(shape=(6,))
    module = case.module(data.T)
    with pytest.raises(TypeError, match=r"torch\.int32"):
        module(data.logits, data.labels.int())
    assert_close(module(data.logits, data.labels.byte()), module(data.logits, data.labels), rtol=0, atol=0)
    with pytest.raises(TypeError, match=r"torch\.int64"):
        module(data.labels, data.labels)
    with pytest.raises(ValueError, match=r"\(6,\).*\(5,\)"):
        module(data.logits, data.labels[:5])
    with pytest.raises(ValueError, match=r"target\.long"):
        module(data.logits, data.labels.double())
    with pytest.raises(ValueError, match=r"\(6, 5\)"):
        module(data.logits, data.probabilities[:, :4])
    with pytest.raises(ValueError, match="ignore_index=3"):
        case.module(data.T, ignore_index=3)(data.logits, data.probabilities)
    with pytest.raises(ValueError, match=r"4 factors for logits of 5|weight of 4"):
        case.module(data.T, weight=torch.ones(4))(data.logits, data.labels)
    with pytest.raises(ValueError, match="'average'"):
        case.module(data.T, reduction="average")


@every_case
def test_state_travels_by_state_dict_and_copy(case):
    data = batch(shape=(6,))
    module = case.module(data.T, weight=torch.arange(1.0, 6.0))
    other = case.module(torch.eye(5), weight=torch.ones(5))
    other.load_state_dict(module.state_dict())
    assert_close(other(data.logits, data.labels), module(data.logits, data.labels))
    assert type(module).__name__ in repr(module)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_kind
def test_on_a_gpu(kind):
    for case in CASES:
        check_on_a_gpu(case, kind)


def check_on_a_gpu(case, kind):
    data = batch(shape=(3, 4))
    module = case.module(data.T, weight=torch.arange(1.0, 6.0)).cuda()
    ours, theirs = data.logits.cuda().requires_grad_(), data.fresh()
    value = module(ours, data.target(kind).cuda())
    expected = module.cpu()(theirs, data.target(kind))
    assert value.is_cuda
    assert_close(value.cpu(), expected, rtol=1e-10, atol=1e-10)
    assert_close(gradient(value, ours).cpu(), gradient(expected, theirs), rtol=1e-10, atol=1e-10)
