"""Files that are whole or not there, damaged ones that are kept, names, and the folders that things lie in.

A folder is what its variable names, else one of the checkout, else, where the package was installed without a
checkout, one of the user's.
"""

import os
import re
import tempfile
import time
import warnings
from pathlib import Path

from sce_lib import quoted, require_extra

# The end of the name of a file that is being written.
_PART = ".part"


def write_atomically(path: Path, content: bytes, flush: bool = True) -> None:
    """Write a file whole or not at all: to a neighbour first, flushed to disk, then renamed.

    Without `flush` it is so if the writer is killed, but not if the machine loses power.

    Raises
    ------
    OSError
        Where it cannot be written; the message names the file, or the folder whose disk is full.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "new" / "file"
    >>> write_atomically(path, b"whole")
    >>> path.read_bytes()
    b'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if flush:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        if error.filename is None:  # writing to an open file, which is all that a full disk refuses
            error.filename = str(path.parent)
        raise
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def remove_stale(folder: Path, seconds: float = 86_400.0) -> None:
    """Delete what writers that were killed have left below a folder: parts older than a day.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / ".record.json.k2x9.part").write_bytes(b"cut sho")
    >>> remove_stale(folder)  # it may be written at this moment
    >>> len(list(folder.iterdir()))
    1
    """
    oldest = time.time() - seconds
    for part in folder.rglob(f".*{_PART}"):
        try:
            if part.stat().st_mtime < oldest:
                part.unlink()
        except FileNotFoundError:
            continue  # its writer, or another cleaner, was faster


def set_aside(path: Path, why: str) -> None:
    """Rename an unfit file out of the way, to a name not taken yet, with a warning that says why."""
    taken = {neighbour.name for neighbour in path.parent.glob(f"{path.name}.damaged-*")}
    number = next(n for n in range(1, len(taken) + 2) if f"{path.name}.damaged-{n}" not in taken)
    aside = path.with_name(f"{path.name}.damaged-{number}")
    try:
        path.rename(aside)
        kept = f"kept as {aside.name}"
    except OSError as error:
        kept = f"left in place ({error.strerror})"
    warnings.warn(f"{path} is counted as missing: {why}; {kept}", stacklevel=3)


# --- Names. ------------------------------------------------------------------------------------------
LONGEST_NAME = 200
# Control characters, ends of lines, halves of characters, and what turns the direction of writing around.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def check_name(name: str) -> str:
    """Return a name that others gave, of a class or a source, if it can stand in a line and leads nowhere.

    Spaces, accents and signs such as ``#`` are welcome, and so is a slash between words: ``"T-shirt/top"``.

    Raises
    ------
    ValueError
        For a name that is empty, longer than 200 characters, or a path, as ``".."`` and ``"/etc"`` are; for
        one that holds a control character.

    Examples
    --------
    >>> check_name("Änten #2")
    'Änten #2'
    >>> check_name("../../x")
    Traceback (most recent call last):
        ...
    ValueError: a name is no path, as '../../x' is: leave out .., backslashes, and slashes at the ends
    """
    if not (shown := name.strip()):
        raise ValueError(f"a name has a letter or two, {quoted(name)} has none")
    if unfit := _UNFIT.search(name):
        raise ValueError(f"a name holds no control character, as {quoted(name)} does: {unfit[0]!r}")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"a name has {LONGEST_NAME} characters at most, {quoted(name)} has {len(name)}")
    may_lead = "/" in name or shown.startswith(".")
    if "\\" in name or (may_lead and any(part.strip() in ("", ".", "..") for part in name.split("/"))):
        path = f"a name is no path, as {quoted(name)} is"
        raise ValueError(f"{path}: leave out .., backslashes, and slashes at the ends")
    return name


# --- Where things lie. -------------------------------------------------------------------------------
_CHECKOUT = Path(__file__).resolve().parents[1]
_NAME = "sce-lib"


def checkout() -> Path | None:
    """Return the checkout that this package lies in, or None where it was installed without one."""
    return _CHECKOUT if (_CHECKOUT / "pyproject.toml").exists() else None


def _folder(variable: str, in_checkout: str, kind: str, below: str = "") -> Path:
    """Return ``$variable``, else a folder of the checkout, else one of the user's (``data`` or ``cache``)."""
    if named := os.environ.get(variable):
        return Path(named).expanduser().resolve()
    if root := checkout():
        return root / in_checkout
    require_extra("data", "platformdirs")
    import platformdirs  # of the extra `data`; whoever needs no folder needs none of it

    return Path(getattr(platformdirs, f"user_{kind}_path")(_NAME, appauthor=False)) / below


def data_root() -> Path:
    """Return where data sets are read from: ``$SCE_DATA``, ``data/cache``, ``datasets`` in user's caches.

    >>> data_root().is_absolute()
    True
    """
    return _folder("SCE_DATA", "data/cache", "cache", "datasets")


def cache_root() -> Path:
    """Return the folder for what can be made again: ``$SCE_CACHE``, ``data/cache``, the user's of caches."""
    # Apart from `data_root`, which may be shared or read-only.
    return _folder("SCE_CACHE", "data/cache", "cache")


def ledger_root() -> Path:
    """Return the folder of run records: ``$SCE_LEDGER``, ``data/ledger``, ``ledger`` in user's data."""
    return _folder("SCE_LEDGER", "data/ledger", "data", "ledger")
