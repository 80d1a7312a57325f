"""One loop for every method: `train(config) -> RunRecord`."""

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from sce_lib import metrics
from sce_lib.data import ImageData, LazyImageData
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import EpochRecord, Provenance, RunRecord, StageRecord
from sce_lib.experiments.training import measure, provenance
from sce_lib.experiments.training.checkpoint import Checkpoint, Progress
from sce_lib.experiments.training.criterion import build_criterion, of_samples
from sce_lib.experiments.training.task import Task, prepare
from sce_lib.losses import D2L
from sce_lib.models import build_model

# Streams of randomness of one run, kept apart by these numbers.
INITIAL_WEIGHTS, EPOCH, DIMENSIONALITY = 0, 1, 2


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device that a name means; ``"auto"`` is the GPU if torch sees one, else the CPU.

    Raises
    ------
    ValueError
        If the device is not there, or is neither a CPU nor a CUDA device.

    Examples
    --------
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device {device!r} is not known to torch; give 'auto', 'cpu' or 'cuda'") from error
    if resolved.type not in ("cpu", "cuda"):
        raise ValueError(f"device {device!r} is not supported; give 'auto', 'cpu' or 'cuda'")
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        seen = torch.cuda.device_count() or "no"
        raise ValueError(
            f"device {str(device)!r} was asked for, but torch sees {seen} CUDA device(s); give 'cpu'"
        )
    return resolved


def _generator(config: RunConfig, device: str | torch.device, *stream: int) -> torch.Generator:
    seed = np.random.SeedSequence([config.seed, *stream]).generate_state(1)[0]
    return torch.Generator(device).manual_seed(int(seed))


def parameter_groups(model: nn.Module, config: RunConfig) -> list[dict[str, Any]]:
    """Split the parameters by weight decay: the first dense layer's, other kernels, the rest."""
    sgd = config.optimisation
    if sgd.fc1_weight_decay is not None and not hasattr(model, "fc1"):
        raise ValueError(
            f"fc1_weight_decay is set, but {config.model.name} has no dense layer before its last"
        )
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        decay = 0.0 if sgd.decay_kernels_only and parameter.ndim < 2 else sgd.weight_decay
        if sgd.fc1_weight_decay is not None and name.startswith("fc1."):
            decay = sgd.fc1_weight_decay
        groups.setdefault(decay, []).append(parameter)
    return [{"params": parameters, "weight_decay": decay} for decay, parameters in groups.items()]


