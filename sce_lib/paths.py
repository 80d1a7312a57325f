"""Where the project keeps things, resolved from the package and never from the working folder."""

import os
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[1]


def project_root() -> Path:
    """Return the checkout, or the user's cache folder where the package was installed without one.

    Examples
    --------
    >>> project_root().is_absolute()
    True
    """
    if (_CHECKOUT / "pyproject.toml").exists():
        return _CHECKOUT
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sce_lib"


def data_root() -> Path:
    """Return the folder that data sets are read from: ``$SCE_DATA``, else ``data/cache``."""
    return Path(os.environ.get("SCE_DATA") or project_root() / "data" / "cache").expanduser().resolve()


def cache_root() -> Path:
    """Return the folder for what can be made again: ``$SCE_CACHE``, else ``data/cache``.

    It is apart from `data_root`, which may be shared or read-only.
    """
    return Path(os.environ.get("SCE_CACHE") or project_root() / "data" / "cache").expanduser().resolve()


def ledger_root() -> Path:
    """Return the folder of run records: ``$SCE_LEDGER``, else ``data/ledger``."""
    return Path(os.environ.get("SCE_LEDGER") or project_root() / "data" / "ledger").expanduser().resolve()


def paper_root() -> Path:
    """Return the folder of the paper's own numbers, ``data/paper``."""
    return project_root() / "data" / "paper"
