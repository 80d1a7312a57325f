"""The package without its checkout: a wheel in a new environment, run from an empty folder.

First with torch and numpy alone, which is all that the importer's half needs; then with the extra `report`.
The tests run in the order in which they stand here.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
IMPORTERS = ("losses", "noise", "models", "metrics", "theory")
# What an import of the importer's half must not wait for, installed or not: ``-X importtime`` tells of
# imports that fail, too. Not tqdm, which `torch.hub` asks for.
FOREIGN = {"pydantic", "pandas", "sklearn", "torchvision", "matplotlib", "seaborn", "scipy", "PIL", "typer"}
FOREIGN |= {"filelock", "platformdirs", "rich"}
# How a torchvision that was built for another torch ends its import.
MISFITS = (
    RuntimeError("operator torchvision::nms does not exist"),
    AttributeError("partially initialized module 'torchvision' has no attribute 'extension'"),
    OSError("undefined symbol: _ZN3c105ErrorC2E"),
)
EXTRAS = {"data", "experiments", "report", "book", "integrations", "cluster", "test"}

pytestmark = pytest.mark.slow


class Place:
    """An environment of its own, an empty folder to work in, and a user's folders that nothing else has."""

    def __init__(self, root: Path) -> None:
        self.root, self.python = root, root / "venv" / "bin" / "python"
        self.home, self.work = root / "home", root / "empty"
        for folder in (self.home, self.work):
            folder.mkdir()
        subprocess.run([sys.executable, "-m", "venv", root / "venv"], check=True)

    def run(self, *command: object, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SCE_", "PYTHON"))}
        folders = {
            "HOME": self.home,
            "XDG_DATA_HOME": self.home / "data",
            "XDG_CACHE_HOME": self.home / "cache",
        }
        environment = kept | {name: str(folder) for name, folder in folders.items()} | variables
        words = [str(word) for word in command]
        return subprocess.run(
            words, cwd=self.work, env=environment, capture_output=True, text=True, check=False
        )

    def code(self, source: str, *flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run(self.python, *flags, "-c", source, **variables)

    def sce(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run(self.root / "venv" / "bin" / "sce", *words, **variables)

    def install(self, requirement: str) -> None:
        quiet = ("-m", "pip", "install", "-q", "--disable-pip-version-check")
        done = subprocess.run([self.python, *quiet, requirement], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("place"))
    try:
        place.install(str(wheel))
        yield place
    finally:
        shutil.rmtree(place.root)  # some gigabytes of torch


@pytest.fixture(scope="module")
def full(bare, wheel):
    bare.install(f"{wheel}[report]")
    return bare


# --- What is in it -----------------------------------------------------------------------------------


def test_it_holds_what_the_package_reads(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "sce_lib").rglob("*") if path.is_file()}
    assert held == {name for name in files if "__pycache__" not in name}
    assert "sce_lib/py.typed" in held
    assert sum(name.endswith(".csv") for name in held) == 8


def test_its_metadata_are_complete_and_its_readme_stands_alone(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
    head, _, readme = archive.read(name).decode().partition("\n\n")
    for field in ("Author", "Keywords", "License-Expression", "Project-URL", "Classifier", "Summary"):
        assert re.search(rf"^{field}: .", head, re.MULTILINE), field
    always = re.findall(r"^Requires-Dist: ([\w-]+)([^;\n]*)$", head, re.MULTILINE)
    assert {package for package, _ in always} == {"torch", "numpy"}
    assert not any("<" in bounds for _, bounds in always)
    assert set(re.findall(r"^Provides-Extra: (\S+)$", head, re.MULTILINE)) == EXTRAS
    assert re.search(r"!\[[^\]]+\]\(https://[^)]+/class_bias\.png\)", readme)
    targets = re.findall(r"\]\(([^)]+)\)", readme)
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


# --- With torch and numpy alone ----------------------------------------------------------------------


def test_nothing_else_is_installed(bare):
    listed = "import importlib.metadata as m; print(*[d.name for d in m.distributions()])"
    names = {name.lower() for name in succeeded(bare.code(listed)).split()}
    assert {"torch", "numpy", "sce-lib"} <= names
    assert not names & {"pydantic", "pandas", "scikit-learn", "torchvision", "matplotlib", "pillow", "typer"}


@pytest.mark.parametrize("room", IMPORTERS)
def test_a_room_of_the_importers_needs_nothing_else(bare, room):
    done = bare.code(f"import sce_lib.{room}", "-X", "importtime")
    succeeded(done)
    imported = set(re.findall(r"\|\s+([\w.]+)$", done.stderr, re.MULTILINE))
    assert f"sce_lib.{room}" in imported
    assert not {name.split(".")[0] for name in imported} & FOREIGN


def test_every_example_of_losses_noise_and_theory_runs(bare):
    """All but those of ResNet-50, which is torchvision's."""
    succeeded(
        bare.code(f"""
import doctest, importlib, pkgutil
tried = 0
for room in {IMPORTERS}:
    package = importlib.import_module(f"sce_lib.{{room}}")
    walked = pkgutil.walk_packages(getattr(package, "__path__", []), f"sce_lib.{{room}}.")
    for name in [f"sce_lib.{{room}}", *(found.name for found in walked)]:
        if name.endswith("torchvision_resnet"):
            continue
        module = importlib.import_module(name)
        for test in doctest.DocTestFinder().find(module, name):
            if test.examples and not test.name.endswith(".resnet50"):
                outcome = doctest.DocTestRunner().run(test)
                assert not outcome.failed, test.name
                tried += outcome.attempted
assert tried > 150, tried
""")
    )


def test_the_examples_of_the_pages_run(bare):
    tried = 0
    for page in (ROOT / "README.md", *sorted((ROOT / "book").glob("*.md"))):
        blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        of_importers = [
            block for block in blocks if not re.search(r"sce_lib\.(data|report|experiments)", block)
        ]
        succeeded(bare.code("\n".join(of_importers)))  # each continues the ones before it
        tried += len(of_importers)
    assert tried > 5


@pytest.mark.parametrize("room", ["data", "experiments", "report"])
def test_a_missing_extra_is_said_in_one_line(bare, room):
    done = bare.code(f"import sce_lib.{room}")
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert re.fullmatch(rf"ImportError: .* not installed: pip install 'sce-lib\[{room}\]'", last)


@pytest.mark.parametrize("folder", ["data_root", "ledger_root"])
def test_a_folder_of_the_users_names_its_extra(bare, folder):
    done = bare.code(f"from sce_lib import files; files.{folder}()")
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert re.fullmatch(r"ImportError: .* not installed: pip install 'sce-lib\[data\]'", last)


def test_the_command_names_the_extra_too(bare):
    done = bare.sce("ledger", "ls")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"sce: .* not installed: pip install 'sce-lib\[experiments\]'\n", done.stderr)


def test_a_network_of_torchvisions_names_its_extra(bare):
    done = bare.code("from sce_lib.models import resnet50; resnet50(10, 3, 32)")
    assert re.search(r"^ImportError: resnet50 .*sce-lib\[data\]", done.stderr, re.MULTILINE)
    succeeded(bare.code("from sce_lib.models import cnn8, resnet44; cnn8(10, 3, 32); resnet44(100, 3, 32)"))


# --- With the extra report ---------------------------------------------------------------------------


def test_digits_without_scikit_learn_name_the_extra(full):
    hidden = "import sys; sys.modules['sklearn'] = None"
    done = full.code(f"{hidden}; from sce_lib.data import load_dataset; load_dataset('digits')")
    assert re.search(r"^ImportError: .*sce-lib\[data\]", done.stderr, re.MULTILINE)


def test_what_the_package_reads_is_there(full):
    printed = succeeded(
        full.code("""
from sce_lib import noise
from sce_lib.experiments.config import RunConfig
from sce_lib.report import claims, published
print(RunConfig.preset("cifar10", "sl", "symmetric-0.4").setting)
print(published.reported("cifar10", "sl", "symmetric-0.4").mean, len(published.load_table(1)))
print(len(claims.load_claims()) > 50, noise.cifar10n_counts("worse_label").trace())
""")
    )
    assert printed.splitlines() == ["SL, 40 % symmetric noise", "85.34 168", "True 29896"]


def test_a_run_says_where_its_record_is_and_that_is_no_cache(full):
    before = set(full.work.iterdir())
    run = ("run", "--dataset", "digits", "--method", "sl", "--noise", "symmetric-0.4", "--profile", "smoke")
    said = succeeded(full.sce(*run))
    record = Path(said.splitlines()[-1])
    assert record.is_file()
    assert record.is_relative_to(full.home / "data")
    assert not list((full.home / "cache").rglob("*.json"))
    assert set(full.work.iterdir()) == before


def test_a_sweep_says_where_its_records_are(full):
    sweep = ("sweep", "figure3", "--profile", "smoke", "--device", "cpu")
    said = succeeded(full.sce(*sweep))
    assert "figure3: 2 runs, 0 in the ledger, 2 missing" in said
    (where,) = re.findall(r"2 trained, 0 failed; records are in (.*)", said)
    assert Path(where).is_relative_to(full.home / "data")
    assert len(list(Path(where).glob("digits/ce-*.json"))) == 2
    assert "figure3: 2 runs, 2 in the ledger, 0 missing" in succeeded(full.sce(*sweep))


def test_a_sweep_on_a_cluster_names_its_extra(full):
    done = full.sce("sweep", "figure3", "--profile", "smoke", "--seeds", "2", "--dask", "tcp://127.0.0.1:1")
    assert done.returncode == 2
    assert re.fullmatch(r"sce: .*pip install 'sce-lib\[cluster\]'\n", done.stderr)


def test_an_import_says_where_the_records_are(full):
    record = next((ROOT / "data" / "ledger" / "digits").glob("ce-clean-laptop-s0-*.json"))
    said = succeeded(full.sce("ledger", "import", str(record)))
    (where,) = re.findall(r"1 added, 0 there already, 0 refused; the ledger is (.*)", said)
    assert Path(where).is_relative_to(full.home / "data")
    assert (Path(where) / "digits" / record.name).is_file()


def test_the_ledger_is_listed_by_settings(full):
    said = succeeded(full.sce("ledger", "ls"))
    assert "  SL, 40 % symmetric noise  " in said
    assert "  CE, clean labels  " in said


def test_the_check_says_what_an_extra_would_add_and_ends_well(full):
    said = succeeded(full.sce("check-env", "--no-compile", "--device", "cpu"))
    assert "FAIL" not in said
    assert re.search(
        r"extra book .*: pip install 'sce-lib\[book\]' would add .*jupyter-book.*papermill", said
    )
    assert f"records in {full.home / 'data'}" in said


@pytest.fixture(params=MISFITS, ids=lambda error: type(error).__name__)
def misfit(request, tmp_path):
    """Return what a torchvision says that cannot be imported, and the variables under which it is found."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(f"raise {request.param!r}\n")
    return str(request.param), {"PYTHONPATH": str(tmp_path)}


def test_a_torchvision_that_does_not_fit_stops_no_run_that_needs_none(full, misfit):
    _, variables = misfit
    ledger = full.root / "ledger-of-misfits"
    shutil.rmtree(ledger, ignore_errors=True)  # the run is trained, and not found there
    run = ("run", "--dataset", "digits", "--method", "ce", "--profile", "smoke", "--ledger", str(ledger))
    assert "last 0." in succeeded(full.sce(*run, **variables))
    assert len(list(ledger.glob("digits/ce-*.json"))) == 1


def test_a_torchvision_that_does_not_fit_is_named_where_it_is_needed(full, misfit):
    says, variables = misfit
    done = full.code("from sce_lib.models import resnet50; resnet50(10, 3, 32)", **variables)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: resnet50 is torchvision's")
    assert says in last
    assert "sce-lib[data]" in last
    done = full.sce("run", "--dataset", "mnist", "--profile", "smoke", **variables)
    assert done.returncode == 2
    assert "sce-lib[data]" in done.stderr
