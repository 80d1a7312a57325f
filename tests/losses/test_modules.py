"""What modules add to the formulas: construction, torch's aggregation, composition, cost."""

import contextlib
import copy
import functools
import math
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from loss_cases import CASES, batch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from sce_lib import losses
from sce_lib.losses import BackwardCorrection, ForwardCorrection
from sce_lib.losses.functional import baselines
from sce_lib.noise import matrices as noise

WEIGHT = torch.tensor([0.5, 1.0, 2.0, 0.0, 1.5], dtype=torch.float64)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("ignore_index", [-100, 1, 255])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_cross_entropy_is_torchs(weight, ignore_index, reduction, label_smoothing):
    data = batch(shape=(2, 2, 2, 2))
    labels = data.labels.clone()
    labels.view(-1)[0] = ignore_index
    settings = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    ours, theirs = data.fresh(), data.fresh()
    settings["label_smoothing"] = label_smoothing
    value = losses.CrossEntropy(**settings)(ours, labels)
    expected = torch.nn.CrossEntropyLoss(**settings)(theirs, labels)
    assert_close(value, expected)
    assert_close(*(torch.autograd.grad(v.sum(), z)[0] for v, z in ((value, ours), (expected, theirs))))


@pytest.mark.parametrize("shape", [(6,), (3, 4), (2, 3, 2)], ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_cross_entropy_of_probabilities_is_torchs(shape, reduction, weight):
    data = batch(shape=shape)
    settings = {"reduction": reduction, "weight": weight}
    for share in (0.0, 0.1):
        for target in (data.probabilities, data.labels):
            expected = F.cross_entropy(data.logits, target, label_smoothing=share, **settings)
            ours = losses.CrossEntropy(label_smoothing=share, **settings)
            assert_close(ours(data.logits, target), expected)
            assert_close(losses.LabelSmoothing(share, **settings)(data.logits, target), expected)


def test_a_single_sample_needs_no_batch_dimension():
    data = batch()
    settings = {"weight": WEIGHT.clone().fill_(2.0)}
    value = losses.CrossEntropy(**settings)(data.logits[0], data.labels[0])
    assert_close(value, torch.nn.CrossEntropyLoss(**settings)(data.logits[0], data.labels[0]))


@pytest.mark.parametrize("name", [name for name in losses.functional.__all__ if name.islower()])
def test_functions_reduce_as_their_modules(name):
    data = batch(shape=(2, 3))
    function = getattr(losses.functional, name)
    if name == "smooth_target":  # it gives targets, not losses
        return
    loss = functools.partial(function, **{"T": data.T} if name.endswith("correction") else {})
    for target in (data.labels, data.probabilities):
        per_sample = loss(data.logits, target)
        assert per_sample.shape == (2, 3)
        assert_close(loss(data.logits, target, reduction="none"), per_sample, rtol=0, atol=0)
        assert_close(loss(data.logits, target, reduction="mean"), per_sample.mean())
        assert_close(loss(data.logits, target, reduction="sum"), per_sample.sum())
    with pytest.raises(ValueError, match=r"reduction must be .* got 'average'"):
        loss(data.logits, data.labels, reduction="average")


class CountBuffers(TorchDispatchMode):
    """Counts the results of operations that are as large as the logits."""

    def __init__(self, size):
        super().__init__()
        self.size, self.count = size, 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        results = result if isinstance(result, tuple | list) else [result]
        self.count += sum(isinstance(r, torch.Tensor) and r.numel() >= self.size for r in results)
        return result


def large_results(loss, logits, labels):
    logits = logits.clone().requires_grad_()
    with CountBuffers(logits.numel()) as buffers:
        loss(logits, labels).backward()
    return buffers.count


@pytest.mark.parametrize(
    "loss",
    [
        losses.SymmetricCrossEntropy(),
        losses.ReverseCrossEntropy(),
        losses.MeanAbsoluteError(),
        losses.GeneralizedCrossEntropy(),
        losses.TaylorCrossEntropy(),
        losses.JensenShannon(),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_labels_cost_one_cross_entropy(loss):
    data = batch(num_classes=1000, shape=(8,), dtype=torch.float32)
    torchs = large_results(F.cross_entropy, data.logits, data.labels)
    assert torchs > 0
    assert large_results(loss, data.logits, data.labels) == torchs


def test_defaults_are_the_papers():
    loss = losses.SymmetricCrossEntropy()
    assert (loss.alpha, loss.beta, loss.A) == (0.1, 1.0, -4.0)
    assert (loss.reduction, loss.ignore_index, loss.weight) == ("mean", -100, None)


def test_weight_follows_the_module_and_not_the_optimizer():
    loss = losses.SymmetricCrossEntropy(weight=WEIGHT).float()
    assert loss.weight.dtype == torch.float32
    assert list(loss.parameters()) == []
    assert "weight" in loss.state_dict()


def test_modules_pickle_and_copy():
    data = batch()
    loss = losses.Sum([(0.5, losses.ForwardCorrection(data.T)), (2.0, losses.GeneralizedCrossEntropy(0.3))])
    expected = loss(data.logits, data.labels)
    for twin in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert_close(twin(data.logits, data.labels), expected)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_state_is_torchs(weight):
    ours, theirs = losses.SymmetricCrossEntropy(weight=weight), torch.nn.CrossEntropyLoss(weight=weight)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())


def test_every_loss_is_a_cross_entropy_loss_called_as_one():
    data = batch()
    for kind in vars(losses).values():
        if isinstance(kind, type) and issubclass(kind, losses.Loss):
            assert issubclass(kind, torch.nn.CrossEntropyLoss)
    loss = losses.SymmetricCrossEntropy()
    assert_close(loss(input=data.logits, target=data.labels), loss(data.logits, data.labels))


def test_hyperparameters_show():
    assert repr(losses.SymmetricCrossEntropy(A=-6)) == "SymmetricCrossEntropy(alpha=0.1, beta=1.0, A=-6)"
    assert losses.GeneralizedCrossEntropy().hyperparameters() == {"q": 0.7, "truncation": None}
    shown = repr(losses.MeanAbsoluteError(ignore_index=255, reduction="sum", label_smoothing=0.1))
    assert shown == "MeanAbsoluteError(ignore_index=255, reduction='sum', label_smoothing=0.1)"


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: losses.ReverseCrossEntropy(A=1), "A=1"),
        (lambda: losses.SymmetricCrossEntropy(alpha=-1), "alpha=-1"),
        (lambda: losses.SymmetricCrossEntropy(A=0), "A=0"),
        (lambda: losses.GeneralizedCrossEntropy(q=2), "q=2"),
        (lambda: losses.GeneralizedCrossEntropy(truncation=0), "truncation=0"),
        (lambda: losses.LabelSmoothing(-0.1), r"epsilon=-0\.1"),
        (lambda: losses.Bootstrap(beta=1.1), r"beta=1\.1"),
        (lambda: losses.TaylorCrossEntropy(t=0), "t=0"),
        (lambda: losses.PartiallyHuberisedCrossEntropy(tau=math.inf), "tau=inf"),
        (lambda: losses.AsymmetricGeneralizedCrossEntropy(a=-1), "a=-1"),
        (lambda: losses.JensenShannon(pi=1.0), r"pi=1\.0"),
        (lambda: losses.CrossEntropy(reduction="avg"), "'avg'"),
        (lambda: losses.CrossEntropy(weight=torch.ones(2, 2)), r"\(2, 2\)"),
        (lambda: losses.SmoothedTargets(losses.CrossEntropy(), epsilon=3), "epsilon=3"),
        (lambda: losses.Sum([]), "at least one term"),
        (lambda: losses.Sum([(-1.0, losses.CrossEntropy())]), r"coefficient=-1\.0"),
        (lambda: losses.Sum([(math.nan, losses.CrossEntropy())]), "coefficient=nan"),
        (lambda: losses.Sum([(1, losses.D2L(losses.CrossEntropy(), 9))]), "D2L has a memory"),
        (lambda: losses.Sum([(1, losses.Sum([(1, losses.D2L(losses.CrossEntropy(), 9))]))]), "D2L has"),
        (lambda: losses.SmoothedTargets(losses.D2L(losses.CrossEntropy(), 9)), "D2L has a memory"),
        (lambda: losses.CrossEntropy(weight=torch.tensor([1.0, -0.5])), r"weight=\[1\.0, -0\.5\]"),
        (lambda: losses.CrossEntropy(weight=torch.tensor([1.0, math.nan])), "weight=.*nan"),
        (lambda: losses.CrossEntropy(weight=torch.tensor([math.inf])), "weight=.*inf"),
        (lambda: losses.CrossEntropy(label_smoothing=1.5), r"label_smoothing=1\.5"),
        (lambda: losses.LabelSmoothing(0.2, label_smoothing=0.1), r"epsilon.*label_smoothing=0\.1"),
    ],
)
def test_construction_refuses_and_names(make, named):
    with pytest.raises(ValueError, match=named):
        make()


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: losses.CrossEntropy(weight=[1.0, 2.0]), "weight must be a tensor .* got list"),
        (lambda: losses.SymmetricCrossEntropy(torch.ones(5)), r"alpha .* tensor \(5,\); .*weight="),
        (lambda: losses.SymmetricCrossEntropy("mean"), "alpha must be a number, got alpha='mean'"),
        (lambda: losses.GeneralizedCrossEntropy("0.7"), "q must be a number, got q='0.7'"),
        (lambda: losses.CrossEntropy(torch.ones(5)), "positional"),
        (lambda: losses.CrossEntropy(size_average=False), "size_average"),
        (lambda: losses.CrossEntropy(ignore_index=None), "ignore_index must be a class index.*None"),
        (lambda: losses.Sum([(1.0, torch.nn.CrossEntropyLoss())]), "got CrossEntropyLoss"),
        (lambda: losses.Sum([(1.0, F.cross_entropy)]), "got <function cross_entropy"),
        (lambda: losses.Sum([losses.CrossEntropy()]), r"a pair, \(coefficient, loss\); got CrossEntropy"),
        (lambda: losses.Sum([(losses.CrossEntropy(), 1.0)]), "coefficient .* number, got CrossEntropy"),
        (lambda: losses.Sum([("1", losses.CrossEntropy())]), "coefficient .* number, got '1'"),
        (lambda: losses.Sum(losses.CrossEntropy()), "list of pairs"),
        (lambda: losses.SmoothedTargets(torch.nn.CrossEntropyLoss()), "got CrossEntropyLoss"),
        (lambda: losses.D2L(torch.nn.CrossEntropyLoss(), 9), "got CrossEntropyLoss"),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused_by_name(make, named):
    with pytest.raises(TypeError, match=named):
        make()


