"""Every notebook trains and draws for real at the smallest profile, and notices a changed ledger."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest

from sce_lib.experiments import grids, sweep
from sce_lib.experiments.ledger import Ledger, RunRecord

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CLASS_BIAS = ROOT / "notebooks" / "02_class_bias.ipynb"


def declared(notebook: Path) -> set[str]:
    """Return the names of a notebook's parameters."""
    cells = nbformat.read(notebook, as_version=4).cells
    source = next(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    return {statement.target.id for statement in ast.parse(source).body}


def execute(notebook: Path, folder: Path, **parameters: object) -> nbformat.NotebookNode:
    """Execute a notebook from another working folder, with those of the parameters that it has."""
    known = {name: value for name, value in parameters.items() if name in declared(notebook)}
    target = folder / notebook.name
    papermill.execute_notebook(notebook, target, known, kernel_name="python3", cwd=folder, progress_bar=False)
    return nbformat.read(target, as_version=4)


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Keep checkpoints and decoded arrays of a test's kernels apart."""
    monkeypatch.setenv("SCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MPLBACKEND", raising=False)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_trains_and_draws_at_smoke(notebook, tmp_path):
    ledger = tmp_path / "ledger"
    executed = execute(notebook, tmp_path, profile="smoke", train_missing=True, ledger=str(ledger))
    stored = nbformat.read(notebook, as_version=4)
    assert figures(executed) >= figures(stored) > 0
    if "ledger" in declared(notebook):
        records = list(Ledger(ledger))
        assert records
        assert {record.config.profile for record in records} == {"smoke"}


def figures(notebook: nbformat.NotebookNode) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


# The two below execute chapters more often than `make test` and `make book` do: they are for a slow run.
@pytest.mark.slow
@pytest.mark.parametrize(
    "notebook", [pytest.param(path, id=path.stem) for path in NOTEBOOKS if "ledger" in declared(path)]
)
def test_missing_records_fail_loudly(notebook, tmp_path):
    empty = tmp_path / "ledger"
    empty.mkdir()
    with pytest.raises(papermill.PapermillExecutionError, match="not in"):
        execute(notebook, tmp_path, ledger=str(empty))


def halve_class_accuracies(
    ledger: Ledger, record: RunRecord, ending_in: Callable[[RunRecord, np.ndarray], RunRecord]
) -> None:
    """Change a record as someone would who wants another figure: its numbers, and the checksum with them."""
    counts = np.array(record.confusion)
    lost = np.diag(counts) // 2
    counts += np.roll(np.diag(lost), 1, axis=1) - np.diag(lost)
    stages = [
        stage.model_copy(update={"classwise_accuracy": [share / 2 for share in stage.classwise_accuracy]})
        for stage in record.stages[:-1]
    ]
    edited = record.model_copy(update={"stages": [*stages, record.final_stage()]})
    ledger.put(ending_in(edited, counts))
    assert ledger.get(record.config) is not None  # whole, by every check that one file allows


@pytest.mark.slow
def test_edited_record_fails_the_chapter_that_shows_it(tmp_path, ending_in):
    copy = tmp_path / "ledger"
    shutil.copytree(ROOT / "data" / "ledger", copy, ignore=shutil.ignore_patterns("failed", ".locks"))
    ledger = Ledger(copy)
    (_, noisy, *_) = sweep.collect(grids.grid("figure3"), ledger)
    halve_class_accuracies(ledger, noisy, ending_in)
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "--nbval-lax", "--nbval-current-env"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-q", str(CLASS_BIAS)],
        env=os.environ | {"SCE_LEDGER": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "Cell output" in done.stdout or "AssertionError" in done.stdout
