"""Labels that people gave: the files of CIFAR-10N and CIFAR-100N, read without running what is in them."""

import _codecs
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct

from sce_lib.noise.classes import check_labels
from sce_lib.noise.labels import NoisyLabels

# What a pickled numpy array of integers is made of, beyond the tensors and plain containers that torch reads
# anyway. numpy 2 moved `numpy.core`; files of either age are read.
_ALLOWED: list[Any] = [
    *((_reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    (_codecs.encode, "_codecs.encode"),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(code)) for code in "bhilqBHILQ"),
]

_SOURCE = "the files are at github.com/UCSC-REAL/cifar-10-100n (CC BY-NC 4.0)"


def _read(path: Path) -> dict[str, Any]:
    import torch  # whoever makes noise by a matrix does not wait for it

    if not path.is_file():
        raise FileNotFoundError(f"no file of human labels at {path}; {_SOURCE}")
    try:
        with torch.serialization.safe_globals(_ALLOWED):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        why = "it is no file of label arrays, or holds other objects, which could run code when read"
        raise ValueError(f"{path} was refused: {why}; {_SOURCE}") from error
    except Exception as error:
        raise ValueError(f"{path} is damaged or no torch file ({type(error).__name__}); {_SOURCE}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ValueError(f"{path} holds no table of named label arrays; {_SOURCE}")
    return content


def _clean_key(kind: str) -> str:
    """Return the name of the clean labels that belong to noisy ones, fine or coarse."""
    return kind.replace("noisy", "clean") if "noisy" in kind else "clean_label"


def _checked(what: str, labels: Any, num_classes: int) -> Any:
    try:
        return check_labels(labels, num_classes)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None


def load_human_labels(path: str | Path, kind: str, clean: Any = None, index: Any = None) -> NoisyLabels:
    """Return the labels that people gave to CIFAR-10's or CIFAR-100's training images.

    `requested` is what the whole file realises, `realised` what the images used do.

    Parameters
    ----------
    path : path
        ``CIFAR-10_human.pt`` or ``CIFAR-100_human.pt`` (Wei et al., "Learning with Noisy Labels Revisited",
        2022). Nothing in it is run: an object other than arrays, tensors and plain containers is refused.
    kind : str
        Which labels: ``"aggre_label"`` (9 % wrong), ``"worse_label"`` (40 %), ``"random_label1"`` to ``3``
        (17 to 18 %) of CIFAR-10N, ``"noisy_label"`` or ``"noisy_coarse_label"`` of CIFAR-100N.
    clean : array_like or Tensor of int (N,), optional
        The data set's own labels, to check that both are in the same order, the official one. The result is
        of its type; numpy without it.
    index : array_like or Tensor of int, optional
        Which images, in this order, where only some are used; `clean` is then of those.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file; if it is damaged, refused, lacks `kind`, or does not belong to `clean`.

    Examples
    --------
    >>> import tempfile, torch
    >>> path = Path(tempfile.mkdtemp()) / "human.pt"
    >>> torch.save({"clean_label": np.array([0, 1, 1]), "worse_label": np.array([0, 1, 0])}, path)
    >>> load_human_labels(path, "worse_label", clean=[0, 1, 1]).realised.tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    >>> load_human_labels(path, "worst")
    Traceback (most recent call last):
        ...
    ValueError: there are no human labels 'worst' in human.pt; it has worse_label
    """
    path = Path(path).expanduser()
    content = _read(path)
    kinds = [key for key in content if "clean" not in key and _clean_key(key) in content]
    if kind not in kinds:
        known = ", ".join(kinds) or "none"
        raise ValueError(f"there are no human labels {kind!r} in {path.name}; it has {known}")
    any_class = np.iinfo(np.int64).max
    true, noisy = (_checked(f"{key} in {path}", content[key], any_class) for key in (_clean_key(kind), kind))
    if len(true) != len(noisy) or not len(true):
        raise ValueError(f"{path} has {len(true)} clean labels and {len(noisy)} of {kind}")
    num_classes = int(max(true.max(), noisy.max())) + 1
    whole = NoisyLabels.of(true, noisy, num_classes)
    if index is not None:
        rows = _checked(f"index into {len(true)} human labels", index, len(true))
        true, noisy = true[rows], noisy[rows]
    clean = true if clean is None else clean
    given = check_labels(clean, num_classes)
    if len(given) != len(true):
        raise ValueError(f"{len(given)} labels given, {len(true)} in {path.name}: another data set or split")
    for i in np.flatnonzero(given != true)[:1]:
        label = f"the label at index {i} is {given[i]}, but {path.name} has {true[i]} as the clean one"
        raise ValueError(f"{label}: another data set, or not in the official order")
    requested = np.where(np.isnan(whole.realised), np.eye(num_classes), whole.realised)
    return NoisyLabels.of(clean, noisy, num_classes, requested)
