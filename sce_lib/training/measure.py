"""What a record keeps of a network: its looks at the training set, and an embedding."""

import math

import numpy as np
import torch
from sklearn.manifold import TSNE
from torch import Tensor, nn

from sce_lib import metrics
from sce_lib.datasets import stratified_subset
from sce_lib.ledger import Embedding, GroupRecord, StageRecord
from sce_lib.training.task import Task

EVALUATION_BATCH = 500
TSNE_PERPLEXITY = 30.0


def rounded(values: Tensor | float, digits: int = 6) -> list:
    """Return values as plain numbers, rounded to keep records small; NaN becomes None."""
    array = np.asarray(torch.as_tensor(values).detach().cpu(), dtype=np.float64)
    return _plain(np.round(array, digits).tolist())


def _plain(value: list | float) -> list:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if math.isnan(value) else value  # type: ignore[return-value]


@torch.no_grad()
def outputs(model: nn.Module, task: Task, images: Tensor, features: bool = False) -> Tensor:
    """Return a network's logits (or features) on uint8 images, in evaluation mode, float32."""
    was_training = model.training
    model.eval()
    function = model.features if features else model
    half = task.config.precision == "bfloat16"
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=half):
        parts = [function(task.normalised(batch)).float() for batch in images.split(EVALUATION_BATCH)]
    model.train(was_training)
    return torch.cat(parts)


def _group(task: Task, members: Tensor, probabilities: Tensor, share: Tensor) -> GroupRecord:
    """Describe the training samples that `members` marks, by true class."""
    k = task.num_classes
    true, given = task.true_labels[members], task.labels[members]
    predictions = probabilities[members].argmax(dim=1)
    total = torch.zeros(k, dtype=torch.float64, device=share.device).index_add_(0, true, share[members])
    return GroupRecord(
        count=torch.bincount(true, minlength=k).tolist(),
        accuracy=rounded(metrics.class_means((predictions == true).double(), true, k)),
        fitted=rounded(metrics.class_means((predictions == given).double(), true, k)),
        margin=rounded(metrics.class_means(metrics.margins(probabilities[members], given), true, k)),
        gradient_share=rounded(total),
    )


def look(model: nn.Module, criterion: nn.Module, task: Task, epoch: int) -> tuple[StageRecord, Tensor]:
    """Return the record of a stage, and the predictions on the whole test set."""
    k = task.num_classes
    logits = outputs(model, task, task.images).double()
    probabilities = logits.softmax(dim=1)
    weight = metrics.gradient_weight(criterion, logits, task.labels)
    share = weight / weight.sum()
    predicted, correct = metrics.prediction_counts(task.true_labels, logits.argmax(dim=1), k)
    test_predictions = outputs(model, task, task.test_images).argmax(dim=1)
    record = StageRecord(
        epoch=epoch,
        test_accuracy=metrics.accuracy(task.test_labels, test_predictions),
        classwise_accuracy=rounded(metrics.classwise_accuracy(task.test_labels, test_predictions, k)),
        confidence=rounded(metrics.clean_confidence(probabilities, task.true_labels, task.flipped)),
        predicted=predicted.tolist(),
        correct=correct.tolist(),
        clean=_group(task, ~task.flipped, probabilities, share),
        flipped=_group(task, task.flipped, probabilities, share),
    )
    return record, test_predictions


def embed(model: nn.Module, task: Task) -> Embedding | None:
    """Return the t-SNE embedding of as many test images as the config asks for (Figs. 2 and 7)."""
    wanted = min(task.config.embedding, len(task.test_labels))
    if not wanted:
        return None
    chosen = torch.as_tensor(stratified_subset(task.test_labels.cpu(), wanted, seed=0)).to(
        task.test_images.device
    )
    features = outputs(model, task, task.test_images[chosen], features=True).cpu().numpy()
    perplexity = min(TSNE_PERPLEXITY, (wanted - 1) / 3)
    points = TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1).fit_transform(features)
    return Embedding(
        labels=task.test_labels[chosen].tolist(),
        x=rounded(torch.as_tensor(points[:, 0]), 2),
        y=rounded(torch.as_tensor(points[:, 1]), 2),
    )
