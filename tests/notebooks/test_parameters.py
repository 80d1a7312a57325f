"""What papermill sets is what a chapter declares, or one clear error before anything runs."""

import ast
from pathlib import Path

import nbformat
import papermill
import pytest

from sce_lib.experiments.ledger import Ledger
from sce_lib.report.parameters import check_parameters

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CLASS_BIAS = ROOT / "notebooks" / "02_class_bias.ipynb"
AMOUNT = {"n_train": "int", "epochs": "int", "width": "float"}
# Each detail that it changes is measured against a profile's own preset.
OF_A_PROFILE = "11_what_moves_the_number"


def code(notebook: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MPLBACKEND", raising=False)


def execute(folder, **parameters):
    papermill.execute_notebook(
        CLASS_BIAS, folder / "out.ipynb", parameters, kernel_name="python3", cwd=folder, progress_bar=False
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_chapter_checks_its_parameters_before_all_else(notebook):
    first, second, *_ = code(notebook)
    lines = ast.parse(second).body
    assert [ast.unparse(line) for line in lines[:2]] == [
        "from sce_lib.report.parameters import check_parameters",
        "check_parameters(globals())",
    ]
    namespace = {"In": ["", first, second]}
    exec(first, namespace)  # as the kernel does
    check_parameters(namespace)
    namespace["In"] = ["", first, "# Parameters\nsedes = 5\n", second]
    with pytest.raises(ValueError, match="this chapter has no parameter 'sedes'"):
        check_parameters(namespace)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapters_that_train_say_how_much(notebook):
    first = ast.parse(code(notebook)[0]).body
    declared = {line.target.id: ast.unparse(line.annotation) for line in first}
    if "seeds" in declared and notebook.stem != OF_A_PROFILE:
        assert declared.items() >= AMOUNT.items()
    else:
        assert not declared.keys() & AMOUNT.keys()


def test_a_misspelt_name_and_a_wrong_type_are_one_error_before_anything_runs(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        execute(tmp_path, sedes=5, seeds="five", profile="smoke", ledger=7, train_missing="yes", width=1)
    said = str(caught.value)
    assert "this chapter has no parameter 'sedes': did you mean 'seeds'?" in said
    assert "seeds is of type int, not 'five' (str)" in said
    assert "ledger is of type str, not 7 (int); papermill's -r takes a value as the text that it is" in said
    assert "train_missing is of type bool, not 'yes' (str)" in said
    assert "width is" not in said  # a whole number will do
    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    (stopped,) = [c for c in executed.cells if any(o.output_type == "error" for o in c.get("outputs", []))]
    assert stopped.source.startswith("from sce_lib.report.parameters import check_parameters")


def test_the_amount_is_what_is_trained_and_what_the_command_says(tmp_path):
    amount = {"n_train": 100, "epochs": 2, "width": 0.25}
    ledger = tmp_path / "ledger"
    execute(tmp_path, profile="smoke", seeds=1, train_missing=True, ledger=str(ledger), **amount)
    records = list(Ledger(ledger))
    assert len(records) == 4
    for record in records:
        assert record.provenance.train_images == 100
        assert len(record.epochs) == 2
        assert record.config.model.width == 0.25
    texts = str(nbformat.read(tmp_path / "out.ipynb", as_version=4).cells)
    assert "--seeds 1 --n-train 100 --epochs 2 --width 0.25" in texts


def test_an_annotation_of_another_cell_is_no_parameter():
    namespace = {"seeds": 3, "table": [], "__annotations__": {"seeds": int, "table": list[int]}}
    check_parameters(namespace | {"In": ["", "x = 1", "check_parameters(globals())"]})  # a reader's own cell