class TestTransitionMatrices:
    @pytest.mark.parametrize("module", [losses.ForwardCorrection, losses.BackwardCorrection])
    @pytest.mark.parametrize(
        ("T", "named"),
        [
            (np.ones((2, 3)) / 3, r"\(2, 3\)"),
            (np.ones(4) / 4, r"\(4,\)"),
            ([[0.5, 0.5], [0.3, 0.6]], r"row 1 .* sums to 0\.9"),
            ([[1.2, -0.2], [0.0, 1.0]], "between 0 and 1"),
            ([[float("nan"), 1.0], [0.0, 1.0]], "between 0 and 1"),
        ],
    )
    def test_what_is_none_is_refused(self, module, T, named):
        with pytest.raises(ValueError, match=named):
            module(T)

    @pytest.mark.parametrize("num_classes", [2, 3, 10, 100])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_noise_that_erases_the_class_is_singular(self, num_classes, dtype):
        rate = 1 - 1 / num_classes
        T = np.full((num_classes, num_classes), rate / (num_classes - 1))
        np.fill_diagonal(T, 1 - rate)
        losses.ForwardCorrection(T.astype(dtype))
        with pytest.raises(ValueError, match="singular"):
            losses.BackwardCorrection(T.astype(dtype))

    @pytest.mark.parametrize("form", [np.asarray, torch.as_tensor, list])
    def test_any_form_of_matrix_will_do(self, form):
        data = batch(num_classes=2)
        T = [[0.7, 0.3], [0.2, 0.8]]
        expected = losses.ForwardCorrection(T)(data.logits, data.labels)
        assert_close(losses.ForwardCorrection(form(T))(data.logits, data.labels), expected)

    def test_float32_logits_get_a_float32_loss(self):
        data = batch(dtype=torch.float32)
        for module in (losses.ForwardCorrection, losses.BackwardCorrection):
            for target in (data.labels, data.probabilities):
                assert module(data.T)(data.logits, target).dtype == torch.float32


