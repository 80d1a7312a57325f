"""One door to the losses: by the short names that runs and papers use, or by the names of the classes.

A class enters by a `name` of its own (``name: ClassVar[str] = "sl"``) and by standing in ``__all__`` of
:mod:`sce_lib.losses.modules`. Losses with a memory are added to `_CLASSES` below, and methods that are put
together from several losses to `_METHODS`.
"""

import difflib
import inspect
import re
from collections.abc import Callable
from typing import Any, Literal, Unpack, overload

from torch import nn

from sce_lib import nearest, quoted
from sce_lib.losses import modules
from sce_lib.losses.d2l import D2L
from sce_lib.losses.elr import ELR
from sce_lib.losses.functional.symmetric import PAPER_LOG_ZERO
from sce_lib.losses.modules.base import Aggregation, Loss
from sce_lib.losses.modules.baselines import ForwardCorrection
from sce_lib.losses.modules.composite import SmoothedTargets, Sum
from sce_lib.losses.modules.later import NormalizedCrossEntropy, NormalizedFocalLoss
from sce_lib.losses.modules.symmetric import (
    CrossEntropy,
    MeanAbsoluteError,
    ReverseCrossEntropy,
    SymmetricCrossEntropy,
)

__all__ = ["get", "names"]

_CLASSES: list[type[nn.Module]] = [*(getattr(modules, name) for name in modules.__all__), D2L, ELR]

# What those hyperparameters are that have no default.
_MEANINGS = {
    "T": "the transition matrix, shape (K, K), T[i, j] the probability of label j where class i is true",
    "terms": "pairs of a coefficient and a loss",
    "loss": "a loss of sce_lib.losses",
    "epochs": "the length of the training",
}


@overload
def get(name: Literal["elr", "ELR"], /, *hyperparameters: Any, **keywords: Any) -> ELR: ...
@overload
def get(name: str, /, *hyperparameters: Any, **keywords: Any) -> Loss: ...
def get(name: str, /, *hyperparameters: Any, **keywords: Any) -> nn.Module:
    """Return a loss by its name: ``get("sl", alpha=0.1)`` is ``SymmetricCrossEntropy(alpha=0.1)``.

    Parameters
    ----------
    name : str
        One of :func:`names`, in capitals or not; or a multiple of ``ce`` or ``rce``, ``"2ce"`` say.
    *hyperparameters, **keywords
        What the loss takes, and ``weight``, ``ignore_index``, ``reduction``, ``label_smoothing``. Losses that
        need a transition matrix take it as ``T``.

    Raises
    ------
    ValueError
        For a name that is not known, with those that are like it; for a hyperparameter out of range.
    TypeError
        For hyperparameters that the loss does not take or goes without, naming what it takes.

    Examples
    --------
    >>> get("sl", alpha=0.5)
    SymmetricCrossEntropy(alpha=0.5, beta=1.0, A=-4.0)
    >>> get("gce", q=0.5, reduction="sum")
    GeneralizedCrossEntropy(q=0.5, truncation=None, reduction='sum')
    >>> get("lsr", epsilom=0.5)
    Traceback (most recent call last):
        ...
    TypeError: 'lsr' takes epsilon=0.1, besides weight, ignore_index, reduction and label_smoothing; not \
'epsilom' (did you mean 'epsilon'?)
    """
    make = _maker(name)
    _check_arguments(name, inspect.signature(make), hyperparameters, keywords)
    return make(*hyperparameters, **keywords)


def names() -> list[str]:
    """Return every name that :func:`get` takes: the short ones, as in the configs of runs, then the classes'.

    Examples
    --------
    >>> names()[:6]
    ['ael', 'agce', 'aue', 'backward', 'bootstrap', 'ce']
    """
    makers = _makers()
    return sorted(makers, key=lambda name: (name != name.lower(), name))


def _makers() -> dict[str, Callable[..., nn.Module]]:
    classes = {kind.__name__: kind for kind in _CLASSES if kind is not Loss}
    named = {vars(kind)["name"]: kind for kind in classes.values() if "name" in vars(kind)}
    return classes | named | _METHODS


def _maker(name: str) -> Callable[..., nn.Module]:
    makers = _makers()
    if not isinstance(name, str):
        raise TypeError(f"a loss is got by its name, a string; got {name!r}")
    if multiple := re.fullmatch(r"(\d+(?:\.\d+)?)(ce|rce)", name.lower()):
        return _multiple(float(multiple[1]), makers[multiple[2]])
    known = {spelling: make for key, make in makers.items() for spelling in (key.lower(), key)}
    if make := known.get(name, known.get(name.lower())):
        return make
    near = difflib.get_close_matches(name.lower(), known, n=2)
    meant = [key for key in makers if key.lower() in near]
    hint = f"did you mean {' or '.join(map(repr, meant))}? " if meant else ""
    raise ValueError(f"no loss is named {quoted(name)}; {hint}known are {', '.join(names())}")


