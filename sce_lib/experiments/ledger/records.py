"""What is kept of a run: its config, its results, its provenance."""

import math
from collections.abc import Iterator
from typing import Annotated, Any, Self

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from sce_lib import quoted
from sce_lib.experiments.config import RunConfig
from sce_lib.files import check_name

# NaN is in no range, so it is refused as well.
Share = Annotated[float, Field(ge=0, le=1)]
Margin = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[int, Field(ge=0)]
NotNegative = Annotated[FiniteFloat, Field(ge=0)]
# Records come from others: what is a word here stands in tables, on pages and in figures.
Name = Annotated[str, AfterValidator(check_name)]
# Shares are kept as float64; the same ratio computed twice may differ in its last bits.
_ROUNDING = 1e-6


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EpochRecord(_Kept):
    """One epoch: losses and learning rate of training, accuracies on test images.

    The accuracies are on `RunRecord.test_images_per_epoch` stratified test images, not always on all; that
    of a class without a test image is None.
    """

    epoch: int = Field(ge=1)
    learning_rate: NotNegative
    train_loss: FiniteFloat
    test_accuracy: Share
    classwise_accuracy: list[Share | None]


class GroupRecord(_Kept):
    """What a network makes of one group of training samples (clean ones, or flipped ones), by true class.

    Where the true labels are not known (`Provenance.noise_rate` is None), the given labels stand for them,
    and all samples are in the group of clean ones.

    Parameters
    ----------
    count : list of int
        Samples of the group in each true class.
    accuracy, fitted : list of float
        Portion predicted as their *true* class, and as the label they were *given*: for flipped samples, what
        was memorised. None where a class has no sample.
    margin : list of float
        Mean of p(given label) minus the largest other probability, in [-1, 1].
    gradient_share : list of float
        Share of the training set's total ``|dloss/dlogits|`` that the group's samples of a class receive; 0
        where no sample has a gradient.
    """

    count: list[Count]
    accuracy: list[Share | None]
    fitted: list[Share | None]
    margin: list[Margin | None]
    gradient_share: list[Share]


class DetectionRecord(_Kept):
    """How well the loss on the labels that training sees tells the flipped ones from the clean ones.

    The loss is cross entropy, whatever was minimised: SL, GCE, MAE and all that depend on the given label's
    probability alone order samples as it does. Numbers are as in `sce_lib.metrics.Detection`; the class-wise
    ones are within a *true* class, None where it has no flipped label or no other.
    """

    auroc: Share
    average_precision: Share
    precision: Share
    classwise_auroc: list[Share | None]
    classwise_average_precision: list[Share | None]
    classwise_precision: list[Share | None]


