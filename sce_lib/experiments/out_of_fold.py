"""Predictions for the training images, by networks that were not trained on them: to find wrong labels."""

import contextlib
import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from sce_lib import metrics
from sce_lib.data import ImageData, LazyImageData
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.training import TrainingDiverged, measure, resolve_device
from sce_lib.experiments.training.checkpoint import Checkpoint
from sce_lib.experiments.training.loop import Run, checkpoint_of, prepared
from sce_lib.experiments.training.task import Task, epoch_test_size
from sce_lib.files import cache_root

if TYPE_CHECKING:
    import pandas as pd

    from sce_lib.metrics.ranking import By

# The stream of a run's randomness that deals its folds, after those of its training.
FOLDS = 3


@dataclass(frozen=True, eq=False)
class TrainingPredictions:
    """What networks say of all training images of a run, in the images' order; on the CPU.

    Parameters
    ----------
    logits : Tensor (N, K)
        float32; `sce_lib.metrics.suspects` takes them with `labels`.
    labels : Tensor (N,)
        The labels that training sees, int64.
    flipped : Tensor of bool (N,), optional
        Whose label the run's noise has changed; None where it changes none or nobody knows.
    fold : Tensor (N,)
        Which network a row is from, int64 from 0 on.
    classes : tuple of str
        The names of the K classes.
    """

    logits: Tensor
    labels: Tensor
    flipped: Tensor | None
    fold: Tensor
    classes: tuple[str, ...]

    @property
    def probabilities(self) -> Tensor:
        """The softmax of the logits, (N, K), float64."""
        return self.logits.double().softmax(dim=1)

    def table(
        self, by: "By" = "loss", adjusted: bool = False, paths: Sequence[Path] | None = None
    ) -> "pd.DataFrame":
        """Return a row for each image, the most suspicious first, as `sce_lib.metrics.suspects` ranks them.

        The columns are ``rank``, from 1; ``path``, or ``index`` where none are given; the ``given`` class and
        the ``predicted`` one; ``flipped``, if known, 0 or 1; the ``score`` that decides the rank; and
        unadjusted the ``loss`` (cross entropy), the ``margin`` of the given class before the best other and
        the ``self_confidence``, its probability, both low where a label is suspicious.
        """
        import pandas as pd  # who trains does not wait for it

        rank = functools.partial(metrics.suspects, self.logits, self.labels, given="logits")
        found = rank(by, adjusted=adjusted)
        order, p = found.indices, self.probabilities[found.indices]
        given, place = self.labels[order], order.tolist()
        columns: dict[str, Any] = {"rank": range(1, len(order) + 1)}
        columns |= {"index": place} if paths is None else {"path": [str(paths[index]) for index in place]}
        columns["given"] = [self.classes[label] for label in given.tolist()]
        columns["predicted"] = [self.classes[label] for label in p.argmax(dim=1).tolist()]
        if self.flipped is not None:
            columns["flipped"] = self.flipped[order].int()
        columns["score"], columns["loss"] = found.scores[order], rank("loss").scores[order]
        columns["margin"] = metrics.margins(p, given)
        columns["self_confidence"] = p.gather(1, given[:, None])[:, 0]
        return pd.DataFrame(columns)


