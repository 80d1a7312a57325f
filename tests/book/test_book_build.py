"""The build script finds what a book lacks, and leaves the notebooks alone."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
import typer
from bs4 import BeautifulSoup
from small_book import small_notebook

PAGE = "notebooks/01_small"


@pytest.fixture
def book(whole_book: Path, tmp_path: Path) -> Path:
    """Return a copy of the whole book, to be broken."""
    return Path(shutil.copytree(whole_book, tmp_path / "book"))


def faults(build: ModuleType, book: Path) -> list[str]:
    return build.faults(book / "stage", book / "_build" / "html")


def edit_page(book: Path, edit: Callable[[BeautifulSoup], None]) -> None:
    page = book / "_build" / "html" / f"{PAGE}.html"
    soup = BeautifulSoup(page.read_text(), "html.parser")
    edit(soup)
    page.write_text(str(soup))


def edit_notebook(book: Path, edit: Callable[[nbformat.NotebookNode], None]) -> None:
    path = book / "stage" / f"{PAGE}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    edit(notebook)
    nbformat.write(notebook, path)


def test_a_whole_book_has_no_faults(build, whole_book):
    assert faults(build, whole_book) == []


def test_first_page_leads_to_the_intro(whole_book):
    assert "book/intro.html" in (whole_book / "_build" / "html" / "index.html").read_text()


def test_mathematics_and_icons_come_with_the_book(whole_book):
    html = whole_book / "_build" / "html"
    soup = BeautifulSoup((html / f"{PAGE}.html").read_text(), "html.parser")
    scripts = [str(tag["src"]).split("?")[0] for tag in soup.select("script[src]")]
    assert any("mathjax" in script for script in scripts)
    styles = [str(tag["href"]).split("?")[0] for tag in soup.select("link[rel=stylesheet]")]
    for address in scripts + styles:
        assert (html / "notebooks" / address).exists(), address


def test_style_sheets_load_nothing_from_a_network(whole_book):
    sheets = list((whole_book / "_build" / "html" / "_static").rglob("*.css"))
    assert sheets
    for sheet in sheets:
        text = sheet.read_text(errors="replace")
        assert "url(http" not in text, sheet
        assert "@import" not in text or "@import url(http" not in text, sheet


def test_figure_has_its_caption_and_alt_text(whole_book):
    page = (whole_book / "_build" / "html" / f"{PAGE}.html").read_text()
    figure = BeautifulSoup(page, "html.parser").select_one(".cell_output figure")
    assert figure is not None
    assert "A line" in figure.figcaption.text
    assert figure.img["alt"] == "A rising line"


@pytest.mark.parametrize("page", ["book/intro", "book/references", PAGE])
def test_absent_page_is_named(build, book, page):
    (book / "_build" / "html" / f"{page}.html").unlink()
    assert faults(build, book) == [f"{Path(page).name}.html: the page is absent"]


@pytest.mark.parametrize(("index", "lost"), [(0, 2), (1, 3)])
def test_outputs_that_the_page_lost_are_counted(build, book, index, lost):
    edit_page(book, lambda soup: soup.select("div.cell_output")[index].extract())
    (fault,) = faults(build, book)
    assert f"code cell {lost}" in fault
    assert "the page shows 0" in fault


def test_one_lost_output_of_two_is_noticed(build, book):
    edit_page(book, lambda soup: soup.select("div.cell_output")[1].find(recursive=False).extract())
    (fault,) = faults(build, book)
    assert "2 outputs were stored, the page shows 1" in fault


def test_lost_cell_is_noticed(build, book):
    edit_page(book, lambda soup: soup.select("div.cell")[0].extract())
    (fault,) = faults(build, book)
    assert "3 code cells were executed, the page shows 2" in fault


def test_cell_that_was_not_executed_is_noticed(build, book):
    edit_notebook(book, lambda notebook: notebook.cells[1].update(execution_count=None))
    (fault,) = faults(build, book)
    assert "code cell 1: was not executed" in fault


def test_failed_cell_is_noticed(build, book):
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=["no"])
    edit_notebook(book, lambda notebook: notebook.cells[1].update(outputs=[error]))
    assert any("code cell 1: failed" in fault for fault in faults(build, book))


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://example.org/x.js"></script>',
        '<link rel="stylesheet" href="//example.org/x.css">',
        '<img src="http://example.org/x.png">',
        '<iframe src="https://example.org"></iframe>',
    ],
)
def test_what_a_page_loads_from_a_network_is_named(build, book, tag):
    edit_page(book, lambda soup: soup.body.append(BeautifulSoup(tag, "html.parser")))
    (fault,) = faults(build, book)
    assert "example.org" in fault


def test_links_to_click_are_no_fault(build, book):
    link = '<a href="https://example.org">elsewhere</a>'
    edit_page(book, lambda soup: soup.body.append(BeautifulSoup(link, "html.parser")))
    assert faults(build, book) == []


def test_a_warning_fails_the_build(build, book):
    intro = book / "stage" / "book" / "intro.md"
    intro.write_text(intro.read_text() + "\n[nowhere](nowhere.md)\n")
    assert not build.run_jupyter_book(book / "stage", book / "_build" / "html")


def test_execution_leaves_the_notebook_alone_and_stores_no_times(build, tmp_path):
    notebook, target = tmp_path / "in.ipynb", tmp_path / "stage" / "out.ipynb"
    nbformat.write(small_notebook("1 + 1"), notebook)
    before = notebook.read_bytes()
    assert build.execute(notebook, target).error is None
    assert notebook.read_bytes() == before
    executed = nbformat.read(target, as_version=4)
    assert executed.cells[1].outputs[0].data["text/plain"] == "2"
    assert "papermill" not in executed.metadata
    assert all(not cell.metadata for cell in executed.cells)
    assert str(tmp_path) not in target.read_text()


def test_execution_twice_gives_the_same_file(build, tmp_path):
    notebook = tmp_path / "in.ipynb"
    nbformat.write(small_notebook("1 + 1"), notebook)
    for name in ("first", "second"):
        assert build.execute(notebook, tmp_path / f"{name}.ipynb").error is None
    assert (tmp_path / "first.ipynb").read_bytes() == (tmp_path / "second.ipynb").read_bytes()


def test_failure_names_the_error(build, tmp_path):
    notebook = tmp_path / "in.ipynb"
    nbformat.write(small_notebook("1 + 1", "raise LookupError('2 of 6 runs are not there')"), notebook)
    execution = build.execute(notebook, tmp_path / "out.ipynb")
    assert "2 of 6 runs are not there" in execution.error


def test_store_keeps_outputs_and_spares_what_failed(build, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "STAGE", tmp_path / "_build" / "stage")
    (tmp_path / "notebooks").mkdir()
    good, bad = (tmp_path / "notebooks" / f"{name}.ipynb" for name in ("01_good", "02_bad"))
    nbformat.write(small_notebook("1 + 1"), good)
    nbformat.write(small_notebook("1 / 0"), bad)
    before = bad.read_bytes()
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: notebooks/01_good\nchapters:\n- file: notebooks/02_bad\n"
    )
    with pytest.raises(typer.Exit) as stopped:
        build.store(jobs=2)
    assert stopped.value.exit_code == 1
    assert nbformat.read(good, as_version=4).cells[1].outputs[0].data["text/plain"] == "2"
    assert bad.read_bytes() == before
