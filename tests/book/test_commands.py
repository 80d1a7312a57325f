"""Every line of `sce` and papermill that the book shows: all parse, and all but a few named ones run."""

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import papermill
import pytest
import torch
import typer
from papermill.cli import _resolve_type
from PIL import Image
from typer.testing import CliRunner

from sce_lib.cli.app import app
from sce_lib.data.names import OFFICIAL
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.grids import grid
from sce_lib.experiments.ledger import Ledger

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "book").glob("*.md")), ROOT / "README.md"]

# Lines that are only parsed, by how they begin, and why.
NOT_RUN = {
    "sce ledger verify": "trains a run on CIFAR-10's images again, minutes; that the run is found is tested",
    "sce sweep table3": "Clothing1M is had from its owners; that a dry run says so is tested in tests/cli",
}
_FENCE = re.compile(r"```bash\n(.*?)```", re.DOTALL)
_INLINE = re.compile(r"`((?:sce|papermill) [^`\n]+)`")


class Line(NamedTuple):
    """A command as a page shows it, and the variables that it sets."""

    page: str
    words: tuple[str, ...]
    variables: tuple[str, ...] = ()

    @property
    def text(self):
        return " ".join(self.words)


def lines_of(page):
    text = page.read_text(encoding="utf-8")
    blocks = [block.replace("\\\n", " ") for block in _FENCE.findall(text)]
    shown = [line for block in blocks for line in block.splitlines()] + _INLINE.findall(_FENCE.sub("", text))
    for line in shown:
        words = shlex.split(line, comments=True)
        variables = [word for word in words if re.match(r"[A-Z_]+=", word)]
        words = words[len(variables) :]
        whole = words[:1] in (["sce"], ["papermill"]) and not {"...", "…"} & set(words)
        if whole and not is_mention(words):
            yield Line(page.name, tuple(words), tuple(variables))


def is_mention(words):
    """Return whether a command is only named: what it cannot do without is not there."""
    try:
        return words[0] == "sce" and parsed(words) is None
    except Exception as error:  # all else that is wrong with a line, its own test says
        return type(error).__name__ == "MissingParameter"


def parsed(words):
    """Return the name of a command of `sce` and its options, as typer reads them."""
    command, rest = typer.main.get_command(app), list(words[1:])
    while hasattr(command, "commands") and not rest[0].startswith("-"):
        command = command.commands[rest.pop(0)]
    return command.name, {} if rest in (["--help"], ["--version"]) else command.make_context("", rest).params


def ids(line):
    return f"{line.page}: {line.text}"


LINES = sorted({line for page in PAGES for line in lines_of(page)})
SCE = [line for line in LINES if line.words[0] == "sce"]
PAPERMILL = [line for line in LINES if line.words[0] == "papermill"]


def given(words):
    """Return the parameters of a papermill line, as papermill reads them."""
    pairs = zip(words, words[1:], words[2:], strict=False)
    return {name: _resolve_type(value) for option, name, value in pairs if option == "-p"}


def test_the_lines_are_found():
    assert len(SCE) > 25
    assert len(PAPERMILL) > 4
    for start in NOT_RUN:
        assert any(line.text.startswith(start) for line in SCE), f"{start} is on no page any more"


@pytest.mark.parametrize("line", SCE, ids=ids)
def test_every_line_of_sce_parses_and_its_names_are_known(line):
    name, options = parsed(line.words)
    if name == "sweep":
        how = (options[key] for key in ("grid", "dataset", "protocol", "profile", "seeds"))
        assert grid(*how)
    elif name == "run":
        how = (options[key] for key in ("dataset", "method", "noise", "protocol", "profile", "section"))
        assert RunConfig.preset(*how)
    elif name in ("show", "verify"):
        runs = [options["run"]] if name == "show" else options["runs"]
        assert all(Ledger(ROOT / "data" / "ledger").find(run) for run in runs)


