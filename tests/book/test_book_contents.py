"""The book lists all there is, and nothing that is not there."""

import re

import pytest
import yaml
from small_book import ROOT

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())


def test_contents_list_every_notebook_and_page(build):
    there = [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("book/**/*.md")]
    assert set(build.pages(ROOT)) == {str(path.relative_to(ROOT).with_suffix("")) for path in there}


def test_chapters_come_in_order_of_their_numbers(build):
    numbered = [page for page in build.pages(ROOT) if page.startswith("notebooks/")]
    assert numbered
    assert numbered == sorted(numbered)


def test_intro_has_a_row_for_every_chapter(build):
    rows = [line for line in (ROOT / "book" / "intro.md").read_text().splitlines() if line.startswith("|")]
    listed = re.findall(r"\{doc\}`(?:[^`<]*<)?\.\./(notebooks/\w+)", "\n".join(rows))
    assert listed == [page for page in build.pages(ROOT) if page.startswith("notebooks/")]


def test_the_build_executes_nothing():
    assert CONFIG["execute"]["execute_notebooks"] == "off"


def test_no_extension_that_needs_a_network():
    assert "sphinx_thebe" not in CONFIG["sphinx"]["config"]["extensions"]
    assert CONFIG["sphinx"]["config"]["nb_ipywidgets_js"] == {}


def test_every_citation_has_its_reference():
    known = set(re.findall(r"@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text()))
    sources = [*ROOT.glob("book/*.md"), *ROOT.glob("notebooks/*.ipynb")]
    cited = {
        key.strip()
        for path in sources
        for keys in re.findall(r"\{cite[:\w]*\}`([^`]+)`", path.read_text())
        for key in keys.split(",")
    }
    assert cited <= known
    assert "wang2019symmetric" in cited


def test_the_built_book_loads_nothing_from_a_network(build):
    built = sorted(build.HTML.rglob("*.html"))
    if not built:
        pytest.skip("the book has not been built here: run `make book` first")
    assert {page.name: found for page in built if (found := build.network_references(page))} == {}