class TestSum:
    def test_coefficients_weigh_values_and_gradients(self):
        data = batch()
        rce = losses.ReverseCrossEntropy(A=-4)
        total = losses.Sum([(0.1, losses.CrossEntropy()), (1.0, rce)])
        sl = losses.SymmetricCrossEntropy(0.1, 1.0, A=-4)
        a, b = data.fresh(), data.fresh()
        total(a, data.labels).backward()
        sl(b, data.labels).backward()
        assert_close(total(data.logits, data.labels), sl(data.logits, data.labels))
        assert_close(a.grad, b.grad)

    @pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
    def test_takes_over_what_its_terms_agree_on(self, reduction):
        data = batch()
        labels = data.labels.clone()
        labels[0] = 255
        settings = {"weight": WEIGHT, "ignore_index": 255, "reduction": reduction}
        terms = [losses.CrossEntropy(**settings), losses.MeanAbsoluteError(**settings)]
        expected = 2 * terms[0](data.logits, labels) + 0.5 * terms[1](data.logits, labels)
        total = losses.Sum(zip((2.0, 0.5), terms, strict=True))
        assert total.reduction == reduction
        assert_close(total(data.logits, labels), expected)
        plain = losses.Sum([(2.0, losses.CrossEntropy()), (0.5, losses.MeanAbsoluteError())], **settings)
        assert_close(plain(data.logits, labels), expected)

    def test_disagreement_is_refused_unless_settled(self):
        terms = [(1.0, losses.CrossEntropy(reduction="sum")), (1.0, losses.MeanAbsoluteError())]
        with pytest.raises(ValueError, match="disagree on reduction"):
            losses.Sum(terms)
        assert losses.Sum(terms, reduction="none").reduction == "none"
        with pytest.raises(ValueError, match="disagree on weight"):
            losses.Sum([(1.0, losses.CrossEntropy(weight=WEIGHT)), (1.0, losses.CrossEntropy())])

    def test_sums_nest(self):
        data = batch()
        inner = losses.Sum([(2.0, losses.CrossEntropy())])
        nested = losses.Sum([(3.0, inner), (1.0, losses.SmoothedTargets(losses.CrossEntropy(), epsilon=0.0))])
        assert_close(nested(data.logits, data.labels), 7 * F.cross_entropy(data.logits, data.labels))


