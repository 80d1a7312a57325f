"""Decoded arrays on disk: made once, checked on every read, rebuilt when damaged or out of date."""

import hashlib
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL
import torch
from filelock import FileLock

from sce_lib import paths
from sce_lib.datasets.core import DatasetError, ImageData
from sce_lib.datasets.trees import walk

_FORMAT = 1
_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


def cached(
    tree: Path, name: str, official: tuple[str, ...] | None, build: Callable[[], ImageData]
) -> ImageData:
    """Return what `build` gives for a tree, from the cache where the tree is unchanged since.

    Processes that want the same tree at once build it once. A cache that cannot be written costs a warning
    and the time to decode again, nothing else.

    Parameters
    ----------
    tree : Path
        The folder or zip that the arrays come from.
    name : str
        The data set's name.
    official : tuple of str, optional
        The class names that `build` was told, part of the cache's key.
    build : callable
        Decodes the tree.
    """
    folder = paths.cache_root() / "decoded"
    file = folder / f"{name}-{_key(tree, name, official)}.npz"
    lock = FileLock(file.with_suffix(".lock"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        warnings.warn(f"Decoded images of {name} cannot be kept in {folder}: {error}", stacklevel=3)
        return _load(file, name) or build()
    try:
        data = _load(file, name)
        if data is None:
            data = build()
            _store(file, data)
        return data
    finally:
        lock.release()


def _key(tree: Path, name: str, official: tuple[str, ...] | None) -> str:
    """Hash what the decoded arrays depend on, but not the path, so that a moved file keeps its cache."""
    digest = hashlib.sha256(repr((_FORMAT, PIL.__version__, name, official)).encode())
    if tree.is_dir():
        for member in walk(tree):
            digest.update(repr((member, _state(tree / member))).encode())
    else:
        with tree.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]


def _state(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file does: reading all of them would cost nearly as much as decoding."""
    if path.is_dir() or not path.exists():
        return None
    state = path.stat()
    # A modification time can be set back, the change time cannot.
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _load(file: Path, name: str) -> ImageData | None:
    """Read a cache file; set a damaged one aside and return None."""
    if not file.exists():
        return None
    try:
        with np.load(file, allow_pickle=False) as stored:
            data = ImageData(
                name=name,
                **{key: torch.from_numpy(stored[key]) for key in _ARRAYS},
                classes=tuple(str(c) for c in stored["classes"]),
                source=str(stored["source"]),
            )
            if data.fingerprint != str(stored["fingerprint"]):
                raise DatasetError("the fingerprint does not fit the arrays")
        return data
    except (OSError, EOFError, KeyError, ValueError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
        aside = file.with_suffix(".npz.damaged")
        warnings.warn(f"Cache file damaged ({error}); kept as {aside} and made again.", stacklevel=4)
        with suppress(OSError):
            os.replace(file, aside)
        return None


def _store(file: Path, data: ImageData) -> None:
    """Write atomically: a reader sees the whole file or none."""
    content = {key: getattr(data, key).numpy() for key in _ARRAYS}
    content |= {key: np.array(getattr(data, key)) for key in ("classes", "source", "fingerprint")}
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".tmp", delete=False) as stream:
            temporary = Path(stream.name)
            np.savez(stream, **content)
        os.replace(temporary, file)
    except OSError as error:
        warnings.warn(f"Decoded images of {data.name} cannot be kept in {file.parent}: {error}", stacklevel=4)
        if temporary:
            temporary.unlink(missing_ok=True)
