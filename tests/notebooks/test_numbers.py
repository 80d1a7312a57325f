"""The numbers of a chapter's tables are those of the ledger and of the paper, cell by cell."""

import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat import NotebookNode
from traitlets.config import Config

from sce_lib.experiments.config.parts import method_title
from sce_lib.experiments.grids import grid

ROOT = Path(__file__).resolve().parents[2]
# Chapters of which every table is made again from the ledger.
CHAPTERS = (
    "08_benchmark",
    "09_combining",
    "10_real_world_noise",
    "11_what_moves_the_number",
)
NUMBER = re.compile(r"\d+(?:\.\d+)?")

Table = list[list[str]]


@pytest.fixture(scope="module", autouse=True)
def shell():
    """Keep what a chapter sets for its own kernel out of the other tests, and read the project's ledger."""
    with pytest.MonkeyPatch.context() as patch, pd.option_context("display.max_colwidth", 50):
        patch.delenv("SCE_LEDGER", raising=False)
        patch.setenv("MPLBACKEND", "agg")
        # The shell puts its own there, from which no other test could start a process.
        patch.setitem(sys.modules, "__main__", sys.modules["__main__"])
        yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
        InteractiveShell.clear_instance()


def tables(html: str) -> list[Table]:
    """Return the tables of a page as rows of text."""
    found = BeautifulSoup(html, "html.parser").find_all("table")
    return [
        [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]
        for table in found
    ]


def code(chapter: str) -> list[NotebookNode]:
    cells = nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def stored_tables(cells: list[NotebookNode]) -> list[list[Table]]:
    """Return for each cell the tables that stand in the notebook."""
    return [
        [t for output in cell.outputs for t in tables(output.get("data", {}).get("text/html", ""))]
        for cell in cells
    ]


def stored_texts(cells: list[NotebookNode]) -> list[list[str]]:
    """Return for each cell what it says in Markdown and prints, as it stands in the notebook."""
    said = [
        [o.data["text/markdown"] for o in cell.outputs if "text/markdown" in o.get("data", {})]
        for cell in cells
    ]
    printed = ["".join(o.text for o in cell.outputs if o.get("name") == "stdout") for cell in cells]
    return [[*texts, stdout] for texts, stdout in zip(said, printed, strict=True)]


class Shown(NamedTuple):
    """What the cells of a chapter show now, from the ledger, and whether its text was checked against it."""

    tables: list[list[Table]]
    texts: list[list[str]]
    checked: bool


@cache
def shown_now(chapter: str) -> Shown:
    """Execute a chapter in this process."""
    shell, now = InteractiveShell.instance(), Shown([], [], False)
    for cell in code(chapter):
        with capture_output() as captured:
            done = shell.run_cell(cell.source)
        done.raise_error()
        last, _ = shell.display_formatter.format(done.result)
        shown = [*(output.data for output in captured.outputs), last]
        now.tables.append([t for data in shown for t in tables(data.get("text/html", ""))])
        said = [data["text/markdown"] for data in shown if "text/markdown" in data]
        printed = captured.stdout.partition("Out[")[0]  # what follows is the shell's own echo of the result
        now.texts.append([*said, printed])
    checked = shell.user_ns["stored"]
    shell.reset(new_session=False)
    return now._replace(checked=checked)


# What executes these chapters is for a slow run: nbval compares all their outputs in each run of the tests.
executing = pytest.mark.slow


def made_again(chapter: str) -> list[list[Table]]:
    """Return for each cell the tables that it shows now, from the ledger."""
    return shown_now(chapter).tables


def sizes(shown: list[Table]) -> list[list[int]]:
    return [[len(row) for row in table] for table in shown]


def differences(stored: list[list[Table]], made: list[list[Table]]) -> list[str]:
    """Return a line for each cell of a table that is not what it should be."""
    found = []
    for place, (old, new) in enumerate(zip(stored, made, strict=True), start=1):
        if sizes(old) != sizes(new):
            found.append(f"code cell {place}: {len(old)} tables stored, {len(new)} made, or of other sizes")
            continue
        found += [
            f"code cell {place}, row {row[0]!r}: {was!r} is stored, but the ledger gives {now!r}"
            for before, after in zip(old, new, strict=True)
            for row, again in zip(before, after, strict=True)
            for was, now in zip(row, again, strict=True)
            if was != now
        ]
    return found


@executing
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_table_is_what_the_ledger_gives(chapter):
    stored = stored_tables(code(chapter))
    assert sum(map(len, stored)) > 2
    assert differences(stored, made_again(chapter)) == []


