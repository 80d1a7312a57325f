"""Losses, label noise, models and experiments around symmetric cross entropy."""

import importlib.util

__version__ = "0.2.0"


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