class TestSmoothedTargets:
    def test_floor_acts_on_the_smoothed_zeros(self):
        logits = torch.zeros(1, 10, dtype=torch.float64)
        loss = losses.SmoothedTargets(losses.ReverseCrossEntropy(A=-4), epsilon=0.1)
        value = loss(logits, torch.tensor([0])).item()
        assert value == pytest.approx(-(math.log(0.91) + 9 * -4) / 10)


@pytest.mark.parametrize("kind", [ForwardCorrection, BackwardCorrection])
@pytest.mark.parametrize(("off", "taken"), [(0.9, True), (1.1, False)])
def test_one_tolerance_for_transition_matrices(kind, off, taken):
    """Losses know nothing of noise, but what one takes for a matrix the other does too."""
    assert baselines.ROW_SUM_TOLERANCE == noise.ROW_SUM_TOLERANCE
    matrix = [[0.8, 0.2 + off * noise.ROW_SUM_TOLERANCE], [0.4, 0.6]]
    for take in (kind, noise.check_matrix):
        with contextlib.nullcontext() if taken else pytest.raises(ValueError, match="row 0"):
            take(matrix)


def test_a_subclass_with_a_signature_of_its_own_keeps_what_it_was_given():
    class Fixed(losses.SymmetricCrossEntropy):
        def __init__(self):
            super().__init__(alpha=0.5, beta=2.0, A=-6.0)

    logits, target = torch.zeros(2, 4), torch.tensor([0, 3])
    expected = losses.SymmetricCrossEntropy(0.5, 2.0, A=-6.0)
    assert Fixed().hyperparameters() == expected.hyperparameters() == {"alpha": 0.5, "beta": 2.0, "A": -6.0}
    assert_close(Fixed()(logits, target), expected(logits, target))


