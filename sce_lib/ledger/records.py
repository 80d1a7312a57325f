"""What is kept of a run: its config, its results, its provenance."""

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from sce_lib.config import RunConfig


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EpochRecord(_Kept):
    """One epoch: losses and learning rate of training, accuracies on test images.

    The accuracies are on `RunRecord.test_images_per_epoch` stratified test images, not always on all; that
    of a class without a test image is None.
    """

    epoch: int = Field(ge=1)
    learning_rate: float
    train_loss: float
    test_accuracy: float
    classwise_accuracy: list[float | None]


class GroupRecord(_Kept):
    """What a network makes of one group of training samples (clean ones, or flipped ones), by true class.

    Where the true labels are not known (`Provenance.noise_rate` is None), the given labels stand for them,
    and all samples are in the group of clean ones.

    Parameters
    ----------
    count : list of int
        Samples of the group in each true class.
    accuracy : list of float
        Portion predicted as their *true* class; NaN is kept as None where a class has no sample.
    fitted : list of float
        Portion predicted as the label they were *given*: for flipped samples, what was memorised.
    margin : list of float
        Mean of p(given label) minus the largest other probability, in [-1, 1].
    gradient_share : list of float
        Share of the training set's total ``|dloss/dlogits|`` that the group's samples of a class receive; 0
        where no sample has a gradient.
    """

    count: list[int]
    accuracy: list[float | None]
    fitted: list[float | None]
    margin: list[float | None]
    gradient_share: list[float]


class StageRecord(_Kept):
    """A look at the whole training set and the whole test set after a chosen epoch.

    Parameters
    ----------
    confidence : K lists of K floats
        Row c: the mean predicted probabilities over the clean portion of true class c.
    predicted, correct : list of int
        Training samples predicted as each class, and those of them whose true class it is.
    """

    epoch: int = Field(ge=1)
    test_accuracy: float
    classwise_accuracy: list[float | None]
    confidence: list[list[float | None]]
    predicted: list[int]
    correct: list[int]
    clean: GroupRecord
    flipped: GroupRecord


class Embedding(_Kept):
    """A 2-D t-SNE embedding of the second last dense layer's outputs on test images."""

    labels: list[int]
    x: list[float]
    y: list[float]

    @property
    def points(self) -> np.ndarray:
        """The points, (N, 2)."""
        return np.column_stack([self.x, self.y])


class Provenance(_Kept):
    """Where a record comes from.

    Noise is given as K lists of K floats, row by true class; a class without a training image realises None.
    `noise_rate` is None where the true labels of the training images are not known (Clothing1M): nothing
    can be said of what was realised, and `requested_noise` is then the matrix estimated from other images
    that have both labels, None in the row of a class without any.
    `replicates` is how many seeds were trained together, None for a run of its own.
    """

    source: str
    fingerprint: str
    train_images: int
    test_images: int
    requested_noise: list[list[float | None]]
    realised_noise: list[list[float | None]]
    noise_rate: float | None
    versions: dict[str, str]
    platform: str
    device: str
    threads: int
    seconds: float
    git_commit: str | None
    date: str
    replicates: int | None = None


class RunRecord(_Kept):
    """Everything that is kept of a run: its config, its results, its provenance.

    Accuracies are in [0, 1]. `last_accuracy` is of all test images after the last epoch;
    `best_accuracy` is the largest of the epochs' test accuracies, an oracle's choice, on
    `test_images_per_epoch` images.
    """

    config: RunConfig
    classes: list[str]
    test_images_per_epoch: int
    epochs: list[EpochRecord]
    stages: list[StageRecord]
    last_accuracy: float
    best_accuracy: float
    best_epoch: int
    confusion: list[list[int]]
    embedding: Embedding | None = None
    provenance: Provenance

    @property
    def run_id(self) -> str:
        """The name of the run, from its config."""
        return self.config.run_id

    @property
    def oracle_gain(self) -> float:
        """What the best epoch would add to the last one, on the images looked at each epoch."""
        return self.best_accuracy - self.epochs[-1].test_accuracy

    def results(self) -> dict[str, Any]:
        """Return what a repetition of the run must give again: all but time, place and date."""
        kept = self.model_dump(mode="json")
        for passing in ("seconds", "date", "git_commit", "versions", "platform", "device", "threads"):
            del kept["provenance"][passing]
        return kept

    def final_stage(self) -> StageRecord:
        """Return the look taken after the last epoch."""
        return self.stages[-1]
