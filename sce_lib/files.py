"""Files that are whole or not there, and damaged ones that are kept."""

import os
import tempfile
import warnings
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: to a neighbour first, flushed to disk, then renamed.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "new" / "file"
    >>> write_atomically(path, b"whole")
    >>> path.read_bytes()
    b'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
