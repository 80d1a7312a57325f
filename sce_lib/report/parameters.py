"""A chapter's parameters: what papermill sets must be what the first cell declares, in name and type."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from sce_lib import nearest

# What papermill writes above the values that it was given.
_INJECTED = "# Parameters"
_SCALARS = (str, int, float, bool)


def check_parameters(namespace: Mapping[str, Any]) -> None:
    r"""Refuse what papermill was given for parameters that a chapter does not have, or of another type.

    To be called in the first cell after the parameters, before anything is imported that takes time.
    Papermill lets a misspelt name pass with a warning, and the chapter would show what was not meant.

    Parameters
    ----------
    namespace : mapping
        A chapter's ``globals()``: its parameters with their annotations, and the cells that were executed.

    Raises
    ------
    ValueError
        With a line for each parameter that is wrong.

    Examples
    --------
    >>> chapter = {"seeds": "five", "__annotations__": {"seeds": int}, "In": ["# Parameters\nsedes = 5", ""]}
    >>> check_parameters(chapter)
    Traceback (most recent call last):
        ...
    ValueError: this chapter has no parameter 'sedes': did you mean 'seeds'? It has seeds (int)
    seeds is of type int, not 'five' (str)
    """
    # From Python 3.14 on a namespace has its annotations as a function.
    annotations = namespace.get("__annotations__") or namespace["__annotate__"](1)
    declared = {name: kind for name, kind in annotations.items() if kind in _SCALARS}
    problems = [*_unknown(namespace, declared), *_of_other_types(namespace, declared)]
    if problems:
        raise ValueError("\n".join(problems))


def _unknown(namespace: Mapping[str, Any], declared: Mapping[str, type]) -> Iterator[str]:
    """Yield a line for each name that papermill's cell, executed before this one, sets in vain."""
    before = ["", "", *map(str, namespace.get("In", ()))][-2]
    if not before.startswith(_INJECTED):
        return
    targets = (
        target for line in ast.parse(before).body if isinstance(line, ast.Assign) for target in line.targets
    )
    for name in (target.id for target in targets if isinstance(target, ast.Name)):
        if name not in declared:
            close = nearest(name, declared)
            guess = f": did you mean {close!r}?" if close else "."
            known = ", ".join(f"{known} ({kind.__name__})" for known, kind in declared.items())
            yield f"this chapter has no parameter {name!r}{guess} It has {known}"


def _of_other_types(namespace: Mapping[str, Any], declared: Mapping[str, type]) -> Iterator[str]:
    for name, kind in declared.items():
        value = namespace[name]
        if type(value) is kind or (kind is float and type(value) is int):
            continue
        hint = "; papermill's -r takes a value as the text that it is" if kind is str else ""
        yield f"{name} is of type {kind.__name__}, not {value!r} ({type(value).__name__}){hint}"
