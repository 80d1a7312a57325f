"""The page of benchmarks says what was measured, and nothing else."""

import json
import re
import statistics

import pytest
from reference import benchmarks, precision
from small_book import ROOT

from sce_lib.experiments import cost, grids

PAGE = (ROOT / "book" / "benchmarks.md").read_text()
# 1 s for 100 images of training, half as fast without workers; 200 test images in 0.5 s, and in 1 s.
LOOP = {
    "threads": 1,
    "images": 100,
    "test_images": 200,
    "flops": [10**9, 3 * 10**9],
    "seconds": {
        "this loop": [1.0, 1.0, 2.0],
        "this loop, evaluation": [0.5, 0.5, 0.5],
        "layers alone": [0.8, 0.9, 1.6],
        "usual, 0 workers": [2.0, 2.2, 2.0],
        "usual, 0 workers, evaluation": [1.0, 1.0, 1.0],
    },
}


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()][2:]


def test_a_loop_is_told_by_the_medians_of_its_turns():
    ((name, images, ratio, speeds, alone),) = cells(benchmarks._written(benchmarks._loop({"cnn8, 1": LOOP})))
    assert (name, images, ratio) == ("cnn8, 1", "100", "2.00 (1.00 to 2.20)")
    assert speeds == "300, 150"  # 100 images of 3 GFLOP a second, and half of that
    assert alone == "0.80 (0.80 to 0.90)"


def test_an_epoch_is_its_training_and_its_evaluation():
    ((_, sizes, evaluation, same, looked_at, shorter),) = cells(
        benchmarks._written(benchmarks._epoch({"cnn8, 1": LOOP}))
    )
    assert sizes == "CIFAR-10, 10,000 + 10,000"
    assert evaluation.startswith("2.00")
    # 10,000 training images: 100, 100 and 200 s, against 200, 220 and 200; test images: 25 s, against 50.
    assert same == f"{250 / 125:.2f} ({250 / 225:.2f} to {270 / 125:.2f})"
    assert looked_at == "2,000"
    assert shorter == f"{250 / 105:.2f} ({250 / 205:.2f} to {270 / 105:.2f})"


def test_table_1_is_all_its_runs_and_their_operations():
    speeds = {"cnn4": 1.0, "cnn8": 2.0, "resnet44": 4.0}
    settings = {f"{name}, width 1, 1 thread": LOOP for name in speeds}
    *rows, total = cells(benchmarks._written(benchmarks._table1(settings, cores=2)))
    assert [row[2] for row in rows] == ["280"] * 3
    assert total[2] == "840"
    every = 0
    for (dataset, title), row in zip(benchmarks.TABLE1.items(), rows, strict=True):
        one = cost.flops(grids.grid("table1", dataset, "paper", "full", seeds=1)[0])
        every += 280 * one
        assert row[0] == title
        assert row[3] == f"{one:.1e}"
        assert float(row[5]) == pytest.approx(one / 300e9 / 3600, abs=0.06)
    assert total[4] == f"{every:.1e}"
    # Both cores at 300 GFLOP/s; 5 % of 19.5 TFLOP/s.
    assert int(total[6].replace(",", "")) == pytest.approx(every / 600e9 / 3600, abs=1)
    assert int(total[7].replace(",", "")) == pytest.approx(every / 0.975e12 / 3600, abs=1)


def test_the_assumption_on_the_page_is_the_one_that_is_made():
    assert f"{benchmarks.GPU}, {benchmarks.GPU_PEAK / 1e12:g} TFLOP/s in float32" in " ".join(PAGE.split())
    shares = " or ".join(f"{100 * share:g} %" for share in benchmarks.GPU_SHARES)
    assert f"reaches {shares}:" in " ".join(PAGE.split())


def medians(part, name, first):
    """Return by network how many times as long a contestant took as the first, on the page's machine."""
    settings = json.loads(benchmarks.FILE.read_text())["measured"][part]
    return {
        network: statistics.median(benchmarks.ratios(measured, name, first))
        for network, measured in settings.items()
    }


def test_the_words_on_the_page_follow_the_file():
    cnn8, cnn4 = "cnn8, width 0.25", "cnn4, width 1"
    part = {
        name: medians("parts of training", name, "this loop")
        for name in (
            "channels first",
            "PIL transforms",
            "SGD not fused",
            "torch.compile",
            "denormals flushed",
            "bfloat16",
        )
    }
    none = pytest.approx(1, abs=0.05)
    assert part["channels first"][cnn8] > 1.1
    assert part["channels first"][cnn4] == none
    assert min(part["PIL transforms"].values()) > 1.1
    for name in ("SGD not fused", "denormals flushed"):
        assert part[name] == {cnn8: none, cnn4: none}
    assert min(part["torch.compile"].values()) > 1.05
    assert 0.6 < min(part["bfloat16"].values()) <= max(part["bfloat16"].values()) < 0.75
    assert max(medians("parts of evaluation", "BatchNorm folded", "this loop").values()) < 0.95
    assert min(medians("workers", "one after the other, 2 threads", "side by side").values()) > 1


def test_the_page_shows_each_table_and_each_has_numbers():
    made = benchmarks.fragments() | precision.fragments()
    assert set(re.findall(r"\{include\} _made/(\S+)", PAGE)) == set(made)
    for name, text in made.items():
        assert re.search(r"\d", text), name
        assert "nan" not in text


def test_what_was_measured_names_its_machine():
    kept = json.loads(benchmarks.FILE.read_text())
    machine = benchmarks.fragments()["benchmarks/machine.md"]
    for value in (*kept["machine"].values(), kept["date"]):
        assert str(value) in machine
