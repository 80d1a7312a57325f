"""Class names: labels of any kind as class indices in [0, K), and back in the type that they came in."""

import sys
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer[Any]]

# The index of a label that does not count.
IGNORED = -1
# Names in a message, and characters of one.
_FEW, _SHORT = 10, 60


class Classes(Sequence[Any]):
    """The K classes by name, in order: labels as indices of these, and back.

    It is a sequence of the names, and can be given wherever `classes` are.

    Parameters
    ----------
    names : iterable of str, int, bool or bytes
        One name a class, all of one type, none twice: the first is class 0.
    ignore_index : str, int or bytes, optional
        The label of samples that do not count: 255 or -100 in masks. Its index is -1.

    Raises
    ------
    ValueError
        For names that are missing, mixed in type or given twice.

    Examples
    --------
    >>> classes = Classes(["cat", "dog"])
    >>> classes.encode(["dog", "cat", "dog"]).tolist(), classes.decode(np.array([0, 1])).tolist()
    ([1, 0, 1], ['cat', 'dog'])
    >>> classes.encode(["dog", "cow"])
    Traceback (most recent call last):
        ...
    ValueError: label 'cow' at index 1 is none of the 2 classes: 'cat', 'dog'
    """

    def __init__(self, names: Iterable[Any], ignore_index: Any = None) -> None:
        if not isinstance(names, Iterable) or isinstance(names, str | bytes):
            raise ValueError(f"classes are a sequence of names, not {names!r}")
        if isinstance(names, range):  # however many: indices need no list
            self.names: Sequence[Any] = names
        else:
            self.names = tuple(values(list(names), "class name").tolist())
        self.ignore_index = ignore_index.item() if isinstance(ignore_index, np.generic) else ignore_index
        if isinstance(self.names, tuple) and len(set(self.names)) < len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise ValueError(f"class {_short(twice)} is named twice: each class has a name of its own")

    @classmethod
    def of(cls, *labels: Any, num_classes: int | None = None, ignore_index: Any = None) -> "Classes":
        """Return the classes of some labels, the types of which `sce_lib.noise` describes.

        A categorical's are its categories, in their order, but for what is ignored; those of booleans False
        and True; else the distinct labels, sorted. Where `num_classes` is given, integers are indices in
        [0, K), whichever of them occur, or K ids without a 0; of names there must be K.

        >>> Classes.of(["dog", "cat", "dog"]), Classes.of([20, 10], [30]), Classes.of([0, 2], num_classes=3)
        (Classes('cat', 'dog'), Classes(10, 20, 30), Classes(0, 1, 2))
        """
        for given in labels:
            if categories := _categories(given):
                _codes(given)  # what is missing is named first
                if len(categories) != num_classes:  # what does not count is no class, unless there is room
                    categories = [name for name in categories if name != ignore_index]
                return cls(categories or range(num_classes or 0), ignore_index)._sized(num_classes)
        arrays = [values(given) for given in labels]
        arrays = [array[array != ignore_index] for array in arrays] if ignore_index is not None else arrays
        arrays = [array for array in arrays if array.size]
        if not arrays:
            return cls(range(num_classes or 0), ignore_index)
        kinds = {_kind(array.flat[0]) for array in arrays}
        if len(kinds) > 1:
            raise ValueError(f"clean and noisy labels are of one type, not {' and '.join(sorted(kinds))}")
        if kinds == {"bool"}:
            return cls([False, True], ignore_index)._sized(num_classes)
        if kinds == {"int"} and num_classes is not None:
            low, high = min(array.min() for array in arrays), max(array.max() for array in arrays)
            inside = low >= 0 and high < num_classes
            if inside or len(found := set().union(*map(_distinct, arrays))) != num_classes or 0 in found:
                return cls(range(num_classes), ignore_index)  # `encode` names the first that is outside
        names: Any = sorted(set().union(*map(_distinct, arrays)))
        names = range(len(names)) if names == list(range(len(names))) else names
        return cls(names, ignore_index)._sized(num_classes)

    def _sized(self, num_classes: int | None) -> "Classes":
        if num_classes in (None, len(self)):
            return self
        found = f"labels of type {_kind(self[0])} have {len(self)} classes, {self._listed()}"
        raise ValueError(f"{found}, and there are {num_classes}: give the names of all, in order, as classes")

    def encode(self, labels: Any) -> Integers:
        """Return labels as indices of the classes, in their shape; -1 where they do not count.

        Integers are indices already where the names are none.

        Raises
        ------
        ValueError
            For a label that is missing, of another type than the rest or none of the classes, with its place.
        """
        if (categories := _categories(labels)) is not None:
            index = self._index()
            table = np.array([index.get(name, -2) for name in categories], dtype=np.int64)
            indices: Integers = table[_codes(labels)]
            self._refuse_unknown(indices, np.asarray(labels), labels)
            return indices
        array = values(labels)
        if array.dtype.kind in "iu" and not self._names_integers:
            return self._encode_indices(array, labels)
        if array.dtype.kind in "iu" and isinstance(self.names, tuple):
            indices = self._encode_ids(array)
        else:
            found = map(self._index().get, array.ravel().tolist(), repeat(-2))
            indices = np.fromiter(found, np.int64, count=array.size).reshape(array.shape)
        self._refuse_unknown(indices, array, labels)
        return indices

    def _encode_indices(self, array: Integers, labels: Any) -> Integers:
        ignored = array == self.ignore_index if self._ignores else np.zeros((), bool)
        hint = f"indices of {self._listed()}" if isinstance(self.names, tuple) else _OTHER_IDS
        refuse_outside(array, len(self), labels, ignored, hint)
        indices = array.astype(np.int64)
        if self._ignores:
            indices[ignored] = IGNORED
        return indices

    def _encode_ids(self, array: Integers) -> Integers:
        names = np.array(self.names)
        order = np.argsort(names)
        place = np.searchsorted(names, array, sorter=order).clip(max=len(names) - 1)
        indices = np.where(names[order][place] == array, order[place], -2)
        return (
            indices if self.ignore_index is None else np.where(array == self.ignore_index, IGNORED, indices)
        )

    def _refuse_unknown(self, indices: Integers, array: NDArray[Any], labels: Any) -> None:
        for place in np.flatnonzero(indices == -2)[:1]:
            label = f"label {_short(array.flat[place])} at {_at(labels, place, array.shape)}"
            raise ValueError(f"{label} is none of the {len(self)} classes: {self._listed()}")

    def decode(self, indices: Integers, like: Any = None) -> Any:
        """Return the labels that indices stand for, of the type, dtype, device and pandas index of `like`.

        Raises
        ------
        ValueError
            For a dtype that cannot hold every class.
        """
        given = None if like is None else values(like)
        if given is not None and given.dtype.kind in "iu" and not self._names_integers:
            names: Sequence[Any] = range(len(self))
        else:
            names = self.names
        if isinstance(names, range):
            array = np.where(indices == IGNORED, self.ignore_index, indices) if self._ignores else indices
            highest = len(names) - 1
        else:
            filler = self.ignore_index if self._ignores and names[0] is not False else names[0]
            kept = given is not None and given.dtype.kind == "O" and not isinstance(like, list | tuple)
            kind = object if kept else None
            array = np.array([*names, filler], dtype=kind)[indices]
            highest = max(names) if _kind(names[0]) == "int" else 0
        if given is not None and given.dtype.kind in "iu":
            if np.iinfo(given.dtype).max < highest:
                raise ValueError(f"labels of type {given.dtype} cannot hold {len(self)} classes: use int64")
            array = array.astype(given.dtype, copy=False)
        if indices.size and (categories := _categories(like)) is not None:
            for name in sorted(set(self.names) - set(categories))[:1]:
                raise ValueError(
                    f"{_short(name)} is none of the labels' categories: add it by set_categories"
                )
        return in_type_of(like, array.copy() if array is indices else array, keep_dtype=True)

    def ignored_class(self, labels: Any) -> int | None:
        """Return the index of the class that is called what does not count, None where none is.

        >>> Classes(["cat", "void"], ignore_index="void").ignored_class(["cat"])
        1
        """
        if not self._ignores:
            return None
        by_index = values(labels).dtype.kind in "iu" and not self._names_integers
        names = range(len(self)) if by_index else self.names
        return names.index(self.ignore_index) if self.ignore_index in names else None

    @property
    def _ignores(self) -> bool:
        return self.ignore_index is not None

    @property
    def _names_integers(self) -> bool:
        return isinstance(self.names, tuple) and bool(self.names) and _kind(self.names[0]) == "int"

    def _index(self) -> dict[Any, int]:
        index = {name: place for place, name in enumerate(self.names)}
        return index | {self.ignore_index: IGNORED} if self._ignores else index

    def _listed(self) -> str:
        named = ", ".join(_short(name) for name in self[:_FEW])
        return named + (f" and {len(self) - _FEW} more" if len(self) > _FEW else "")

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self.names[index]

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Classes):
            return NotImplemented
        return list(self) == list(other) and self.ignore_index == other.ignore_index

    def __hash__(self) -> int:
        return hash((tuple(self.names), self.ignore_index))

    def __repr__(self) -> str:
        ignored = f", ignore_index={self.ignore_index!r}" if self._ignores else ""
        return f"Classes({self._listed()}{ignored})"