def _check_arguments(name: str, signature: inspect.Signature, given: tuple, keywords: dict[str, Any]) -> None:
    kinds = inspect.Parameter
    own = {key: p for key, p in signature.parameters.items() if p.kind is not kinds.VAR_KEYWORD}
    positional = [key for key, p in own.items() if p.kind is kinds.POSITIONAL_OR_KEYWORD]
    shared = [] if len(own) == len(signature.parameters) else list(Aggregation.__annotations__)
    shown = ", ".join(key if p.default is kinds.empty else f"{key}={p.default!r}" for key, p in own.items())
    takes = f"{name!r} takes {shown or 'no hyperparameters'}"
    if len(given) > len(positional):
        count = f"{len(positional)} of them by position" if positional else "nothing by position"
        raise TypeError(f"{takes}; {count}, not {len(given)}")
    for key in keywords:
        if key not in own and key not in shared:
            near = nearest(key, [*own, *shared])
            also = f", besides {', '.join(shared[:-1])} and {shared[-1]}" if shared else ""
            hint = f" (did you mean {near!r}?)" if near else ""
            raise TypeError(f"{takes}{also}; not {key!r}{hint}")
        if key in positional[: len(given)]:
            raise TypeError(f"{takes}; {key!r} is given twice, by position and by name")
    for key, parameter in list(own.items())[len(given) :]:
        if parameter.default is kinds.empty and key not in keywords:
            meaning = f", {_MEANINGS[key]}" if key in _MEANINGS else ""
            raise TypeError(f"{takes}; missing is {key}{meaning}")


def _multiple(scale: float, kind: Callable[..., Any]) -> Callable[..., Sum]:
    def make(**keywords: Any) -> Sum:
        return Sum([(scale, kind(**keywords))])

    make.__signature__ = inspect.signature(kind)  # type: ignore[attr-defined]
    return make


def _forward_sl(
    T: Any, beta: float = 1.0, *, A: float = PAPER_LOG_ZERO, **aggregation: Unpack[Aggregation]
) -> Sum:
    return Sum([(1.0, ForwardCorrection(T)), (beta, ReverseCrossEntropy(A=A))], **aggregation)


def _smoothed_sl(
    epsilon: float = 0.1,
    alpha: float = 0.1,
    beta: float = 1.0,
    *,
    A: float = PAPER_LOG_ZERO,
    **aggregation: Unpack[Aggregation],
) -> SmoothedTargets:
    return SmoothedTargets(SymmetricCrossEntropy(alpha, beta, A=A), epsilon, **aggregation)


def _nce_rce(
    alpha: float = 1.0,
    beta: float = 1.0,
    *,
    A: float = PAPER_LOG_ZERO,
    **aggregation: Unpack[Aggregation],
) -> Sum:
    return Sum([(alpha, NormalizedCrossEntropy()), (beta, ReverseCrossEntropy(A=A))], **aggregation)


# As published with beta = 1 and an MAE of 1 - p_y, which is half of ours.
def _nce_mae(alpha: float = 1.0, beta: float = 0.5, **aggregation: Unpack[Aggregation]) -> Sum:
    return Sum([(alpha, NormalizedCrossEntropy()), (beta, MeanAbsoluteError())], **aggregation)


def _nfl_rce(
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 0.5,
    *,
    A: float = PAPER_LOG_ZERO,
    **aggregation: Unpack[Aggregation],
) -> Sum:
    return Sum([(alpha, NormalizedFocalLoss(gamma)), (beta, ReverseCrossEntropy(A=A))], **aggregation)


def _nfl_mae(
    alpha: float = 1.0, beta: float = 0.5, gamma: float = 0.5, **aggregation: Unpack[Aggregation]
) -> Sum:
    return Sum([(alpha, NormalizedFocalLoss(gamma)), (beta, MeanAbsoluteError())], **aggregation)


def _d2l(epochs: int, window: int = 5, first_epoch: int = 5, **aggregation: Unpack[Aggregation]) -> D2L:
    return D2L(CrossEntropy(), epochs, window, first_epoch, **aggregation)


def _d2l_sl(
    epochs: int,
    window: int = 5,
    first_epoch: int = 5,
    alpha: float = 0.1,
    beta: float = 1.0,
    *,
    A: float = PAPER_LOG_ZERO,
    **aggregation: Unpack[Aggregation],
) -> D2L:
    return D2L(SymmetricCrossEntropy(alpha, beta, A=A), epochs, window, first_epoch, **aggregation)


_METHODS: dict[str, Callable[..., nn.Module]] = {
    "forward+sl": _forward_sl,
    "lsr+sl": _smoothed_sl,
    "nce+rce": _nce_rce,
    "nce+mae": _nce_mae,
    "nfl+rce": _nfl_rce,
    "nfl+mae": _nfl_mae,
    "d2l": _d2l,
    "d2l+sl": _d2l_sl,
}
