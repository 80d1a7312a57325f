"""The one door to the losses: every name leads to a loss, and every mistake to a line that helps."""

import numpy as np
import pytest
import torch
from loss_cases import batch
from torch.testing import assert_close

from sce_lib import losses
from sce_lib.experiments.config.presets import METHODS
from sce_lib.losses import registry

DATA = batch(num_classes=5)
# What has no default.
NEEDED = {
    "T": DATA.T,
    "epochs": 10,
    "loss": losses.CrossEntropy(),
    "terms": [(1.0, losses.CrossEntropy())],
    "num_samples": 6,
    "num_classes": 5,
}


def made(name):
    given = {}
    while True:
        try:
            return losses.get(name, **given)
        except TypeError as error:
            missing = str(error).partition("missing is ")[2].split(",")[0]
            given[missing] = NEEDED[missing]


@pytest.mark.parametrize("name", losses.names())
def test_every_name_leads_to_a_loss(name):
    loss = made(name)
    index = [torch.arange(6)] if isinstance(loss, losses.ELR) else []
    assert loss(DATA.logits, DATA.labels, *index).isfinite()
    assert type(made(name.upper())) is type(loss) or name == "d2l"


def test_every_method_of_the_configs_and_every_class_has_its_name():
    assert {*METHODS} - {f"{n}{base}" for n in range(2, 9) for base in ("ce", "rce")} <= {*losses.names()}
    exported = (getattr(losses, name) for name in losses.__all__)
    kinds = {kind for kind in exported if isinstance(kind, type) and kind is not losses.Loss}
    assert {kind.__name__ for kind in kinds} <= {*losses.names()}
    assert {kind for kind in kinds if "name" in vars(kind)} <= {*registry._makers().values()}


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (losses.get("sl", 0.5, A=-6), losses.SymmetricCrossEntropy(0.5, A=-6)),
        (losses.get("2.5ce"), losses.Sum([(2.5, losses.CrossEntropy())])),
        (losses.get("5RCE", A=-6), losses.Sum([(5.0, losses.ReverseCrossEntropy(A=-6))])),
        (losses.get("forward", np.eye(5)), losses.CrossEntropy()),
        (losses.get("lsr+sl", 0.2), losses.SmoothedTargets(losses.SymmetricCrossEntropy(), 0.2)),
        (losses.get("d2l", epochs=3), losses.CrossEntropy()),
        (
            losses.get("nce+rce", 2.0, reduction="sum"),
            losses.Sum(
                [(2.0, losses.NormalizedCrossEntropy()), (1.0, losses.ReverseCrossEntropy())], reduction="sum"
            ),
        ),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_it_is_the_same_loss(got, expected):
    assert_close(got(DATA.logits, DATA.labels), expected(DATA.logits, DATA.labels))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: losses.get("sll"),
            ValueError,
            r"no loss is named 'sll'; did you mean 'sl'\?.* known are ael",
        ),
        (lambda: losses.get("SymetricCrossEntropy"), ValueError, "mean 'SymmetricCrossEntropy'"),
        (lambda: losses.get("x" * 999), ValueError, "^.{,1300}$"),
        (lambda: losses.get(3), TypeError, "by its name, a string; got 3"),
        (lambda: losses.get("sl", alhpa=1), TypeError, "takes alpha=0.1, beta=1.0, A=-4.0.*mean 'alpha'"),
        (lambda: losses.get("sl", weights=DATA.T[0]), TypeError, "mean 'weight'"),
        (lambda: losses.get("sl", 1, 2, -4, 0.5, 6), TypeError, "4 of them by position, not 5"),
        (lambda: losses.get("sl", 1, alpha=2), TypeError, "'alpha' is given twice"),
        (lambda: losses.get("ce", 1), TypeError, "'ce' takes no hyperparameters; nothing by position"),
        (lambda: losses.get("2ce", alpha=1), TypeError, "'2ce' takes no hyperparameters"),
        (lambda: losses.get("forward"), TypeError, r"missing is T, the transition matrix, shape \(K, K\)"),
        (lambda: losses.get("forward+sl", beta=1), TypeError, "missing is T, the transition matrix"),
        (lambda: losses.get("backward", [[0.5, 0.5], [0.5, 0.5]]), ValueError, "singular"),
        (lambda: losses.get("d2l"), TypeError, "missing is epochs, the length of the training"),
        (lambda: losses.get("sl", A=3), ValueError, "A=3"),
        (lambda: losses.get("elr", 6, 5, weight=None), TypeError, "'elr' takes num_samples"),
    ],
)
def test_mistakes_are_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
