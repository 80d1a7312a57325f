"""The losses, one by one: what each docstring says of it, its reference, its gradient weight, its limits."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpydoc.docscrape import NumpyDocString
from torch import Tensor, nn

from reference.markdown import table
from sce_lib import losses
from sce_lib.experiments.config.presets import RELEASED_A, SL_WEIGHTS
from sce_lib.losses import functional as L
from sce_lib.noise import symmetric_matrix
from sce_lib.report.figures.losses import gradient_weights
from sce_lib.theory import loss_of_probability, loss_table, tolerated_ratio

Loss = Callable[[Tensor, Tensor], Tensor]

NUM_CLASSES = 10
_T = symmetric_matrix(NUM_CLASSES, 0.4)
# Told once at the head of the page, for all losses.
_SHARED = {"logits", "target", "weight", "ignore_index", "reduction"}


@dataclass(frozen=True)
class Entry:
    """A loss of the page: its module, its function if it has one, its references, and what is drawn of it."""

    title: str
    module: type[nn.Module]
    function: Callable[..., Tensor] | None
    cited: tuple[str, ...]
    curves: Mapping[str, Loss]

    @property
    def picture(self) -> str:
        """Name of the file with the gradient weights."""
        return f"losses/{self.module.__name__}.svg"


def _sl_of(dataset: str) -> Loss:
    return losses.SymmetricCrossEntropy(*SL_WEIGHTS[dataset])


CATALOGUE = [
    Entry(
        "Cross entropy",
        losses.CrossEntropy,
        L.cross_entropy,
        (),
        {"2 CE": losses.Sum([(2.0, losses.CrossEntropy())])},
    ),
    Entry(
        "Reverse cross entropy",
        losses.ReverseCrossEntropy,
        L.reverse_cross_entropy,
        ("wang2019symmetric",),
        {f"A = {A:.4g}": losses.ReverseCrossEntropy(A=A) for A in (-2, L.PAPER_LOG_ZERO, -6, RELEASED_A)},
    ),
    Entry(
        "Symmetric cross entropy",
        losses.SymmetricCrossEntropy,
        L.symmetric_cross_entropy,
        ("wang2019symmetric",),
        {
            f"α {SL_WEIGHTS[dataset][0]:g}, β {SL_WEIGHTS[dataset][1]:g} ({name})": _sl_of(dataset)
            for dataset, name in (("mnist", "MNIST"), ("cifar10", "CIFAR-10"), ("cifar100", "CIFAR-100"))
        },
    ),
    Entry(
        "Mean absolute error",
        losses.MeanAbsoluteError,
        L.mean_absolute_error,
        ("ghosh2017robust",),
        {"MAE": losses.MeanAbsoluteError()},
    ),
    Entry(
        "Generalized cross entropy",
        losses.GeneralizedCrossEntropy,
        L.generalized_cross_entropy,
        ("zhang2018generalized",),
        {f"q = {q}": losses.GeneralizedCrossEntropy(q) for q in (0.3, 0.7, 1.0)}
        | {"q = 0.7, truncation 0.5": losses.GeneralizedCrossEntropy(0.7, truncation=0.5)},
    ),
    Entry(
        "Label smoothing",
        losses.LabelSmoothing,
        L.label_smoothing,
        ("szegedy2016rethinking", "pereyra2017regularizing"),
        {f"ε = {epsilon}": losses.LabelSmoothing(epsilon) for epsilon in (0.1, 0.4)},
    ),
    Entry(
        "Bootstrapping",
        losses.Bootstrap,
        L.bootstrap,
        ("reed2014training",),
        {
            "soft, β = 0.95": losses.Bootstrap(),
            "soft, detached": losses.Bootstrap(detach=True),
            "hard, β = 0.8": losses.Bootstrap(hard=True),
        },
    ),
    Entry(
        "Forward correction",
        losses.ForwardCorrection,
        L.forward_correction,
        ("patrini2017making",),
        {"40 % symmetric noise": losses.ForwardCorrection(_T)},
    ),
    Entry(
        "Backward correction",
        losses.BackwardCorrection,
        L.backward_correction,
        ("patrini2017making",),
        {"20 % symmetric noise": losses.BackwardCorrection(symmetric_matrix(NUM_CLASSES, 0.2))},
    ),
    Entry(
        "Normalized cross entropy",
        losses.NormalizedCrossEntropy,
        L.normalized_cross_entropy,
        ("ma2020normalized",),
        {
            "NCE": losses.NormalizedCrossEntropy(),
            "NCE + RCE": losses.Sum(
                [(1.0, losses.NormalizedCrossEntropy()), (1.0, losses.ReverseCrossEntropy())]
            ),
        },
    ),
    Entry(
        "Focal loss",
        losses.FocalLoss,
        L.focal_loss,
        ("lin2017focal",),
        {f"γ = {gamma}": losses.FocalLoss(gamma) for gamma in (0.5, 2.0)},
    ),
    Entry(
        "Normalized focal loss",
        losses.NormalizedFocalLoss,
        L.normalized_focal_loss,
        ("ma2020normalized",),
        {f"γ = {gamma}": losses.NormalizedFocalLoss(gamma) for gamma in (0.0, 0.5, 2.0)},
    ),
    Entry(
        "Taylor cross entropy",
        losses.TaylorCrossEntropy,
        L.taylor_cross_entropy,
        ("feng2020can",),
        {f"t = {t}": losses.TaylorCrossEntropy(t) for t in (1, 2, 6)},
    ),
    Entry(
        "Partially huberised cross entropy",
        losses.PartiallyHuberisedCrossEntropy,
        L.partially_huberised_cross_entropy,
        ("menon2020can",),
        {f"τ = {tau}": losses.PartiallyHuberisedCrossEntropy(tau) for tau in (1, 2, 10)},
    ),
    Entry(
        "Asymmetric generalized cross entropy",
        losses.AsymmetricGeneralizedCrossEntropy,
        L.asymmetric_generalized_cross_entropy,
        ("zhou2021asymmetric",),
        {
            f"a = {a}, q = {q}": losses.AsymmetricGeneralizedCrossEntropy(a, q)
            for a, q in ((0.0, 0.6), (0.6, 0.6), (1.0, 2.0))
        },
    ),
    Entry(
        "Asymmetric unhinged loss",
        losses.AsymmetricUnhinged,
        L.asymmetric_unhinged,
        ("zhou2021asymmetric",),
        {
            f"a = {a}, q = {q}": losses.AsymmetricUnhinged(a, q)
            for a, q in ((1.5, 0.9), (1.5, 2.0), (3.0, 0.1))
        },
    ),
    Entry(
        "Asymmetric exponential loss",
        losses.AsymmetricExponential,
        L.asymmetric_exponential,
        ("zhou2021asymmetric",),
        {f"a = {a}": losses.AsymmetricExponential(a) for a in (0.5, 1.0, 2.5)},
    ),
    Entry(
        "Jensen-Shannon divergence",
        losses.JensenShannon,
        L.jensen_shannon,
        ("englesson2021generalized",),
        {f"π = {pi}": losses.JensenShannon(pi) for pi in (0.1, 0.5, 0.9)},
    ),
    Entry(
        "Weighted sums",
        losses.Sum,
        None,
        ("wang2019symmetric",),
        {
            "Forward + RCE": losses.Sum(
                [(1.0, losses.ForwardCorrection(_T)), (1.0, losses.ReverseCrossEntropy())]
            ),
            "Forward": losses.ForwardCorrection(_T),
        },
    ),
    Entry(
        "Smoothed targets for any loss",
        losses.SmoothedTargets,
        None,
        ("wang2019symmetric",),
        {
            "SL on smoothed targets": losses.SmoothedTargets(losses.SymmetricCrossEntropy()),
            "SL": losses.SymmetricCrossEntropy(),
        },
    ),
    Entry("Dimensionality-driven learning", losses.D2L, None, ("ma2018dimensionality",), {}),
    Entry("Early-learning regularization", losses.ELR, None, ("liu2020early",), {}),
]


def _half_mae(logits: Tensor, target: Tensor) -> Tensor:
    return L.mean_absolute_error(logits, target) / 2


def _nce_over_labels(logits: Tensor, target: Tensor) -> Tensor:
    labels = range(logits.shape[1])
    return sum((L.normalized_cross_entropy(logits, target * 0 + label) for label in labels), logits[:, 0] * 0)


def _one(logits: Tensor, target: Tensor) -> Tensor:
    return logits[:, 0] * 0 + 1


def _exponential_rescaled(logits: Tensor, target: Tensor, a: float = 1e6) -> Tensor:
    return a * (L.asymmetric_exponential(logits, target, a) - math.exp(-1 / a))


_CE, _MAE = ("CE", L.cross_entropy), ("½ MAE", _half_mae)
# Loss and setting, the loss there, what it becomes.
LIMITS: list[tuple[str, Loss, tuple[str, Loss]]] = [
    ("SL, β = 0, α = 1", losses.SymmetricCrossEntropy(1.0, 0.0), _CE),
    ("SL, α = 0, β = 1", losses.SymmetricCrossEntropy(0.0, 1.0), ("RCE", L.reverse_cross_entropy)),
    ("RCE, A = −2", losses.ReverseCrossEntropy(A=-2), ("MAE", L.mean_absolute_error)),
    ("GCE, q = 10⁻⁶", losses.GeneralizedCrossEntropy(1e-6), _CE),
    ("GCE, q = 1", losses.GeneralizedCrossEntropy(1.0), _MAE),
    ("Label smoothing, ε = 0", losses.LabelSmoothing(0.0), _CE),
    ("Bootstrapping, β = 1", losses.Bootstrap(1.0), _CE),
    ("Forward, T the identity", losses.ForwardCorrection(np.eye(NUM_CLASSES)), _CE),
    ("Backward, T the identity", losses.BackwardCorrection(np.eye(NUM_CLASSES)), _CE),
    ("NCE, summed over all labels", _nce_over_labels, ("1", _one)),
    ("Focal, γ = 0", losses.FocalLoss(0), _CE),
    ("Normalized focal, γ = 0", losses.NormalizedFocalLoss(0), ("NCE", L.normalized_cross_entropy)),
    ("Taylor, t = 1", losses.TaylorCrossEntropy(1), _MAE),
    ("Taylor, t = 2000", losses.TaylorCrossEntropy(2000), _CE),
    ("Huberised, τ = 1", losses.PartiallyHuberisedCrossEntropy(1), _MAE),
    ("Huberised, τ = 10⁶", losses.PartiallyHuberisedCrossEntropy(1e6), _CE),
    (
        "Asymmetric generalized, a = 0, q = 0.7",
        losses.AsymmetricGeneralizedCrossEntropy(0, 0.7),
        ("GCE, q = 0.7", L.generalized_cross_entropy),
    ),
    ("Asymmetric generalized, q = 1", losses.AsymmetricGeneralizedCrossEntropy(5.0, 1.0), _MAE),
    ("Asymmetric unhinged, q = 1", losses.AsymmetricUnhinged(3.0, 1.0), _MAE),
    ("Asymmetric exponential, a = 10⁶, rescaled", _exponential_rescaled, _MAE),
    ("Jensen-Shannon, π = 10⁻⁶", losses.JensenShannon(1e-6), _CE),
    ("Jensen-Shannon, π = 1 − 10⁻¹⁴", losses.JensenShannon(1 - 1e-14), _MAE),
]


def per_sample(loss: Loss) -> Loss:
    """Return a loss without its reduction."""
    return loss.per_sample if isinstance(loss, losses.Loss) else loss


def largest_difference(loss: Loss, limit: Loss) -> float:
    """Return how far two losses are apart at most, for p_y from 0.01 to 0.99 and the rest spread evenly."""
    p_y = np.linspace(0.01, 0.99, 99)
    ours, theirs = (loss_of_probability(per_sample(each), p_y, NUM_CLASSES)[0] for each in (loss, limit))
    return float(np.abs(ours - theirs).max())


def fragments() -> dict[str, str]:
    """Return the text of the catalogue, the table of limits, and that of what a loss tolerates."""
    return {
        "losses.md": "\n".join(line for entry in CATALOGUE for line in _entry(entry)),
        "limits.md": "\n".join(_limits()),
        "tolerated.md": "\n".join(_tolerated()),
    }


def draw(folder: Path) -> None:
    """Write the picture of each loss's gradient weight."""
    with mpl.rc_context({"svg.hashsalt": "sce_lib", "svg.fonttype": "path"}):
        for entry in CATALOGUE:
            if entry.curves:
                path = folder / entry.picture
                path.parent.mkdir(parents=True, exist_ok=True)
                curves = {name: per_sample(loss) for name, loss in entry.curves.items()}
                gradient_weights(curves, NUM_CLASSES).savefig(path, metadata={"Date": None})


