"""Labels as files: what others can use, what is read back, and label files of a user's own.

Nothing that is read is run, and no array is made that is larger than what its file holds.
"""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sce_lib.files import write_atomically
from sce_lib.noise.classes import Classes, values
from sce_lib.noise.labels import NoisyLabels, beside

COLUMNS = ("index", "clean", "noisy", "flipped")
# What a column of labels is called where nobody says.
_USUAL = ("label", "labels", "clean")
# Bytes, of a file and of the arrays in it: two hundred million labels.
LARGEST = 2**31
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")


def export(noisy: NoisyLabels, path: str | Path, index: Sequence[Any] | None = None) -> Path:
    """Write labels and flips, in their order, to a file, whole or not at all; return its path.

    The same labels give the same bytes. `load_export` reads both kinds.

    Parameters
    ----------
    noisy, path : NoisyLabels and path
        ``.csv``: a header and the columns index, clean, noisy, flipped (0 or 1), labels as they are called.
        ``.npz``: arrays ``clean``, ``noisy`` (int64, indices), ``flipped`` (bool), ``requested``,
        ``realised`` (float64), ``sha256``, and where there are such ``classes`` (the names), ``index`` and
        ``ignore_index``; read it with ``numpy.load``. Masks go to ``.npz`` alone.
    index : sequence of str or int (N,), optional
        What each sample is called; a pandas Series' own index, or its number, where it is not given.

    Examples
    --------
    >>> import tempfile
    >>> noisy = NoisyLabels.of([0, 1], [0, 0], num_classes=2)
    >>> print(export(noisy, Path(tempfile.mkdtemp()) / "labels.csv").read_text(), end="")
    index,clean,noisy,flipped
    0,0,0,0
    1,1,0,1
    """
    path = Path(path).expanduser()
    if path.suffix not in (".csv", ".npz"):
        raise ValueError(f"labels are exported to .csv or .npz, not to {path.name!r}")
    clean, labels = noisy.indices()
    if path.suffix == ".csv" and clean.ndim > 1:
        raise ValueError(f"labels of shape {clean.shape} are exported to .npz, not to {path.name!r}")
    called = index if index is not None else getattr(noisy.labels, "index", None)
    called = None if callable(called) or called is None else values(list(called), "index")
    if called is not None and called.shape != clean.shape[:1]:
        raise ValueError(f"an index of {len(called)} names for {len(clean)} labels")
    if called is not None and np.array_equal(called, np.arange(len(clean))):
        called = None
    content = _csv(noisy, called) if path.suffix == ".csv" else _npz(noisy, clean, labels, called)
    write_atomically(path, content)
    return path


def _csv(noisy: NoisyLabels, index: NDArray[Any] | None) -> bytes:
    sides = [values(side).tolist() for side in (noisy.clean, noisy.labels)]
    called = range(len(sides[0])) if index is None else index.tolist()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(zip(called, *sides, values(noisy.flipped).astype(int).tolist(), strict=True))
    return text.getvalue().encode()


def _npz(noisy: NoisyLabels, clean: NDArray[Any], labels: NDArray[Any], index: NDArray[Any] | None) -> bytes:
    arrays = {"clean": clean, "noisy": labels, "flipped": clean != labels}
    arrays |= {name: getattr(noisy, name) for name in ("requested", "realised", "sha256")}
    if isinstance(noisy.classes.names, tuple):
        arrays["classes"] = np.array(noisy.classes.names)
    if noisy.classes.ignore_index is not None:
        arrays["ignore_index"] = np.array(noisy.classes.ignore_index)
    if index is not None:
        arrays["index"] = np.array(index.tolist())
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def load_export(path: str | Path, classes: Any = None) -> NoisyLabels:
    """Return what `export` wrote; labels and flips are numpy arrays, called as they were.

    Parameters
    ----------
    path : path
        ``.csv`` or ``.npz``, of 2 GiB at most.
    classes : sequence or Classes, optional
        For a CSV, which has no matrix: the names of the classes, ``range(10)``, or a `Classes` with its
        `ignore_index`. Where they are not given they are those that occur, sorted. What was realised then
        stands for what was asked for.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file; if it is damaged, too large, holds anything but plain arrays or labels, or
        contradicts itself.

    Examples
    --------
    >>> import tempfile
    >>> noisy = NoisyLabels.of(["cat", "dog"], ["cat", "cat"])
    >>> load_export(export(noisy, Path(tempfile.mkdtemp()) / "labels.npz")).labels.tolist()
    ['cat', 'cat']
    """
    path = _existing(path, (".csv", ".npz"))
    try:
        noisy, flipped = _from_csv(path, classes) if path.suffix == ".csv" else _from_npz(path)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is no export of noisy labels: {_without(error, path)}") from error
    if not np.array_equal(flipped, noisy.flipped):
        raise ValueError(f"{path} is damaged: it does not say flipped where clean and noisy differ")
    return noisy


