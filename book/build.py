"""Make the book: execute its notebooks, render its pages, check that nothing is missing.

``render`` is `make book`, ``store`` is `make notebooks`. Execution and rendering are apart on purpose:
papermill runs every notebook each time, since a cache that looks at notebooks alone does not see the library
change. The pages of reference are made from the library just before the rendering, by ``book/reference``.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated

import nbformat
import papermill
import reference
import typer
from bs4 import BeautifulSoup, Tag
from rich.console import Console
from sphinx_external_toc.parsing import parse_toc_yaml

from sce_lib.experiments import grids, sweep
from sce_lib.report import claims, figures

ROOT = Path(__file__).resolve().parents[1]
STAGE = ROOT / "_build" / "stage"
HTML = ROOT / "_build" / "html"
# What a page is made of, beside the notebooks.
SOURCES = ("_config.yml", "_toc.yml", "book")

app = typer.Typer(help=__doc__, no_args_is_help=True)
console = Console()
JobsOption = Annotated[int, typer.Option(help="notebooks executed at a time", min=1)]


# --- Contents ----------------------------------------------------------------------------------------


def pages(root: Path) -> list[str]:
    """Return the pages that ``_toc.yml`` lists, without their endings, first page first."""
    return list(parse_toc_yaml(root / "_toc.yml"))


def notebooks(root: Path) -> list[Path]:
    """Return the notebooks that ``_toc.yml`` lists."""
    return [path for page in pages(root) if (path := root / f"{page}.ipynb").exists()]


# --- Execution ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Execution:
    """How the execution of a notebook went: how long it took, and why it failed if it did."""

    notebook: Path
    seconds: float
    error: str | None = None


def tidied(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook without what changes from one execution to the next: times and paths."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
    return notebook


def execute(notebook: Path, target: Path) -> Execution:
    """Execute a notebook with its own parameters, as papermill does, and write what comes out to `target`."""
    began = monotonic()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            notebook,
            target,
            kernel_name="python3",
            cwd=notebook.parent,
            progress_bar=False,
            # Kernels greet with a warning about local sockets; errors are still said.
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        )
    except Exception as error:  # whatever went wrong belongs in the report of this notebook
        return Execution(notebook, monotonic() - began, f"{type(error).__name__}: {error}".strip())
    nbformat.write(tidied(nbformat.read(target, as_version=4)), target)
    return Execution(notebook, monotonic() - began)


def execute_all(targets: dict[Path, Path], jobs: int) -> list[Execution]:
    """Execute notebooks, `jobs` at a time, and return those that failed."""
    # Each kernel gets its share of the cores: two that take all of them are slower than one after the other.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    failed = []
    with ProcessPoolExecutor(jobs) as executor:
        for future in as_completed(executor.submit(execute, *pair) for pair in targets.items()):
            done = future.result()
            verdict = "[red]failed[/red]  " if done.error else "executed"
            console.print(f"{verdict} {done.notebook.relative_to(ROOT)} ({done.seconds:.0f} s)")
            if done.error:
                console.print(done.error, markup=False, highlight=False)
                failed.append(done)
    return failed


# --- Checks ------------------------------------------------------------------------------------------


def _shown(cell: nbformat.NotebookNode) -> bool:
    return cell.cell_type == "code" and "remove-cell" not in cell.metadata.get("tags", [])


def _expected_outputs(cell: nbformat.NotebookNode) -> int:
    """Count what a cell should show: a stream is one block, and glued values are shown elsewhere."""
    if "remove-output" in cell.metadata.get("tags", []):
        return 0
    streams = {output.name for output in cell.outputs if output.output_type == "stream"}
    others = [output for output in cell.outputs if output.output_type != "stream"]
    shown = [o for o in others if not all("papermill.record" in kind for kind in o.get("data", {"error": 1}))]
    return len(streams) + len(shown)


def _rendered_outputs(cell: Tag) -> int:
    """Count the outputs in a cell of a page: a figure with its caption is one, as is a block of text."""
    found = cell.select_one(".cell_output")
    return len(found.find_all(recursive=False)) if found else 0


def missing_outputs(notebook: Path, page: Path) -> list[str]:
    """Return what an executed notebook has and its page lacks, one line a fault.

    Parameters
    ----------
    notebook : path
        The executed notebook.
    page : path
        The HTML page made of it.
    """
    if not page.exists():
        return [f"{page.name}: the page is absent"]
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if _shown(cell)]
    rendered = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").select("article div.cell")
    if len(cells) != len(rendered):
        return [f"{page.name}: {len(cells)} code cells were executed, the page shows {len(rendered)}"]
    faults = []
    for number, (cell, shown) in enumerate(zip(cells, rendered, strict=True), start=1):
        where = f"{page.name}, code cell {number}"
        expected, found = _expected_outputs(cell), _rendered_outputs(shown)
        if cell.source.strip() and cell.execution_count is None:
            faults.append(f"{where}: was not executed")
        if any(output.output_type == "error" for output in cell.outputs):
            faults.append(f"{where}: failed")
        if found < expected:
            faults.append(f"{where}: {expected} outputs were stored, the page shows {found}")
    return faults


def _loaded(soup: BeautifulSoup) -> Iterator[str]:
    """Yield the addresses that a browser fetches for a page by itself; links to click are not among them."""
    for tag in soup.select("[src]"):
        yield str(tag["src"])
    for tag in soup.select("link[href]"):
        if set(tag.get_attribute_list("rel")) & {"stylesheet", "preload", "icon", "preconnect", "prefetch"}:
            yield str(tag["href"])


def network_references(page: Path) -> list[str]:
    """Return the addresses on other machines that a page loads scripts, styles, fonts or images from."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    return [address for address in _loaded(soup) if address.startswith(("http:", "https:", "//"))]


