"""`RunConfig`: everything that decides a run's result, and nothing else."""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Protocol = Literal["paper", "released"]
Profile = Literal["smoke", "laptop", "full"]
Section = Literal["5.1", "5.2", "5.3"]
Rate = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Floor = Annotated[float, Field(lt=0.0)]

# The paper looks at epochs 10, 50 and 100 of 120 (§3.2); the last epoch is kept as well.
STAGES = (10 / 120, 50 / 120, 100 / 120, 1.0)


class Part(BaseModel):
    """Base of every part of a config: frozen, and no key goes unnoticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Noise(Part):
    """How the training labels are corrupted.

    Parameters
    ----------
    kind : {"none", "symmetric", "asymmetric", "human"}
        A rate of 0 is always written as ``"none"``, so that clean labels have one name.
    rate : float
        Portion of labels to flip, in [0, 1] (per source class for asymmetric noise).
    variant : {"paper", "released"}
        Whose flips: the paper's text or its released code.
    noise_seed : int, optional
        Seed of the flips; the run's own seed where it is not given.
    exact : bool
        Whether each class gets its rounded count of flips, or independent draws.
    label_set : str, optional
        Which human labels, for ``kind="human"``: ``"worse_label"``, say.

    Examples
    --------
    >>> Noise(kind="symmetric", rate=0.4).slug
    'symmetric-0.4'
    >>> Noise(kind="symmetric", rate=0.0) == Noise()
    True
    """

    kind: Literal["none", "symmetric", "asymmetric", "human"] = "none"
    rate: Rate = 0.0
    variant: Protocol = "paper"
    noise_seed: int | None = Field(default=None, ge=0)
    exact: bool = True
    label_set: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_name_for_clean(cls, values: Any) -> Any:
        kinds = ("none", "symmetric", "asymmetric")
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
        if self.kind != "human" and self.label_set is not None:
            raise ValueError(f"label_set {self.label_set!r} belongs to human noise, not to {self.kind}")
        return self

    @property
    def slug(self) -> str:
        """A short name, ``symmetric-0.4`` or ``clean``."""
        if self.kind == "none":
            return "clean"
        return f"human-{self.label_set}" if self.kind == "human" else f"{self.kind}-{self.rate:g}"


class CE(Part):
    """Cross entropy, Eq. (1), times `scale` (the ablations' 2CE, 5CE and 6CE)."""

    name: Literal["ce"] = "ce"
    scale: Positive = 1.0


class RCE(Part):
    """Reverse cross entropy, Eq. (5), times `scale`."""

    name: Literal["rce"] = "rce"
    scale: Positive = 1.0
    A: Floor


class SL(Part):
    """Symmetric cross entropy learning, Eq. (7)."""

    name: Literal["sl"] = "sl"
    alpha: NonNegative
    beta: NonNegative
    A: Floor


class MAE(Part):
    """Mean absolute error, §4.3."""

    name: Literal["mae"] = "mae"


class GCE(Part):
    """Generalized cross entropy, truncated below probability `truncation` where that is given."""

    name: Literal["gce"] = "gce"
    q: Annotated[float, Field(gt=0.0, le=1.0)]
    truncation: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None


class LSR(Part):
    """Label smoothing: cross entropy against (1 - epsilon) of the label and epsilon of the uniform law."""

    name: Literal["lsr"] = "lsr"
    epsilon: Rate


class Bootstrap(Part):
    """Bootstrap: `beta` of the given label and 1 - `beta` of the network's own."""

    name: Literal["bootstrap"] = "bootstrap"
    beta: Rate
    hard: bool


class Forward(Part):
    """Forward correction by the true transition matrix, or by the identity as the released code has it."""

    name: Literal["forward"] = "forward"
    matrix: Literal["true", "identity"]


class Backward(Part):
    """Backward correction by the true transition matrix."""

    name: Literal["backward"] = "backward"


class D2L(Part):
    """Dimensionality-driven learning; with `alpha`, `beta` and `A` its cross entropy is replaced by SL."""

    name: Literal["d2l"] = "d2l"
    window: Annotated[int, Field(ge=2)]
    first_epoch: Annotated[int, Field(ge=0)]
    alpha: NonNegative = 1.0
    beta: NonNegative = 0.0
    A: Floor | None = None

    @model_validator(mode="after")
    def _whole(self) -> "D2L":
        if self.A is None and (self.alpha, self.beta) != (1.0, 0.0):
            raise ValueError(f"D2L with alpha {self.alpha} and beta {self.beta} is D2L with SL: give A too")
        return self


class ForwardSL(Part):
    """Forward correction plus `beta` times RCE, §5.2."""

    name: Literal["forward+sl"] = "forward+sl"
    matrix: Literal["true", "identity"]
    beta: NonNegative
    A: Floor


class LSRSL(Part):
    """SL on smoothed labels, §5.2."""

    name: Literal["lsr+sl"] = "lsr+sl"
    epsilon: Rate
    alpha: NonNegative
    beta: NonNegative
    A: Floor


class NCERCE(Part):
    """Normalized cross entropy times `alpha` plus RCE times `beta`."""

    name: Literal["nce+rce"] = "nce+rce"
    alpha: NonNegative
    beta: NonNegative
    A: Floor


Method = Annotated[
    CE | RCE | SL | MAE | GCE | LSR | Bootstrap | Forward | Backward | D2L | ForwardSL | LSRSL | NCERCE,
    Field(discriminator="name"),
]


class Model(Part):
    """Which network: a name known to `sce_lib.models`, and its width (1 is the paper's)."""

    name: str
    width: Positive = 1.0
    pretrained: bool = False


class Optimisation(Part):
    """SGD with momentum, a step schedule, and the details in which text and released code differ.

    Parameters
    ----------
    lr, momentum, weight_decay : float
        As torch's SGD has them.
    fc1_weight_decay : float, optional
        Weight decay of the first dense layer (weights and bias, as in the released code), in place of
        `weight_decay`.
    decay_kernels_only : bool
        Whether biases and BatchNorm are spared from `weight_decay`.
    lr_decay : float
        The learning rate of step t is divided by ``1 + lr_decay * t`` (Keras' ``decay``).
    milestones : tuple of int
        Epochs, counted from 0, at which the learning rate falls to a tenth.
    milestones_late : bool
        Whether it falls one epoch after each milestone, as in the released code.
    epochs, batch_size : int
        Length of training and size of a mini-batch.
    """

    lr: Positive
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    weight_decay: NonNegative = 0.0
    fc1_weight_decay: NonNegative | None = None
    decay_kernels_only: bool = False
    lr_decay: NonNegative = 0.0
    milestones: tuple[int, ...] = ()
    milestones_late: bool = False
    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=2)] = 128

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


