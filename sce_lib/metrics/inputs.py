"""What a ranking is given, checked at the door: predictions as floats, labels as class indices."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

Given = Literal["logits", "probabilities", "losses"]

# The place of a label that does not count: no label of a user's own.
IGNORED = int(np.iinfo(np.int64).min)
# Rows of numbers that are not negative and sum to 1 within this are taken for probabilities.
_SUM_TOLERANCE = 0.01
# Within this they may be probabilities that were rounded, or logits: whoever gives them has to say.
_ROUNDED_TOLERANCE = 0.2
# What sums of floats themselves are off by: such rows stay as they are, bit for bit.
_FLOAT_ERROR = 1e-5
# Numbers worked on at a time, in float64: 32 MB.
_CHUNK_VALUES = 2**22


def floats(predictions: Any) -> Tensor:
    """Return predictions as a tensor, of the precision and on the device they come in."""
    if isinstance(predictions, Tensor):
        values = predictions.detach()
    else:
        array = np.asarray(predictions)
        if array.dtype.kind not in "fiub":
            raise ValueError(f"predictions are floats, not {array.dtype}")
        values = torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))
    if not values.is_floating_point():
        raise ValueError(
            f"predictions are floats (logits, probabilities or losses), not {values.dtype}: which class is "
            "predicted does not say how surely"
        )
    return values


def kind_by_shape(values: Tensor, labels: tuple[int, ...], given: Given | None) -> Given | None:
    """Return what predictions are as far as it is said or shows in their shape; refuse what does not fit."""
    if given not in (None, *get_args(Given)):
        raise ValueError(f"given is one of {', '.join(get_args(Given))}, not {given!r}")
    shape = tuple(values.shape)
    if given != "losses" and values.ndim > 1 and shape[:1] + shape[2:] == labels:
        if shape[1] < 2:
            raise ValueError(f"predictions, (N, K) or (N, K, ...), are of two classes at least, not {shape}")
        return given
    if shape == labels and (given == "losses" or (given is None and values.ndim == 1)):
        return "losses"
    raise ValueError(
        f"predictions of shape {shape} do not fit labels of shape {labels}: (N, K) or (N, K, ...) go with "
        "(N,) or (N, ...), and losses with labels of their shape. Of soft or one-hot labels give the argmax; "
        "of losses in more dimensions than one say given='losses'"
    )


def class_indices(labels: Any, num_classes: int | None, classes: Sequence[Any] | None, ignore: Any) -> Tensor:
    """Return labels as int64 indices, `IGNORED` where they do not count; name the first that is no class."""
    names = None if classes is None else list(classes)
    if names is not None and (len(set(names)) != len(names) or num_classes not in (None, len(names))):
        wanted = f"{num_classes} " if num_classes else ""
        raise ValueError(f"classes are the {wanted}different names of the predictions' columns, not {names}")
    num_classes = num_classes if names is None else len(names)
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    integers = array.dtype.kind in "iu" or not array.size  # an empty list is of floats to numpy
    if integers and not any(isinstance(name, int | np.integer) for name in names or ()):
        indices = array.astype(np.int64)
        if isinstance(ignore, int | np.integer):
            indices[array == ignore] = IGNORED
    elif names is None:
        raise ValueError(
            f"labels are class indices, and these are {array.dtype}: give classes=, the names of the classes "
            "in the order of the predictions' columns"
        )
    else:
        places = {name: place for place, name in enumerate(names)} | {ignore: IGNORED}
        found = [places.get(label, -1) for label in array.ravel().tolist()]
        indices = np.array(found, dtype=np.int64).reshape(array.shape)
    outside = (indices != IGNORED) & ((indices < 0) | (num_classes is not None and indices >= num_classes))
    for place in np.flatnonzero(outside)[:1]:
        at = tuple(int(k) for k in np.unravel_index(place, array.shape))
        allowed = "0 and above" if num_classes is None else f"0..{num_classes - 1}"
        allowed = ", ".join(map(str, names)) if names is not None else allowed
        raise ValueError(
            f"label {array.ravel()[place]} at index {at[0] if len(at) == 1 else at}; allowed are {allowed}, "
            f"and {ignore!r} (ignore_index) where a sample does not count"
        )
    return torch.from_numpy(indices)


def refuse_nan(values: Tensor, places: Tensor) -> None:
    """Raise if a value, or one of a row, is NaN, and name the sample by its place."""
    bad = values.isnan() if values.ndim == 1 else values.isnan().any(dim=1)
    if bad.any():
        raise ValueError(
            f"the prediction for sample {int(places[bad][0])} is NaN, or infinite where it must not be: a "
            "network that has diverged finds nothing; if it is this sample's alone, ignore its label"
        )


def chunk(rows: Tensor) -> int:
    """Return how many of such rows are worked on at a time."""
    return max(1, _CHUNK_VALUES // rows.shape[1])


def are_logits(rows: Tensor, given: Given | None) -> bool:
    """Return whether rows are logits, else probabilities; refuse what is not what it is said, or in doubt."""
    if given == "probabilities":
        require_probabilities(rows, _ROUNDED_TOLERANCE)
    if given is not None:
        return given == "logits"
    off, low, high = _off(rows), float(rows.min()), float(rows.max())
    if low >= 0 and bool((off <= _SUM_TOLERANCE).all()):
        return False
    if low >= 0 and high <= 1 and float((off <= _ROUNDED_TOLERANCE + _FLOAT_ERROR).double().mean()) > 0.5:
        raise ValueError(
            f"predictions from {low:g} to {high:g} that {_farthest(rows, off)} may be probabilities, "
            "rounded, or logits: say given='probabilities', and each row is divided by its sum, or "
            "given='logits'"
        )
    return True


def require_probabilities(rows: Tensor, within: float = _SUM_TOLERANCE) -> None:
    """Raise if a number is negative or a row's sum farther from 1 than what is allowed."""
    off = _off(rows)
    if bool((rows < 0).any()) or not bool((off <= within + _FLOAT_ERROR).all()):
        raise ValueError(
            f"probabilities are not negative and each sample's sum to 1, within {within}; these go from "
            f"{float(rows.min()):g} to {float(rows.max()):g} and {_farthest(rows, off)}: divide each row by "
            "its sum, or if they are logits, say given='logits'"
        )