def _entry(entry: Entry) -> Iterator[str]:
    told = entry.function or entry.module
    docstring = NumpyDocString(inspect.getdoc(told) or "")
    yield f"(loss-{entry.module.__name__.lower()})="
    yield f"## {entry.title}\n"
    yield from (
        "```{eval-rst}",
        f".. py:currentmodule:: {(L if entry.function else losses).__name__}",
        "",
        *docstring["Summary"],
        "",
        *docstring["Extended Summary"],
        "",
    )
    yield from _hyperparameters(told, docstring)
    yield "```\n"
    module = f"{{py:class}}`~sce_lib.losses.{entry.module.__name__}`"
    function = f"{{py:func}}`~{L.__name__}.{told.__name__}`"
    yield f"In code: {module}, {function}." if entry.function else f"In code: {module}."
    if entry.cited:
        yield f"From {{cite:t}}`{','.join(entry.cited)}`."
    if entry.curves:
        yield from ("", f"```{{figure}} _made/{entry.picture}", f":alt: {_in_words(entry)}", "```")
    yield ""


def _hyperparameters(told: Any, docstring: NumpyDocString) -> Iterator[str]:
    signature = inspect.signature(told).parameters
    own = [row for row in docstring["Parameters"] if not {*row.name.split(", ")} & _SHARED]
    for row in own:
        defaults = [signature[name].default for name in row.name.split(", ")]
        given = inspect.Parameter.empty not in defaults
        default = f" (default {', '.join(map(str, defaults))})" if given else ""
        yield f"- ``{row.name}``{default}: {' '.join(row.desc)}"


