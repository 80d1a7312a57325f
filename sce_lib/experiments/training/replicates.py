"""Seeds of one config trained together: one batch of networks in place of several small runs."""

import copy
import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from sce_lib.data import ImageData, load_dataset
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.parts import D2L
from sce_lib.experiments.ledger import RunRecord
from sce_lib.experiments.training import loop
from sce_lib.experiments.training.task import prepare


class _Replicates:
    """Runs that differ in their seed alone, and their networks' weights, stacked.

    Each keeps its own labels, order, augmentation and loss, from the same streams of randomness as when it
    is trained alone; forward pass, backward pass and optimiser take all of them at once.
    """

    def __init__(self, runs: list[loop.Run]) -> None:
        self.runs, first = runs, runs[0]
        # BatchNorm's running statistics are buffers, one set a network, that vmap updates in place.
        parameters, buffers = stack_module_state([run.model for run in runs])
        model = copy.deepcopy(first.model).to("meta").train()
        of_one = vmap(lambda weights, images: functional_call(model, weights, (images,)))
        self.forward = lambda images: of_one((parameters, buffers), images)
        self.state = parameters | buffers
        # The parameter groups of one network with the stacked parameters in their place.
        names = {parameter: name for name, parameter in first.model.named_parameters()}
        groups = loop.parameter_groups(first.model, first.config)
        for group in groups:
            group["params"] = [parameters[names[parameter]] for parameter in group["params"]]
        self.optimizer = loop.build_optimizer(groups, first.config.optimisation)

    def train_epoch(self, epoch: int) -> list[float]:
        """Train one epoch (counted from 0) and return each run's mean loss."""
        generators = [run.generator(loop.EPOCH, epoch) for run in self.runs]

        def batches() -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
            for batch in zip(*map(loop.Run.batches, self.runs, generators), strict=True):
                drawn = zip(self.runs, batch, generators, strict=True)
                yield batch, torch.stack([run.task.training_batch(index, g) for run, index, g in drawn])

        def losses(batch: tuple[Tensor, ...], logits: Tensor) -> Tensor:
            own = zip(self.runs, batch, logits, strict=True)
            each = ((loop.of_samples(run.criterion, i), of, run.task.labels[i]) for run, i, of in own)
            return torch.stack([loss(logits, labels) for loss, logits, labels in each])

        size, config = len(self.runs[0].task.labels), self.runs[0].config
        total, seen = loop.take_steps(config, self.optimizer, epoch, size, batches(), self.forward, losses)
        self._hand_out()
        return (total / seen).tolist()

    @torch.no_grad()
    def _hand_out(self) -> None:
        """Give each run its weights, and the last step's learning rate, to be measured by."""
        for number, run in enumerate(self.runs):
            run.model.load_state_dict({name: stacked[number] for name, stacked in self.state.items()})
            for group in run.optimizer.param_groups:
                group["lr"] = self.optimizer.param_groups[0]["lr"]


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
    agree with a single run's within rounding at first and drift apart as training goes on. A record's
    ``provenance.replicates`` is how many were trained together, ``provenance.seconds`` its share of the time.
    `Ledger.replicates` keeps them apart from single runs. There are no checkpoints.

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
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds are two or more different ones to train together, not {list(seeds)}")
    if isinstance(config.method, D2L):
        raise ValueError("d2l goes back on an epoch of its own choice; train its seeds one by one")
    if config.compile:
        raise ValueError("compile=True is not for seeds trained together; set it to False")
    resolved = loop.resolve_device(device)
    configs = [RunConfig.model_validate(config.model_dump() | {"seed": seed}) for seed in seeds]
    with loop.repeatable(threads):
        data = data or load_dataset(config.dataset, root=root)
        tasks = [prepare(one, resolved, root, data) for one in configs]
        # All look at the first one's images, which are the same, in place of a copy of their own.
        shared: dict[str, Any] = {"images": tasks[0].images, "test_images": tasks[0].test_images}
        runs = [loop.Run(dataclasses.replace(task, **shared), resolved) for task in tasks]
        together = _Replicates(runs)
        started = time.perf_counter()
        for epoch in range(config.optimisation.epochs):
            for run, loss in zip(runs, together.train_epoch(epoch), strict=True):
                run.check_loss(epoch, loss)
                run.measure(epoch + 1, loss)
        for run in runs:
            run.seconds, run.replicates = (time.perf_counter() - started) / len(runs), len(runs)
        return [run.record() for run in runs]
