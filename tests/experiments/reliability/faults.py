"""Disturb runs in every way that is known of, and say what became of them: the table behind `make faults`.

Each fault is tried on a ledger of its own, with runs of a second or two. When the disturbed sweep has been
started again and has ended, its records are held against those of a sweep that nothing happened to: a run
without a record is lost, one with other results is wrong, and one whose record was there and was made again
is doubled. The counts are written to ``data/benchmarks/faults.json``, of which the book's table is made.
"""

import contextlib
import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psutil
import torch
from reference import faults
from sweeps import digits, family, results, running, start, wait_for

from sce_lib.data import load_dataset
from sce_lib.experiments import sweep
from sce_lib.experiments.ledger import Ledger, MixedImages
from sce_lib.experiments.training import provenance
from sce_lib.experiments.training.checkpoint import Checkpoint
from sce_lib.files import write_atomically

KILLS, KILLED_SWEEPS, LOST_WORKERS = 50, 6, 3
CONFIGS = [digits(method, seed) for seed in range(3) for method in ("ce", "sl")]
MOMENTS = random.Random("moments of faults")
# Fork is what makes a kill cheap here: a child has torch already. Nothing is trained in the parent.
FORK = multiprocessing.get_context("fork")


class Place:
    """A ledger and a cache of their own, and what is to be seen of the sweeps in them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.ledger = folder, Ledger(folder / "ledger")
        self.before: dict[str, bytes] = {}
        self.doubled = 0

    def enter(self) -> None:
        """Point the variables of this process, and of those that it starts, here."""
        os.environ |= {"SCE_LEDGER": str(self.folder / "ledger"), "SCE_CACHE": str(self.folder / "cache")}

    def look(self) -> None:
        """Count records that were there at the last look and have been made again since."""
        now = {path.stem: path.read_bytes() for path in self.ledger.paths()}
        self.doubled += sum(now.get(name, content) != content for name, content in self.before.items())
        self.before = now

    def checkpoints(self) -> list[Path]:
        """Return the checkpoints' files, of none of which the run has its record."""
        return sorted((self.folder / "cache" / "checkpoints").glob("*.pt"))


def _train(place: Place, configs: list) -> None:
    torch.set_num_threads(1)
    place.enter()
    with ThreadPoolExecutor(1) as executor, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = sweep.run(configs, Ledger(), executor, device="cpu", retries=0)
    os._exit(sum(error is not None for error in outcomes.values()))


def child(place: Place, configs: list) -> multiprocessing.process.BaseProcess:
    """Start a sweep in a process of its own that has all imports behind it."""
    process = FORK.Process(target=_train, args=(place, configs))
    process.start()
    return process


def finish(place: Place, configs: list) -> int:
    """Let a sweep end undisturbed, and return how many of its runs failed."""
    process = child(place, configs)
    process.join()
    place.look()
    return int(process.exitcode or 0)


class Fault:
    """One row of the table: how often a fault was tried, and what it cost."""

    def __init__(self, name: str, outcome: str) -> None:
        self.name, self.outcome = name, outcome
        self.times = self.lost = self.wrong = self.doubled = 0

    def count(self, place: Place, expected: dict, times: int = 1) -> None:
        """Hold a place's records against those that are expected of its runs."""
        found = results(place.ledger)
        self.times += times
        self.lost += len(expected.keys() - found.keys())
        self.wrong += sum(found[run] != expected[run] for run in expected.keys() & found.keys())
        self.wrong += len(found.keys() - expected.keys())
        self.doubled += place.doubled


# --- The faults --------------------------------------------------------------------------------------


def kills(place_of: Callable[[], Place], expected: dict) -> Iterator[Fault]:
    """Kill the training of two runs, at moments drawn at random, until they are done; then that of others."""
    row = Fault("a run is killed with −9", "it goes on from its checkpoint, or begins again")
    pairs = [CONFIGS[first : first + 2] for first in range(0, len(CONFIGS), 2)]
    began = time.monotonic()
    finish(place_of(), pairs[0])
    whole, killed = time.monotonic() - began, 0
    while killed < KILLS:
        place, pair, here = place_of(), pairs[killed % len(pairs)], 0
        while killed < KILLS:
            process = child(place, pair)
            process.join(MOMENTS.uniform(0, whole))
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            place.look()
            killed, here = killed + 1, here + 1
        finish(place, pair)
        row.count(place, {config.run_id: expected[config.run_id] for config in pair}, here)
    yield row


