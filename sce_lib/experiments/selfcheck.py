"""A minute's check of a device: whether what tests show on the CPU holds there.

Most of it compares with float64 on the CPU, so it says something of a CPU too. Each check tells its
numbers, and the tolerance that they are held to.
"""

import copy
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sce_lib import losses
from sce_lib.data import ImageData
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.cost import SIZES, flops_per_image
from sce_lib.experiments.training.loop import Run, parameter_groups, repeatable, resolve_device, train
from sce_lib.experiments.training.replicates import train_replicates
from sce_lib.experiments.training.task import prepare
from sce_lib.models import build_model
from sce_lib.noise import symmetric_matrix

# Largest differences allowed, as shares of the largest value. float32 keeps seven digits; cuDNN may multiply
# with ten bits (TF32), bfloat16 has eight.
LOSS_TOLERANCE, STEP_TOLERANCE, BFLOAT16_TOLERANCE = 1e-4, 2e-2, 1e-1
COMPILE_TOLERANCE, REPLICATES_TOLERANCE = 1e-2, 2e-2
_BATCH = 128


class Check(NamedTuple):
    """What a check looked at, whether it held, and its numbers."""

    name: str
    """What was looked at."""
    passed: bool
    """Whether it held."""
    numbers: str
    """The numbers that say so."""


def _apart(value: Tensor, reference: Tensor) -> float:
    """Return the largest difference as a share of the reference's largest value."""
    reference = reference.detach().double().cpu()
    difference = (value.detach().double().cpu() - reference).abs().max()
    return (difference / reference.abs().max().clamp(min=torch.finfo(torch.float64).tiny)).item()


def all_losses(num_classes: int) -> dict[str, losses.Loss]:
    """Return one module of each loss of the library, with its default hyperparameters.

    Examples
    --------
    >>> sorted(all_losses(10))[:3]
    ['AsymmetricGeneralizedCrossEntropy', 'BackwardCorrection', 'Bootstrap']
    """
    matrix = torch.as_tensor(symmetric_matrix(num_classes, 0.4), dtype=torch.float32)
    inner = losses.SymmetricCrossEntropy()
    given: dict[str, tuple] = {
        "ForwardCorrection": (matrix,),
        "BackwardCorrection": (matrix,),
        "Sum": ([(2.0, losses.CrossEntropy()), (1.0, losses.MeanAbsoluteError())],),
        "SmoothedTargets": (inner,),
        "D2L": (inner, 10),
    }
    kinds = {name: getattr(losses, name) for name in losses.__all__ if name != "Loss"}
    return {
        name: kind(*given.get(name, ()))
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, losses.Loss)
    }


def _of_loss(loss: nn.Module, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.clone().requires_grad_()
    value = loss(logits, labels)
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
    return Check(
        f"{len(apart)} losses and gradients against float64 on the CPU",
        all(value <= LOSS_TOLERANCE for value in apart.values()),
        f"furthest {worst}, {apart[worst]:.1e} apart, {LOSS_TOLERANCE:.0e} allowed",
    )


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
    return Check(
        "one training step against float64 on the CPU",
        apart <= STEP_TOLERANCE,
        f"changes of weights {apart:.1e} apart, {STEP_TOLERANCE:.0e} allowed",
    )


@torch.no_grad()
def check_bfloat16(device: torch.device) -> Check:
    """Compare logits under autocast to bfloat16 with those of float32 on the same device."""
    model, images = _network().to(device).eval(), _images()[0].to(device)
    reference = model(images)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        logits = model(images)
    apart = _apart(logits, reference)
    return Check(
        "bfloat16 against float32",
        logits.dtype == torch.bfloat16 and apart <= BFLOAT16_TOLERANCE,
        f"logits {apart:.1e} apart, {BFLOAT16_TOLERANCE:.0e} allowed",
    )


def check_compile(device: torch.device) -> Check:
    """Compare a training step's weights, compiled and not; it takes a compiler for C++ on a CPU."""
    images, labels = (tensor.to(device) for tensor in _images())
    eager, compiled = _network().to(device), _network().to(device)
    reference = _step(eager, images, labels, fused=True)
    started = time.perf_counter()
    compiled.forward = torch.compile(compiled.forward)
    apart = _apart(_step(compiled, images, labels, fused=True), reference)
    return Check(
        "torch.compile against eager",
        apart <= COMPILE_TOLERANCE,
        f"changes of weights {apart:.1e} apart, {COMPILE_TOLERANCE:.0e} allowed; "
        f"{time.perf_counter() - started:.0f} s to compile",
    )


def check_replicates(device: torch.device) -> Check:
    """Compare the first epoch of two seeds trained together with that of each on its own."""
    config = RunConfig.preset("digits", "sl", "symmetric-0.4", profile="smoke", embedding=0)
    short = config.optimisation.model_copy(update={"epochs": 1, "milestones": ()})
    config = config.model_copy(update={"optimisation": short})
    together = train_replicates(config, [0, 1], device)
    apart = []
    for record in together:
        with tempfile.TemporaryDirectory() as folder:
            own = train(record.config, device, checkpoints=folder, progress=False)
        alone, loss = own.epochs[0].train_loss, record.epochs[0].train_loss
        apart.append(abs(loss - alone) / alone)
    return Check(
        "two seeds together against one by one",
        max(apart) <= REPLICATES_TOLERANCE,
        f"mean losses of an epoch {max(apart):.1e} apart, {REPLICATES_TOLERANCE:.0e} allowed",
    )


def check_throughput(device: torch.device) -> Check:
    """Say how many images a second are trained on, cnn8 at a quarter of its width; holds if there are any."""
    size, batches = SIZES["cifar10"], 4 if device.type == "cpu" else 100
    pixels = np.random.default_rng(0).integers(256, size=(batches * _BATCH, *size.side, 3), dtype=np.uint8)
    images, labels = torch.from_numpy(pixels), torch.arange(batches * _BATCH) % 10
    data = ImageData(
        name="cifar10",
        classes=tuple(map(str, range(10))),
        source="drawn at random",
        train_images=images,
        train_labels=labels,
        test_images=images[:_BATCH],
        test_labels=labels[:_BATCH],
    )
    config = RunConfig.preset("cifar10", "sl", profile="full", model={"name": "cnn8", "width": 0.25})
    run = Run(prepare(config, device, data=data), device)
    run.train_epoch(0)
    started = time.perf_counter()
    run.train_epoch(1)  # ends by waiting for the device
    images_a_second = len(images) / (time.perf_counter() - started)
    operations = images_a_second * flops_per_image("cnn8", 0.25, size)[1]
    return Check(
        "throughput, cnn8 of width 0.25 on 32 x 32 images",
        images_a_second > 0,
        f"{images_a_second:,.0f} images/s, {operations / 1e9:,.0f} GFLOP/s in training",
    )


CHECKS: dict[str, Callable[[torch.device], Check]] = {
    "losses": check_losses,
    "step": check_step,
    "bfloat16": check_bfloat16,
    "replicates": check_replicates,
    "throughput": check_throughput,
    "compile": check_compile,
}


def self_check(device: str | torch.device = "auto", compiling: bool = True) -> Iterator[Check]:
    """Yield the outcome of each of `CHECKS` on a device; one that raises an error has not held.

    Parameters
    ----------
    device : str or torch.device
        See `sce_lib.experiments.training.resolve_device`.
    compiling : bool
        Whether torch.compile is tried too, which takes longer than the rest together.

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
