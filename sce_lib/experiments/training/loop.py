"""One loop for every method: `train(config) -> RunRecord`."""

import contextlib
import copy
import importlib.metadata
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

import sce_lib
from sce_lib import metrics
from sce_lib.data import ImageData, LazyImageData
from sce_lib.experiments.config import Optimisation, RunConfig
from sce_lib.experiments.ledger import EpochRecord, Provenance, RunRecord, StageRecord
from sce_lib.experiments.training import measure
from sce_lib.experiments.training.checkpoint import Checkpoint, Progress
from sce_lib.experiments.training.criterion import build_criterion, of_samples
from sce_lib.experiments.training.task import Task, prepare
from sce_lib.files import checkout
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


def build_optimizer(groups: list[dict[str, Any]], sgd: Optimisation) -> torch.optim.SGD:
    """Return the optimiser of `parameter_groups`."""
    return torch.optim.SGD(groups, lr=sgd.lr, momentum=sgd.momentum, fused=True)


def take_steps(
    config: RunConfig,
    optimizer: torch.optim.SGD,
    epoch: int,
    size: int,
    batches: Iterable[tuple[Any, Tensor]],
    forward: Callable[[Tensor], Tensor],
    loss_of: Callable[[Any, Tensor], Tensor],
) -> tuple[Tensor, int]:
    """Train an epoch (counted from 0) of `size` samples, and return the sum of their losses and their number.

    A batch is its samples' indices and images. Of networks that are trained together `loss_of` gives each
    one's loss, and each has its own sum. The device is not waited for.
    """
    sgd, half = config.optimisation, config.precision == "bfloat16"
    total, seen = torch.zeros(()), 0
    for step, (index, images) in enumerate(batches, start=epoch * -(-size // sgd.batch_size)):
        for group in optimizer.param_groups:
            group["lr"] = sgd.learning_rate(epoch, step)
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=half):
            logits = forward(images)
        loss = loss_of(index, logits.float())
        optimizer.zero_grad(set_to_none=True)
        loss.sum().backward()  # a network's weights are in its own loss alone
        optimizer.step()
        samples = logits.shape[-2]
        total = total + (loss.detach() * samples).double()
        seen += samples
    return total, seen


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
        self.forward = torch.compile(self.model) if config.compile else self.model
        epochs = config.optimisation.epochs
        criterion = build_criterion(config.method, task.noisy.requested, epochs, len(task.labels))
        self.criterion = criterion.to(device)
        self.optimizer = build_optimizer(parameter_groups(self.model, config), config.optimisation)
        self.epochs: list[EpochRecord] = []
        self.stages: list[StageRecord] = []
        self.seconds = 0.0
        self.replicates: int | None = None  # how many seeds are trained together
        # Asked for now: a long run may end under a later commit than its code was loaded from.
        self.git_commit = _git_commit()

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "criterion": self.criterion.state_dict(),
            "epochs": [record.model_dump() for record in self.epochs],
            "stages": [record.model_dump() for record in self.stages],
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a checkpoint's state."""
        for part in ("model", "optimizer", "criterion"):
            getattr(self, part).load_state_dict(state[part])
        self.epochs = [EpochRecord(**record) for record in state["epochs"]]
        self.stages = [StageRecord(**record) for record in state["stages"]]
        self.seconds = state["seconds"]

    def batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield the batches of an epoch in random order, as indices of training samples."""
        order = torch.randperm(len(self.task.labels), generator=generator, device=self.device)
        # BatchNorm has no variance in a batch of one: a last sample on its own waits for the next epoch.
        return (batch for batch in order.split(self.config.optimisation.batch_size) if len(batch) > 1)

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
        generator, labels = self.generator(EPOCH, epoch), self.task.labels
        batches = self.task.training_batches(self.batches(generator), generator)

        def loss(index: Tensor, logits: Tensor) -> Tensor:
            return of_samples(self.criterion, index)(logits, labels[index])

        self.model.train()
        total, seen = take_steps(self.config, self.optimizer, epoch, len(labels), batches, self.forward, loss)
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
            provenance=_provenance(self),
        )


def _git_commit() -> str | None:
    """Return the commit of the checkout that this package lies in; None where it lies in none."""
    if (folder := checkout()) is None:
        return None
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _provenance(run: Run) -> Provenance:
    task, on_cpu = run.task, run.device.type == "cpu"
    return Provenance(
        source=task.data.source,
        fingerprint=task.data.fingerprint,
        train_images=len(task.labels),
        test_images=len(task.test_labels),
        requested_noise=measure.rounded(task.noisy.requested),
        realised_noise=measure.rounded(task.noisy.realised),
        noise_rate=task.noisy.rate if task.clean_known else None,
        versions=_versions(),
        platform=f"{platform.system()} {platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        device="cpu" if on_cpu else torch.cuda.get_device_name(run.device),
        threads=torch.get_num_threads(),
        seconds=round(run.seconds, 1),
        git_commit=run.git_commit,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        replicates=run.replicates,
    )


def _versions() -> dict[str, str]:
    versions = {"sce_lib": sce_lib.__version__, "torch": torch.__version__}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # it is looked up and not imported
        versions["torchvision"] = importlib.metadata.version("torchvision")
    return versions | {"python": platform.python_version()}


@contextlib.contextmanager
def repeatable(count: int | None) -> Iterator[None]:
    """Set torch's threads, and cuDNN to algorithms that give the same each time, while a run is made."""
    if count is not None and count < 1:
        raise ValueError(f"threads is the number of torch's threads, at least 1, not {count}")
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            yield
    finally:
        torch.set_num_threads(before)


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

    Parameters
    ----------
    config : RunConfig
        What to train.
    device : str or torch.device
        See `resolve_device`.
    threads : int, optional
        Threads of torch's CPU operations; unchanged where it is not given.
    root, checkpoints : path, optional
        Where data sets lie, by default `sce_lib.files.data_root`, and checkpoints, by default in the cache. A
        checkpoint is left for the caller to remove once the record is safe.
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
    with repeatable(threads):
        task = prepare(config, resolved, root, data, workers)
        run = Run(task, resolved)
        checkpoint = Checkpoint(config, task.data.fingerprint, checkpoints)
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
