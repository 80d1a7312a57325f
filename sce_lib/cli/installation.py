"""What of this package's dependencies is installed, by extra."""

import importlib.metadata
import re
from collections.abc import Iterator

# What each extra is for; which packages it brings, the package's own metadata say.
EXTRAS = {
    "data": "images and data sets",
    "experiments": "runs, sweeps and the ledger",
    "report": "figures, tables and verdicts",
    "book": "executing the chapters and rendering the book",
    "integrations": "the losses in other frameworks, as the book shows them",
    "cluster": "sweeps on other machines",
    "test": "the project's own tests",
}
_REQUIREMENT = re.compile(r"""(?P<name>[\w.-]+)[^;]*(;.*extra == ['"](?P<extra>[\w-]+)['"])?""")


def requirements() -> dict[str, list[str]]:
    """Return the packages that each extra adds to those before it; what is always needed under ``""``."""
    lines = [_REQUIREMENT.match(line) for line in importlib.metadata.requires("sce-lib") or []]
    pairs = [(match["extra"] or "", match["name"]) for match in lines if match is not None]
    known = {"sce-lib"}
    found = {}
    for extra in ("", *EXTRAS):
        names = [name for of, name in pairs if of == extra and name not in known]
        known.update(names)
        found[extra] = sorted(set(names))
    return found


def installed() -> Iterator[str]:
    """Yield a line for what is always needed and for each extra: versions, or what it would add."""
    for extra, names in requirements().items():
        there, absent = [], []
        for name in names:
            try:
                there.append(f"{name} {importlib.metadata.version(name)}")
            except importlib.metadata.PackageNotFoundError:
                absent.append(name)
        title = f"extra {extra} ({EXTRAS[extra]})" if extra else "losses, noise, models"
        if not absent:
            yield f"OK   {title}: {', '.join(there)}"
        else:
            yield f"     {title}: pip install 'sce-lib[{extra}]' would add {', '.join(absent)}"
