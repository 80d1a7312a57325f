"""The pages of reference follow the library: nothing public is left out, every value is the library's own."""

import ast
import importlib
import inspect
import pkgutil
import re

import pytest
import reference
import yaml
from reference import api, catalogue, settings
from small_book import ROOT
from sphinx.util.inventory import InventoryFile

import sce_lib
from sce_lib import losses
from sce_lib.experiments.config import METHODS, RunConfig, presets
from sce_lib.losses import functional as L

ROOMS = api.rooms()
AUTOMATIC = re.compile(r"^\.\. auto(?:class|function|module):: (\S+)$", re.MULTILINE)
CONSTANT = re.compile(r"^\.\. py:data:: (\w+)\n   :module: (\S+)$", re.MULTILINE)


def public(module):
    """Return a module's public names: its ``__all__``, else all that it holds and does not import."""
    if hasattr(module, "__all__"):
        return set(module.__all__)
    imports = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if hasattr(node, "names")]
    imported = {(alias.asname or alias.name).split(".")[0] for node in imports for alias in node.names}
    # What pytest adds to a module that holds doctests is no identifier.
    return {name for name in vars(module) if name.isidentifier() and not name.startswith("_")} - imported


# --- Interface ---------------------------------------------------------------------------------------


def test_every_room_has_a_page_in_the_contents():
    pages = [api.page(room) for room in ROOMS]
    assert set(pages) == {path.stem for path in (ROOT / "book" / "api").glob("*.md")}
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    assert re.findall(r"book/api/(\w+)", str(contents)) == pages


def test_every_module_is_described_or_part_of_one_that_is():
    """None is left out by a package that has no names of its own."""
    found = {
        name.removeprefix("sce_lib.") for _, name, _ in pkgutil.walk_packages(sce_lib.__path__, "sce_lib.")
    }
    inside = {name for name in found if any(f"{name}.".startswith(f"{room}.") for room in ROOMS)}
    assert found - inside == {"experiments", "report"} | {name for name in found if name.startswith("cli")}


@pytest.fixture(scope="module")
def interface():
    return api.fragments()


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_described_once(interface, room):
    module, text = importlib.import_module(f"sce_lib.{room}"), interface[f"api/{api.page(room)}.md"]
    described = AUTOMATIC.findall(text) + [f"{home}.{name}" for name, home in CONSTANT.findall(text)]
    assert len(set(described)) == len(described)
    found = {id(pkgutil.resolve_name(re.sub(r"[.](?=\w+$)", ":", name))): name for name in described}
    for name in public(module):
        assert id(getattr(module, name)) in found or f"sce_lib.{room}.{name}" in described, name


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_in_the_list_at_the_head(interface, room):
    module = importlib.import_module(f"sce_lib.{room}")
    head = interface[f"api/{api.page(room)}.md"].split("\n## ")[0]
    listed = set(re.findall(r"^:py:(?:obj|mod):`~?(?:[\w.]*[.])?(\w+)(?: <[\w.]+>)?`$", head, re.MULTILINE))
    assert listed == public(module)


def test_a_name_that_is_new_appears(monkeypatch):
    from sce_lib import metrics

    def top_k_accuracy():
        """Return the portion of samples whose class is among the k most probable."""

    monkeypatch.setattr(metrics, "__all__", ["accuracy", "top_k_accuracy"], raising=False)
    monkeypatch.setattr(metrics, "top_k_accuracy", top_k_accuracy, raising=False)
    text = api.fragments()["api/metrics.md"]
    assert ".. autofunction:: sce_lib.metrics.top_k_accuracy" in text
    assert "whose class is among the k most probable" in text
    assert "classwise_accuracy" not in text


def test_methods_of_a_base_are_told_once():
    text = api.fragments()["api/losses.md"]
    block = text[text.index("autoclass:: sce_lib.losses.ForwardCorrection") :].split("```")[0]
    assert "per_sample" in block.split(":exclude-members:")[1]
    base = text[text.index("autoclass:: sce_lib.losses.Loss\n") :].split("```")[0]
    assert "exclude-members" not in base


# --- Losses ------------------------------------------------------------------------------------------


def test_every_loss_is_in_the_catalogue():
    modules = {value for name in losses.__all__ if inspect.isclass(value := getattr(losses, name))}
    assert {entry.module for entry in catalogue.CATALOGUE} == modules - {losses.Loss}
    functions = {getattr(L, name) for name in L.__all__ if callable(getattr(L, name))}
    assert {entry.function for entry in catalogue.CATALOGUE} - {None} == functions - {L.smooth_target}