def test_many_losses_compile_in_one_process(monkeypatch):
    """torch gives up after compiling one piece of code eight times; each class of losses has its own."""
    data = batch()
    monkeypatch.setattr(torch._dynamo.config, "fail_on_recompile_limit_hit", True)
    torch.compiler.reset()
    plain = [case.module(data.T) for case in CASES if "+" not in case.name]
    assert len({type(loss) for loss in plain}) > torch._dynamo.config.recompile_limit
    for loss in plain + [losses.SymmetricCrossEntropy(alpha=0.1 * n) for n in range(1, 12)]:
        compiled = torch.compile(loss, fullgraph=True, backend="eager")
        for target in (data.labels, data.probabilities):
            assert_close(compiled(data.logits, target), loss(data.logits, target))


def test_a_subclass_with_a_formula_of_its_own_is_computed_by_it():
    class Halved(losses.SymmetricCrossEntropy):
        def per_sample(self, logits, target):
            return super().per_sample(logits, target) / 2

    data = batch()
    whole = losses.SymmetricCrossEntropy()(data.logits, data.labels)
    assert_close(Halved()(data.logits, data.labels), whole / 2)
    assert_close(losses.Sum([(2.0, Halved())])(data.logits, data.labels), whole)


class TestForwardsLogarithms:
    """They are kept from call to call, and made anew where the matrix, or what it meets, is another."""

    def test_they_are_made_once(self):
        data, loss = batch(), losses.ForwardCorrection(batch().T)
        loss(data.logits, data.labels)
        (_, kept) = loss._kept
        loss(data.logits, data.labels)
        assert loss._kept[1] is kept

    @pytest.mark.parametrize("change", ["load", "in place", "dtype", "replace", "copy", "inference"])
    def test_they_follow_the_matrix(self, change):
        data, other = batch(), batch(seed=9).T
        loss = losses.ForwardCorrection(data.T)
        loss(data.logits, data.labels)
        expected = losses.ForwardCorrection(other)
        logits = data.logits
        if change == "load":
            loss.load_state_dict(expected.state_dict())
        elif change == "in place":
            loss.T.copy_(other)
        elif change == "replace":
            loss.T = other
        elif change == "dtype":
            expected, logits = losses.ForwardCorrection(data.T), data.logits.float()
        elif change == "copy":
            loss = pickle.loads(pickle.dumps(copy.deepcopy(loss)))
            loss.T.copy_(other)
        else:
            loss.load_state_dict(expected.state_dict())
            with torch.inference_mode():
                loss(logits, data.labels)
        logits = logits.clone().requires_grad_()
        loss(logits, data.labels).backward()
        assert_close(loss(logits, data.labels), expected(logits, data.labels), rtol=0, atol=0)
