"""The parts of a run's config: noise, network, optimisation, augmentation; and, from their files, methods."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from sce_lib.experiments.config.base import *  # noqa: F403
from sce_lib.experiments.config.base import NonNegative, Part, Positive, Protocol, Rate, Seed, Word
from sce_lib.experiments.config.methods import *  # noqa: F403

# Kinds of noise that depend on the image.
BY_IMAGE = ("instance", "confidence")


class Noise(Part):
    """How the training labels are corrupted.

    Parameters
    ----------
    kind, rate : {"none", "symmetric", "asymmetric", "instance", "confidence", "human"}, float
        By a matrix; by the image's parts (`sce_lib.noise.part_dependent_law`), or where a logistic regression
        on the clean images is unsure (`sce_lib.noise.confidence_law`); or as people gave them. A rate of 0 is
        always written as ``"none"``, so that clean labels have one name; else the rate is the
        portion of labels to flip, in [0, 1] (per source class for asymmetric noise). Forward's "true" matrix
        is the noise's own, and where it depends on the image the mean law of each class.
    variant : {"paper", "released"}
        Whose flips: the paper's text or its released code.
    noise_seed : int, optional
        Seed of the flips; the run's own seed where it is not given.
    exact : bool
        Whether each class (or, of noise by the image, the whole set) gets its rounded count of flips, or
        independent draws.
    label_set : str, optional
        Which human labels, for ``kind="human"``: ``"worse_label"``, say.

    Examples
    --------
    >>> Noise(kind="symmetric", rate=0.4).slug
    'symmetric-0.4'
    >>> Noise(kind="symmetric", rate=0.0) == Noise()
    True
    """

    kind: Literal["none", "symmetric", "asymmetric", "instance", "confidence", "human"] = "none"
    rate: Rate = 0.0
    variant: Protocol = "paper"
    noise_seed: Seed | None = None
    exact: bool = True
    label_set: Word | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_name_for_clean(cls, values: Any) -> Any:
        kinds = ("none", "symmetric", "asymmetric", *BY_IMAGE)
        if not isinstance(values, dict) or values.get("kind", "none") not in kinds or values.get("rate"):
            return values
        idle = ("kind", "rate", "variant", "noise_seed", "exact")
        return {key: value for key, value in values.items() if key not in idle}

    @model_validator(mode="after")
    def _consistent(self) -> "Noise":
        if self.kind == "none" and self.rate:
            raise ValueError(f"noise of kind 'none' has rate 0, not {self.rate}; name a kind")
        if self.kind == "human" and self.label_set is None:
            raise ValueError("human noise needs a label_set, 'worse_label' for instance")
        if self.kind == "human" and self.rate:
            raise ValueError(f"human noise has the rate that people gave it; leave rate out, not {self.rate}")
        if self.kind in BY_IMAGE and self.variant != "paper":
            raise ValueError(f"noise of kind {self.kind!r} has no variant {self.variant!r}: leave it out")
        if self.kind != "human" and self.label_set is not None:
            raise ValueError(f"label_set {self.label_set!r} belongs to human noise, not to {self.kind}")
        return self

    @property
    def slug(self) -> str:
        """A short name, ``symmetric-0.4`` or ``clean``."""
        slugs = {"none": "clean", "human": f"human-{self.label_set}"}
        return slugs.get(self.kind, f"{self.kind}-{self.rate:g}")

    @property
    def title(self) -> str:
        """The noise in words, ``40 % symmetric noise`` or ``clean labels``."""
        titles = {"none": "clean labels", "human": f"human labels ({self.label_set})"}
        kinds = {"instance": "instance-dependent noise", "confidence": "noise by confidence"}
        kind = kinds.get(self.kind, f"{self.kind} noise")
        return titles.get(self.kind, f"{100 * self.rate:g} % {kind}")


class Model(Part):
    """Which network: a name known to `sce_lib.models`, and its width (1 is the paper's)."""

    name: Word
    width: Annotated[float, Field(ge=0.01, le=64.0)] = 1.0
    pretrained: bool = False


class Optimisation(Part):
    """SGD with momentum, a step schedule, and the details in which text and released code differ.

    Parameters
    ----------
    lr, momentum, weight_decay : float
        As torch's SGD has them.
    fc1_weight_decay : float, optional
        In place of `weight_decay` for the first dense layer (weights and bias, as in the released code).
    decay_kernels_only : bool
        Whether biases and BatchNorm are spared from `weight_decay`.
    lr_decay : float
        The learning rate of step t is divided by ``1 + lr_decay * t`` (Keras' ``decay``).
    milestones, milestones_late : tuple of int, bool
        Epochs, counted from 0, at which the learning rate falls to a tenth, or (released code) one later.
    epochs, batch_size : int
        Length of training and size of a mini-batch.
    last_batch : {"keep", "drop"}
        Whether the samples that do not fill a mini-batch are trained on, or wait for the next epoch's order
        so that all batches have one shape. One on its own always waits: BatchNorm has no variance of it.
    """

    later: ClassVar[tuple[str, ...]] = ("last_batch",)

    lr: Positive
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    weight_decay: NonNegative = 0.0
    fc1_weight_decay: NonNegative | None = None
    decay_kernels_only: bool = False
    lr_decay: NonNegative = 0.0
    milestones: tuple[int, ...] = ()
    milestones_late: bool = False
    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=2)] = 128
    last_batch: Literal["keep", "drop"] = "keep"

    @model_validator(mode="after")
    def _milestones_ascend(self) -> "Optimisation":
        if list(self.milestones) != sorted(set(self.milestones)) or any(m < 1 for m in self.milestones):
            raise ValueError(f"milestones ascend from 1 on; {self.milestones} do not")
        return self

    def learning_rate(self, epoch: int, step: int) -> float:
        """Return the learning rate of a step (counted over the whole run) in an epoch, both from 0.

        Examples
        --------
        >>> sgd = Optimisation(lr=1.0, milestones=(2, 4), epochs=5)
        >>> [round(sgd.learning_rate(epoch, step=0), 3) for epoch in range(5)]
        [1.0, 1.0, 0.1, 0.1, 0.01]
        """
        drops = sum(epoch >= milestone + self.milestones_late for milestone in self.milestones)
        return self.lr * 0.1**drops / (1.0 + self.lr_decay * step)


class Augmentation(Part):
    """Random shift (pixels, or a fraction of the side if below 1), horizontal flip, rotation (degrees)."""

    shift: NonNegative = 0.0
    flip: bool = False
    rotation: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0

    @model_validator(mode="after")
    def _whole_pixels(self) -> "Augmentation":
        if self.shift >= 1 and self.shift % 1:
            raise ValueError(f"shift {self.shift} is neither whole pixels nor a fraction of the side below 1")
        return self
