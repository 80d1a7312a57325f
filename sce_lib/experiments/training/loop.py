"""One loop for every method: `train(config) -> RunRecord`."""

import copy
import importlib.metadata
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import EpochRecord, Provenance, RunRecord, StageRecord
from sce_lib.experiments.training.checkpoint import Checkpoint, Progress
from sce_lib.experiments.training.criterion import build_criterion
from sce_lib.experiments.training.measure import (
    TrainingDiverged,
    embed,
    look,
    mean_dimensionality,
    outputs,
    rounded,
)
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


def _seed(config: RunConfig, *stream: int) -> int:
    return int(np.random.SeedSequence([config.seed, *stream]).generate_state(1)[0])


def _initial_model(task: Task, device: torch.device) -> nn.Module:
    config, (height, width, channels) = task.config, task.data.image_shape
    options = {"pretrained": True} if config.model.pretrained else {}
    model = build_model(
        config.model.name,
        num_classes=task.num_classes,
        in_channels=channels,
        image_size=(height, width),
        width=config.model.width,
        generator=torch.Generator().manual_seed(_seed(config, INITIAL_WEIGHTS)),
        **options,
    )
    return model.to(device).to(memory_format=torch.channels_last)


def parameter_groups(model: nn.Module, config: RunConfig) -> list[dict[str, Any]]:
    """Split the parameters by weight decay: the first dense layer's, other kernels, the rest."""
    sgd = config.optimisation
    of_first_dense = {parameter for name, parameter in model.named_parameters() if name.startswith("fc1.")}
    if sgd.fc1_weight_decay is not None and not of_first_dense:
        raise ValueError(
            f"fc1_weight_decay is set, but {config.model.name} has no dense layer before its last"
        )
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in model.parameters():
        decay = 0.0 if sgd.decay_kernels_only and parameter.ndim < 2 else sgd.weight_decay
        if sgd.fc1_weight_decay is not None and parameter in of_first_dense:
            decay = sgd.fc1_weight_decay
        groups.setdefault(decay, []).append(parameter)
    return [{"params": parameters, "weight_decay": decay} for decay, parameters in groups.items()]


class Run:
    """The state of a run: what a checkpoint keeps, and how an epoch changes it."""

    def __init__(self, task: Task, device: torch.device) -> None:
        config = task.config
        self.task, self.config, self.device = task, config, device
        self.model = _initial_model(task, device)
        self.forward = torch.compile(self.model) if config.compile else self.model
        epochs = config.optimisation.epochs
        self.criterion = build_criterion(config.method, task.noisy.requested, epochs).to(device)
        self.optimizer = torch.optim.SGD(
            parameter_groups(self.model, config),
            lr=config.optimisation.lr,
            momentum=config.optimisation.momentum,
            fused=True,
        )
        self.epochs: list[EpochRecord] = []
        self.stages: list[StageRecord] = []
        self.seconds = 0.0
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
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.criterion.load_state_dict(state["criterion"])
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
            lid = mean_dimensionality(self.model, self.task, self.generator(DIMENSIONALITY, epoch))
            if self.criterion.observe(epoch, lid) == "rollback":
                self.model.load_state_dict(before)
        self.measure(epoch + 1, train_loss)

    def check_loss(self, epoch: int, train_loss: float) -> None:
        """Refuse to go on after an epoch (counted from 0) whose mean loss is not finite."""
        if not np.isfinite(train_loss):
            raise TrainingDiverged(
                f"{self.config.run_id}: the mean loss of epoch {epoch + 1} is {train_loss}; "
                "a lower learning rate may help"
            )

    def generator(self, *stream: int) -> torch.Generator:
        """Return a generator for one of the run's streams of randomness."""
        return torch.Generator(self.device).manual_seed(_seed(self.config, *stream))

    def train_epoch(self, epoch: int) -> float:
        """Train one epoch (counted from 0) and return its mean loss.

        The device is waited for only at its end.
        """
        task, sgd = self.task, self.config.optimisation
        generator = self.generator(EPOCH, epoch)
        steps_an_epoch = -(-len(task.labels) // sgd.batch_size)
        half = self.config.precision == "bfloat16"
        self.model.train()
        total = torch.zeros((), device=self.device, dtype=torch.float64)
        seen = 0
        batches = task.training_batches(self.batches(generator), generator)
        for step, (batch, images) in enumerate(batches, start=epoch * steps_an_epoch):
            for group in self.optimizer.param_groups:
                group["lr"] = sgd.learning_rate(epoch, step)
            with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half):
                logits = self.forward(images)
            loss = self.criterion(logits.float(), task.labels[batch])
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(batch)
            seen += len(batch)
        return total.item() / seen

    def measure(self, epoch: int, train_loss: float) -> None:
        """Measure what the record keeps of an epoch (counted from 1)."""
        task, k = self.task, self.task.num_classes
        if epoch in self.config.stages:
            stage, predictions = look(self.model, self.criterion, task, epoch)
            self.stages.append(stage)
            predictions = predictions[task.epoch_test]
        else:
            predictions = outputs(self.model, task, task.test_images[task.epoch_test]).argmax(dim=1)
        labels = task.test_labels[task.epoch_test]
        self.epochs.append(
            EpochRecord(
                epoch=epoch,
                learning_rate=self.optimizer.param_groups[0]["lr"],
                train_loss=train_loss,
                test_accuracy=metrics.accuracy(labels, predictions),
                classwise_accuracy=rounded(metrics.classwise_accuracy(labels, predictions, k)),
            )
        )

    def record(self) -> RunRecord:
        """Return the record of the finished run."""
        task = self.task
        predictions = outputs(self.model, task, task.test_images).argmax(dim=1)
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
            embedding=embed(self.model, task),
            provenance=_provenance(task, self.device, self.seconds, self.git_commit),
        )