def classes_of(*labels: Any, num_classes: int | None, classes: Any, ignore_index: Any) -> Classes:
    """Return the classes that are given, of which there must be `num_classes`, or those of the labels."""
    if classes is None:
        return Classes.of(*labels, num_classes=num_classes, ignore_index=ignore_index)
    ignore_index = getattr(classes, "ignore_index", None) if ignore_index is None else ignore_index
    given = Classes(classes.names if isinstance(classes, Classes) else classes, ignore_index)
    if num_classes not in (None, len(given)):
        raise ValueError(f"{len(given)} class names for {num_classes} classes")
    return given


_DROP = "drop the sample, or give such labels a name"
_OTHER_IDS = "give other ids, in order, as classes, and what does not count as ignore_index"


def values(labels: Any, what: str = "label") -> NDArray[Any]:
    """Return labels as a numpy array of integers, booleans, strings, bytes, or (as object) Python's of these.

    What is missing, of a type that labels are not, or of another type than the rest is named in a ValueError.
    """
    if hasattr(labels, "columns"):
        raise ValueError("labels are one column of a table, not a table: give table['name of the column']")
    if is_tensor(labels):
        array = labels.detach().cpu().numpy()
    elif isinstance(labels, list | tuple):
        array = np.array([value.item() if is_tensor(value) else value for value in labels], dtype=object)
    else:
        array = np.asarray(labels)
    if not array.ndim:
        raise ValueError(f"labels are of shape (N,), or (N, ...) for masks; these have shape {array.shape}")
    if array.dtype.kind in "iubUS":
        return array
    if not array.size:
        return array.astype(np.int64)  # an empty list is of floats to numpy and torch
    items = array.ravel().tolist()
    if len(kinds := {_kind_of_type(kind) for kind in set(map(type, items))}) == 1 and kinds < _KINDS:
        whole = kinds <= {"int", "bool"} and np.array(items)
        return array if whole is False or whole.dtype.kind == "O" else whole.reshape(array.shape)
    for place, value in enumerate(items):
        at = _at(labels, place, array.shape)
        if _missing(value):
            raise ValueError(f"{what} {value} at {at} is missing: {_DROP}")
    for place, value in enumerate(items):
        at, kind = _at(labels, place, array.shape), _kind(value)
        if kind not in _KINDS:
            allowed = "labels are integers, strings or booleans: convert them first"
            also = "; of one-hot labels give argmax(1)" if array.ndim > 1 else ""
            shape = f" (shape {array.shape})" if array.ndim > 1 else ""
            raise ValueError(f"{what} {_short(value)} at {at} is {_article(kind)}{shape}; {allowed}{also}")
        if kind != _kind(items[0]):
            first = f"{_short(items[0])} at {_at(labels, 0, array.shape)} is {_article(_kind(items[0]))}"
            raise ValueError(f"{what}s are of one type: {first}, {_short(value)} at {at} {_article(kind)}")
    return array


