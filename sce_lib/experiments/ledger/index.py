"""What is asked of all records at once, kept beside the state of their files, so that few are read twice."""

import hashlib
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from sce_lib.experiments.ledger.records import Summary
from sce_lib.files import cache_root, write_atomically

# A file written twice within a tick of the system's clock has one time; the coarsest common one is 10 ms.
_TICK = 100_000_000
# Seconds of reading that are lost at most where a first look at a large ledger is killed.
_SAVED_EVERY = 20.0
# Whether a record is valid, and what its setting is called, is decided by these rooms.
_ROOMS = ("config", "ledger")


class State(NamedTuple):
    """What changes when a file does. A time of modification can be set back, that of a change cannot."""

    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "State":
        """Return the state that a file is in; one that is not there, or cannot be seen, is in none."""
        try:
            found = path.stat()
        except OSError:
            return cls(-1, 0, 0)
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def settled(self) -> bool:
        """Return whether another change would have another time, and so whether the state can be trusted."""
        return time.time_ns() - max(self.modified, self.changed) > _TICK


class Index:
    """Summaries of a ledger's records, each with the state that its file was in when it was read.

    One file in the cache, checked against its own sum; it can be deleted at any time, and costs the next look
    the reading of all records. An entry counts only while its file is in the same state, and all entries only
    while the code that made them is the same. Of two processes that write it at once the last one's stands.

    Parameters
    ----------
    root : path
        The ledger's folder.
    """

    def __init__(self, root: Path) -> None:
        name = hashlib.sha256(str(root).encode()).hexdigest()[:16]
        self.path = cache_root() / "ledgers" / f"{name}.index"
        self._entries = self._read()
        self._changed, self._saved = False, time.monotonic()

    def _read(self) -> dict[str, tuple[str, str]]:
        """Return state and summary by record, as text; nothing where the file is not what was written."""
        try:
            head, _, body = self.path.read_bytes().partition(b"\n")
            if head != _seal(body):
                return {}
            lines = body.decode().split("\n") if body else []
        except (OSError, ValueError):
            return {}
        return {name: (state, text) for name, state, text in (line.split("\t") for line in lines)}

    def get(self, name: str, state: State) -> Summary | None:
        """Return the summary of a record whose file is in a state, or None where it was read in another."""
        kept, text = self._entries.get(name, ("", ""))
        try:
            return Summary.model_validate_json(text) if kept == _text(state) else None
        except ValidationError:
            return None

    def put(self, name: str, state: State, summary: Summary) -> None:
        """Keep the summary of a record that was read after its file was found in a state."""
        if state.settled():
            self._entries[name] = _text(state), summary.model_dump_json()
            self._changed = True
        if time.monotonic() - self._saved > _SAVED_EVERY:
            self.save()

    def forget(self, names: set[str]) -> None:
        """Drop records that are no longer there."""
        for name in names & self._entries.keys():
            del self._entries[name]
            self._changed = True

    def names(self) -> Iterator[str]:
        """Yield which records are kept."""
        yield from self._entries

    def save(self) -> None:
        """Write what is new; where that cannot be done, the next look takes longer and is as right."""
        if not self._changed:
            return
        lines = ("\t".join([name, *entry]) for name, entry in self._entries.items())
        body = "\n".join(lines).encode()
        try:
            write_atomically(self.path, _seal(body) + b"\n" + body)
        except OSError:
            return
        self._changed, self._saved = False, time.monotonic()


def _text(state: State) -> str:
    return " ".join(map(str, state))


def _seal(body: bytes) -> bytes:
    return hashlib.sha256(_code() + body).hexdigest().encode()


@cache
def _code() -> bytes:
    """Return a digest of the code that says what a record is and what of it is kept here."""
    experiments = Path(__file__).parents[1]
    files = (file for room in _ROOMS for file in sorted((experiments / room).glob("*.py")))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()
