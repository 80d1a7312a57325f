"""What the README and the project's files promise is there, and the same in every place that says it."""

import ast
import importlib.metadata
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import typer
import yaml

import sce_lib
from sce_lib.cli.app import app
from sce_lib.experiments.grids import GRIDS

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "book/rerun.md")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def blocks(page: str, *languages: str) -> list[str]:
    """Return the fenced blocks of a page in some languages."""
    pattern = rf"^```(?:{'|'.join(languages)})\n(.*?)^```"
    return re.findall(pattern, (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[list[str]]:
    """Return the arguments of each call of a program in the shell blocks of the pages."""
    lines = [line for page in PAGES for block in blocks(page, "bash") for line in block.splitlines()]
    pieces = [piece for line in lines for piece in f" {line}".split(" #")[0].split("&&")]
    words = [[word for word in shlex.split(piece) if not re.match(r"[A-Z_]+=", word)] for piece in pieces]
    return [line[1:] for line in words if line and line[0] == program]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


# --- The README and the page on rerunning ------------------------------------------------------------


def python_blocks() -> list:
    return [
        pytest.param(block, id=f"{page}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page, "python"))
    ]


@pytest.mark.parametrize("code", python_blocks())
def test_python_on_the_pages_runs(code, tmp_path):
    folders = {"SCE_CACHE": str(tmp_path), "SCE_LEDGER": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | folders,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_readme_shows_the_losses_in_ten_lines():
    first, *_ = blocks("README.md", "python")
    assert len([line for line in first.splitlines() if line.strip()]) <= 10
    assert "sce_lib.losses" in first


def test_make_targets_on_the_pages_exist():
    named = {word for words in commands("make") for word in words}
    text = " ".join((ROOT / page).read_text() for page in PAGES)
    named |= set(re.findall(r"`make ([a-z-]+)`", text))
    assert {"book", "test"} <= named <= make_targets()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_lists_every_target():
    # The tests themselves may be run by make, whose inner calls say which folder they enter.
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {line.split()[0] for line in done.stdout.splitlines()} == make_targets()


@pytest.mark.parametrize("words", commands("sce"), ids=" ".join)
def test_sce_commands_on_the_pages_parse(words):
    command, rest = typer.main.get_command(app), list(words)
    context = None
    while hasattr(command, "commands"):
        context = command.make_context("sce", rest[:1], parent=context, resilient_parsing=True)
        command, rest = command.commands[rest[0]], rest[1:]
    parsed = command.make_context(command.name, rest)
    if command.name == "sweep":
        assert parsed.params["grid"] in GRIDS


@pytest.mark.parametrize("words", commands("papermill"), ids=" ".join)
def test_papermill_commands_on_the_pages_fit_their_notebooks(words):
    source, target, *options = words
    assert target.endswith(".ipynb")
    notebook = nbformat.read(ROOT / source, as_version=4)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    declared = set(re.findall(r"^(\w+)", cell.source, flags=re.MULTILINE))
    assert options[::3] == ["-p"] * (len(options) // 3)
    assert set(options[1::3]) <= declared


@pytest.mark.parametrize("page", [*PAGES, "data/README.md", "book/intro.md"])
def test_links_to_files_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#\s]+)\)", (ROOT / page).read_text())
    local = [target for target in targets if not target.startswith("http")]
    assert [target for target in local if not (ROOT / page).parent.joinpath(target).exists()] == []


# --- The same in every place -------------------------------------------------------------------------


def packages(extra=""):
    """Return the packages that an extra brings, with those of extras that it contains, and the base's."""
    extras = PROJECT["optional-dependencies"]
    found, waiting = set(), [*PROJECT["dependencies"], *(extras[extra] if extra else [])]
    while waiting:
        name, inner = re.match(r"([\w.-]+)(?:\[([\w,]+)\])?", waiting.pop()).groups()
        if name == PROJECT["name"]:
            waiting += [line for part in inner.split(",") for line in extras[part]]
        else:
            found.add(name)
    return found


def imported(files):
    """Return the packages that files import, anywhere in them, by the names that they are installed by."""
    modules = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add(node.module.split(".")[0])
    installed = importlib.metadata.packages_distributions()
    foreign = modules & installed.keys() - sys.stdlib_module_names - {"sce_lib"}
    return {re.sub(r"[_.]", "-", installed[module][0].lower()) for module in foreign}


# What a room needs beside torch and numpy, by the extra that brings it.
EXTRAS_OF = {"data": "data", "experiments": "experiments", "report": "report", "cli": "experiments"}
# What few callers ask for, and is asked for where it is used; the error names the extra.
ASKED_FOR = {"models": {"torchvision"}, "experiments": {"distributed"}, "files": {"platformdirs"}}


@pytest.mark.parametrize(
    "room", sorted(path.stem for path in (ROOT / "sce_lib").iterdir() if path.suffix != ".typed")
)
def test_what_a_room_imports_is_declared(room):
    place = ROOT / "sce_lib" / room
    files = place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]
    assert imported(files) <= packages(EXTRAS_OF.get(room, "")) | ASKED_FOR.get(room, set())


def test_what_book_and_tests_import_is_declared():
    assert imported((ROOT / "book").rglob("*.py")) <= packages("book")
    assert imported((ROOT / "tests").rglob("*.py")) <= packages("test") | packages("integrations")


def test_the_host_has_its_own_torch():
    assert packages() == {"torch", "numpy"}
    assert all("<" not in line for line in PROJECT["dependencies"])


def test_conda_installs_what_pip_installs():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert pip["pip"] == ["-e .[test]"]
    assert '-e ".[test]"' in (ROOT / "Makefile").read_text()
    assert PROJECT["requires-python"].removeprefix(">=") == dict(
        item.split("=") for item in conda if "=" in item
    ).get("python")


def test_one_version():
    named = [
        path
        for path in ("pyproject.toml", "CITATION.cff")
        if sce_lib.__version__ in (ROOT / path).read_text()
    ]
    assert named == []
    assert importlib.metadata.version("sce-lib") == sce_lib.__version__
    assert f"## {sce_lib.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_one_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["license"] == PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


def test_one_address():
    url = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["repository-code"] == url
    assert PROJECT["urls"]["Repository"] == url
    owner = url.rsplit("/", 1)[0]
    for page in [
        ROOT / "pyproject.toml",
        *ROOT.glob("*.md"),
        *ROOT.glob("book/*.md"),
        *ROOT.glob("notebooks/*.ipynb"),
    ]:
        assert set(re.findall(rf"{re.escape(owner)}/[\w-]+", page.read_text())) <= {url}, page


def test_ci_calls_both_commands():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert [line for line in lines if line.startswith("make ")] == ["make test", "make book"]
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    called = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert called == ["make test", "make book", "make test-slow"]


def test_public_modules_say_what_they_are():
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] == "sce_lib"]
    assert [module.__name__ for module in modules if not inspect.getdoc(module)] == []