def _git_commit() -> str | None:
    """Return the commit of the checkout that this package lies in; None where it lies in none."""
    command = ["git", "-C", str(checkout()), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _provenance(task: Task, device: torch.device, seconds: float, git_commit: str | None) -> Provenance:
    on_cpu = device.type == "cpu"
    return Provenance(
        source=task.data.source,
        fingerprint=task.data.fingerprint,
        train_images=len(task.labels),
        test_images=len(task.test_labels),
        requested_noise=rounded(task.noisy.requested),
        realised_noise=rounded(task.noisy.realised),
        noise_rate=task.noisy.rate if task.clean_known else None,
        versions={"sce_lib": sce_lib.__version__, "torch": torch.__version__}
        | _version_of("torchvision")
        | {"python": platform.python_version()},
        platform=f"{platform.system()} {platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        device="cpu" if on_cpu else torch.cuda.get_device_name(device),
        threads=torch.get_num_threads(),
        seconds=round(seconds, 1),
        git_commit=git_commit,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _version_of(package: str) -> dict[str, str]:
    """Return a package's version, which is looked up and not imported; nothing where it is not installed."""
    try:
        return {package: importlib.metadata.version(package)}
    except importlib.metadata.PackageNotFoundError:
        return {}


@contextmanager
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
    threads, whether or not the run was interrupted. Global random state and the number of threads are as
    before when it returns.

    Parameters
    ----------
    config : RunConfig
        What to train.
    device : str or torch.device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
    threads : int, optional
        Threads of torch's CPU operations; unchanged where it is not given.
    root : path, optional
        Where data sets lie; `sce_lib.files.data_root` where it is not given.
    data : ImageData or LazyImageData, optional
        Images to use in place of the data set that `config.dataset` names.
    checkpoints : path, optional
        Folder of checkpoints; in the cache where it is not given.
    progress : bool
        Whether a bar with the time left is shown (on a terminal only).
    workers : int, optional
        Processes that read images which do not fit in memory (Clothing1M); where it is not given, one less
        than there are cores, at most 8. They do not change the result.

    Returns
    -------
    RunRecord
        What the ledger keeps. The checkpoint is left for the caller to remove once the record is safe.

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
        task = prepare(config, resolved, Path(root) if root else None, data, workers)
        run = Run(task, resolved)
        checkpoint = Checkpoint(config, task.data.fingerprint, Path(checkpoints) if checkpoints else None)
        if (state := checkpoint.load(resolved)) is not None:
            run.restore(state)
        total = config.optimisation.epochs
        hidden = None if progress else True  # None: tqdm shows the bar on a terminal only
        with tqdm(
            total=total, initial=len(run.epochs), desc=config.run_id, unit="epoch", disable=hidden
        ) as bar:
            for epoch in range(len(run.epochs), total):
                started = time.perf_counter()
                run.run_epoch(epoch)
                run.seconds += time.perf_counter() - started
                checkpoint.save(run.state())
                checkpoint.note(len(run.epochs), run.epochs[-1].test_accuracy)
                bar.set_postfix(
                    loss=f"{run.epochs[-1].train_loss:.3f}", test=f"{run.epochs[-1].test_accuracy:.3f}"
                )
                bar.update()
        return run.record()


def discard_checkpoint(config: RunConfig, checkpoints: str | Path | None = None) -> None:
    """Delete a run's checkpoint; to be called once its record is in the ledger."""
    Checkpoint(config, "", Path(checkpoints) if checkpoints else None).remove()


def progress_of(config: RunConfig, checkpoints: str | Path | None = None) -> Progress | None:
    """Return how far a run is that is being trained on this machine; None if that is not known.

    Examples
    --------
    >>> progress_of(RunConfig.preset("digits", "ce", profile="smoke"), checkpoints="none/such") is None
    True
    """
    return Checkpoint(config, "", Path(checkpoints) if checkpoints else None).progress()