def _in_words(entry: Entry) -> str:
    """Return what the picture shows, in numbers, for those who do not see it."""
    points = (0.05, 0.5, 0.95)
    rows = (
        f"{name}: "
        + ", ".join(
            f"{weight:.2f}" for weight in loss_of_probability(per_sample(loss), points, NUM_CLASSES)[1]
        )
        for name, loss in entry.curves.items()
    )
    return f"Gradient weight at p_y = {', '.join(map(str, points))}. {'; '.join(rows)}."


def _limits() -> Iterator[str]:
    compared = ((setting, name, largest_difference(loss, limit)) for setting, loss, (name, limit) in LIMITS)
    rows = ((setting, name, f"{apart:.0e}" if apart else "0") for setting, name, apart in compared)
    yield from table(["Loss and setting", "becomes", "largest difference"], rows, numbers=1)


def of_the_label_alone(loss: Loss) -> bool:
    """Return whether a loss sees nothing but the probability of the label."""
    p = [[0.3, 0.6, 0.1], [0.3, 0.2, 0.5]]
    one, other = loss_table(p, per_sample(loss))[:, 0] if _takes_three_classes(loss) else (0.0, 1.0)
    return bool(abs(one - other) < 1e-12)


def _takes_three_classes(loss: Loss) -> bool:
    return not isinstance(loss, losses.ForwardCorrection | losses.BackwardCorrection | losses.Sum)


def _tolerated() -> Iterator[str]:
    """Yield the rows of the losses of the label's probability, the most tolerant first."""
    rows = []
    curves = {
        entry.title: {"": losses.CrossEntropy()} if entry.title == "Cross entropy" else entry.curves
        for entry in CATALOGUE
    }
    for title, settings in curves.items():
        for name, loss in settings.items():
            if of_the_label_alone(loss):
                try:
                    ratio = tolerated_ratio(per_sample(loss))
                except ValueError:  # truncated: flat where the label has no probability
                    continue
                rows.append((f"{title}, {name}" if name else title, ratio))
    rows.sort(key=lambda row: -row[1])
    yield from table(
        ["Loss and setting", "φ′(1) / φ′(0)"], ((name, f"{ratio:.3f}") for name, ratio in rows), numbers=1
    )
