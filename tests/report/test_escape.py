"""Names from others do no harm where they are shown."""

import warnings

import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from reference import results

from sce_lib.experiments.ledger import Embedding
from sce_lib.report import escape, figures, tables
from sce_lib.report.claims import Evidence

# What `check_name` lets through, for people do call things so; and what it does not, should it come this far.
HOSTILE = ["$x", "_{a}^$ b$", "<script>alert(1)</script>", "`{include} /etc/passwd` | *b* [c](d)", "_ä #2"]
LINES = "a\n```\n```{include} /etc/passwd"


@pytest.mark.parametrize("name", [*HOSTILE, LINES])
def test_a_cell_of_html_holds_the_name_and_nothing_else(name):
    cell = BeautifulSoup(f"<td>{escape.html(name)}</td>", "html.parser").td
    assert cell.find_all() == []
    assert cell.text == " ".join(name.splitlines())
    assert "\n" not in escape.html(name)


@pytest.mark.parametrize("name", [*HOSTILE, LINES])
def test_a_cell_of_markdown_holds_the_name_and_nothing_else(name):
    page = f"| a | b |\n| --- | --- |\n| {escape.markdown(name)} | 1 |\n"
    shown = BeautifulSoup(MarkdownIt("gfm-like", {"linkify": False}).render(page), "html.parser")
    cells = shown.tbody.find_all("td")
    assert [cell.text for cell in cells] == [" ".join(name.splitlines()), "1"]
    assert cells[0].find_all() == []


@pytest.fixture
def record(make_record):
    """Return a record as another may send it: every name that can be given is one that could do harm."""
    record = make_record("ce", "clean", embedding=Embedding(labels=[0, 1, 2], x=[0, 1, 2], y=[0, 1, 2]))
    made = record.provenance.model_copy(update={"source": HOSTILE[3], "device": HOSTILE[2]})
    changed = record.model_copy(update={"classes": HOSTILE, "provenance": made})
    return type(record).model_validate(changed.model_dump())


def texts(figure):
    """Return what stands in a figure, once it is drawn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    legends = [*figure.legends, *(axis.get_legend() for axis in figure.axes if axis.get_legend())]
    labels = [text for legend in legends for text in legend.get_texts()]
    ticks = [text for axis in figure.axes for text in axis.get_xticklabels()]
    return [text._preprocess_math(text.get_text()) for text in labels + ticks]


def test_figures_are_drawn_with_any_name_of_a_class(record):
    evidence = Evidence([record])
    drawn = [
        figures.classwise_curves([[record]], evidence),
        figures.embeddings([[record]], evidence),
        figures.clean_confidence([[record]], evidence),
        figures.prediction_counts([[record]], evidence),
    ]
    for figure in drawn:
        shown = {text.strip() for text, mathematics in texts(figure) if not mathematics}
        assert set(HOSTILE) <= shown


def test_the_line_under_a_figure_says_the_source_and_runs_nothing(record):
    line = tables.provenance([record], "sce sweep figure1")
    shown = BeautifulSoup(MarkdownIt("gfm-like", {"linkify": False}).render(line), "html.parser")
    assert HOSTILE[3] in shown.text
    assert HOSTILE[2] in shown.text
    assert [tag.name for tag in shown.find_all()] == ["p", "code"]


def test_the_page_of_results_keeps_its_blocks(record):
    config = record.config.model_copy(update={"profile": "laptop"})
    made = results.fragments([record.model_copy(update={"config": config})])["results.md"]
    fences = [line for line in made.splitlines() if line.startswith("```")]
    assert fences == ["```{raw} html", "```"] * 2
    shown = BeautifulSoup(made, "html.parser")
    assert shown.find_all("script") == []
    assert HOSTILE[3] in shown.text
