"""The interface, room by room: every public name with its signature and docstring, by Sphinx' autodoc."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, get_origin

from sphinx.pycode import ModuleAnalyzer

import sce_lib

# The command line says itself what it can do.
NOT_ROOMS = {"cli"}
# A value that takes more than this is told by the source.
_LONGEST_VALUE = 80


@dataclass(frozen=True)
class Name:
    """A public name: where it is imported from, where it is described, and what it stands for."""

    module: str
    name: str
    home: str
    value: Any

    @property
    def described(self) -> str:
        """The full name that its description stands under."""
        return f"{self.home}.{self.name}"


def rooms() -> list[str]:
    """Return the modules that the book describes, dotted below the library: first the importer's half.

    A room that offers no name of its own (`sce_lib.experiments`, `sce_lib.report`) is described part by part.
    """
    found = [room.name for room in pkgutil.iter_modules(sce_lib.__path__) if room.name not in NOT_ROOMS]
    parts = {room: _parts(room) for room in found}
    return [room for room in found if not parts[room]] + [part for of in parts.values() for part in of]


def _parts(room: str) -> list[str]:
    module = importlib.import_module(f"sce_lib.{room}")
    if not hasattr(module, "__path__") or hasattr(module, "__all__"):
        return []
    return [f"{room}.{part.name}" for part in pkgutil.iter_modules(module.__path__)]


def page(room: str) -> str:
    """Return the name of a module's page: the last part of the module's."""
    return room.rpartition(".")[2]


def public_names(module: ModuleType) -> list[str]:
    """Return what a module offers: its ``__all__``, else all that it defines without an underscore."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [name for name in _defined(inspect.getsource(module)) if not name.startswith("_")]


def _defined(source: str) -> Iterator[str]:
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id


def described(module: ModuleType) -> tuple[list[Name], list[ModuleType]]:
    """Return a module's public names, and those of its submodules that are public names themselves.

    What such a submodule offers as well is described there and not twice.
    """
    values = {name: getattr(module, name) for name in public_names(module)}
    inner = [value for value in values.values() if inspect.ismodule(value)]
    homes = {id(getattr(part, name)): part.__name__ for part in inner for name in public_names(part)}
    names = [
        Name(module.__name__, name, homes.get(id(value), module.__name__), value)
        for name, value in values.items()
        if not inspect.ismodule(value)
    ]
    return names, inner


def fragments() -> dict[str, str]:
    """Return a page's text for each room, and the list of rooms."""
    pages = {room: importlib.import_module(f"sce_lib.{room}") for room in rooms()}
    made = {f"api/{page(room)}.md": "\n".join(_module(module)) for room, module in pages.items()}
    listed = [
        f"{{doc}}`sce_lib.{room} </book/api/{page(room)}>`\n: {_first_line(module)}\n"
        for room, module in pages.items()
    ]
    return made | {"api.md": "\n".join(listed)}


def _first_line(value: Any) -> str:
    """Return a docstring's first paragraph; names that it links, in a context of their own, become code."""
    line = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
    return re.sub(r":(?:py:)?(?!math)\w+:`~?([^`]+)`", r"``\1``", line)


def _rst(*lines: str) -> list[str]:
    return ["```{eval-rst}", *lines, "```", ""]


def _module(module: ModuleType) -> Iterator[str]:
    """Yield a module's description: its docstring, its names in a list, then each of them."""
    names, inner = described(module)
    yield from _rst(f".. automodule:: {module.__name__}")
    yield from _rst(*_contents(names, inner))
    for name in names:
        if name.home == module.__name__:
            yield from _rst(*_description(name))
    for part in inner:
        yield f"## {part.__name__}\n"
        yield from _module(part)


def _contents(names: list[Name], inner: list[ModuleType]) -> Iterator[str]:
    for part in inner:
        yield from (f":py:mod:`~{part.__name__}`", f"   {_first_line(part)}")
    for name in names:
        told = inspect.isclass(name.value) or inspect.isroutine(name.value)
        line = _first_line(name.value) if told else _comment(name) or _short_value(name)
        yield from (f":py:obj:`{name.name} <{name.described}>`", f"   {line or _kind(name.value)}")


def _kind(value: Any) -> str:
    return "A type, for signatures." if get_origin(value) else "A constant; its value is in the source."


def _short_value(name: Name) -> str:
    """Return a constant's value as code; nothing where it is long, a type, or differs from run to run."""
    value = repr(name.value)
    return (
        f"``{value}``"
        if len(value) <= _LONGEST_VALUE and " at 0x" not in value and not get_origin(name.value)
        else ""
    )


def _description(name: Name) -> list[str]:
    if inspect.isclass(name.value):
        repeated = ", ".join(_told_by_base(name.value))
        return [
            f".. autoclass:: {name.described}",
            "   :members:",
            *([f"   :exclude-members: {repeated}"] if repeated else []),
        ]
    if inspect.isroutine(name.value):
        return [f".. autofunction:: {name.described}"]
    value = _short_value(name).strip("`")
    return [
        f".. py:data:: {name.name}",
        f"   :module: {name.home}",
        *([f"   :value: {value}"] if value else []),
        "",
        f"   {_comment(name) or ('' if value else _kind(name.value))}",
    ]


def _told_by_base(cls: type) -> list[str]:
    """Return the methods that a base class of this library describes already: the same contract again."""
    bases = [base for base in cls.__mro__[1:] if base.__module__.startswith("sce_lib.")]
    return sorted({name for base in bases for name in vars(base) if not name.startswith("_")} & {*vars(cls)})


def _comment(name: Name) -> str:
    """Return what the source says of a constant, in the module of the package that defines it."""
    package = importlib.import_module(name.home)
    inner = pkgutil.iter_modules(getattr(package, "__path__", []), f"{name.home}.")
    for module in (name.home, *(found.name for found in inner)):
        comments = ModuleAnalyzer.for_module(module).find_attr_docs()
        if ("", name.name) in comments:
            return " ".join(comments["", name.name]).strip()
    return ""
