"""The check of a device passes on the CPU, and fails where something on the way is wrong."""

import itertools

import pytest
import torch

from sce_lib import losses
from sce_lib.experiments import selfcheck
from sce_lib.experiments.selfcheck import CHECKS, all_losses, self_check

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n == "compile" else n for n in CHECKS]
)
def test_it_holds_on_the_cpu(name):
    check = CHECKS[name](CPU)
    assert check.passed, check
    assert any(character.isdigit() for character in check.numbers)


def test_every_loss_is_in_it():
    modules = {name for name in losses.__all__ if isinstance(getattr(losses, name), type)} - {"Loss"}
    assert set(all_losses(4)) == modules


class Wrong(losses.MeanAbsoluteError):
    """A loss whose gradient is off by a thousandth in single precision alone."""

    def forward(self, logits, target):
        value = super().forward(logits, target)
        return value if logits.dtype == torch.float64 else 1.001 * value


def test_a_loss_that_is_off_is_found(monkeypatch):
    monkeypatch.setattr(selfcheck, "all_losses", lambda _: {"CE": losses.CrossEntropy(), "wrong": Wrong()})
    check = selfcheck.check_losses(CPU)
    assert not check.passed
    assert "furthest wrong, 1.0e-03" in check.numbers


class NoGradient(losses.MeanAbsoluteError):
    """A loss of the right value whose gradient is NaN in single precision."""

    def forward(self, logits, target):
        value = super().forward(logits, target)
        return (
            value if logits.dtype == torch.float64 else value + (logits - logits.detach()).abs().sum().sqrt()
        )


def test_a_gradient_of_nan_is_found(monkeypatch):
    monkeypatch.setattr(selfcheck, "all_losses", lambda _: {"CE": losses.CrossEntropy(), "nan": NoGradient()})
    check = selfcheck.check_losses(CPU)
    assert not check.passed
    assert "furthest nan, nan apart" in check.numbers


def test_nan_does_not_pass(monkeypatch):
    monkeypatch.setattr(selfcheck, "_step", lambda *a, **k: torch.full((2,), torch.nan))
    assert not selfcheck.check_step(CPU).passed


def test_a_step_with_another_rate_is_found(monkeypatch):
    step = selfcheck._step

    def longer(model, *rest, fused):
        return (1.05 if fused else 1.0) * step(model, *rest, fused=fused)

    monkeypatch.setattr(selfcheck, "_step", longer)
    assert not selfcheck.check_step(CPU).passed


def test_an_error_is_an_outcome_and_the_rest_goes_on(monkeypatch):
    def broken(device):
        raise RuntimeError(f"no kernel for {device}\nand more")

    monkeypatch.setattr(selfcheck, "CHECKS", {"first": broken, "losses": selfcheck.check_losses})
    first, second = self_check("cpu")
    assert first == ("first", False, "RuntimeError: no kernel for cpu")
    assert second.passed


def test_compilation_can_be_left_out(monkeypatch):
    monkeypatch.setattr(selfcheck, "CHECKS", {"compile": selfcheck.check_compile})
    assert list(self_check("cpu", compiling=False)) == []


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="cuda:99"):
        next(self_check("cuda:99"))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["avx512_vnni"], "none for bfloat16"),
        (["avx512_bf16", "amx_bf16"], "AVX512-BF16 AMX"),
        (["bf16"], "BF16"),
    ],
)
def test_instructions_for_bfloat16_are_named(monkeypatch, flags, said):
    monkeypatch.setattr(selfcheck, "instructions", lambda: flags)
    assert selfcheck.bfloat16_instructions() == said


@pytest.mark.parametrize(
    ("half", "verdict"),
    [(0.5, "device gains:"), (2.0, "device loses:"), (None, "gains in some turns, not in all:")],
)
def test_a_gain_is_one_where_every_turn_gains(monkeypatch, half, verdict):
    turns = itertools.count()

    def seconds(run, clock):
        ratio = half or (0.9 if next(turns) % 3 else 1.1)
        return ratio if run.config.precision == "bfloat16" else 1.0

    monkeypatch.setattr(selfcheck, "_seconds_of_epoch", seconds)
    check = selfcheck.check_bfloat16_speed(CPU)
    assert check.passed
    assert verdict in check.numbers
    if half:
        assert check.numbers.count(f"{half:.2f} [{half:.2f}, {half:.2f}] at width") == 2
