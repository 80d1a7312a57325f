"""What small books are made of in tests."""

from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]

INTRO = """# A small book

One sentence with $x^2$ and {cite:t}`wang2019symmetric`. See {doc}`the chapter <../notebooks/01_small>`.
"""
CHAPTER = "# A small chapter\n\nIts figure is {numref}`fig-line`.\n\n$$a = b$$ (eq-small)\n"
FIGURE = {"figure": {"caption": "A line, $y = x$.", "name": "fig-line"}, "image": {"alt": "A rising line"}}


def small_notebook(*sources: str) -> nbformat.NotebookNode:
    """Return an unexecuted notebook with these code cells after a heading; those that plot get a caption."""
    cells = [nbformat.v4.new_markdown_cell(CHAPTER)]
    for source in sources:
        metadata = {"mystnb": FIGURE} if "plt" in source else {}
        cells.append(nbformat.v4.new_code_cell(source, metadata=metadata))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
