"""The methods of a run: a loss or a procedure, with its hyperparameters."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sce_lib.experiments.config.base import Floor, NonNegative, Part, Positive, Rate

__all__ = ["AEL", "AGCE", "AUE", "CE", "D2L", "ELR", "GCE", "LSR", "LSRSL", "MAE", "NCEMAE", "NCERCE"]
__all__ += ["NFLMAE", "NFLRCE", "RCE", "SL", "Backward", "Bootstrap", "Forward", "ForwardSL", "Method"]
__all__ += ["NamedMethod", "ScaledMethod", "method_title"]

# What the paper does not write in capitals.
_TITLES = {"bootstrap": "Bootstrap", "forward": "Forward", "backward": "Backward", "forward+sl": "Forward+SL"}


def method_title(slug: str) -> str:
    """Return a method's short name as the paper writes it.

    Examples
    --------
    >>> method_title("forward+sl"), method_title("2ce")
    ('Forward+SL', '2CE')
    """
    return _TITLES.get(slug, slug.upper())


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
