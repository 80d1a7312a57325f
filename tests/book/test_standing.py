"""The page of what was reproduced has every claim once, with a verdict from the ledger alone."""

import re
import shlex

import numpy as np
import pytest
from image_trees import TreeMaker
from reference import standing
from reference.settings import DATASETS as TITLES
from small_book import ROOT
from typer.testing import CliRunner

from sce_lib.cli import app as cli
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.factors import change
from sce_lib.experiments.ledger import Embedding, Ledger
from sce_lib.report.claims import NOT_TESTED, load_claims, verdicts

CLAIMS = load_claims()
EMBEDDING = Embedding(
    labels=list(np.arange(30) % 5), x=list(np.linspace(0, 1, 30)), y=list(np.linspace(1, 0, 30))
)


@pytest.fixture
def record_of(make_record):
    """Return a maker of a record of any config, with the accuracies of `make_record`."""

    def make(config, **numbers):
        shares = {"embedding": EMBEDDING, "clean_share": [0.1] * 5}
        return make_record(config=config, **shares, **numbers)

    return make


def chapters_and_datasets():
    """Return each chapter with each data set that a claim of it is asked of."""
    asked = [(row.chapter, standing.asked_of(name, row.chapter)) for name, row in CLAIMS.iterrows()]
    return sorted({(chapter, dataset) for chapter, datasets in asked for dataset in datasets})


def dry_run(arguments):
    """Return what a sweep would do; it may say that data which are not here keep runs from beginning."""
    done = CliRunner().invoke(cli.app, [*arguments, "--dry-run"])
    assert done.exit_code == ("cannot begin: " in done.output), done.output
    return done


