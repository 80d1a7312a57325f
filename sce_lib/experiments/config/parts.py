"""The parts of a run's config: noise, method, network, optimisation, augmentation."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from sce_lib import quoted

Protocol = Literal["paper", "released"]
Profile = Literal["smoke", "laptop", "full"]
Section = Literal["5.1", "5.2", "5.3"]
Rate = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Floor = Annotated[float, Field(lt=0.0, allow_inf_nan=False)]


def _of_plain_letters(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        plain = "letters, digits, '.', '_' and '-' alone, beginning with a letter or digit"
        raise ValueError(f"this name is to have {plain}, not {quoted(name)}")
    return name


# Of a data set, a network, a set of labels: it becomes part of the names of files.
Word = Annotated[str, Field(max_length=100), AfterValidator(_of_plain_letters)]
# What torch's generators take.
Seed = Annotated[int, Field(ge=0, lt=2**63)]

# What the paper does not write in capitals.
_TITLES = {"bootstrap": "Bootstrap", "forward": "Forward", "backward": "Backward", "forward+sl": "Forward+SL"}


class Part(BaseModel):
    """Base of every part of a config: frozen, and no key goes unnoticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    # Fields that were added after the first records: at their default they are not written.
    later: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _as_before_they_were_added(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        kept: dict[str, Any] = serialize(self)
        for name in self.later:
            if getattr(self, name) == type(self).model_fields[name].default:
                kept.pop(name, None)
        return kept


# So many values that are wrong are told of.
_TOLD = 5


def explain(error: BaseException) -> str:
    """Return an error's message, words for one that has none; pydantic's as a line for each wrong value.

    Examples
    --------
    >>> try:
    ...     Noise(kind="symmetric", rate=2)
    ... except ValueError as error:
    ...     print(explain(error))
    rate: Input should be less than or equal to 1, not 2
    """
    if not isinstance(error, ValidationError):
        untold = "no memory was left" if isinstance(error, MemoryError) else "it says no more"
        return str(error) or untold
    lines, problems = [], error.errors(include_url=False)
    for problem in problems[:_TOLD]:
        place = ".".join(map(_key, problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        own = problem["type"] in ("value_error", "json_invalid")  # these say themselves what was given
        lines.append(f"{place}: {message}" + ("" if own else f", not {quoted(problem['input'])}"))
    if len(problems) > _TOLD:
        lines.append(f"and {len(problems) - _TOLD} more like these")
    return "\n     ".join(line.removeprefix(": ") for line in lines)


def in_a_line(error: BaseException) -> str:
    """Return an error's kind and the first line of its message; torch's have lines of where it was, in C++.

    Examples
    --------
    >>> in_a_line(MemoryError()), in_a_line(RuntimeError("too large" + chr(10) + "frame #0: ..."))
    ('MemoryError: no memory was left', 'RuntimeError: too large')
    """
    return f"{type(error).__name__}: {explain(error).strip().splitlines()[0]}"


def _key(part: str | int) -> str:
    return str(part) if re.fullmatch(r"[\w.+-]{1,100}", str(part)) else quoted(part)


def method_title(slug: str) -> str:
    """Return a method's short name as the paper writes it.

    Examples
    --------
    >>> method_title("forward+sl"), method_title("2ce")
    ('Forward+SL', '2CE')
    """
    return _TITLES.get(slug, slug.upper())


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


class NamedMethod(Part):
    """Base of the methods, each of which has a `name`."""

    name: str

    @property
    def slug(self) -> str:
        """The short name that `RunConfig.preset` takes: ``sl``, ``2ce``, ``d2l+sl``."""
        return self.name

    @property
    def title(self) -> str:
        """The short name as the paper writes it: ``SL``, ``2CE``, ``D2L+SL``."""
        return method_title(self.slug)


class ScaledMethod(NamedMethod):
    """A method whose loss is multiplied by `scale`."""

    scale: Positive = 1.0

    @property
    def slug(self) -> str:
        """The short name with the factor before it: ``2ce``."""
        return ("" if self.scale == 1.0 else f"{self.scale:g}") + self.name


class CE(ScaledMethod):
    """Cross entropy, Eq. (1), times `scale` (the ablations' 2CE, 5CE and 6CE)."""

    name: Literal["ce"] = "ce"


class RCE(ScaledMethod):
    """Reverse cross entropy, Eq. (5), times `scale`."""

    name: Literal["rce"] = "rce"
    A: Floor


class SL(NamedMethod):
    """Symmetric cross entropy learning, Eq. (7)."""

    name: Literal["sl"] = "sl"
    alpha: NonNegative
    beta: NonNegative
    A: Floor


class MAE(NamedMethod):
    """Mean absolute error, §4.3."""

    name: Literal["mae"] = "mae"


class GCE(NamedMethod):
    """Generalized cross entropy, truncated below probability `truncation` where that is given."""

    name: Literal["gce"] = "gce"
    q: Annotated[float, Field(gt=0.0, le=1.0)]
    truncation: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None


class LSR(NamedMethod):
    """Label smoothing: cross entropy against (1 - epsilon) of the label and epsilon of the uniform law."""

    name: Literal["lsr"] = "lsr"
    epsilon: Rate


class Bootstrap(NamedMethod):
    """Bootstrap: `beta` of the given label and 1 - `beta` of the network's own."""

    name: Literal["bootstrap"] = "bootstrap"
    beta: Rate
    hard: bool


class Forward(NamedMethod):
    """Forward correction by the true transition matrix, or by the identity as the released code has it."""

    name: Literal["forward"] = "forward"
    matrix: Literal["true", "identity"]


class Backward(NamedMethod):
    """Backward correction by the true transition matrix."""

    name: Literal["backward"] = "backward"


class D2L(NamedMethod):
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

    @property
    def slug(self) -> str:
        """``d2l``, or ``d2l+sl`` where its cross entropy is replaced."""
        return self.name if self.A is None else f"{self.name}+sl"


class ForwardSL(NamedMethod):
    """Forward correction plus `beta` times RCE, §5.2."""

    name: Literal["forward+sl"] = "forward+sl"
    matrix: Literal["true", "identity"]
    beta: NonNegative
    A: Floor


class LSRSL(NamedMethod):
    """SL on smoothed labels, §5.2."""

    name: Literal["lsr+sl"] = "lsr+sl"
    epsilon: Rate
    alpha: NonNegative
    beta: NonNegative
    A: Floor


class NCERCE(NamedMethod):
    """Normalized cross entropy times `alpha` plus RCE times `beta`."""

    name: Literal["nce+rce"] = "nce+rce"
    alpha: NonNegative
    beta: NonNegative
    A: Floor


class NCEMAE(NamedMethod):
    """Normalized cross entropy times `alpha` plus MAE, which goes up to 2, times `beta`."""

    name: Literal["nce+mae"] = "nce+mae"
    alpha: NonNegative
    beta: NonNegative


class NFLRCE(NamedMethod):
    """Normalized focal loss times `alpha` plus RCE times `beta`."""

    name: Literal["nfl+rce"] = "nfl+rce"
    gamma: NonNegative
    alpha: NonNegative
    beta: NonNegative
    A: Floor


class NFLMAE(NamedMethod):
    """Normalized focal loss times `alpha` plus MAE, which goes up to 2, times `beta`."""

    name: Literal["nfl+mae"] = "nfl+mae"
    gamma: NonNegative
    alpha: NonNegative
    beta: NonNegative


class AGCE(NamedMethod):
    """Asymmetric generalized cross entropy."""

    name: Literal["agce"] = "agce"
    a: NonNegative
    q: Positive


class AUE(NamedMethod):
    """Asymmetric unhinged loss."""

    name: Literal["aue"] = "aue"
    a: Annotated[float, Field(ge=1.0)]
    q: Positive


class AEL(NamedMethod):
    """Asymmetric exponential loss."""

    name: Literal["ael"] = "ael"
    a: Positive


class ELR(NamedMethod):
    """Early-learning regularization: CE that remembers what the network said of each training sample."""

    name: Literal["elr"] = "elr"
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)]
    lambda_: NonNegative


Method = Annotated[
    (CE | RCE | SL | MAE | GCE | LSR | Bootstrap | Forward | Backward | D2L | ForwardSL | LSRSL)
    | (NCERCE | NCEMAE | NFLRCE | NFLMAE | AGCE | AUE | AEL | ELR),
    Field(discriminator="name"),
]


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