def killed_sweeps(place_of: Callable[[], Place], expected: dict) -> Iterator[Fault]:
    """Kill a sweep of two workers, with them and alone."""
    row = Fault("a sweep of two workers is killed with −9", "its workers end, and it goes on where they were")
    place = place_of()
    for number in range(KILLED_SWEEPS):
        place.enter()
        process = start(CONFIGS)
        time.sleep(MOMENTS.uniform(0, 8))
        if process.poll() is not None:  # all is done: what follows is another ledger
            row.count(place, expected, 0)
            place = place_of()
            continue
        children = family(process)
        os.killpg(process.pid, signal.SIGKILL) if number % 2 else process.kill()
        wait_for(lambda gone=children: not running(gone))
        process.wait()
        place.look()
        row.times += 1
    finish(place, CONFIGS)
    row.count(place, expected, 0)
    yield row


def lost_workers(place_of: Callable[[], Place], expected: dict) -> Iterator[Fault]:
    """Kill one of two workers of a sweep that goes on."""
    row = Fault("a worker is lost", "its run is tried again from the checkpoint, its neighbour goes on")
    for _ in range(LOST_WORKERS):
        place = place_of()
        place.enter()
        process = start(CONFIGS)
        wait_for(lambda at=place: at.checkpoints() or at.ledger.paths())
        time.sleep(MOMENTS.uniform(0, 1))
        workers = [one for one in family(process) if "spawn_main" in " ".join(one.cmdline())]
        if workers:
            MOMENTS.choice(workers).kill()
        assert process.wait() == 0
        place.look()
        row.count(place, expected, len(workers) > 0)
    yield row


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """Mount a disk of so many bytes at a folder and enlarge it in the end; limit files if that cannot be."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if not mounted:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 4, limits[1]))
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["mount", "-o", "remount,size=100m", str(folder)], check=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def full_disks(place_of: Callable[[], Place], expected: dict) -> Iterator[Fault]:
    """Leave room for some of the records, and for no checkpoint."""
    for what, part, size in (("records", "ledger", 49_152), ("checkpoints", "cache", 16_384)):
        row = Fault(f"the disk of the {what} is full", "the runs fail and say so; later they are made")
        place = place_of()
        with small_disk(place.folder / part, size):
            assert finish(place, CONFIGS) > 0
        assert finish(place, CONFIGS) == 0
        row.count(place, expected)
        if os.path.ismount(place.folder / part):
            subprocess.run(["umount", str(place.folder / part)], check=True)
        yield row


def _flip(content: bytes) -> bytes:
    place = MOMENTS.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << MOMENTS.randrange(8))]) + content[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit is flipped": _flip,
    "it is cut short": lambda content: content[: MOMENTS.randrange(1, len(content))],
    "it is empty": lambda _: b"",
    "it is of noise": lambda content: MOMENTS.randbytes(len(content)),
    "it is longer": lambda content: content + b"\0" * 100,
}


def damaged_records(place_of: Callable[[], Place], expected: dict) -> Iterator[Fault]:
    """Damage one record of six in each of several ways, and ask for all of them again."""
    row = Fault("a record is damaged", "it is set aside, and its run made again")
    finish(place := place_of(), CONFIGS)
    damages = DAMAGES | {
        "a number is another": lambda content: content.replace(b'"best_epoch":', b'"best_epoch":1'),
        "it is another run's": lambda _: place.ledger.path(CONFIGS[1]).read_bytes(),
        "it nests deeply": lambda _: b"[" * 100_000,
    }
    for damage in damages.values():
        path = place.ledger.path(CONFIGS[0])
        path.write_bytes(damage(path.read_bytes()))
        del place.before[path.stem]  # it is to be made again
        assert finish(place, CONFIGS) == 0
        row.count(place, expected)
    assert len(list(path.parent.glob(f"{path.name}.damaged-*"))) == len(damages)
    yield row


def damaged_checkpoints(place_of: Callable[[], Place], expected: dict) -> Iterator[Fault]:
    """Damage the checkpoint of a run that was killed, or let other code own it, in each of several ways."""
    row = Fault("a checkpoint is damaged, or of other code", "it is set aside, and its run begins again")

    def of_other_code(path: Path) -> None:
        place.enter()
        kept = Checkpoint(CONFIGS[0], "x").path
        assert kept == path
        content = path.read_bytes()
        path.write_bytes(content.replace(provenance.code_digest().encode(), b"0" * 12))

    ways = [*(lambda path, do=do: path.write_bytes(do(path.read_bytes())) for do in DAMAGES.values())]
    for way in [*ways, of_other_code]:
        place = place_of()
        process = child(place, CONFIGS[:1])
        wait_for(place.checkpoints)
        process.kill()
        process.join()
        if not place.checkpoints():  # the run had ended: its record is there
            continue
        way(place.checkpoints()[0])
        assert finish(place, CONFIGS) == 0
        row.count(place, expected)
    yield row


def other_images(place_of: Callable[[], Place], expected: dict) -> Iterator[Fault]:
    """Let every second worker have other images of the same name."""
    row = Fault("a worker has other images", "its runs are refused, and made by others")
    place = place_of()
    with tempfile.TemporaryFile("w+") as told:
        process = FORK.Process(target=_mixed, args=(place, told.fileno()))
        process.start()
        process.join()
        told.seek(0)
        refused, kinds = json.loads(told.read())
    assert process.exitcode == 0
    assert refused == 3
    row.times, row.wrong, row.lost = refused, kinds - 1, 6 - len(place.ledger)
    yield row


def _mixed(place: Place, told: int) -> None:
    from image_trees import TreeMaker
    from test_mixing import Workers

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    place.enter()
    roots = [place.folder / f"data-{number}" for number in range(2)]
    for seed, root in enumerate(roots):
        maker = TreeMaker(root)
        maker.folder("mine", maker.images(per_class=(8, 4), shape=(8, 8, 3), seed=seed)[0])
    os.environ["SCE_DATA"] = str(roots[0])
    changes = {"dataset": "mine", "n_train": None, "noise": {}}
    configs = [config.model_validate(config.model_dump() | changes) for config in CONFIGS]
    with Workers(place.folder, *roots) as executor:
        outcomes = sweep.run(configs, place.ledger, executor, device="cpu")
    with Workers(place.folder, roots[0]) as executor:
        sweep.run(configs, place.ledger, executor, device="cpu")
    refused = sum(isinstance(error, MixedImages) for error in outcomes.values())
    os.write(told, json.dumps([refused, len({r.provenance.fingerprint for r in place.ledger})]).encode())
    os._exit(0)


def lost_scheduler(place_of: Callable[[], Place], expected: dict) -> Iterator[Fault]:
    """Kill Dask's scheduler while its workers train, and give the sweep another."""
    row = Fault("the scheduler of a cluster is lost", "the sweep ends with a reason; the next one goes on")
    place = place_of()
    place.enter()
    for lost in (True, False):
        with _cluster(place.folder) as (address, scheduler):
            process = start(CONFIGS, jobs=address)
            if lost:
                wait_for(lambda: place.checkpoints() or place.ledger.paths())
                scheduler.kill()
            told = process.stdout.read()  # all that it says, until it has ended
            assert process.wait() == 0
            assert ("Error" in told) == lost
            place.look()
    row.count(place, expected)
    yield row