def faults(stage: Path, html: Path) -> list[str]:
    """Return all that is wrong with a built book, one line a fault; none for a whole one."""
    found = []
    for name in pages(stage):
        page, notebook = html / f"{name}.html", stage / f"{name}.ipynb"
        if notebook.exists():
            found += missing_outputs(notebook, page)
        elif not page.exists():
            found.append(f"{page.name}: the page is absent")
        if page.exists():
            found += [f"{page.name}: loads {address}" for address in network_references(page)]
    return found


# --- Commands ----------------------------------------------------------------------------------------


def stage_sources(root: Path, stage: Path) -> None:
    """Copy what the pages are made of, all but the notebooks, into an empty staging folder."""
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    for name in SOURCES:
        if (root / name).is_dir():
            shutil.copytree(root / name, stage / name, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        else:
            shutil.copy2(root / name, stage / name)


def run_jupyter_book(stage: Path, html: Path) -> bool:
    """Render the staged book into ``_build/html``, every warning an error; return whether it went well."""
    shutil.rmtree(html, ignore_errors=True)
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", str(stage)]
    options = ["--path-output", str(html.parents[1]), "--all", "-W", "-n", "--keep-going", "-q"]
    return subprocess.run([*command, *options], check=False).returncode == 0


@app.command()
def render(jobs: JobsOption = 2) -> None:
    """Execute the notebooks into a staging copy and render the book from it; tracked files stay alone."""
    stage_sources(ROOT, STAGE)
    targets = {path: STAGE / path.relative_to(ROOT) for path in notebooks(ROOT)}
    if failed := execute_all(targets, jobs):
        console.print(f"[red]{len(failed)} of {len(targets)} notebooks failed; nothing was rendered[/red]")
        raise typer.Exit(1)
    reference.write(STAGE)
    rendered = run_jupyter_book(STAGE, HTML)
    found = faults(STAGE, HTML)
    for fault in found:
        console.print(f"[red]fault[/red] {fault}", soft_wrap=True)
    if found or not rendered:
        console.print("[red]the book is not whole[/red]")
        raise typer.Exit(1)
    console.print(f"The book is whole: {len(pages(STAGE))} pages, {len(targets)} of them executed. Open")
    console.print(str(HTML / "index.html"), soft_wrap=True)


def draw_readme_picture(target: Path = ROOT / "book" / "_static" / "class_bias.png") -> None:
    """Draw CE and SL under noise from the ledger: the picture that the README shows."""
    records = sweep.collect(grids.grid("figure2", "cifar10", "paper", "laptop", seeds=3))
    evidence = claims.Evidence(records)
    figures.classwise_curves([evidence.of("ce"), evidence.of("sl")], evidence).savefig(target)


@app.command()
def store(jobs: JobsOption = 2) -> None:
    """Execute the notebooks and store their outputs in them; those that fail stay as they are."""
    draw_readme_picture()
    fresh = {path: STAGE / path.relative_to(ROOT) for path in notebooks(ROOT)}
    failed = {execution.notebook for execution in execute_all(fresh, jobs)}
    for path, executed in fresh.items():
        if path not in failed:
            shutil.copyfile(executed, path)
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