class Run:
    """The state of a run: what a checkpoint keeps, and how an epoch changes it."""

    def __init__(self, task: Task, device: torch.device) -> None:
        config = task.config
        self.task, self.config, self.device = task, config, device
        height, width, channels = task.data.image_shape
        options: dict[str, Any] = {"pretrained": True} if config.model.pretrained else {}
        options["generator"] = _generator(config, "cpu", INITIAL_WEIGHTS)
        model = build_model(
            config.model.name, task.num_classes, channels, (height, width), config.model.width, **options
        )
        self.model = model.to(device).to(memory_format=torch.channels_last)
        self.forward: Callable[[Tensor], Tensor] = self.model
        if config.compile:
            self.forward = torch.compile(self.model, mode=config.compile_mode)
        sgd = config.optimisation
        criterion = build_criterion(config.method, task.noisy.requested, sgd.epochs, len(task.labels))
        self.criterion = criterion.to(device)
        groups = parameter_groups(self.model, config)
        self.optimizer = torch.optim.SGD(groups, lr=sgd.lr, momentum=sgd.momentum, fused=True)
        self.epochs: list[EpochRecord] = []
        self.stages: list[StageRecord] = []
        self.seconds = 0.0
        # Asked for now: a long run may end under a later commit than its code was loaded from.
        self.made: dict[str, Any] = {"git_commit": provenance.git_commit(), "date": provenance.now()}

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "criterion": self.criterion.state_dict(),
            "epochs": [record.model_dump() for record in self.epochs],
            "stages": [record.model_dump() for record in self.stages],
            "seconds": self.seconds,
            "made": self.made,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a checkpoint's state."""
        for part in ("model", "optimizer", "criterion"):
            getattr(self, part).load_state_dict(state[part])
        self.epochs = [EpochRecord(**record) for record in state["epochs"]]
        self.stages = [StageRecord(**record) for record in state["stages"]]
        self.seconds, self.made = state["seconds"], state["made"]

    @property
    def ended(self) -> bool:
        """Whether the last epoch is done."""
        return len(self.epochs) == self.config.optimisation.epochs

    @property
    def batch_size(self) -> int:
        """How many samples a whole batch has: the config's, or all where there are fewer."""
        return min(self.config.optimisation.batch_size, len(self.task.labels))

    def batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield the batches of an epoch in random order, as indices of training samples."""
        order = torch.randperm(len(self.task.labels), generator=generator, device=self.device)
        # BatchNorm has no variance in a batch of one: a last sample on its own waits for the next epoch.
        least = self.batch_size if self.config.optimisation.last_batch == "drop" else 2
        return (batch for batch in order.split(self.batch_size) if len(batch) >= least)

    def run_epoch(self, epoch: int) -> None:
        """Train an epoch (counted from 0), let D2L go back on it, and measure what came of it."""
        before = copy.deepcopy(self.model.state_dict()) if isinstance(self.criterion, D2L) else {}
        train_loss = self.train_epoch(epoch)
        self.check_loss(epoch, train_loss)
        if isinstance(self.criterion, D2L):
            generator = self.generator(DIMENSIONALITY, epoch)
            lid = measure.mean_dimensionality(self.model, self.task, generator)
            if self.criterion.observe(epoch, lid) == "rollback":
                self.model.load_state_dict(before)
        self.measure(epoch + 1, train_loss)
        self.made["date"] = provenance.now()

    def check_loss(self, epoch: int, train_loss: float) -> None:
        """Refuse to go on after an epoch (counted from 0) whose mean loss is not finite."""
        if not np.isfinite(train_loss):
            raise measure.TrainingDiverged(
                f"{self.config.run_id}: the mean loss of epoch {epoch + 1} is {train_loss}; "
                "a lower learning rate may help"
            )

    def generator(self, *stream: int) -> torch.Generator:
        """Return a generator for one of the run's streams of randomness."""
        return _generator(self.config, self.device, *stream)

    def train_epoch(self, epoch: int) -> float:
        """Train one epoch (counted from 0) and return its mean loss; the device is waited for at its end."""
        generator, sgd = self.generator(EPOCH, epoch), self.config.optimisation
        half, size = self.config.precision == "bfloat16", len(self.task.labels)
        whole, rest = divmod(size, sgd.batch_size)
        steps = whole + bool(rest) if sgd.last_batch == "keep" else max(1, whole)
        total, seen = torch.zeros(()), 0
        self.model.train()
        batches = self.task.training_batches(self.batches(generator), generator)
        for step, (index, images) in enumerate(batches, start=epoch * steps):
            for group in self.optimizer.param_groups:
                group["lr"] = sgd.learning_rate(epoch, step)
            with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=half):
                logits = self.forward(images)
            loss = of_samples(self.criterion, index)(logits.float(), self.task.labels[index])
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total = total + (loss.detach() * len(logits)).double()
            seen += len(logits)
        return total.item() / seen

    def measure(self, epoch: int, train_loss: float) -> None:
        """Measure what the record keeps of an epoch (counted from 1)."""
        task, chosen = self.task, self.task.epoch_test
        if epoch in self.config.stages:
            stage, predictions = measure.look(self.model, self.criterion, task, epoch)
            self.stages.append(stage)
            predictions = predictions[chosen]
        else:
            predictions = measure.outputs(self.model, task, task.test_images[chosen]).argmax(dim=1)
        labels = task.test_labels[chosen]
        classwise = metrics.classwise_accuracy(labels, predictions, task.num_classes)
        record = EpochRecord(
            epoch=epoch,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            train_loss=train_loss,
            test_accuracy=metrics.accuracy(labels, predictions),
            classwise_accuracy=measure.rounded(classwise),
        )
        self.epochs.append(record)

    def record(self) -> RunRecord:
        """Return the record of the finished run."""
        task = self.task
        predictions = measure.outputs(self.model, task, task.test_images).argmax(dim=1)
        best = max(self.epochs, key=lambda epoch: epoch.test_accuracy)
        return RunRecord(
            config=self.config,
            classes=list(task.data.classes),
            test_images_per_epoch=len(task.epoch_test),
            epochs=self.epochs,
            stages=self.stages,
            last_accuracy=metrics.accuracy(task.test_labels, predictions),
            best_accuracy=best.test_accuracy,
            best_epoch=best.epoch,
            confusion=metrics.confusion_matrix(task.test_labels, predictions, task.num_classes).tolist(),
            embedding=measure.embed(self.model, task),
            provenance=self.provenance(),
        )

    def provenance(self) -> Provenance:
        """Return where the run comes from."""
        task = self.task
        return Provenance(
            source=task.data.source,
            fingerprint=task.data.fingerprint,
            train_images=len(task.labels),
            test_images=len(task.test_labels),
            requested_noise=measure.rounded(task.noisy.requested),
            realised_noise=measure.rounded(task.noisy.realised),
            noise_rate=task.noisy.rate if task.clean_known else None,
            versions=provenance.versions(),
            platform=provenance.machine(),
            device=provenance.device_name(self.device),
            threads=torch.get_num_threads(),
            seconds=round(self.seconds, 1),
            code=provenance.code_digest(),
            **self.made,
        )


