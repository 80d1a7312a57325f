"""Arrays kept on disk: made once, checked on every read, made again when damaged or out of date."""

import hashlib
import io
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL
from filelock import FileLock

from sce_lib.data.hashing import hash_arrays
from sce_lib.data.trees import DecodedTree, read_tree, walk
from sce_lib.files import cache_root, set_aside, write_atomically

# Raise it when the same tree comes to be decoded differently.
_DECODER = 2
_READ_ERRORS = (OSError, EOFError, KeyError, ValueError, TypeError, RuntimeError, zipfile.BadZipFile)
_IMAGES = ("train_images", "train_labels", "test_images", "test_labels")

Arrays = dict[str, np.ndarray]
T = TypeVar("T")


def cached_tree(tree: Path, name: str, official: tuple[str, ...] | None) -> DecodedTree:
    """Return what `read_tree` does, from the cache if tree and class names are unchanged since."""

    def pack(decoded: DecodedTree) -> Arrays:
        images = {key: getattr(decoded, key) for key in _IMAGES}
        sums = {"fingerprint": hash_arrays(*images.values())}
        words = {"name": name, "classes": decoded.classes, "source": decoded.source} | sums
        return {key: np.array(value) for key, value in words.items()} | images

    key = _tree_key(tree, name, official)
    return remember(f"{name}-{key}", lambda: read_tree(tree, name, official), pack, _unpack)


def remember(
    stem: str, build: Callable[[], T], pack: Callable[[T], Arrays], unpack: Callable[[Arrays], T]
) -> T:
    """Read ``<cache>/decoded/<stem>.npz``, or build it, once among all processes that want it at once."""
    file = cache_root() / "decoded" / f"{stem}.npz"
    lock = FileLock(file.with_suffix(".lock"))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        # A cache that cannot be written costs time, nothing else.
        warnings.warn(f"{file.parent} cannot be written ({error}); {stem} will be made again", stacklevel=3)
    try:
        value = _load(file, unpack)
        if value is None:
            value = build()
            if lock.is_locked:
                _store(file, pack(value))
        return value
    finally:
        lock.release()


def _load(file: Path, unpack: Callable[[Arrays], T]) -> T | None:
    if not file.exists():
        return None
    try:
        with np.load(file, allow_pickle=False) as stored:
            return unpack(dict(stored))
    except _READ_ERRORS as error:
        set_aside(file, str(error))
        return None


def _store(file: Path, arrays: Arrays) -> None:
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    try:
        write_atomically(file, content.getvalue())
    except OSError as error:
        warnings.warn(f"{file} cannot be written ({error}); it will be made again", stacklevel=4)


def _unpack(stored: Arrays) -> DecodedTree:
    images = {key: stored[key] for key in _IMAGES}
    check_sum(hash_arrays(*images.values()), stored["fingerprint"])
    return DecodedTree(**images, classes=tuple(map(str, stored["classes"])), source=str(stored["source"]))


def check_sum(computed: str, stored: np.ndarray) -> None:
    """Raise a ValueError if arrays are not those that were stored."""
    if computed != str(stored):
        raise ValueError("its sum does not fit its arrays")


def _tree_key(tree: Path, name: str, official: tuple[str, ...] | None) -> str:
    """Hash what the decoded arrays depend on, but not the path, so that a moved zip keeps its cache."""
    digest = hashlib.sha256(repr((_DECODER, PIL.__version__, name, official)).encode())
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