class StageRecord(_Kept):
    """A look at the whole training set and the whole test set after a chosen epoch.

    Parameters
    ----------
    confidence : K lists of K floats
        Row c: the mean predicted probabilities over the clean portion of true class c.
    predicted, correct : list of int
        Training samples predicted as each class, and those of them whose true class it is.
    detection : DetectionRecord, optional
        None where no label is flipped, all are, or it is not known; and in records from before it was kept.
    """

    epoch: int = Field(ge=1)
    test_accuracy: Share
    classwise_accuracy: list[Share | None]
    confidence: list[list[Share | None]]
    predicted: list[Count]
    correct: list[Count]
    clean: GroupRecord
    flipped: GroupRecord
    detection: DetectionRecord | None = None

    @model_serializer(mode="wrap")
    def _as_before_it_was_kept(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        kept: dict[str, Any] = serialize(self)
        if self.detection is None:
            kept.pop("detection", None)
        return kept


class Embedding(_Kept):
    """A 2-D t-SNE embedding of the second last dense layer's outputs on test images."""

    labels: list[Count]
    x: list[FiniteFloat]
    y: list[FiniteFloat]

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
    `replicates` is how many seeds were trained together, as earlier versions could; None for a run alone.
    `platform` names the processor, and `code` is the digest of the code that trains: records from before
    these were kept have the operating system alone, and None.
    """

    source: Name
    fingerprint: Name
    train_images: int = Field(ge=1)
    test_images: int = Field(ge=1)
    requested_noise: list[list[Share | None]]
    realised_noise: list[list[Share | None]]
    noise_rate: Share | None
    versions: dict[Name, Name]
    platform: Name
    device: Name
    threads: int = Field(ge=1)
    seconds: NotNegative
    git_commit: Name | None
    date: Name
    replicates: int | None = Field(default=None, ge=1)
    code: Name | None = None

    @model_serializer(mode="wrap")
    def _as_before_it_was_kept(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        kept: dict[str, Any] = serialize(self)
        if self.code is None:
            kept.pop("code", None)
        return kept


class RunRecord(_Kept):
    """Everything that is kept of a run: its config, its results, its provenance.

    Accuracies are in [0, 1]. `last_accuracy` is of all test images after the last epoch; `best_accuracy` is
    the largest of the epochs' test accuracies, an oracle's choice, on `test_images_per_epoch` images.
    `confusion` counts all test images after the last epoch: row by true class, column by predicted one.

    Raises
    ------
    ValueError
        (pydantic's) for a number out of its range, or numbers that contradict each other: an accuracy that is
        not that of the confusion matrix, fewer epochs than the config's, a table that lacks a class.
    """

    config: RunConfig
    classes: list[Name] = Field(min_length=2)
    test_images_per_epoch: int = Field(ge=1)
    epochs: list[EpochRecord] = Field(min_length=1)
    stages: list[StageRecord] = Field(min_length=1)
    last_accuracy: Share
    best_accuracy: Share
    best_epoch: int
    confusion: list[list[Count]]
    embedding: Embedding | None = None
    provenance: Provenance

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        # What has a wrong size cannot be counted.
        checks = (_wrong_counts, _wrong_sums, _wrong_accuracies)
        if wrong := list(_wrong_sizes(self)) or [what for check in checks for what in check(self)]:
            raise ValueError("; ".join(wrong[:3]))
        return self

    @property
    def run_id(self) -> str:
        """The name of the run, from its config."""
        return self.config.run_id

    @property
    def oracle_gain(self) -> float:
        """What the best epoch would add to the last one, on the images looked at each epoch."""
        return self.best_accuracy - self.epochs[-1].test_accuracy

    @property
    def detection(self) -> DetectionRecord | None:
        """How well the final loss finds the flipped labels; None where it is not recorded."""
        return self.final_stage().detection

    def results(self, detection: bool = True) -> dict[str, Any]:
        """Return what a repetition of the run must give again: all but time, place and date.

        Without `detection` it is what a record has that was made before that was kept.
        """
        passing = {"seconds", "date", "git_commit", "versions", "platform", "device", "threads", "code"}
        left_out: dict[str, Any] = {} if detection else {"stages": {"__all__": {"detection"}}}
        return self.model_dump(mode="json", exclude={"provenance": passing, **left_out})

    def final_stage(self) -> StageRecord:
        """Return the look taken after the last epoch."""
        return self.stages[-1]


class Summary(_Kept):
    """What a table of many runs says of each: a record without its curves, looks and matrices.

    The fields are those of `RunRecord`, with `run_id`, `RunConfig.setting` as it was called when the record
    was read, and a provenance whose matrices are empty.
    """

    run_id: str
    setting: str
    config: RunConfig
    test_images_per_epoch: int
    last_accuracy: float
    best_accuracy: float
    best_epoch: int
    provenance: Provenance

    @classmethod
    def of(cls, record: RunRecord) -> Self:
        """Return the summary of a record."""
        provenance = record.provenance.model_copy(update={"requested_noise": [], "realised_noise": []})
        same = ("test_images_per_epoch", "last_accuracy", "best_accuracy", "best_epoch", "config", "run_id")
        kept = {name: getattr(record, name) for name in same}
        return cls(**kept, setting=record.config.setting, provenance=provenance)


def _wrong_sizes(record: RunRecord) -> Iterator[str]:
    """Yield what of a record does not have an entry for each epoch, class or point."""
    wanted = record.config.optimisation.epochs
    if [epoch.epoch for epoch in record.epochs] != list(range(1, wanted + 1)):
        yield f"epochs must be 1 to {wanted}, the config's, but {len(record.epochs)} are recorded, or others"
    if (looks := [stage.epoch for stage in record.stages]) != list(record.config.stages):
        yield f"stages must be after the epochs {record.config.stages}, the config's, not {looks}"
    classes = len(record.classes)
    for place, table in _by_class(record):
        if len(table) != classes:
            yield f"{place} must have an entry for each of {classes} classes, not {len(table)}"
    if len(set(record.classes)) < classes:
        yield f"classes must have names of their own, not {quoted(record.classes)}"
    if (points := record.embedding) is not None:
        if not len(points.labels) == len(points.x) == len(points.y):
            yield "the embedding must have a label, an x and a y for each point"
        if max(points.labels, default=0) >= classes:
            yield f"the embedding's labels must be below {classes}, not {max(points.labels)}"


def _by_class(record: RunRecord) -> Iterator[tuple[str, list[Any]]]:
    """Yield everything of a record that has an entry for each class, with its place."""
    noise = record.provenance
    matrices: dict[str, list[Any]] = {"confusion": record.confusion, "requested_noise": noise.requested_noise}
    matrices["realised_noise"] = noise.realised_noise
    matrices |= {f"confidence after epoch {stage.epoch}": stage.confidence for stage in record.stages}
    for name, matrix in matrices.items():
        yield name, matrix
        yield from ((f"a row of {name}", row) for row in matrix)
    for epoch in record.epochs:
        yield f"classwise_accuracy of epoch {epoch.epoch}", epoch.classwise_accuracy
    for stage in record.stages:
        for name in ("classwise_accuracy", "predicted", "correct"):
            yield f"{name} after epoch {stage.epoch}", getattr(stage, name)
        for group in ("clean", "flipped"):
            for name, values in getattr(stage, group):
                yield f"{group}.{name} after epoch {stage.epoch}", values
        for name, values in stage.detection or ():
            if isinstance(values, list):
                yield f"detection.{name} after epoch {stage.epoch}", values


def _wrong_counts(record: RunRecord) -> Iterator[str]:
    """Yield which counts of images are not those that there were."""
    there, counted = record.provenance.test_images, sum(map(sum, record.confusion))
    if counted != there:
        yield f"confusion must count the {there} test images, but it counts {counted}"
    if record.test_images_per_epoch > there:
        yield f"test_images_per_epoch must be 1 to {there}, not {record.test_images_per_epoch}"
    trained = record.provenance.train_images
    for stage in record.stages:
        counts = {"clean and flipped": stage.clean.count + stage.flipped.count, "predicted": stage.predicted}
        for name, values in counts.items():
            if sum(values) != trained:
                yield f"{name} after epoch {stage.epoch} must count {trained} images, not {sum(values)}"
        if any(right > all_ for right, all_ in zip(stage.correct, stage.predicted, strict=True)):
            yield f"correct after epoch {stage.epoch} counts more than predicted"
        if stage.detection is not None and not (sum(stage.clean.count) and sum(stage.flipped.count)):
            yield f"detection after epoch {stage.epoch} must be of clean and of flipped labels"
        shared = sum(stage.clean.gradient_share + stage.flipped.gradient_share)
        if shared > 1 + _ROUNDING * 2 * len(record.classes):
            yield f"the gradient shares after epoch {stage.epoch} must be of one whole, not {shared}"


def _wrong_sums(record: RunRecord) -> Iterator[str]:
    """Yield which rows of probabilities are not of one whole; those of a class without a sample are None."""
    noise = record.provenance
    tables = {"requested_noise": noise.requested_noise, "realised_noise": noise.realised_noise}
    tables |= {f"confidence after epoch {stage.epoch}": stage.confidence for stage in record.stages}
    rounded = _ROUNDING * len(record.classes)  # each of its entries
    for name, table in tables.items():
        for label, row in enumerate(table):
            shares = [share for share in row if share is not None]
            if shares and (len(shares) < len(row) or abs(sum(shares) - 1) > rounded):
                yield f"row {label} of {name} must sum to 1, not to {sum(shares):.6g}"


def _wrong_accuracies(record: RunRecord) -> Iterator[str]:
    """Yield which accuracies are not those of the tables that they come from."""
    right = sum(row[label] for label, row in enumerate(record.confusion))
    share = right / record.provenance.test_images
    if not math.isclose(record.last_accuracy, share, abs_tol=_ROUNDING):
        yield f"last_accuracy must be {share}, by the confusion matrix, not {record.last_accuracy}"
    last = record.final_stage()
    if not math.isclose(last.test_accuracy, share, abs_tol=_ROUNDING):
        yield f"test_accuracy after the last epoch must be {share}, not {last.test_accuracy}"
    for label, (row, found) in enumerate(zip(record.confusion, last.classwise_accuracy, strict=True)):
        true = row[label] / sum(row) if sum(row) else None
        if (found is None) != (true is None) or abs((found or 0) - (true or 0)) > _ROUNDING:
            yield f"the last accuracy of {record.classes[label]} must be {true}, not {found}"
    best = max(record.epochs, key=lambda epoch: epoch.test_accuracy)
    if (record.best_epoch, record.best_accuracy) != (best.epoch, best.test_accuracy):
        yield (
            f"the best epoch must be {best.epoch} with {best.test_accuracy}, by the epochs' accuracies, not "
            f"{record.best_epoch} with {record.best_accuracy}"
        )