def refuse_outside(
    array: Integers, num_classes: int, labels: Any = None, ignored: Any = False, hint: str = ""
) -> None:
    """Raise a ValueError that names the first index outside [0, K) and its place."""
    outside = ((array < 0) | (array >= num_classes)) & np.logical_not(ignored)
    for place in np.flatnonzero(outside)[:1]:
        label = f"label {array.flat[place]} at {_at(labels, place, array.shape)}"
        raise ValueError(f"{label}; allowed 0..{num_classes - 1}" + (f"; {hint}" if hint else ""))


def check_labels(labels: Any, num_classes: int) -> Integers:
    """Return class indices, (N,), as a numpy array, or name the first that is none of the classes."""
    array = values(labels)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        what = f"these are {array.dtype} of shape {array.shape}"
        raise ValueError(f"labels are integers, class indices of shape (N,); {what}")
    refuse_outside(array, num_classes)
    return array


def in_type_of(given: Any, array: NDArray[Any], keep_dtype: bool = False) -> Any:
    """Return an array as a tensor on the device of `given`, with its pandas index, or as it is."""
    if is_tensor(given):
        import torch

        return torch.from_numpy(array).to(given.device)
    if hasattr(given, "iloc"):
        dtype = {"dtype": given.dtype} if keep_dtype else {}
        return type(given)(array, index=given.index, name=given.name, **dtype)
    if keep_dtype and hasattr(given, "from_codes"):
        return type(given)(array, dtype=given.dtype)
    return array


