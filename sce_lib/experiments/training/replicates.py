"""Seeds of one config trained together: one batch of networks in place of several small runs."""

import copy
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from sce_lib.data import ImageData, load_dataset
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.parts import D2L
from sce_lib.experiments.ledger import RunRecord
from sce_lib.experiments.training.loop import EPOCH, Run, parameter_groups, repeatable, resolve_device
from sce_lib.experiments.training.task import Task, prepare


class _Replicates:
    """Runs that differ in their seed alone, and their networks' weights, stacked.

    Each keeps its own labels, order, augmentation and loss, from the same streams of randomness as when it
    is trained alone; forward pass, backward pass and optimiser take all of them at once.
    """

    def __init__(self, runs: list[Run]) -> None:
        self.runs, self.config = runs, runs[0].config
        # BatchNorm's running statistics are buffers, one set a network, that vmap updates in place.
        self.parameters, self.buffers = stack_module_state([run.model for run in runs])
        model = copy.deepcopy(runs[0].model).to("meta").train()

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor) -> Tensor:
            return functional_call(model, (parameters, buffers), (images,))

        self.forward = vmap(one)
        self.optimizer = torch.optim.SGD(
            self._groups(runs[0].model),
            lr=self.config.optimisation.lr,
            momentum=self.config.optimisation.momentum,
            fused=True,
        )

    def _groups(self, model: nn.Module) -> list[dict]:
        """Return the parameter groups of one network with the stacked parameters in their place."""
        names = {parameter: name for name, parameter in model.named_parameters()}
        return [
            group | {"params": [self.parameters[names[parameter]] for parameter in group["params"]]}
            for group in parameter_groups(model, self.config)
        ]

    def train_epoch(self, epoch: int) -> list[float]:
        """Train one epoch (counted from 0) and return each run's mean loss."""
        sgd, size = self.config.optimisation, len(self.runs[0].task.labels)
        steps_an_epoch = -(-size // sgd.batch_size)
        half = self.config.precision == "bfloat16"
        device = self.runs[0].device
        generators = [run.generator(EPOCH, epoch) for run in self.runs]
        batches = zip(*(run.batches(g) for run, g in zip(self.runs, generators, strict=True)), strict=True)
        total = torch.zeros(len(self.runs), device=device, dtype=torch.float64)
        seen, rate = 0, 0.0
        for step, batch in enumerate(batches, start=epoch * steps_an_epoch):
            rate = sgd.learning_rate(epoch, step)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            drawn = list(zip(self.runs, batch, generators, strict=True))
            images = torch.stack([run.task.training_batch(index, g) for run, index, g in drawn])
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
                logits = self.forward(self.parameters, self.buffers, images)
            losses = torch.stack(
                [
                    run.criterion(own.float(), run.task.labels[index])
                    for own, (run, index, _) in zip(logits, drawn, strict=True)
                ]
            )
            self.optimizer.zero_grad(set_to_none=True)
            losses.sum().backward()  # a run's weights are in its own loss alone
            self.optimizer.step()
            total += losses.detach() * len(batch[0])
            seen += len(batch[0])
        self._hand_out(rate)
        return (total / seen).tolist()

    @torch.no_grad()
    def _hand_out(self, rate: float) -> None:
        """Give each run its weights, and the last step's learning rate, to be measured by."""
        state = self.parameters | self.buffers
        for number, run in enumerate(self.runs):
            run.model.load_state_dict({name: stacked[number] for name, stacked in state.items()})
            for group in run.optimizer.param_groups:
                group["lr"] = rate


def _check(config: RunConfig, seeds: Sequence[int]) -> None:
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds are two or more different ones to train together, not {list(seeds)}")
    if isinstance(config.method, D2L):
        raise ValueError("d2l goes back on an epoch of its own choice; train its seeds one by one")
    if config.compile:
        raise ValueError("compile=True is not for seeds trained together; set it to False")


def train_replicates(
    config: RunConfig,
    seeds: Sequence[int],
    device: str | torch.device = "auto",
    *,
    threads: int | None = None,
    root: str | Path | None = None,
    data: ImageData | None = None,
) -> list[RunRecord]:
    """Train seeds of one config together and return their records, in the order of the seeds.

    For a GPU that one small run leaves idle. Sums are taken in another order than in `train`, so results
    agree with a single run's within rounding at first and drift apart as training goes on. Each record says
    so: ``provenance.replicates`` is how many were trained together, and ``provenance.seconds`` its share of
    the time. They are kept by `Ledger.replicates`, apart from single runs. There are no checkpoints.

    Parameters
    ----------
    config : RunConfig
        What to train; its own seed does not matter.
    seeds : sequence of int
        Two or more, all different.
    device, threads, root, data
        See `train`.

    Raises
    ------
    TrainingDiverged
        If that happens to one of them.
    ValueError
        If the seeds are not as above, the config asks for D2L or compilation, or does not fit the data.

    Examples
    --------
    >>> config = RunConfig.preset("digits", "sl", profile="smoke", n_train=200, embedding=0)
    >>> [(r.config.seed, r.provenance.replicates) for r in train_replicates(config, [0, 1], "cpu")]
    [(0, 2), (1, 2)]
    """
    _check(config, seeds)
    resolved, root = resolve_device(device), Path(root) if root else None
    configs = [RunConfig.model_validate(config.model_dump() | {"seed": seed}) for seed in seeds]
    with repeatable(threads):
        data = data or load_dataset(config.dataset, root=root)
        tasks = [prepare(one, resolved, root, data) for one in configs]
        runs = [Run(_sharing(task, tasks[0]), resolved) for task in tasks]
        together = _Replicates(runs)
        started = time.perf_counter()
        for epoch in range(config.optimisation.epochs):
            for run, loss in zip(runs, together.train_epoch(epoch), strict=True):
                run.check_loss(epoch, loss)
                run.measure(epoch + 1, loss)
        for run in runs:
            run.seconds = (time.perf_counter() - started) / len(runs)
        return [_marked(run.record(), len(runs)) for run in runs]


def _sharing(task: Task, first: Task) -> Task:
    """Return a task with another's images, which are the same, in place of a copy of its own."""
    return dataclasses.replace(task, images=first.images, test_images=first.test_images)


def _marked(record: RunRecord, count: int) -> RunRecord:
    made = record.provenance.model_copy(update={"replicates": count})
    return record.model_copy(update={"provenance": made})