@contextlib.contextmanager
def _cluster(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Start a scheduler and a worker of Dask as processes; yield the scheduler's address and itself."""
    file = folder / f"scheduler-{time.monotonic_ns()}.json"
    module = [sys.executable, "-m", "distributed.cli"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    commands = [
        [
            *module[:2],
            "distributed.cli.dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
        ],
        [*module[:2], "distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard", "--no-nanny"],
    ]
    started = []
    try:
        for command in commands:
            started.append(psutil.Popen([*command, "--scheduler-file", str(file)], **quiet))
            wait_for(file.exists)
        yield json.loads(file.read_text())["address"], started[0]
    finally:
        for process in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            process.wait()


FAULTS = (kills, killed_sweeps, lost_workers, full_disks, damaged_records, damaged_checkpoints)
FAULTS += (other_images, lost_scheduler)


def main() -> int:
    """Try all faults, print the table and keep it; 1 if anything was lost, wrong or doubled."""
    os.environ["SCE_CHECKPOINT_SECONDS"] = "0"
    load_dataset("digits")  # once for all children: its import takes longer than a run
    began, rows = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(10_000))

        def place_of() -> Place:
            return Place(Path(folder, str(next(numbers))))

        finish(calm := place_of(), CONFIGS)
        expected = results(calm.ledger)
        assert len(expected) == len(CONFIGS)
        for fault in FAULTS:
            for row in fault(place_of, expected):
                rows.append(vars(row))
                print(*vars(row).values(), sep=" | ", flush=True)
    minutes = round((time.monotonic() - began) / 60, 1)
    kept = {"date": datetime.now(UTC).date().isoformat(), "machine": provenance.machine(), "minutes": minutes}
    write_atomically(faults.FILE, (json.dumps(kept | {"rows": rows}, indent=1) + "\n").encode())
    print("\n" + faults.table(kept | {"rows": rows}))
    return int(any(row["lost"] + row["wrong"] + row["doubled"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
