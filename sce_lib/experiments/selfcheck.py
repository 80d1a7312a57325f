"""A minute's check of a device: whether what tests show on the CPU holds there.

Most of it compares with float64 on the CPU, so it says something of a CPU too. Each check tells its
numbers, and the tolerance that they are held to.
"""

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sce_lib import losses
from sce_lib.data import ImageData
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.cost import SIZES, flops_per_image
from sce_lib.experiments.training.criterion import of_samples
from sce_lib.experiments.training.loop import Run, parameter_groups, repeatable, resolve_device
from sce_lib.experiments.training.provenance import device_name, instructions
from sce_lib.experiments.training.task import prepare
from sce_lib.models import build_model
from sce_lib.noise import symmetric_matrix

# Largest differences allowed, as shares of the largest value. float32 keeps seven digits; cuDNN may multiply
# with ten bits (TF32), bfloat16 has eight.
LOSS_TOLERANCE, STEP_TOLERANCE, BFLOAT16_TOLERANCE = 1e-4, 2e-2, 1e-1
COMPILE_TOLERANCE = 1e-2
_BATCH = 128
# Of the comparison of two precisions: turns, and steps in each.
_TURNS = 5
_STEPS = {"cpu": 1, "cuda": 50}


class Check(NamedTuple):
    """What a check looked at, whether it held, and the numbers that say so."""

    name: str
    passed: bool
    numbers: str


def _apart(value: Tensor, reference: Tensor) -> float:
    """Return the largest difference as a share of the reference's largest value."""
    reference = reference.detach().double().cpu()
    difference = (value.detach().double().cpu() - reference).abs().max()
    return (difference / reference.abs().max().clamp(min=torch.finfo(torch.float64).tiny)).item()


def all_losses(num_classes: int) -> dict[str, nn.Module]:
    """Return one module of each loss of the library, with its default hyperparameters.

    Examples
    --------
    >>> sorted(all_losses(10))[:3]
    ['AsymmetricExponential', 'AsymmetricGeneralizedCrossEntropy', 'AsymmetricUnhinged']
    """
    matrix = torch.as_tensor(symmetric_matrix(num_classes, 0.4), dtype=torch.float32)
    inner = losses.SymmetricCrossEntropy()
    given: dict[str, tuple] = {
        "ForwardCorrection": (matrix,),
        "BackwardCorrection": (matrix,),
        "Sum": ([(2.0, losses.CrossEntropy()), (1.0, losses.MeanAbsoluteError())],),
        "SmoothedTargets": (inner,),
        "D2L": (inner, 10),
        "ELR": (_BATCH, num_classes),
    }
    named = {name: getattr(losses, name) for name in losses.__all__ if name != "Loss"}
    kinds = {name: kind for name, kind in named.items() if isinstance(kind, type)}
    return {name: kind(*given.get(name, ())) for name, kind in kinds.items() if issubclass(kind, nn.Module)}