@pytest.mark.parametrize("line", PAPERMILL, ids=ids)
def test_every_line_of_papermill_sets_what_the_chapter_declares(line):
    declared = papermill.inspect_notebook(ROOT / line.words[1])
    for name, value in given(line.words).items():
        assert type(value).__name__ == declared[name]["inferred_type_name"], name


def write_images(root):
    """Write a few images of each data set that the lines train on: none is downloaded here."""
    rng = np.random.default_rng(0)
    sets = {"cifar10": (32, 32, 3), "mnist": (28, 28), "fashion_mnist": (28, 28), "birds": (16, 16, 3)}
    for name, shape in sets.items():
        classes = OFFICIAL[name].classes if name in OFFICIAL else ("magpie", "wren", "tit")
        for split, count in (("train", 4), ("test", 2)):
            for label in classes:
                folder = root / name / split / label.replace("/", "_")
                folder.mkdir(parents=True)
                for place in range(count):
                    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
                    Image.fromarray(pixels).save(folder / f"{folder.name} {place}.png")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a home folder: images, another ledger, and one in which the runs are that the lines name."""
    home = tmp_path_factory.mktemp("home")
    write_images(home / "images")
    records = [*(ROOT / "data" / "ledger" / "cifar10").glob("sl-symmetric-0.4-laptop-s0-fb80*")]
    for ledger in ("other/ledger", "kept/data/ledger"):
        (home / ledger / "cifar10").mkdir(parents=True)
        for record in records:
            shutil.copy(record, home / ledger / "cifar10")
    return home


@pytest.fixture
def at_home(home, folders, monkeypatch):
    """Work in a folder of its own, with that home."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SCE_DATA", str(home / "images"))
    shutil.copytree(home / "kept", folders / "here")
    monkeypatch.chdir(folders / "here")
    shutil.copytree(home / "images" / "birds", "path/to/my_images")
    Path("mine.csv").write_text("file,species\n" + "a.png,cat\nb.png,dog\n" * 10)
    return folders


# What makes a line cheap, by command; later options go before earlier ones.
CHEAP = {
    "sweep": ("--dry-run",),
    "run": ("--profile", "smoke", "--n-train", "20", "--epochs", "1", "--width", "0.25", "--seeds", "1"),
    "check-env": ("--no-compile",),
    "suspects": ("--profile", "smoke", "--epochs", "1", "--width", "0.25"),
}


def refused(words):
    """Return whether a line ends where it asks for a GPU, because there is none here."""
    return "cuda" in words and "--dask" not in words and not torch.cuda.is_available()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, id=ids(line), marks=[pytest.mark.slow] if line.words[1] == "check-env" else [])
        for line in SCE
        if not line.text.startswith(tuple(NOT_RUN))
    ],
)
def test_every_line_of_sce_runs(line, at_home, monkeypatch):
    for variable in line.variables:
        name, _, value = variable.partition("=")
        monkeypatch.setenv(name, os.path.expanduser(value))
    words = [os.path.expanduser(word) for word in line.words[1:]]
    words += CHEAP.get(words[0], ())
    if words[0] == "ledger":
        monkeypatch.setenv("SCE_LEDGER", str(at_home / "here" / "data" / "ledger"))
    done = CliRunner().invoke(app, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    if refused(words):
        assert done.exit_code == 2
        assert "CUDA" in done.output
    else:
        assert done.exit_code == 0, done.output


@pytest.mark.slow
@pytest.mark.parametrize("line", PAPERMILL, ids=ids)
def test_every_line_of_papermill_runs(line, at_home):
    cheap = {"profile": "smoke", "seeds": 1, "train_missing": True, "ledger": str(at_home / "ledger")}
    cheap |= {"n_train": 20, "epochs": 1, "width": 0.25}

    def execute():
        source, out = ROOT / line.words[1], at_home / line.words[2]
        how = {"kernel_name": "python3", "progress_bar": False}
        return papermill.execute_notebook(source, out, given(line.words) | cheap, **how)

    if refused(line.words):
        with pytest.raises(papermill.PapermillExecutionError, match="torch sees no CUDA device"):
            execute()
    else:
        assert execute()