def is_tensor(value: Any) -> bool:
    """Return whether a value is torch's; whoever has numpy arrays alone does not wait for torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


# --- What pandas offers, by what it can do: it is not imported. ---------------------------------------
def names_of_columns(table: Any, rows_too: bool = False) -> list[Any] | None:
    """Return the names of a pandas table's columns, and of its rows; None where they are numbered."""
    if not hasattr(table, "columns"):
        return None
    columns = list(table.columns)
    if rows_too and list(table.index) != columns:
        found = f"{list(table.index)[:_FEW]} and {columns[:_FEW]}"
        raise ValueError(f"a table of classes has the same in rows and columns, in one order, not {found}")
    return None if columns == list(range(len(columns))) else columns


def _categories(labels: Any) -> list[Any] | None:
    """Return the categories of a categorical, alone, as a pandas Series or index; None for anything else."""
    dtype: Any = getattr(labels, "dtype", None)
    pandas = hasattr(labels, "iloc") or hasattr(labels, "codes")
    return list(dtype.categories) if pandas and hasattr(dtype, "categories") else None


def _codes(labels: Any) -> Integers:
    codes = np.asarray(labels.cat.codes if hasattr(labels, "iloc") else labels.codes)
    for place in np.flatnonzero(codes < 0)[:1]:
        raise ValueError(f"label {np.nan} at {_at(labels, place, codes.shape)} is missing: {_DROP}")
    return codes


# --- Types, and words for them. -----------------------------------------------------------------------
_KINDS = {"str", "int", "bool", "bytes"}


_OF_NUMPY: dict[type, type] = {bool: np.bool_, int: np.integer}


def _kind_of_type(kind: type) -> str:
    for base in (bool, int, str, bytes):  # a bool is an int to Python
        if issubclass(kind, (base, _OF_NUMPY.get(base, base))):
            return base.__name__
    return kind.__name__


def _kind(value: Any) -> str:
    return _kind_of_type(type(value))


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "int" else f"a {kind}"


def _distinct(array: NDArray[Any]) -> set[Any]:
    return set((np.unique(array) if array.dtype.kind in "iu" else array.ravel()).tolist())


def _missing(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, float) and value != value)
        or type(value).__name__ in ("NAType", "NaTType")
    )


def _short(value: Any) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"


def _at(labels: Any, place: int, shape: tuple[int, ...]) -> str:
    """Return where a label is: its index, a tuple in a mask, that of a pandas Series beside its row."""
    if len(shape) > 1:
        return f"index {tuple(int(k) for k in np.unravel_index(place, shape))}"
    if hasattr(labels, "iloc"):
        return f"index {labels.index[place]!r} (row {place})"
    return f"index {place}"
