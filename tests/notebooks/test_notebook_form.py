"""Every notebook has the form that readers, papermill and the book rely on."""

import ast
import re
from pathlib import Path
from statistics import median_low

import nbformat
import papermill
import pytest
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SCALARS = {"str", "int", "float", "bool"}
LOCAL_PATHS = re.compile(r"/(home|root|tmp|work|Users|var|private)/|[A-Z]:\\\\")

pytestmark = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem, indirect=True)


@pytest.fixture
def notebook(request: pytest.FixtureRequest) -> NotebookNode:
    return nbformat.read(request.param, as_version=4)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def lines(cell: NotebookNode) -> int:
    return len([line for line in cell.source.splitlines() if line.strip()])


def texts(cell: NotebookNode) -> list[str]:
    """Return the outputs of a cell as text, images left out."""
    found = []
    for output in cell.outputs:
        for kind, data in output.get("data", {"text/plain": output.get("text", "")}).items():
            if kind.startswith("text/"):
                found.append("".join(data))
    return found


def test_begins_with_a_title(notebook):
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")


def test_kernel_is_python3(notebook):
    assert notebook.metadata.kernelspec.name == "python3"


def test_first_code_cell_alone_holds_the_parameters(notebook):
    first, *others = code(notebook)
    assert "parameters" in tags(first)
    assert not any("parameters" in tags(cell) for cell in others)
    assert not any("injected-parameters" in tags(cell) for cell in others)


def test_parameters_are_typed_scalars_with_a_comment(notebook, request):
    source = code(notebook)[0].source
    for statement in ast.parse(source).body:
        assert isinstance(statement, ast.AnnAssign), ast.unparse(statement)
        assert type(ast.literal_eval(statement.value)).__name__ == ast.unparse(statement.annotation)
    # What papermill makes of them: `papermill --help-notebook` reads one line for each.
    path = request.node.callspec.params["notebook"]
    parameters = papermill.inspect_notebook(path)
    assert len(parameters) == len(ast.parse(source).body)
    for name, parameter in parameters.items():
        assert parameter["inferred_type_name"] in SCALARS, name
        assert len(parameter["help"]) > 10, f"{name} has no comment"


def test_profile_is_laptop_and_nothing_trains_unasked(notebook):
    defaults = {
        statement.target.id: ast.literal_eval(statement.value)
        for statement in ast.parse(code(notebook)[0].source).body
    }
    assert defaults["profile"] == "laptop"
    assert defaults["train_missing"] is False
    assert defaults.get("ledger", "") == ""


def test_code_cells_are_short(notebook):
    lengths = [lines(cell) for cell in code(notebook)]
    assert median_low(lengths) < 6
    assert max(lengths) <= 30


def test_outputs_are_stored_in_the_order_of_one_execution(notebook):
    counts = [cell.execution_count for cell in code(notebook) if cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1))
    assert any(cell.outputs for cell in code(notebook))


def test_no_failure_and_no_complaint_is_stored(notebook):
    for cell in code(notebook):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", output.text


def test_no_output_is_longer_than_a_page(notebook):
    """Records left on the last line of a cell would print themselves, every epoch of them."""
    for cell in code(notebook):
        for output in cell.outputs:
            plain = output.get("data", {}).get("text/plain", output.get("text", ""))
            assert len(plain) < 8_000, cell.source


def test_nothing_of_one_machine_is_stored(notebook):
    assert "papermill" not in notebook.metadata
    for cell in code(notebook):
        assert not {"papermill", "execution"} & set(cell.metadata)
        for text in texts(cell):
            assert not LOCAL_PATHS.search(text), text


def test_every_figure_has_a_caption_and_an_alternative_text(notebook):
    for cell in code(notebook):
        images = [o for o in cell.outputs if any(kind.startswith("image/") for kind in o.get("data", {}))]
        if not images:
            continue
        assert len(images) == 1, f"one figure a cell, so that its caption is its own: {cell.source}"
        shown = cell.metadata.get("mystnb", {})
        assert len(shown.get("figure", {}).get("caption", "")) > 20, cell.source
        assert len(shown.get("image", {}).get("alt", "")) > 20, cell.source


def test_outputs_are_compared_in_at_least_one_cell(notebook):
    marked = [
        cell
        for cell in code(notebook)
        if cell.outputs and ("nbval-check-output" in tags(cell) or "NBVAL_CHECK_OUTPUT" in cell.source)
    ]
    assert marked


def test_a_check_guards_the_text(notebook):
    guard = re.compile(r"\bassert\b|assert_allclose|claims\.require")
    assert any(guard.search(cell.source) for cell in code(notebook))


def test_checks_of_the_stored_numbers_are_folded_and_nothing_else_is(notebook):
    """They belong to the text, not to the argument; what a reader should see or try stays open."""
    for cell in code(notebook):
        guarded = [
            node
            for statement in ast.parse(cell.source).body
            if isinstance(statement, ast.If)
            for node in ast.walk(statement)
            if isinstance(node, ast.Assert) or ast.unparse(node).startswith("claims.require(")
        ]
        assert ("hide-input" in tags(cell)) == (bool(guarded) and not cell.outputs), cell.source
