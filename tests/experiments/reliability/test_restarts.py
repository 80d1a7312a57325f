"""Sweeps that are killed, interrupted, started twice: the ledger ends as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sweeps import epochs_done, family, results, running, six, start, wait_for
from typer.testing import CliRunner

from sce_lib.cli.app import app
from sce_lib.experiments.ledger import Ledger

SCE = Path(sys.executable).with_name("sce")


def kill_after(process, get_on, seconds, whole):
    """Kill a sweep, with its workers or alone, some time after it got on; return whether it still ran."""
    before = get_on()
    wait_for(lambda: get_on() != before or process.poll() is not None)
    time.sleep(seconds)
    if process.poll() is not None:
        return False
    children = family(process)
    os.killpg(process.pid, signal.SIGKILL) if whole else process.kill()
    wait_for(lambda: not running(children))  # where it alone was killed, its workers end by themselves
    return process.wait() != 0


@pytest.mark.parametrize(("times", "jobs"), [(2, 1), pytest.param(5, 2, marks=pytest.mark.slow)])
def test_a_sweep_killed_and_started_again_ends_in_the_same_ledger(folders, ledger, undisturbed, times, jobs):
    """Its workers are killed with it and left to themselves in turn."""

    def far():
        return epochs_done(folders) + 100 * len(ledger.paths())

    moments = random.Random("moments")
    ran = [
        kill_after(start(six(), jobs=jobs), far, moments.uniform(0, 0.25), whole)
        for whole in (True, False, True, False, True)[:times]
    ]
    assert ran[:2] == [True, True]
    kept = results(ledger)
    assert undisturbed.items() >= kept.items()
    process = start(six(), jobs=jobs)
    assert process.stdout.read().count("null") == 6 - len(kept)
    assert process.wait() == 0
    assert results(ledger) == undisturbed


def test_two_sweeps_at_once_on_one_ledger(folders, ledger, undisturbed):
    """Each with a cache of its own, as on two machines: whatever one trains, the other waits for."""
    sweeps = [start(six(), folders / f"cache-{number}", jobs=1) for number in range(2)]
    assert [process.wait() for process in sweeps] == [0, 0]
    assert [process.stdout.read().count("null") for process in sweeps] == [6, 6]
    assert results(ledger) == undisturbed
    left = [path for path in folders.rglob("*") if ".part" in path.name or path.suffix == ".pt"]
    assert left == []


def test_ctrl_c_ends_cleanly_and_the_next_call_goes_on(folders, ledger):
    command = ["sweep", "figure3", "--profile", "smoke", "--seeds", "2", "--device", "cpu", "--jobs"]
    process = subprocess.Popen(
        [SCE, *command, "2"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whoever runs the tests in the background of a script has them ignore Ctrl-C, and their children too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for(lambda: epochs_done(folders) > 1)
    children = family(process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    said = process.communicate()[1]
    assert process.returncode == 130
    assert "goes on where it was" in said
    assert "Traceback" not in said
    assert "leaked" not in said  # semaphores, of which Python warns
    wait_for(lambda: not running(children))
    assert ledger.failures() == {}
    kept = len(ledger)
    assert kept < 4
    done = CliRunner().invoke(app, [*command, "1"])
    assert done.exit_code == 0
    assert f"{4 - kept} trained, 0 failed" in done.output
    assert len(ledger) == 4


@pytest.mark.slow
def test_table_1_on_digits_killed_five_times(folders):
    """The whole grid by the command itself, calm and killed at random moments."""
    command = [SCE, "sweep", "table1", "--dataset", "digits", "--profile", "smoke", "--jobs", "2"]

    def environment(name):
        own = {"SCE_LEDGER": str(folders / name), "SCE_CACHE": str(folders / f"{name}-cache")}
        return os.environ | own

    began = time.monotonic()
    subprocess.run(command, env=environment("calm"), check=True)
    lasted = time.monotonic() - began
    moments = random.Random("moments of table 1")
    for _ in range(5):
        process = subprocess.Popen(command, env=environment("killed"), start_new_session=True)
        time.sleep(moments.uniform(0.05, 0.25) * lasted)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, env=environment("killed"), check=True)
    calm, killed = (results(Ledger(folders / name)) for name in ("calm", "killed"))
    assert len(calm) == 56
    assert killed == calm