def _from_csv(path: Path, classes: Any) -> tuple[NoisyLabels, NDArray[Any]]:
    table = _read_csv(path)
    if tuple(table) != COLUMNS:
        raise ValueError(f"its columns are {', '.join(table)}, not {', '.join(COLUMNS)}")
    if other := set(table["flipped"]) - {"0", "1"}:
        raise ValueError(f"flipped is 0 or 1, not {min(other)[:40]!r}")
    words = {name for name in classes or () if isinstance(name, str)}
    clean, labels = (
        np.array(table[side], object) if words.issuperset(table[side]) and words else _typed(table[side])
        for side in ("clean", "noisy")
    )
    if {clean.dtype.kind, labels.dtype.kind} == {"O", "i"}:  # of the one side all names look like numbers
        clean, labels = (np.array(table[side], object) for side in ("clean", "noisy"))
    noisy = NoisyLabels.of(clean, labels, classes=classes)
    return noisy, np.array([flip == "1" for flip in table["flipped"]], dtype=bool)


def _from_npz(path: Path) -> tuple[NoisyLabels, NDArray[Any]]:
    arrays = _read_npz(path)
    needed = ("clean", "noisy", "flipped", "requested", "realised", "sha256")
    if missing := [name for name in needed if name not in arrays]:
        raise ValueError(f"it has no array {', '.join(missing)}")
    clean, labels, flipped = (arrays[name] for name in needed[:3])
    if (
        clean.dtype.kind != "i"
        or labels.dtype.kind != "i"
        or not clean.shape == labels.shape == flipped.shape
    ):
        shapes = ", ".join(f"{name} {arrays[name].dtype} {arrays[name].shape}" for name in needed[:3])
        raise ValueError(f"clean and noisy are integers of the shape of flipped, not {shapes}")
    requested = arrays["requested"]
    names: Any = arrays["classes"].tolist() if "classes" in arrays else range(len(requested))
    ignored = arrays["ignore_index"].item() if "ignore_index" in arrays else None
    classes, indices = Classes(names, ignored), Classes(range(len(names)), ignore_index=-1)
    before, after = (indices.encode(side) for side in (clean, labels))
    same = np.array_equal(requested, arrays["realised"], equal_nan=True)
    given = classes.decode(before)
    noisy = beside(classes, given, before, after, None if same else requested)
    if str(arrays["sha256"]) != noisy.sha256:
        raise ValueError("its labels are not those of its hash")
    return noisy, flipped


def read_labels(path: str | Path, column: str | None = None) -> NDArray[Any]:
    r"""Return the labels of a file, (N,) or (N, ...): integers or booleans where all are, else strings.

    Parameters
    ----------
    path : path
        ``.txt``, a label a line; ``.csv`` with a header; ``.npy`` or ``.npz``, of 2 GiB at most.
    column : str, optional
        Which column or array. Where it is not given: the only one, or "label", "labels" or "clean".

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file or column, a label is missing, or the file is damaged or too large.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "mine.csv"
    >>> _ = path.write_text("file,label\na.png,cat\nb.png,dog\n")
    >>> read_labels(path).tolist(), read_labels(path, "file").tolist()
    (['cat', 'dog'], ['a.png', 'b.png'])
    """
    path = _existing(path, (".csv", ".npz", ".npy", ".txt"))
    try:
        if path.suffix == ".txt":
            return _typed(_text(path).removesuffix("\n").split("\n"))
        if path.suffix == ".npy":
            return values(_read_npy(path.open("rb"), path.stat().st_size))
        table = _read_csv(path) if path.suffix == ".csv" else _read_npz(path)
        column = _chosen(list(table), column)
        if column in COLUMNS[1:3] and "classes" in table and "sha256" in table:
            exported = load_export(path)
            return values(exported.clean if column == "clean" else exported.labels)
        found: Any = table[column]
        return _typed(found) if path.suffix == ".csv" else values(found)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {_without(error, path)}") from error