def normalised(p: Tensor) -> Tensor:
    """Return probabilities with each row divided by its sum, where that is not 1 as far as floats tell."""
    sums = p.sum(dim=1, keepdim=True)
    return torch.where((sums - 1).abs() > _FLOAT_ERROR, p / sums, p)


def _off(rows: Tensor) -> Tensor:
    """Return how far each row's sum is from 1, (M,), float64."""
    return torch.cat([(part.double().sum(dim=1) - 1).abs() for part in rows.split(chunk(rows))])


def _farthest(rows: Tensor, off: Tensor) -> str:
    return f"sum to {float(rows[off.argmax()].double().sum()):g} in the row farthest from 1"


# --- What pandas offers, by what it can do: it is not imported. ---------------------------------------
def names_of(predictions: Any, labels: Any, num_classes: int) -> list[Any] | None:
    """Return the classes' names as a table's columns have them, else as a categorical's categories do."""
    columns = list(getattr(predictions, "columns", range(num_classes)))
    if columns != list(range(num_classes)):
        return columns
    categories = getattr(getattr(labels, "dtype", None), "categories", ())
    return list(categories) if len(categories) == num_classes else None


def refuse_other_order(predictions: Any, labels: Any) -> None:
    """Raise if two pandas objects have one index in two orders; other indices tell nothing of the order."""
    if hasattr(predictions, "iloc") and hasattr(labels, "iloc") and len(predictions) == len(labels):
        one, other = predictions.index, labels.index
        if not one.equals(other) and one.isin(other).all() and other.isin(one).all():
            raise ValueError(
                "predictions and labels have one index in two orders: bring them into one, by .reindex"
            )
