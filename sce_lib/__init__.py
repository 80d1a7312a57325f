"""Losses, label noise, models and experiments around symmetric cross entropy.

Each room is imported when it is first asked for, since torch alone takes seconds:

>>> import sce_lib
>>> sce_lib.losses.get("sl", alpha=0.1)
SymmetricCrossEntropy(alpha=0.1, beta=1.0, A=-4.0)
"""

import difflib
import importlib.util
import pkgutil
from collections.abc import Iterable
from types import ModuleType

__version__ = "0.2.0"


def __dir__() -> list[str]:
    own = (name for name in globals() if name.startswith("__"))
    return sorted({*own, *_rooms(), "require_extra"})


def __getattr__(name: str) -> ModuleType:
    if name not in _rooms():
        near = nearest(name, _rooms())
        hint = f"did you mean {near!r}?" if near else f"it has {', '.join(_rooms())}"
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; {hint}")
    return importlib.import_module(f"{__name__}.{name}")


def _rooms() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def require_extra(extra: str, *modules: str) -> None:
    """Raise an error of one line unless all modules are there that an extra of this package brings.

    Raises
    ------
    ImportError
        Naming what is missing and the command that installs it.

    Examples
    --------
    >>> require_extra("data", "no_such_module")
    Traceback (most recent call last):
        ...
    ImportError: no_such_module is not installed: pip install 'sce-lib[data]'
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ImportError(f"{', '.join(missing)} {verb} not installed: pip install 'sce-lib[{extra}]'")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that one which is not known is most like; an empty string where it is like none.

    Examples
    --------
    >>> nearest("figur1", ["figure1", "table1"]), nearest("x", ["figure1"])
    ('figure1', '')
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), "")


# So many characters of what someone gave are repeated in a message.
_QUOTED = 200


def quoted(value: object) -> str:
    """Return a value as messages repeat what was given: as Python writes it, its beginning if it is long.

    Examples
    --------
    >>> quoted("Änten #2"), len(quoted("x" * 10_000))
    ("'Änten #2'", 200)
    """
    text = repr(value)
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"
