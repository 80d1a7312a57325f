"""Time and memory of commands on a ledger of 20,000 records; run by `make bench`.

Each command is a process of its own, as one types it, and is timed on the processor, which other work on the
machine hardly touches, and on the clock. The first look reads every record and writes the index; what follows
is what one waits for from day to day. Nothing is asserted of the time.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RECORDS = int(os.environ.get("SCE_BENCH_RECORDS", 20_000))
SCE = str(Path(sys.executable).with_name("sce"))
CHECKED = """
from sce_lib.experiments import grids
from sce_lib.experiments.ledger import Ledger
from sce_lib.experiments.sweep import require_images_at_hand
require_images_at_hand(grids.grid("table1", "cifar10", seeds=200), Ledger())
"""
TIMED = """
import resource, subprocess, sys, time
began = time.perf_counter()
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
assert status in (0, 1)  # 1: runs of a plan that could not begin, for want of their images
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
PAGE = "from reference import results; results.fragments()"
# What is asked, and the most seconds and MB that it is to take.
COMMANDS = {
    "sce ledger ls": ([SCE, "ledger", "ls"], "3 s"),
    "sce ledger show": ([SCE, "ledger", "show", "{run}"], "0.5 s"),
    "sce ledger export": ([SCE, "ledger", "export", "{folder}/runs.csv"], "10 s, 300 MB"),
    "sce sweep --dry-run": (
        [SCE, "sweep", "table1", "--dataset", "{dataset}", "--seeds", "20", "--profile", "full", "--dry-run"],
        "10 s",
    ),
    "images at hand": ([sys.executable, "-c", CHECKED], "1 s, and what imports take"),
    "page of results": ([sys.executable, "-c", PAGE], "20 s"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the ledger in it."""
    folder = tmp_path_factory.mktemp("large")
    maker = Path(__file__).with_name("large_ledger.py")
    subprocess.run([sys.executable, maker, folder / "ledger", str(RECORDS)], check=True)
    return folder


def taken(command, folder):
    """Return seconds on the clock and on the processor, and the most MB that a command took."""
    book = Path(__file__).resolve().parents[2] / "book"
    own = {"SCE_LEDGER": str(folder / "ledger"), "SCE_CACHE": str(folder / "cache"), "PYTHONPATH": str(book)}
    # A process counts the memory of the one that it was split off from: hence a small one in between.
    said = subprocess.run(
        [sys.executable, "-S", "-c", TIMED, *command],
        env=os.environ | own,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return tuple(map(float, said.split()))


def test_commands_on_a_large_ledger(benchmark, capsys, folder):
    run = next((folder / "ledger" / "cifar10").iterdir()).stem
    names = {"run": f"cifar10/{run}", "folder": folder, "dataset": "cifar100"}

    def each():
        first = taken(COMMANDS["sce ledger ls"][0], folder)
        asked = {what: [part.format(**names) for part in command] for what, (command, _) in COMMANDS.items()}
        return {"the first look": first} | {what: taken(command, folder) for what, command in asked.items()}

    measured = benchmark.pedantic(each, rounds=1)
    benchmark.extra_info.update(measured)
    with capsys.disabled():
        print(f"\n{RECORDS:,} records:")
        for what, (seconds, processor, memory) in measured.items():
            goal = COMMANDS[what][1] if what in COMMANDS else "none"
            told = f"{seconds:6.2f} s, {processor:6.2f} s on the processor, {memory:5.0f} MB"
            print(f"  {what:20} {told} (goal: {goal})")