@executing
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_number_edited_by_hand_is_found(chapter, tmp_path):
    """In each table in turn, in a copy of the notebook, the last number is raised in its last digit."""
    copy = tmp_path / "copy.ipynb"
    untouched = (ROOT / "notebooks" / f"{chapter}.ipynb").read_text(encoding="utf-8")
    before = set(differences(stored_tables(code(chapter)), made_again(chapter)))
    edited = 0
    for place, cell in enumerate(code(chapter)):
        for order, output in enumerate(cell.outputs):
            html = output.get("data", {}).get("text/html", "")
            numbers = [m for m in NUMBER.finditer(html) if html[m.end() :].startswith(("</td>", "]</td>"))]
            if not numbers:
                continue
            last = numbers[-1]
            digit = str((int(last[0][-1]) + 1) % 10)
            book = nbformat.reads(untouched, as_version=4)
            target = [c for c in book.cells if c.cell_type == "code"][place].outputs[order]
            target.data["text/html"] = html[: last.end() - 1] + digit + html[last.end() :]
            nbformat.write(book, copy)
            changed = [c for c in nbformat.read(copy, as_version=4).cells if c.cell_type == "code"]
            (said,) = set(differences(stored_tables(changed), made_again(chapter))) - before
            assert f"code cell {place + 1}, " in said
            edited += 1
    assert edited > 2


@executing
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_text_that_a_cell_shows_is_what_the_ledger_gives(chapter):
    stored = stored_texts(code(chapter))
    assert sum(bool(NUMBER.search(text)) for cell in stored for text in cell) > 2
    assert stored == shown_now(chapter).texts


@executing
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_checks_of_the_prose_hold_for_the_ledger_as_it_is(chapter):
    """They stand back for other runs than the prose is about; for the committed ones they must not."""
    assert shown_now(chapter).checked is True


# --- Chapter 8's Table 1, from the files themselves: nothing of the library reads or averages here. ---
def from_files(dataset: str) -> dict[tuple[str, str], list[float]]:
    """Return the last accuracies of each cell of Table 1 in per cent, as the ledger's files have them."""
    found: dict[tuple[str, str], list[float]] = {}
    for config in grid("table1", dataset, seeds=10):
        path = ROOT / "data" / "ledger" / dataset / f"{config.run_id}.json"
        if path.exists():
            said = json.loads(path.read_text(encoding="utf-8"))
            name = method_title(config.method.name)
            found.setdefault((config.noise.slug, name), []).append(100 * said["record"]["last_accuracy"])
    return found


def numbers(text: str) -> list[float]:
    return [float(number) for number in NUMBER.findall(text)]


def test_table_1_of_chapter_8_by_the_files_alone():
    published = ROOT / "sce_lib" / "report" / "published" / "table1.csv"
    of_paper = pd.read_csv(published).set_index(["dataset", "noise", "method"])
    (cell,) = (cell for cell in code("08_benchmark") if "table1.shown(of_name)" in cell.source)
    headings = [text for o in cell.outputs if (text := o.data.get("text/markdown", "")).startswith("**")]
    shown = stored_tables([cell])[0]
    assert len(headings) == len(shown) > 0
    for heading, (methods, *rows) in zip(headings, shown, strict=True):
        dataset = heading.strip("*")
        runs, noise, seen = from_files(dataset), "", 0
        for row in rows:
            if len(row) > len(methods) - 1:  # the first of a noise's rows begins with its name
                noise, *row = row
            what, *values = row
            for name, text in zip(methods[-len(values) :], values, strict=True):
                lasts = runs.get((noise, name), [])
                reported = of_paper.loc[(dataset, noise, name.lower())]
                seen += check_cell(what, text, lasts, reported["mean"], reported["std"])
        assert seen == len(runs) > 0


def check_cell(what: str, text: str, lasts: list[float], mean: float, std: float) -> int:
    """Compare one cell with its runs and the paper's number; return 1 for one that shows runs."""
    if what == "paper":
        assert text == f"{mean:.2f} ±\u00a0{std:.2f}"
    elif not lasts:
        assert text == ""
    elif what == "seeds":
        assert text == str(len(lasts))
    elif what == "difference":
        signed = float(text.replace("−", "-"))
        assert signed == pytest.approx(np.mean(lasts) - mean, abs=0.0501)
    else:
        assert what == "ours, last epoch"
        expected = [np.mean(lasts), *([min(lasts), max(lasts)] if len(lasts) > 1 else [])]
        assert numbers(text) == pytest.approx(expected, abs=0.0501)
        return 1
    return 0
