"""What is measured of a network: looks at the training set, an embedding, what D2L watches."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sce_lib import metrics
from sce_lib.data import stratified_subset
from sce_lib.experiments.ledger import DetectionRecord, Embedding, GroupRecord, StageRecord
from sce_lib.experiments.training.criterion import of_samples
from sce_lib.experiments.training.randomness import random_state_kept
from sce_lib.experiments.training.task import Images, Task

EVALUATION_BATCH = 500
TSNE_PERPLEXITY = 30.0
# As published with D2L: ten mini-batches of 128, 20 neighbours of each sample.
LID_BATCHES, LID_BATCH, LID_NEIGHBOURS = 10, 128, 20


class TrainingDiverged(ArithmeticError):
    """A loss or an output of the network is not finite; the message says in which epoch of which run."""


def rounded(values: Tensor | np.ndarray, digits: int = 6) -> list:
    """Return values as plain numbers, rounded to keep records small; NaN becomes None."""
    array = np.round(np.asarray(torch.as_tensor(values).detach().cpu(), dtype=np.float64), digits)
    plain = array.astype(object)
    plain[np.isnan(array)] = None
    return plain.tolist()


@torch.no_grad()
def outputs(model: nn.Module, task: Task, images: Images, features: bool = False) -> Tensor:
    """Return a network's logits (or features) on uint8 images, in evaluation mode, float32."""
    was_training = model.training
    model.eval()
    function: Callable[[Tensor], Tensor] = getattr(model, "features") if features else model  # noqa: B009
    half = task.config.precision == "bfloat16"
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=half):
        parts = [function(task.normalised(batch)).float() for batch in images.split(EVALUATION_BATCH)]
    model.train(was_training)
    return torch.cat(parts)


def _group(task: Task, members: Tensor, probabilities: Tensor, share: Tensor) -> GroupRecord:
    """Describe the training samples that `members` marks, by true class."""
    k = task.num_classes
    true, given = task.clean[members], task.labels[members]
    predictions = probabilities[members].argmax(dim=1)
    total = torch.zeros(k, dtype=torch.float64, device=share.device).index_add_(0, true, share[members])
    return GroupRecord(
        count=torch.bincount(true, minlength=k).tolist(),
        accuracy=rounded(metrics.class_means((predictions == true).double(), true, k)),
        fitted=rounded(metrics.class_means((predictions == given).double(), true, k)),
        margin=rounded(metrics.class_means(metrics.margins(probabilities[members], given), true, k)),
        gradient_share=rounded(total),
    )


def _detection(task: Task, logits: Tensor) -> DetectionRecord | None:
    """Describe how well cross entropy finds the flipped labels; None where there is nothing to tell apart."""
    found = metrics.detection(metrics.suspects(logits, task.labels, given="logits"), task.flipped, task.clean)
    if found.reason is not None:
        return None
    by_class = [found.by_class.get(label) for label in range(task.num_classes)]
    fields: dict[str, Any] = {}
    for name in ("auroc", "average_precision", "precision"):
        of_all, *of_each = rounded(np.array([getattr(part, name, np.nan) for part in (found, *by_class)]))
        fields |= {name: of_all, f"classwise_{name}": of_each}
    return DetectionRecord(**fields)


def look(model: nn.Module, criterion: nn.Module, task: Task, epoch: int) -> tuple[StageRecord, Tensor]:
    """Return the record of a stage, and the predictions on the whole test set.

    Raises
    ------
    TrainingDiverged
        If a logit is not finite.
    """
    k = task.num_classes
    logits = outputs(model, task, task.images).double()
    if not logits.isfinite().all():
        raise TrainingDiverged(
            f"{task.config.run_id}: after epoch {epoch} the network's outputs are not finite"
        )
    probabilities = logits.softmax(dim=1)
    everyone = torch.arange(len(task.labels), device=task.labels.device)
    weight = metrics.gradient_weight(of_samples(criterion.eval(), everyone), logits, task.labels)
    criterion.train()
    share = weight / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
    predicted, correct = metrics.prediction_counts(task.clean, logits.argmax(dim=1), k)
    test_predictions = outputs(model, task, task.test_images).argmax(dim=1)
    record = StageRecord(
        epoch=epoch,
        test_accuracy=metrics.accuracy(task.test_labels, test_predictions),
        classwise_accuracy=rounded(metrics.classwise_accuracy(task.test_labels, test_predictions, k)),
        confidence=rounded(metrics.clean_confidence(probabilities, task.clean, task.flipped)),
        predicted=predicted.tolist(),
        correct=correct.tolist(),
        clean=_group(task, ~task.flipped, probabilities, share),
        flipped=_group(task, task.flipped, probabilities, share),
        detection=_detection(task, logits),
    )
    return record, test_predictions


def embed(model: nn.Module, task: Task) -> Embedding | None:
    """Return the t-SNE embedding of as many test images as the config asks for (Figs. 2 and 7).

    None where there is nothing to embed: one image or none, or a network that has collapsed to one output.
    """
    wanted = min(task.config.embedding, len(task.test_labels))
    if wanted < 2:
        return None
    chosen = stratified_subset(task.test_labels, wanted, seed=0)
    features = outputs(model, task, task.test_images[chosen], features=True).cpu().numpy()
    if (features == features[0]).all():  # t-SNE would end the whole process
        return None
    with random_state_kept():  # something that this import imports draws from it
        from sklearn.manifold import TSNE  # a second, which a run without an embedding does not wait for
    perplexity = min(TSNE_PERPLEXITY, (wanted - 1) / 3)
    points = TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1).fit_transform(features)
    x, y = rounded(points.T, 2)
    return Embedding(labels=task.test_labels[chosen].tolist(), x=x, y=y)


def mean_dimensionality(model: nn.Module, task: Task, generator: torch.Generator) -> float:
    """Return the mean local intrinsic dimensionality of features of random training images, for D2L.

    A sample whose neighbours are all equally far has no finite estimate and does not count; NaN if none has.
    """
    size = len(task.images)
    batches = min(LID_BATCHES, max(1, size // LID_BATCH))
    chosen = torch.randperm(size, generator=generator, device=task.images.device)[: batches * LID_BATCH]
    features = outputs(model, task, task.images[chosen], features=True)
    estimates = torch.cat(
        [metrics.local_intrinsic_dimensionality(batch, LID_NEIGHBOURS) for batch in features.chunk(batches)]
    )
    return estimates[estimates.isfinite()].mean().item()