class RunConfig(Part):
    """One run, described so that the description decides its result.

    Device, threads and workers are not part of it: they may move the result by rounding only.

    Parameters
    ----------
    dataset : str
        A name that `sce_lib.datasets.load_dataset` knows or finds: letters, digits, ``.``, ``_``, ``-``.
    noise, method, model, optimisation, augmentation
        The parts, each a model of its own.
    normalisation : {"channel", "pixel_mean", "scale"}
        Channel mean and standard deviation; mean image, no deviation; or division by 255 alone.
    n_train : int, optional
        Size of the stratified training subset; all images where it is not given.
    subset_seed : int
        Seed of that subset, apart from `seed` so that runs with other seeds see the same images.
    precision : {"float32", "bfloat16"}
        bfloat16 is autocast; parameters stay float32.
    compile : bool
        Whether `torch.compile` is used.
    embedding : int
        How many test images get a 2-D embedding in the record; 0 for none.
    seed : int
        Seed of initial weights, order, augmentation and, by default, noise.
    protocol, profile, section
        Whose details, how much, and which section's settings (the labels that presets were made from).

    Examples
    --------
    >>> config = RunConfig.preset("digits", "sl", "symmetric-0.4", profile="smoke")
    >>> RunConfig.model_validate_json(config.model_dump_json()) == config
    True
    >>> config.run_id.startswith("sl-symmetric-0.4-smoke-s0-")
    True
    """

    dataset: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    noise: Noise = Noise()
    method: Method
    model: Model
    optimisation: Optimisation
    augmentation: Augmentation = Augmentation()
    normalisation: Literal["channel", "pixel_mean", "scale"] = "channel"
    n_train: Annotated[int, Field(ge=2)] | None = None
    subset_seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    embedding: Annotated[int, Field(ge=0)] = 0
    seed: Annotated[int, Field(ge=0)] = 0
    protocol: Protocol = "paper"
    profile: Profile = "laptop"
    section: Section = "5.2"

    @property
    def noise_seed(self) -> int:
        """Seed of the label flips."""
        return self.seed if self.noise.noise_seed is None else self.noise.noise_seed

    @property
    def stages(self) -> tuple[int, ...]:
        """Epochs, counted from 1, after which the training images are looked at.

        Examples
        --------
        >>> RunConfig.preset("cifar10", "ce", "none", profile="full").stages
        (10, 50, 100, 120)
        """
        epochs = self.optimisation.epochs
        return tuple(sorted({max(1, int(share * epochs + 0.5)) for share in STAGES}))

    @property
    def run_id(self) -> str:
        """A readable slug and a hash of the canonical JSON: the name of the run's record.

        Fields at their default do not enter the hash, so that a field added later, whose default is
        what was always done, leaves the names of earlier runs alone.
        """
        canonical = json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
        # A method's parameters are told apart by its name, which is a default and must not be lost.
        digest = hashlib.sha256(f"{self.method.name}{canonical}".encode()).hexdigest()[:12]
        return f"{self.method.name}-{self.noise.slug}-{self.profile}-s{self.seed}-{digest}"

    @classmethod
    def preset(
        cls,
        dataset: str,
        method: "str | Part",
        noise: "str | tuple[str, float] | Noise" = "none",
        protocol: Protocol = "paper",
        profile: Profile = "laptop",
        section: Section | None = None,
        seed: int = 0,
        **changes: Any,
    ) -> "RunConfig":
        """Return the run that the paper (or its released code) describes, at a profile's scale.

        Parameters
        ----------
        dataset : str
            Name of the data set; one that the tables do not know is treated as CIFAR-10.
        method : str or method
            ``"ce"``, ``"lsr"``, ``"bootstrap"``, ``"forward"``, ``"d2l"``, ``"gce"``, ``"sl"``, an
            ablation (``"5ce"``, ``"2rce"``), a combination (``"forward+sl"``), or a method object.
        noise : str, (kind, rate) or Noise
            ``"none"``, ``"symmetric-0.4"``, ``("asymmetric", 0.3)``, ``"human-worse_label"``.
        protocol, profile, section
            See the class. Without a section: 5.3 for Clothing1M, else 5.2.
        seed : int
            Seed of the run.
        **changes
            Fields of the config to set otherwise.

        Raises
        ------
        ValueError
            For a name that is not known, or a method that the protocol does not have.

        Examples
        --------
        >>> RunConfig.preset("cifar10", "sl", "asymmetric-0.4", profile="full").method
        SL(name='sl', alpha=0.1, beta=5.0, A=-4.0)
        """
        from sce_lib.config.presets import preset_fields

        fields = preset_fields(dataset, method, noise, protocol, profile, section)
        return cls.model_validate(fields | {"seed": seed} | changes)
