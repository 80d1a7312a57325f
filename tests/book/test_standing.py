"""The page of what was reproduced has every claim once, with a verdict from the ledger alone."""

import re
import shlex

import numpy as np
import pytest
from reference import standing
from small_book import ROOT
from typer.testing import CliRunner

from sce_lib import cli, grids
from sce_lib.claims import NOT_TESTED, load_claims, verdicts
from sce_lib.config import RunConfig
from sce_lib.ledger import Embedding, Ledger

CLAIMS = load_claims()
EMBEDDING = Embedding(
    labels=list(np.arange(30) % 5), x=list(np.linspace(0, 1, 30)), y=list(np.linspace(1, 0, 30))
)


@pytest.fixture
def record_of(make_record):
    """Return a maker of a record of any config, with the accuracies of `make_record`."""

    def make(config, **numbers):
        shares = {"embedding": EMBEDDING, "clean_share": [0.1] * 5}
        record = make_record(config.method, config.noise, **shares, **numbers)
        return record.model_copy(update={"config": config})

    return make


def configs(chapter, profile="laptop", dataset="cifar10"):
    if chapter not in standing.GRIDS:
        noises = CLAIMS[CLAIMS["chapter"] == chapter]["noise"]
        pairs = [(m, noise) for noise in noises for m in ("ce", "sl")]
        return [RunConfig.preset(dataset, *pair, profile=profile) for pair in pairs]
    found = [grids.grid(name, dataset, profile) for name in standing.GRIDS[chapter]]
    return list({config.run_id: config for part in found for config in part}.values())


def rows(text):
    """Return the cells of a Markdown text's table rows, by claim."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "|" in line
    ]
    return {row[1]: row[2:] for row in cells if len(row) == 4}


def test_every_claim_is_on_the_page_once(folders):
    made = standing.fragments()
    for source, name in (("paper", "standing.md"), ("this book", "standing_own.md")):
        own = CLAIMS[CLAIMS["source"] == source]
        table = made[name]
        assert len(own)
        for claim in own["claim"]:
            assert table.count(f"| {claim} |") == 1
        assert set(rows(table)) - {"claim", ":--"} == set(own["claim"])


def test_an_empty_ledger_tests_nothing(folders):
    made = standing.fragments()
    shown = {
        cell
        for claim, cells in rows(made["standing.md"]).items()
        if claim in set(CLAIMS["claim"])
        for cell in cells
    }
    assert shown == {NOT_TESTED}
    paper = (CLAIMS["source"] == "paper").sum()
    assert made["counts.md"].splitlines()[-1] == f"| not tested | {paper} | {paper} |"


@pytest.mark.parametrize("chapter", sorted(set(CLAIMS["chapter"])))
def test_the_runs_that_are_named_settle_every_claim_of_a_chapter(chapter, record_of):
    records = [record_of(config) for config in configs(chapter, "full")]
    assert standing.relevant(records, chapter) == records
    table = verdicts(records, chapter)
    assert table.index[table["verdict"] == NOT_TESTED].tolist() == []


@pytest.mark.parametrize("chapter", sorted(set(CLAIMS["chapter"])))
def test_the_commands_ask_for_these_runs(chapter, folders):
    wanted = {f"{config.dataset}/{config.run_id}" for config in configs(chapter, "full")}
    named = set()
    for command in standing.commands(chapter):
        program, what, *arguments = shlex.split(command)
        assert program == "sce"
        if what == "sweep":
            done = CliRunner().invoke(cli.app, [what, *arguments, "--dry-run"])
            assert done.exit_code == 0, done.output
            named |= set(re.findall(r"\S+/\S+-s0-\w+", done.output))
        else:
            options = dict(zip(arguments[::2], arguments[1::2], strict=True))
            method, noise, dataset = (options[f"--{name}"] for name in ("method", "noise", "dataset"))
            config = RunConfig.preset(dataset, method, noise, profile=options["--profile"])
            named.add(f"{dataset}/{config.run_id}")
    assert named == wanted


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
        done = CliRunner().invoke(cli.app, [*shlex.split(command), "--dry-run"])
        assert done.exit_code == 0, done.output
    for name in ("counts", "standing", "standing_own"):
        assert f"{{include}} _made/{name}.md" in page
