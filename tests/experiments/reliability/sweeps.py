"""Small sweeps for the tests of reliability: here, or as a process of their own that can be killed."""

import contextlib
import json
import os
import subprocess
import sys
import time

import psutil

from sce_lib.experiments import sweep
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import Ledger


def digits(method="sl", seed=0, **changes):
    """Return a config of some seconds."""
    fields = {"n_train": 200, "embedding": 0, "optimisation": {"lr": 0.05, "epochs": 12}} | changes
    return RunConfig.preset("digits", method, "symmetric-0.4", profile="smoke", seed=seed, **fields)


def six():
    """Return the six configs that the sweeps here are of."""
    return [digits(method, seed) for seed in range(3) for method in ("ce", "sl")]


def results(ledger):
    """Return the results of a ledger's records by run; a record that is there twice is an error."""
    records = list(ledger)
    found = {record.run_id: record.results() for record in records}
    assert len(found) == len(records)
    return found


def start(configs, cache=None, jobs=2):
    """Start a sweep as a process with a group of its own; `jobs` is a number, or the address of a cluster."""
    own = {} if cache is None else {"SCE_CACHE": str(cache)}
    process = subprocess.Popen(
        [sys.executable, __file__, str(jobs)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | own,
        start_new_session=True,
    )
    process.stdin.write(json.dumps([config.model_dump(mode="json") for config in configs]))
    process.stdin.close()
    return process


def wait_for(condition, seconds=120):
    """Wait until a condition holds; a minute or two is enough for any of them."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def epochs_done(folders):
    """Return how many epochs the unfinished runs have behind them."""
    done = 0
    for note in (folders / "cache" / "checkpoints").glob("*.progress.json"):
        with contextlib.suppress(FileNotFoundError):  # its run has ended in the meantime
            done += json.loads(note.read_text())["epoch"]
    return done


def family(process):
    """Return a process' children and theirs."""
    return psutil.Process(process.pid).children(recursive=True)


def running(processes):
    """Return those of some processes that have not ended."""
    return [process for process in processes if process.is_running() and process.status() != "zombie"]


def main():
    configs = [RunConfig.model_validate(config) for config in json.load(sys.stdin)]
    if (jobs := sys.argv[1]).isdigit():
        outcomes = sweep.run(configs, Ledger(), jobs=int(jobs), device="cpu")
    else:
        with sweep.dask_executor(jobs) as executor:
            outcomes = sweep.run(configs, Ledger(), executor, device="cpu", retries=0)
    print(json.dumps({run: error and repr(error) for run, error in outcomes.items()}))


if __name__ == "__main__":
    main()