def stratified_folds(labels: Tensor, folds: int, seed: int) -> Tensor:
    """Deal samples to folds at random, (N,): sizes, and each class's share in them, differ by one at most.

    Examples
    --------
    >>> fold = stratified_folds(torch.tensor([0, 0, 0, 0, 1, 1]), folds=2, seed=0)
    >>> [fold[:4].bincount().tolist(), fold[4:].bincount().tolist()]
    [[2, 2], [1, 1]]
    """
    n = len(labels)
    whole = isinstance(folds, int | np.integer) and not isinstance(folds, bool)
    # BatchNorm has no variance in a batch of one: the smallest part that is trained on has two images.
    if not whole or not 2 <= folds <= n or n - -(-n // folds) < 2:
        raise ValueError(
            f"folds is how many parts {n} images are dealt to, a whole number from 2 to {n} that leaves 2 "
            f"images or more to train on, not {folds!r}"
        )
    order = np.random.default_rng([seed, FOLDS]).permutation(n)
    by_class = order[np.argsort(labels.cpu().numpy()[order], kind="stable")]
    fold = torch.empty(n, dtype=torch.int64)
    fold[by_class] = torch.arange(n) % folds
    return fold


def out_of_fold(
    config: RunConfig,
    folds: int = 5,
    device: str | torch.device = "auto",
    *,
    threads: int | None = None,
    root: str | Path | None = None,
    data: ImageData | LazyImageData | None = None,
    checkpoints: str | Path | None = None,
    progress: bool = True,
) -> TrainingPredictions:
    """Predict each training image by a network that was trained on the other folds, as `train` trains.

    Folds are stratified by the labels that training sees. The same config and number of folds give the same
    predictions, bit for bit, where `train` gives the same record. A label that is alone in its class is
    always suspicious: the network that predicts it has seen none like it.

    Parameters
    ----------
    config : RunConfig
        The data set with its noise, and how each network is trained. ``n_train=None`` predicts all images.
    folds : int
        How many networks, each trained on all folds but one: 2 to N.
    device, threads, root, data, progress
        See `train`.
    checkpoints : path, optional
        Where the state of the network in training and what each fold came to are kept, by default
        ``out_of_fold`` in the cache: an interrupted call goes on where it was, a minute back at most, and the
        next one of the same arguments, images, code and machine reads them. They can be deleted at any time.

    Raises
    ------
    TrainingDiverged
        If a loss or an output is not finite.
    ValueError
        For a number of folds that cannot be, and as `train` does.

    Examples
    --------
    >>> import tempfile
    >>> config = RunConfig.preset("digits", "sl", "symmetric-0.4", profile="smoke", n_train=200)
    >>> found = out_of_fold(config, folds=2, device="cpu", checkpoints=tempfile.mkdtemp())
    >>> found.probabilities.shape, found.fold.bincount().tolist(), int(found.flipped.sum())
    (torch.Size([200, 10]), [100, 100], 80)
    """
    resolved = resolve_device(device)
    with prepared(config, resolved, threads, root, data) as task:
        fold = stratified_folds(task.labels, folds, config.seed)
        return _predictions(task, fold, [fold != k for k in range(folds)], resolved, checkpoints, progress)


def in_sample(
    config: RunConfig,
    device: str | torch.device = "auto",
    *,
    threads: int | None = None,
    root: str | Path | None = None,
    data: ImageData | LazyImageData | None = None,
    checkpoints: str | Path | None = None,
    progress: bool = True,
) -> TrainingPredictions:
    """Predict the training images by one network that was trained on all of them, as small-loss methods do.

    A fifth of the work of five folds; a wrong label that the network has memorised is not found. Arguments
    and errors are those of `out_of_fold`.

    Examples
    --------
    >>> import tempfile
    >>> config = RunConfig.preset("digits", "sl", "symmetric-0.4", profile="smoke", n_train=200)
    >>> in_sample(config, device="cpu", checkpoints=tempfile.mkdtemp()).logits.shape
    torch.Size([200, 10])
    """
    resolved = resolve_device(device)
    with prepared(config, resolved, threads, root, data) as task:
        fold = torch.zeros(len(task.labels), dtype=torch.int64)
        return _predictions(task, fold, [fold == 0], resolved, checkpoints, progress)


def _predictions(
    task: Task,
    fold: Tensor,
    trained_on: list[Tensor],
    device: torch.device,
    checkpoints: str | Path | None,
    progress: bool,
) -> TrainingPredictions:
    """Train a network on the images that each mask marks, and let it predict those of its fold."""
    folder = Path(checkpoints or cache_root() / "out_of_fold", task.data.fingerprint[:12])
    epochs = len(trained_on) * task.config.optimisation.epochs
    logits = torch.empty(len(fold), task.num_classes)
    hidden = None if progress else True  # None: tqdm shows the bar on a terminal only
    with tqdm(total=epochs, desc=task.config.run_id, unit="epoch", disable=hidden) as bar:
        for number, mask in enumerate(trained_on):
            which, predicted = f"{number + 1}-of-{len(trained_on)}", fold == number
            checkpoint = checkpoint_of(task, device, folder / which)
            indices = (chosen.nonzero()[:, 0].to(device) for chosen in (mask, predicted))
            with contextlib.closing(_part(task, *indices)) as part:
                logits[predicted] = _logits(part, device, checkpoint, bar)
    return TrainingPredictions(
        logits=logits,
        labels=task.labels.cpu(),
        flipped=task.flipped.cpu() if task.flipped.any() else None,
        fold=fold,
        classes=tuple(task.data.classes),
    )


def _part(task: Task, trained_on: Tensor, predicted: Tensor) -> Task:
    """Return the task of training on some images, tested on others by the labels that they are given."""
    per_sample = ("images", "labels", "clean", "flipped")
    training: dict[str, Any] = {name: getattr(task, name)[trained_on] for name in per_sample}
    looked_at = torch.arange(epoch_test_size(len(trained_on), len(predicted)), device=predicted.device)
    return dataclasses.replace(
        task,
        **training,
        test_images=task.images[predicted],
        test_labels=task.labels[predicted],
        epoch_test=looked_at,
    )


def _logits(task: Task, device: torch.device, checkpoint: Checkpoint, bar: Any) -> Tensor:
    """Return a trained network's logits for the test images, (n, K), from its checkpoint if kept."""
    epochs, state = task.config.optimisation.epochs, checkpoint.load(device)
    if state is not None and "logits" in state:
        bar.update(epochs)
        return state["logits"].cpu()
    run = Run(task, device)
    if state is not None:
        run.restore(state)
        bar.update(len(run.epochs))
    for epoch in range(len(run.epochs), epochs):
        run.run_epoch(epoch)
        if checkpoint.due:
            checkpoint.save(run.state())
        bar.update()
    logits = measure.outputs(run.model, task, task.test_images).cpu()
    if not logits.isfinite().all():
        raise TrainingDiverged(f"{task.config.run_id}: the network's outputs are not finite")
    checkpoint.save({"logits": logits})
    return logits