def rows(text):
    """Return the cells of a Markdown text's table rows, by claim."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "|" in line
    ]
    return {row[1]: row[2:] for row in cells if row[0] != "where" and not row[0].startswith(":")}


def test_every_claim_is_on_the_page_once(folders):
    made = standing.fragments()
    for source, name in (("paper", "standing.md"), ("this book", "standing_own.md")):
        own = CLAIMS[CLAIMS["source"] == source]
        table = made[name]
        assert len(own)
        for claim in own["claim"]:
            assert table.count(f"| {claim} |") == 1
        assert set(rows(table)) == set(own["claim"])


def test_an_empty_ledger_tests_nothing(folders):
    made = standing.fragments()
    cells = [*rows(made["standing.md"]).values(), *rows(made["standing_own.md"]).values()]
    assert {cell for row in cells for cell in row} == {NOT_TESTED}
    paper = CLAIMS[CLAIMS["source"] == "paper"]
    asked = [
        sum(dataset in standing.asked_of(name, chapter) for name, chapter in paper["chapter"].items())
        for dataset in ("cifar10", "fashion_mnist", "mnist")
    ]
    assert asked[0] == len(paper)
    header, _, *counts = made["counts.md"].splitlines()
    assert header == f"| of {len(paper)} claims | CIFAR-10 | Fashion-MNIST | MNIST |"
    numbers = " | ".join(map(str, asked))
    assert counts == [f"| {word} | {numbers} |" for word in (NOT_TESTED, "claims asked")]


@pytest.mark.parametrize(("chapter", "dataset"), chapters_and_datasets())
def test_the_runs_that_are_named_settle_every_claim_of_a_chapter(chapter, dataset, record_of):
    records = [record_of(config) for config in standing.wanted(chapter, dataset, "full")]
    assert standing.relevant(records, chapter) == records
    table = verdicts(records, chapter)
    asked = [name for name in table.index if dataset in standing.asked_of(name, chapter)]
    assert asked
    assert [name for name in asked if table.loc[name, "verdict"] == NOT_TESTED] == []


@pytest.mark.parametrize(("chapter", "dataset"), chapters_and_datasets())
def test_the_commands_ask_for_these_runs(chapter, dataset, folders, monkeypatch):
    if dataset == "tiny_imagenet100":  # an image tree, of which a sweep asks that it is there
        monkeypatch.setenv("SCE_DATA", str(folders))
        maker = TreeMaker(folders)
        maker.folder(dataset, maker.images()[0])
    asked_for = {f"{dataset}/{config.run_id}" for config in standing.wanted(chapter, dataset, "full")}
    named = set()
    for command in standing.commands(chapter, dataset):
        program, what, *arguments = shlex.split(command)
        assert program == "sce"
        if what == "sweep":
            done = dry_run([what, *arguments])
            named |= set(re.findall(r"\S+/\S+-s0-\w+", done.output))
        else:
            options = dict(zip(arguments[::2], arguments[1::2], strict=True))
            method, noise, where = (options[f"--{name}"] for name in ("method", "noise", "dataset"))
            config = RunConfig.preset(where, method, noise, profile=options["--profile"])
            named.add(f"{where}/{config.run_id}")
    assert named == asked_for


def test_the_commands_on_the_page_are_of_a_tables_first_data_set(folders):
    made = standing.fragments()
    parts = "\n".join([made["standing.md"], made["standing_own.md"]]).split("| where | claim | ")[1:]
    names = {title: dataset for dataset, title in TITLES.items()}
    for part in parts:
        first = names[part.split(" |", maxsplit=1)[0]]
        assert set(re.findall(r"--dataset (\S+)", part)) == {first}
    assert {part.split(" |", maxsplit=1)[0] for part in parts} == {"CIFAR-10", "MNIST", "CIFAR-100"}


def test_a_changed_detail_counts_for_its_own_question_alone(folders, record_of):
    base = RunConfig.preset("mnist", "ce", "symmetric-0.8", profile="laptop")
    changed = [base] + [change(base, factor) for factor in ("no-l2", "equal-counts", "released")]
    records = [record_of(config.model_copy(update={"seed": seed})) for config in changed for seed in (0, 3)]
    assert standing.relevant(records, 8) == records[:2]
    assert standing.relevant(records, 11) == records
    epochs = change(base, "twice-the-epochs")
    both = change(epochs, "no-l2")
    assert standing.relevant([record_of(epochs), record_of(both)], 11) == [record_of(epochs)]


def test_the_page_follows_the_ledger(folders, record_of):
    ce = RunConfig.preset("cifar10", "ce", "symmetric-0.6", section="5.1")
    ledger, claim = Ledger(), CLAIMS.loc["sl-lifts-all-60", "claim"]
    ledger.put(record_of(ce, last=0.5))
    sl = RunConfig.preset("cifar10", "sl", "symmetric-0.6", section="5.1")
    assert rows(standing.fragments()["standing.md"])[claim] == [NOT_TESTED, NOT_TESTED]
    ledger.put(record_of(sl, last=0.62))
    made = standing.fragments()
    assert rows(made["standing.md"])[claim] == ["shown at reduced scale (0.120; 1 seed)", NOT_TESTED]
    firsts = [cells[0] for cells in rows(made["standing.md"]).values()]
    agree = sum(cell.startswith("shown at reduced scale") for cell in firsts)
    assert f"| shown at reduced scale | {agree} | 0 |" in made["counts.md"]
    # Another protocol, and a run with a setting changed, are not what the claim is about.
    for other in ({"protocol": "released"}, {"n_train": 500}):
        changed = RunConfig.preset("cifar10", "sl", "symmetric-0.6", section="5.1", **other)
        ledger.put(record_of(changed, last=0.1))
    assert standing.fragments() == made
    for config, last in ((ce, 0.6), (sl, 0.5)):
        whole = RunConfig.preset(
            "cifar10", config.method.name, "symmetric-0.6", section="5.1", profile="full"
        )
        ledger.put(record_of(whole, last=last))
    assert rows(standing.fragments()["standing.md"])[claim][0] == "not shown (−0.100; 1 seed)"


def test_the_commands_written_by_hand_are_known(folders):
    page = (ROOT / "book" / "not_reproduced.md").read_text()
    written = re.findall(r"`sce (sweep [^`]+)`", page)
    assert written
    for command in written:
        dry_run(shlex.split(command))
    for name in ("counts", "standing", "standing_own"):
        assert f"{{include}} _made/{name}.md" in page