def _of_loss(loss: nn.Module, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.clone().requires_grad_()
    value = of_samples(loss, torch.arange(len(labels)))(logits, labels)
    return value, torch.autograd.grad(value, logits)[0]


def check_losses(device: torch.device) -> Check:
    """Compare every loss and its gradient with float64 on the CPU."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(_BATCH, 10, generator=generator, dtype=torch.float64)
    labels = torch.randint(10, (_BATCH,), generator=generator)
    apart = {}
    for name, loss in all_losses(10).items():
        reference = _of_loss(copy.deepcopy(loss).double(), logits, labels)
        here = _of_loss(loss.to(device), logits.float().to(device), labels.to(device))
        apart[name] = float(np.max(list(map(_apart, here, reference))))  # NaN, where either is
    worst = list(apart)[int(np.argmax(list(apart.values())))]
    name = f"{len(apart)} losses and gradients against float64 on the CPU"
    return _held(name, apart[worst], LOSS_TOLERANCE, f"furthest {worst},")


def _held(name: str, apart: float, allowed: float, of: str) -> Check:
    return Check(name, apart <= allowed, f"{of} {apart:.1e} apart, {allowed:.0e} allowed")


def _network() -> nn.Module:
    return build_model("cnn4", 10, 1, (8, 8), generator=torch.Generator().manual_seed(0))


def _images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(_BATCH, 1, 8, 8, generator=generator), torch.arange(_BATCH) % 10


def _weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def _step(model: nn.Module, images: Tensor, labels: Tensor, fused: bool) -> Tensor:
    """Take one step of SL and return how far it moved the weights."""
    config = RunConfig.preset("digits", "sl", profile="smoke")
    before = _weights(model)
    optimizer = torch.optim.SGD(parameter_groups(model, config), lr=0.01, momentum=0.9, fused=fused)
    losses.SymmetricCrossEntropy()(model.train()(images), labels).backward()
    optimizer.step()
    return _weights(model) - before


def check_step(device: torch.device) -> Check:
    """Compare one training step, from the same weights on the same images, with float64 on the CPU."""
    images, labels = _images()
    reference = _step(_network().double(), images.double(), labels, fused=False)
    model = _network().to(device).to(memory_format=torch.channels_last)
    batch = images.to(device).contiguous(memory_format=torch.channels_last)
    apart = _apart(_step(model, batch, labels.to(device), fused=True), reference)
    return _held("one training step against float64 on the CPU", apart, STEP_TOLERANCE, "changes of weights")


@torch.no_grad()
def check_bfloat16(device: torch.device) -> Check:
    """Compare logits under autocast to bfloat16 with those of float32 on the same device."""
    model, images = _network().to(device).eval(), _images()[0].to(device)
    reference = model(images)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        logits = model(images)
    check = _held("bfloat16 against float32", _apart(logits, reference), BFLOAT16_TOLERANCE, "logits")
    return check._replace(passed=check.passed and logits.dtype == torch.bfloat16)


def check_compile(device: torch.device) -> Check:
    """Compare a training step's weights, compiled and not; it takes a compiler for C++ on a CPU."""
    images, labels = (tensor.to(device) for tensor in _images())
    eager, compiled = _network().to(device), _network().to(device)
    reference = _step(eager, images, labels, fused=True)
    started = time.perf_counter()
    compiled.forward = torch.compile(compiled.forward)
    apart = _apart(_step(compiled, images, labels, fused=True), reference)
    check = _held("torch.compile against eager", apart, COMPILE_TOLERANCE, "changes of weights")
    return check._replace(numbers=f"{check.numbers}; {time.perf_counter() - started:.0f} s to compile")


def _drawn_run(device: torch.device, batches: int, width: float, precision: str = "float32") -> Run:
    """Return a run of SL with cnn8 on random images of CIFAR-10's size."""
    size = SIZES["cifar10"]
    pixels = np.random.default_rng(0).integers(256, size=(batches * _BATCH, *size.side, 3), dtype=np.uint8)
    images, labels = torch.from_numpy(pixels), torch.arange(batches * _BATCH) % 10
    splits = images, labels, images[:_BATCH], labels[:_BATCH]
    data = ImageData("cifar10", *splits, classes=tuple(map(str, range(10))), source="drawn at random")
    how: dict[str, Any] = {"model": {"name": "cnn8", "width": width}, "precision": precision}
    return Run(prepare(RunConfig.preset("cifar10", "sl", profile="full", **how), device, data=data), device)


def _seconds_of_epoch(run: Run, clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    run.train_epoch(0)  # ends by waiting for the device
    return clock() - started


def check_throughput(device: torch.device) -> Check:
    """Say how many images a second are trained on, cnn8 at a quarter of its width; holds if there are any."""
    run = _drawn_run(device, 4 if device.type == "cpu" else 100, width=0.25)
    _seconds_of_epoch(run)
    images_a_second = len(run.task.labels) / _seconds_of_epoch(run)
    operations = images_a_second * flops_per_image("cnn8", 0.25, SIZES["cifar10"])[1]
    return Check(
        "throughput, cnn8 of width 0.25 on 32 x 32 images",
        images_a_second > 0,
        f"{images_a_second:,.0f} images/s, {operations / 1e9:,.0f} GFLOP/s in training",
    )


def check_bfloat16_speed(device: torch.device) -> Check:
    """Say what of float32's time a training step takes in bfloat16; holds whether that is a gain or not.

    Both take turns, on a CPU in one thread, as sweeps train, and on the processor's clock, which other work
    hardly touches; the ratios of the turns are given by their median and their range.
    """
    told, every = [], []
    on_cpu = device.type == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    for width in (1.0, 0.25):
        runs = [_drawn_run(device, _STEPS[device.type], width, how) for how in ("bfloat16", "float32")]
        with repeatable(1 if on_cpu else None):
            turns = np.array([[_seconds_of_epoch(run, clock) for run in runs] for _ in range(1 + _TURNS)])[1:]
        ratios = turns[:, 0] / turns[:, 1]
        told.append(f"{np.median(ratios):.2f} [{ratios.min():.2f}, {ratios.max():.2f}] at width {width:g}")
        every += ratios.tolist()
    verdict = "gains" if max(every) < 1 else "loses" if min(every) > 1 else "gains in some turns, not in all"
    on = f"instructions: {bfloat16_instructions()}" if on_cpu else device_name(device)
    taken = f"a step of cnn8 takes {' and '.join(told)} of float32's time"
    return Check("speed of bfloat16", True, f"this device {verdict}: {taken} ({on})")


def bfloat16_instructions() -> str:
    """Return this processor's instructions for bfloat16, or that it has none that are known."""
    names = {"avx512_bf16": "AVX512-BF16", "amx_bf16": "AMX", "bf16": "BF16"}
    return " ".join(names[name] for name in instructions() if name in names) or "none for bfloat16"


CHECKS: dict[str, Callable[[torch.device], Check]] = {
    "losses": check_losses,
    "step": check_step,
    "bfloat16": check_bfloat16,
    "throughput": check_throughput,
    "bfloat16 speed": check_bfloat16_speed,
    "compile": check_compile,
}


def self_check(device: str | torch.device = "auto", compiling: bool = True) -> Iterator[Check]:
    """Yield the outcome of each of `CHECKS` on a device; one that raises an error has not held.

    `device` is as `sce_lib.experiments.training.resolve_device` takes it; `compiling` tells whether
    torch.compile is tried too, which takes longer than the rest together.

    Raises
    ------
    ValueError
        If the device is not there.

    Examples
    --------
    >>> next(self_check("cpu")).passed
    True
    """
    resolved = resolve_device(device)
    for name, check in CHECKS.items():
        if name == "compile" and not compiling:
            continue
        try:
            with repeatable(None):
                outcome = check(resolved)
        except Exception as error:  # whatever goes wrong on that device is this check's outcome
            said = str(error).strip().partition("\n")[0]
            outcome = Check(name, False, f"{type(error).__name__}: {said}")
        yield outcome