@contextlib.contextmanager
def repeatable(count: int | None, cudnn_benchmark: bool = False) -> Iterator[None]:
    """Set torch's threads, and cuDNN to algorithms that give the same each time, while a run is made.

    With `cudnn_benchmark` it takes the fastest instead.
    """
    if count is not None and count < 1:
        raise ValueError(f"threads is the number of torch's threads, at least 1, not {count}")
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        how = {"benchmark": cudnn_benchmark, "deterministic": not cudnn_benchmark}
        with torch.backends.cudnn.flags(enabled=True, **how):
            yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def prepared(
    config: RunConfig,
    device: torch.device,
    threads: int | None = None,
    root: str | Path | None = None,
    data: ImageData | LazyImageData | None = None,
    workers: int | None = None,
) -> Iterator[Task]:
    """Prepare what a run needs and see to it that it repeats; hand both back at the end of a block."""
    with (
        repeatable(threads, config.cudnn_benchmark),
        contextlib.closing(prepare(config, device, root, data, workers)) as task,
    ):
        yield task


def checkpoint_of(task: Task, device: torch.device, folder: str | Path | None) -> Checkpoint:
    """Return the checkpoint of a task that is trained here and now, on a device by torch's threads."""
    made_on = provenance.device_name(device), torch.get_num_threads()
    return Checkpoint(task.config, task.data.fingerprint, folder, *made_on)


def train(
    config: RunConfig,
    device: str | torch.device = "auto",
    *,
    threads: int | None = None,
    root: str | Path | None = None,
    data: ImageData | LazyImageData | None = None,
    checkpoints: str | Path | None = None,
    progress: bool = True,
    workers: int | None = None,
) -> RunRecord:
    """Train one run to its end, going on from its checkpoint if it was interrupted.

    The same config gives the same record, bit for bit, on one machine type, torch version and number of
    threads, interrupted or not. Global random state and the number of threads are as before when it returns.

    A checkpoint is kept each minute (see `sce_lib.experiments.training.checkpoint`) and at the end. One that
    was made by other code, from other images, or with another torch, machine, device or number of threads
    is not gone on from: a warning says which, and the run starts again.

    Parameters
    ----------
    config : RunConfig
        What to train.
    device : str or torch.device
        See `resolve_device`.
    threads : int, optional
        Threads of torch's CPU operations; unchanged where it is not given.
    root, checkpoints : path, optional
        Where data sets lie, by default `sce_lib.files.data_root`, and checkpoints, by default in the cache.
        That of the end is left for the caller to remove once the record is safe; until then the run is not
        trained again, and its record has the date of its end.
    data : ImageData or LazyImageData, optional
        Images to use in place of the data set that `config.dataset` names.
    progress : bool
        Whether a bar with the time left is shown (on a terminal only).
    workers : int, optional
        Processes that read images which do not fit in memory (Clothing1M), by default one less than there are
        cores, at most 8. They do not change the result.

    Raises
    ------
    TrainingDiverged
        If an epoch's mean loss, or an output of the network that a stage looks at, is not finite.
    ValueError
        If labels, sizes or device do not fit the config.

    Examples
    --------
    >>> import tempfile
    >>> config = RunConfig.preset("digits", "sl", "symmetric-0.4", profile="smoke")
    >>> record = train(config, "cpu", checkpoints=tempfile.mkdtemp())
    >>> round(record.provenance.noise_rate, 2)
    0.4
    """
    resolved = resolve_device(device)
    with prepared(config, resolved, threads, root, data, workers) as task:
        run = Run(task, resolved)
        checkpoint = checkpoint_of(task, resolved, checkpoints)
        if (state := checkpoint.load(resolved)) is not None:
            run.restore(state)
        epochs = range(len(run.epochs), config.optimisation.epochs)
        hidden = None if progress else True  # None: tqdm shows the bar on a terminal only
        options: dict[str, Any] = {"desc": config.run_id, "unit": "epoch", "disable": hidden}
        bar = tqdm(epochs, total=epochs.stop, initial=epochs.start, **options)
        for epoch in bar:
            started = time.perf_counter()
            run.run_epoch(epoch)
            run.seconds += time.perf_counter() - started
            if run.ended or checkpoint.due:
                checkpoint.save(run.state())
            last = run.epochs[-1]
            checkpoint.note(last.epoch, last.test_accuracy)
            bar.set_postfix(loss=f"{last.train_loss:.3f}", test=f"{last.test_accuracy:.3f}")
        return run.record()


def discard_checkpoint(config: RunConfig, checkpoints: str | Path | None = None) -> None:
    """Delete a run's checkpoint; to be called once its record is in the ledger."""
    Checkpoint(config, "", checkpoints).remove()


def progress_of(config: RunConfig, checkpoints: str | Path | None = None) -> Progress | None:
    """Return how far a run is that is being trained on this machine; None if that is not known."""
    return Checkpoint(config, "", checkpoints).progress()
