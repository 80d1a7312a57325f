"""The page of results: each number is the ledger's or the paper's, nothing is mixed, tables sort."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from reference import results
from small_book import ROOT

from sce_lib.experiments.config import RunConfig
from sce_lib.files import ledger_root
from sce_lib.report import published

SEPARATE = ("dataset", "protocol", "section", "profile")


@pytest.fixture(scope="module")
def records():
    """Return the ledger's records as they are in their files, by id, read by nothing of the library."""
    files = [path for path in ledger_root().glob("*/*.json") if "-smoke-" not in path.name]
    kept = {
        path.stem: json.loads(path.read_bytes())["record"] for path in files if path.parent.name != "failed"
    }
    if not kept:
        pytest.skip("the ledger has no runs")
    return kept


@pytest.fixture(scope="module")
def made():
    return results.fragments()


@pytest.fixture(scope="module")
def papers_numbers():
    """Return the paper's numbers as text, by data set, method and noise."""
    found = {}
    for number in (1, 2, 3):
        with (Path(published.__file__).parent / f"table{number}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                found[row["dataset"], row["method"], row["noise"]] = (row["mean"], row["std"])
    return found


def tables(text):
    """Return the tables of a page with their captions."""
    return {str(t.caption.text): t for t in BeautifulSoup(text, "html.parser").select("table.sortable")}


def filled(table):
    """Return the cells with runs: the heading of their column, the cell, its row."""
    heads = [head.text for head in table.select("thead th")]
    return [
        (heads[place], cell, row)
        for row in table.select("tbody tr")
        for place, cell in enumerate(row.find_all(["td", "th"], recursive=False))
        if cell.has_attr("data-runs")
    ]


def spoken(cell):
    return " ".join(cell.get_text(" ").split())


def expected(runs, key):
    """Return what a cell says of its own runs, worked out here from the files."""
    values = [100 * run[key] for run in runs]
    mean = sum(values) / len(values)
    span = f" [{min(values):.1f}, {max(values):.1f}]" if len(values) > 1 else ""
    return mean, f"{mean:.1f}{span} {len(values)} seed{'s' if len(values) > 1 else ''}"


def test_every_number_is_found_in_the_ledger_or_in_the_papers_tables(made, records, papers_numbers):
    compared = 0
    changes = {RunConfig.model_validate(record["config"]).changes for record in records.values()}
    for caption, table in tables(made["results.md"]).items():
        key = "best_accuracy" if "best epoch, an oracle" in caption else "last_accuracy"
        for _, cell, _ in filled(table):
            runs = [records[name] for name in cell["data-runs"].split()]
            mean, text = expected(runs, key)
            said = spoken(cell)
            assert said.startswith(text), caption
            beside = said.removeprefix(text).strip()
            if not beside:
                continue
            config = runs[0]["config"]
            kind, rate = config["noise"]["kind"], config["noise"]["rate"]
            noise = "clean" if kind == "none" else f"{kind}-{rate:g}"
            number, deviation = papers_numbers[config["dataset"], config["method"]["name"], noise]
            shown = f"{number} ± {deviation}" if deviation else number
            assert beside == f"paper {shown}, {mean - float(number):+z.1f}".replace("-", "−")
            compared += 1
        # No digit stands anywhere else in the body but in names, the scale and what was changed.
        empty = [cell.text for cell in table.select("tbody td") if not cell.has_attr("data-runs")]
        assert all(not text or ": " in text or text in changes for text in empty)
    sections = {record["config"]["section"] for record in records.values()}
    assert compared > 0 or sections == {"5.1"}


def test_every_run_is_on_the_page_once_in_either_view(made, records):
    for view in ("last epoch", "best epoch, an oracle"):
        shown = [
            name
            for caption, table in tables(made["results.md"]).items()
            if view in caption
            for _, cell, _ in filled(table)
            for name in cell["data-runs"].split()
        ]
        assert sorted(shown) == sorted(records)


def test_nothing_is_mixed(made, records):
    for caption, table in tables(made["results.md"]).items():
        for _, cell, row in filled(table):
            runs = [records[name] for name in cell["data-runs"].split()]
            configs = [dict(run["config"]) for run in runs]
            assert len({config.pop("seed") for config in configs}) == len(configs)
            assert all(config == configs[0] for config in configs)
            assert len({run["provenance"]["fingerprint"] for run in runs}) == 1
            dataset, section, protocol = caption.split(":")[0].split(", ")[:3]
            assert (dataset, section, protocol) == (
                configs[0]["dataset"],
                f"§{configs[0]['section']}",
                configs[0]["protocol"],
            )
            assert row.find_all("td")[-1].text.startswith(f"{configs[0]['profile']}: ")


def page_of(records, caption):
    (table,) = [t for name, t in tables(results.fragments(records)["results.md"]).items() if caption in name]
    return table


@pytest.fixture
def mixed(make_record):
    """Return runs made by hand of the full profile: both sections, both protocols."""

    def run(method, noise, seed, last, section, protocol):
        config = RunConfig.preset("cifar10", method, noise, protocol, "full", section, seed)
        return make_record(method, noise, last=last).model_copy(update={"config": config})

    return [
        run("sl", "symmetric-0.4", 0, 0.85, "5.2", "paper"),
        run("sl", "symmetric-0.4", 1, 0.87, "5.2", "paper"),
        run("sl", "symmetric-0.4", 0, 0.7, "5.1", "paper"),
        run("sl", "symmetric-0.4", 0, 0.6, "5.2", "released"),
        run("ce", "clean", 0, 0.9, "5.2", "paper"),
        run("lsr", "symmetric-0.4", 0, 0.5, "5.2", "paper"),
    ]


def cells(table):
    return {
        row.th.text: [spoken(cell) for cell in row.find_all("td")[:-1]] for row in table.select("tbody tr")
    }


def test_made_runs_beside_the_papers_numbers(mixed):
    table = page_of(mixed, "cifar10, §5.2, paper: last epoch")
    assert [head.text for head in table.select("thead th")][:4] == [
        "method",
        "clean labels",
        "symmetric 20 %",
        "symmetric 40 %",
    ]
    found = cells(table)
    assert list(found) == ["CE", "SL", "LSR"]
    assert found["SL"][2] == "86.0 [85.0, 87.0] 2 seeds paper 85.34 ± 0.07, +0.7"
    assert found["CE"][0] == "90.0 1 seed paper 89.26 ± 0.03, +0.7"
    assert [text for text in found["SL"] if text] == [found["SL"][2]]
    assert len(found["SL"]) == 8
    released = cells(page_of(mixed, "§5.2, released: last"))
    assert released["SL"][2] == "60.0 1 seed paper 85.34 ± 0.07, −25.3"


def test_labels_that_are_noisy_as_they_come_are_not_called_clean(make_record):
    config = RunConfig.preset("clothing1m", "sl", profile="full")
    table = page_of([make_record(last=0.7).model_copy(update={"config": config})], "last epoch")
    assert [head.text for head in table.select("thead th")] == ["method", "labels as they come", "scale"]
    assert cells(table) == {"SL": ["70.0 1 seed paper 71.02, −1.0"]}


def test_trees_that_call_themselves_the_same_have_rows_of_their_own(make_record):
    runs = [make_record("sl", "symmetric-0.125", seed, dataset="cifar10") for seed in (0, 1)]
    configs = [run.config.model_copy(update={"profile": "full"}) for run in runs]
    there = [
        run.provenance.model_copy(update={"source": "image tree", "fingerprint": mark * 64})
        for run, mark in zip(runs, "ab", strict=True)
    ]
    apart = [
        run.model_copy(update={"config": config, "provenance": made})
        for run, config, made in zip(runs, configs, there, strict=True)
    ]
    table = page_of(apart, "last epoch")
    scales = [row.find_all("td")[-1].text for row in table.select("tbody tr")]
    assert [scale.rpartition("; ")[2] for scale in scales] == [
        "image tree (aaaaaaaa)",
        "image tree (bbbbbbbb)",
    ]
    assert "symmetric 12.5 %" in [head.text for head in table.select("thead th")]


def test_section_5_1_has_no_number_of_the_paper_beside_it(mixed):
    assert cells(page_of(mixed, "§5.1, paper: last")) == {"SL": ["70.0 1 seed"]}


def test_the_oracle_has_no_number_of_the_paper_beside_it(mixed):
    assert "paper 8" not in page_of(mixed, "§5.2, paper: best").text


def test_other_settings_have_a_table_of_their_own_and_no_number_of_the_paper(mixed):
    changed = mixed[0].config.model_copy(update={"n_train": 500})
    runs = [*mixed, mixed[0].model_copy(update={"config": changed})]
    table = page_of(runs, "§5.2, paper, other settings: last")
    assert [cell.text for cell in table.select("tbody td")][:2] == ["500 images", ""]
    assert "85.0 1 seed" in spoken(table)
    assert "paper 8" not in table.select_one("tbody").text
    assert cells(page_of(runs, "§5.2, paper: last"))["SL"][2].startswith("86.0 [85.0, 87.0] 2")


def test_settings_that_the_words_do_not_tell_apart_have_rows_of_their_own(mixed):
    config, runs = mixed[0].config, list(mixed)
    for more in (1e-9, 2e-9):
        noise = config.noise.model_copy(update={"rate": config.noise.rate + more})
        runs.append(mixed[0].model_copy(update={"config": config.model_copy(update={"noise": noise})}))
    assert len({run.config.setting for run in runs[-2:]}) == 1
    table = page_of(runs, "§5.2, paper, other settings: last")
    shown = [name for cell in table.select("[data-runs]") for name in cell["data-runs"].split()]
    assert {run.run_id for run in runs[-2:]} <= set(shown)


def test_any_multiple_of_cross_entropy_has_a_row(make_record):
    config = RunConfig.preset("cifar10", "7ce", "symmetric-0.4", profile="laptop")
    assert "7CE" in results.fragments([make_record(config=config)])["results.md"]


def test_smoke_is_left_out_and_an_empty_ledger_says_so(make_record):
    made = results.fragments([make_record("sl", "symmetric-0.4")])
    assert made["results.md"] == "The ledger has no runs yet."


def test_files_to_take_away_have_a_row_a_cell_and_a_row_a_run(made, records):
    board = list(csv.DictReader(io.StringIO(made["results.csv"])))
    runs = list(csv.DictReader(io.StringIO(made["runs.csv"])))
    assert sorted(row["run_id"] for row in runs) == sorted(records)
    assert sorted(name for row in board for name in row["runs"].split()) == sorted(records)
    for row in runs:
        assert float(row["last_accuracy"]) == records[row["run_id"]]["last_accuracy"]
    for row in board:
        mean, _ = expected([records[name] for name in row["runs"].split()], "last_accuracy")
        assert float(row["last"]) == pytest.approx(mean)


# --- In a browser ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page_file(build, tmp_path_factory, made):
    """Build a book of the page alone, beside stand-ins for the pages that it points to."""
    root = tmp_path_factory.mktemp("results")
    stage = root / "stage"
    shutil.copytree(ROOT / "book", stage / "book", ignore=shutil.ignore_patterns("*.md", "*.py"))
    shutil.copy(ROOT / "_config.yml", stage)
    for name, text in made.items():
        path = stage / "book" / "_made" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    pages = ["hyperparameters", "rerun"]
    for page in pages:
        (stage / "book" / f"{page}.md").write_text("# A page\n")
    for page in ("results", "references"):
        shutil.copy(ROOT / "book" / f"{page}.md", stage / "book")
    listed = "".join(f"- file: book/{page}\n" for page in [*pages, "references"])
    (stage / "_toc.yml").write_text(f"format: jb-book\nroot: book/results\nchapters:\n{listed}")
    assert build.run_jupyter_book(stage, root / "_build" / "html")
    return root / "_build" / "html" / "book" / "results.html"


def test_the_page_offers_its_files_and_loads_nothing_from_a_network(build, page_file, made):
    page = BeautifulSoup(page_file.read_text(), "html.parser")
    offered = {link["href"].rsplit("/", 1)[1]: link["href"] for link in page.select("a.download[href]")}
    assert set(offered) == {"results.csv", "runs.csv"}
    for name, address in offered.items():
        assert (page_file.parent / address).read_text() == made[name]
    assert build.network_references(page_file) == []


def test_a_heading_sorts_by_keyboard_and_empty_cells_stay_last(opened):
    table = opened.locator("table.sortable").first
    count = table.locator("thead th").count()
    noises = [k for k in range(1, count - 1) if table.locator("thead th").nth(k).inner_text() != "changed"]
    assert noises
    for column in noises:
        button = table.locator("thead th").nth(column).locator("button")
        for expected_order, sign in (("ascending", 1), ("descending", -1)):
            button.focus()
            opened.keyboard.press("Enter")
            assert table.locator("thead th").nth(column).get_attribute("aria-sort") == expected_order
            assert table.locator("thead th[aria-sort]").count() == 1
            texts = table.locator(f"tbody tr > :nth-child({column + 1})").all_inner_texts()
            values = [float(re.match(r"[\d.]+", text)[0]) for text in texts if text.strip()]
            assert values == sorted(values, key=lambda value: sign * value)
            assert all(texts[: len(values)])