@pytest.mark.parametrize("entry", catalogue.CATALOGUE, ids=lambda entry: entry.module.__name__)
def test_entry_has_formula_hyperparameters_and_interface(entry):
    text = "\n".join(catalogue._entry(entry))
    assert ":math:`" in text
    parameters = inspect.signature(entry.function or entry.module).parameters.values()
    for parameter in parameters:
        shown = re.search(rf"^- ``(?:\w+, )*{parameter.name}(?:, \w+)*``(.*)$", text, re.MULTILINE)
        own = parameter.name not in {"logits", "target", "reduction", "aggregation"}
        assert (shown is not None) == own, parameter.name
        if shown and parameter.default is not inspect.Parameter.empty:
            assert str(parameter.default) in shown[1]
    assert f"`~sce_lib.losses.{entry.module.__name__}`" in text


def test_citations_have_their_references():
    known = set(re.findall(r"@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text()))
    assert {key for entry in catalogue.CATALOGUE for key in entry.cited} <= known


@pytest.mark.parametrize("limit", catalogue.LIMITS, ids=lambda limit: limit[0])
def test_limits_hold(limit):
    _, loss, (_, becomes) = limit
    tolerance = 0.05 if "10⁻¹⁴" in limit[0] else 1e-4
    assert catalogue.largest_difference(loss, becomes) < tolerance


def test_a_limit_that_does_not_hold_is_seen():
    assert catalogue.largest_difference(losses.GeneralizedCrossEntropy(0.7), L.cross_entropy) > 0.5


def test_pictures_are_drawn_and_named_on_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "CATALOGUE", catalogue.CATALOGUE[1:3])
    catalogue.draw(tmp_path)
    text = catalogue.fragments()["losses.md"]
    for entry in catalogue.CATALOGUE:
        assert (tmp_path / entry.picture).read_text().startswith("<?xml")
        assert f"{{figure}} _made/{entry.picture}" in text
    # 0.1 + 4 p_y, the weight of SL at CIFAR-10's setting
    assert "(CIFAR-10): 0.30, 2.10, 3.90" in text


# --- Hyperparameters ---------------------------------------------------------------------------------


def rows(text):
    """Return the cells of a Markdown text's tables, by the nearest heading."""
    found, heading = {}, ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("| "):
            cells = [cell.strip().replace("\N{NO-BREAK SPACE}", " ") for cell in line.strip("|").split("|")]
            found.setdefault(heading, []).append(cells)
    return found


@pytest.fixture(scope="module")
def tables():
    return {name: rows(text) for name, text in settings.fragments().items()}


def method_rows(tables, method):
    (found,) = [table for title, table in tables["methods.md"].items() if title.endswith(f"(`{method}`)")]
    return found


def test_every_method_with_hyperparameters_has_a_table():
    names = {name.lstrip("0123456789") for name in METHODS}
    with_some = {
        name
        for name in names
        if set(type(RunConfig.preset("cifar10", name).method).model_fields) - {"name", "scale"}
    }
    assert set(settings.METHOD_MARKS) == with_some


def test_tables_have_every_hyperparameter_of_a_method():
    for name, marks in settings.METHOD_MARKS.items():
        fields = set(type(RunConfig.preset("cifar10", name).method).model_fields) - {"name", "scale"}
        unused = {"alpha", "beta", "A"} if name == "d2l" else set()
        assert set(marks) == fields - unused, name


def test_training_tables_say_what_a_run_is_made_with(tables):
    cells = {row[0]: row[1:] for row in tables["training.md"]["CIFAR-10"]}
    assert cells[""] == ["§5.1", "§5.2", "released"]
    assert cells["learning rate"] == ["0.01 §", "0.1 §", "0.01 ‡"]
    assert cells["weight decay"] == ["0.0001 §", "0.005 §", "0 ‡"]
    assert cells["batch size"] == ["128 ∗", "128 ∗", "128 ‡"]
    assert cells["weight decay of the first dense layer"] == ["–", "–", "0.02 ‡"]
    assert cells["learning rate, ÷ 10 after epoch"] == ["40, 80 §", "40, 80 §", "40 + 1, 80 + 1 ‡"]
    assert {row[0]: row[1] for row in tables["training.md"]["Clothing1M"]}["batch size"] == "64 §"


def test_footnote_of_forty_per_cent_asymmetric_noise(tables):
    table = method_rows(tables, "sl")
    assert ["§5.2", "CIFAR-10, asymmetric, 40 %", "0.1 §", "5 §", "−4 §"] in table
    assert ["§5.2", "CIFAR-100, asymmetric, 40 %", "2 §", "0.1 §", "−4 §"] in table
    assert not [row for row in table if row[0] in ("§5.1", "released") and "asymmetric" in row[1]]


def test_what_the_project_filled_in_is_marked(tables):
    marked = {
        ("gce", 2): presets.FILLED_IN["gce_q"],
        ("lsr", 2): presets.FILLED_IN["lsr_epsilon"],
        ("bootstrap", 2): presets.FILLED_IN["bootstrap_beta"],
    }
    for (method, column), value in marked.items():
        for row in method_rows(tables, method)[2:]:
            mark = "‡" if row[0] == "released" else "∗"
            assert row[column] == f"{value:g} {mark}"
    (clothing,) = [row for row in method_rows(tables, "sl") if row[1] == "Clothing1M"]
    assert clothing[2:4] == ["0.1 ∗", "1 ∗"]


def test_d2l_has_no_released_settings(tables):
    assert not [row for row in method_rows(tables, "d2l") if row[0] == "released"]
    assert "released: none (D2L has no counterpart" in settings.fragments()["methods.md"]


def test_tables_follow_the_presets(monkeypatch):
    monkeypatch.setitem(presets.SL_WEIGHTS, "cifar100", (7.5, 0.25))
    monkeypatch.setitem(presets.SCALES["laptop"]["cifar10"], "epochs", 60)
    made = settings.fragments()
    changed = {name: rows(text) for name, text in made.items()}
    assert ["§5.2", "CIFAR-100", "7.5 §", "0.25 §", "−4 §"] in method_rows(changed, "sl")
    assert any(row[1] == "laptop" and row[4] == "60; 20, 40" for row in changed["profiles.md"][""])


def test_every_value_has_a_mark(tables):
    for name in ("training.md", "methods.md"):
        for table in tables[name].values():
            first = 1 if name == "training.md" else 2
            for row in table[2:]:
                for cell in row[first:]:
                    assert cell == "–" or cell[-1] in "§‡∗", row


# --- All of it, rendered -----------------------------------------------------------------------------


@pytest.mark.slow
def test_reference_renders_without_a_warning_and_indexes_every_public_name(build, tmp_path):
    stage, html = tmp_path / "stage", tmp_path / "_build" / "html"
    build.stage_sources(ROOT, stage)
    reference.write(stage)
    names = ("hyperparameters", "using", "coming_from_elsewhere", "notation", "references")
    # The chapters that these pages lead to, by their titles alone.
    text = "".join((stage / "book" / f"{name}.md").read_text() for name in names)
    chapters = sorted(set(re.findall(r"\{doc\}`(?:[^`<]*<)?\.\./(notebooks/\w+)", text)))
    (stage / "notebooks").mkdir(exist_ok=True)
    for chapter in chapters:
        (stage / f"{chapter}.md").write_text(f"# {chapter}\n")
    rooms = "".join(f"  - file: book/api/{api.page(room)}\n" for room in api.rooms())
    pages = "".join(f"- file: {page}\n" for page in (*(f"book/{name}" for name in names), *chapters))
    (stage / "_toc.yml").write_text(
        f"format: jb-book\nroot: book/losses\nchapters:\n{pages}- file: book/api\n  sections:\n{rooms}"
    )
    assert build.run_jupyter_book(stage, html)
    assert build.faults(stage, html) == []
    with (html / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, location: location)
    indexed = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    for room in api.rooms():
        names, _ = api.described(importlib.import_module(f"sce_lib.{room}"))
        assert {name.described for name in names} <= indexed


def test_what_a_loss_tolerates_is_told_of_losses_of_the_label_alone():
    _, _, *rows = catalogue.fragments()["tolerated.md"].splitlines()
    told = {name.strip(): float(ratio) for name, ratio in (row.strip("|").split("|") for row in rows)}
    assert told["Reverse cross entropy, A = -4"] == told["Mean absolute error, MAE"] == 1.0
    assert told["Taylor cross entropy, t = 6"] == pytest.approx(1 / 6, abs=1e-3)
    assert told["Cross entropy"] == told["Symmetric cross entropy, α 0.1, β 1 (CIFAR-10)"] == 0.0
    assert list(told.values()) == sorted(told.values(), reverse=True)
    # Those that look at other classes, or that are flat where the label has no probability, are left out.
    assert not [name for name in told if "ormalized c" in name or "truncation" in name or "smoothing" in name]
