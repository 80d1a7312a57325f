"""The pages of the book that are made from library and ledger: interface, losses, settings, what was shown.

Each page has its own words in ``book/``; what the library knows better is written here, into fragments that
the pages include. They are made anew by each build and kept nowhere.
"""

from pathlib import Path

from reference import api, benchmarks, catalogue, faults, precision, results, settings, standing

FRAGMENTS = Path("book") / "_made"


def write(stage: Path) -> None:
    """Write all fragments below a copy of the book's sources."""
    folder = stage / FRAGMENTS
    for part in (api, benchmarks, catalogue, faults, precision, results, settings, standing):
        for name, text in part.fragments().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    catalogue.draw(folder)