def read_array(path: str | Path, name: str | None = None) -> NDArray[Any]:
    r"""Return the numbers of a file: a matrix, or features.

    Parameters
    ----------
    path : path
        ``.csv`` or ``.txt``, rows of numbers without a header; ``.npy`` or ``.npz``; of 2 GiB at most.
    name : str, optional
        Which array of an ``.npz``, where there are several.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file or array, it is damaged or too large, or holds other than numbers.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "matrix.csv"
    >>> _ = path.write_text("0.9,0.1\n0,1\n")
    >>> read_array(path).tolist()
    [[0.9, 0.1], [0.0, 1.0]]
    """
    path = _existing(path, (".csv", ".npz", ".npy", ".txt"))
    try:
        if path.suffix in (".csv", ".txt"):
            return np.loadtxt(
                _text(path).splitlines(), delimiter="," if path.suffix == ".csv" else None, ndmin=2
            )
        if path.suffix == ".npy":
            array = _read_npy(path.open("rb"), path.stat().st_size)
        else:
            arrays = _read_npz(path)
            array = arrays[_chosen(list(arrays), name, ())]
        if array.dtype.kind not in "fiub":
            raise ValueError(f"it holds {array.dtype}, not numbers")
        return array
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {_without(error, path)}") from error


def _chosen(columns: list[str], column: str | None, usual: Sequence[str] = _USUAL) -> str:
    for name in [column] if column is not None else usual:
        if name in columns:
            return name
    if column is None and len(columns) == 1:
        return columns[0]
    wanted = "say which is meant" if column is None else f"there is no {column!r}"
    raise ValueError(f"{wanted}; there are {', '.join(columns)}")


def _typed(words: list[str]) -> NDArray[Any]:
    """Return words as int64 where each is how an integer is written, as booleans likewise, or strings."""
    for place, word in enumerate(words):
        if not word.strip():
            raise ValueError(f"label {place} (from 0) is missing")
    if words and set(words) <= {"True", "False"}:
        return np.array([word == "True" for word in words])
    if all(map(_INTEGER.fullmatch, words)):
        return np.array([int(word) for word in words], dtype=np.int64)
    return np.array(words, dtype=object)


# --- Files, read as what they may be. -----------------------------------------------------------------
def _existing(path: str | Path, suffixes: Iterable[str]) -> Path:
    path = Path(path).expanduser()
    if path.suffix not in suffixes:
        raise ValueError(f"labels are read from {', '.join(suffixes)}, not from {path.name!r}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(f"{path} has {size:,} bytes; a file of labels has {LARGEST:,} at most")
    return path


def _without(error: Exception, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8 text (byte {error.start})") from None


def _read_csv(path: Path) -> dict[str, list[str]]:
    """Return a table's columns by the names in its first line."""
    try:
        rows = [row for row in csv.reader(io.StringIO(_text(path), newline=""), strict=True) if row]
    except csv.Error as error:
        raise ValueError(f"it is no CSV: {error}") from None
    header = rows[0] if rows else []
    if not header or len(set(header)) < len(header):
        raise ValueError(f"the first line names the columns, each once, and is {','.join(header)[:80]!r}")
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise ValueError(f"row {number} (the header is row 0) has {len(row)} fields, not {len(header)}")
    return {name: [row[place] for row in rows[1:]] for place, name in enumerate(header)}


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive, none of objects and none larger than its member."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            if (size := sum(member.file_size for member in members)) > LARGEST:
                raise ValueError(f"its arrays have {size:,} bytes; labels have {LARGEST:,} at most")
            return {
                member.filename.removesuffix(".npy"): _read_npy(archive.open(member), member.file_size)
                for member in members
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"it is damaged or no archive of arrays ({error})") from None


def _read_npy(file: Any, size: int) -> NDArray[Any]:
    """Return the array of a file of so many bytes, if that is how many its header announces."""
    with file:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"an array of format {version} is none of labels")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, by_column, dtype = read(file)
        if dtype.hasobject or dtype.names:
            raise ValueError(f"an array of {dtype} holds objects, which could run code when read, or records")
        count = 1
        for length in shape:
            count *= length
        if min(shape, default=0) < 0 or count * dtype.itemsize != size - file.tell():
            raise ValueError(f"an array of shape {shape} does not have the {size:,} bytes of its file")
        content = file.read()
        if len(content) != count * dtype.itemsize:
            raise ValueError("the array is cut short")
        array = np.frombuffer(content, dtype, count) if count else np.empty(0, dtype)
        return array.reshape(shape, order="F" if by_column else "C").copy()
