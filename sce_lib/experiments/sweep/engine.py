"""Many runs on an executor: each is trained once, and one that fails does not stop the rest."""

import contextlib
import multiprocessing
import os
import signal
import threading
import warnings
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent import futures
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import connection

from tqdm import tqdm

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import Ledger, RunRecord
from sce_lib.experiments.sweep.runs import missing, require_images_at_hand
from sce_lib.experiments.sweep.workers import Asker, work_here
from sce_lib.experiments.training import resolve_device
from sce_lib.experiments.training.task import CappedWarning
from sce_lib.files import cache_root, remove_stale

# What would end in the same way again: a config that cannot be, data that are not there, a loss of NaN.
# All else (a worker that was lost, memory, a full disk) may go better at the next attempt.
NOT_RETRIED = (
    *(ArithmeticError, AssertionError, AttributeError, FileNotFoundError, ImportError, LookupError),
    *(NotImplementedError, TypeError, ValueError),
)
# Seconds between two looks at what runs, where someone watches.
_LOOK = 1.0


@dataclass
class Status:
    """Where a sweep stands.

    Parameters
    ----------
    waiting, running : int, list of RunConfig
        How many were not handed out yet; those that were, to a process or an executor that may let them wait.
    ended : dict
        For each run that ended, its error, or None where its record is in the ledger.
    retried : list of (RunConfig, error)
        Attempts that failed and were followed by another.
    """

    waiting: int
    running: list[RunConfig] = field(default_factory=list)
    ended: dict[RunConfig, BaseException | None] = field(default_factory=dict)
    retried: list[tuple[RunConfig, BaseException]] = field(default_factory=list)


def _begin_process() -> None:
    """Prepare a local worker: Ctrl-C is for its parent to answer, and it ends when its parent does.

    What its runs cannot have of what they ask for is said once, before the sweep.
    """
    warnings.simplefilter("ignore", CappedWarning)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system's, left behind by who is stopped
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _new_process() -> ProcessPoolExecutor:
    """Return a pool of one process: if that is killed, it is known which run it had, and no other is hit."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=_begin_process)


class _Sweep:
    """The runs on their way, and the lanes that they go by: own processes, or another's executor."""

    def __init__(
        self,
        todo: list[RunConfig],
        ledger: Ledger,
        device: str,
        retries: int,
        executor: Executor | None,
        jobs: int,
    ) -> None:
        self.waiting, self.ledger, self.device, self.retries = deque(todo), ledger, device, retries
        self.running: dict[Future[RunRecord], tuple[RunConfig, Executor]] = {}
        self.own = [_new_process() for _ in range(min(jobs, len(todo)))] if executor is None else []
        self.free: list[Executor] = [*self.own] if executor is None else [executor] * len(todo)
        self.asker = None if executor is None else Asker(todo, ledger, executor, device)
        self.failures: Counter[RunConfig] = Counter()
        self.status = Status(len(todo))

    def _error(self, future: Future[RunRecord]) -> BaseException | None:
        """Return why a run failed, or None once its record is in the ledger that is seen from here."""
        try:
            record = future.result()
            if self.asker is not None:
                self.asker.check(record)
            if self.ledger.get(record.config) is None:  # the worker has other folders
                self.ledger.put(record)
        except futures.CancelledError:
            return ConnectionError("it was let go of: the scheduler, or the connection to it, was lost")
        except Exception as error:
            return error
        return None

    def _end(self, future: Future[RunRecord]) -> None:
        config, lane = self.running.pop(future)
        error = self._error(future)
        if isinstance(error, BrokenExecutor) and lane in self.own:  # its process was lost
            lane.shutdown(wait=False)
            self.own[self.own.index(lane)] = lane = _new_process()
        self.free.append(lane)
        if error is not None:
            self.failures[config] += 1
            with contextlib.suppress(OSError):
                self.ledger.put_failure(config, error)
            if not isinstance(error, NOT_RETRIED) and self.failures[config] <= self.retries:
                self.status.retried.append((config, error))
                self.waiting.append(config)
                return
        self.status.ended[config] = error

    def go(self, watch: Callable[[Status], None] | None) -> dict[RunConfig, BaseException | None]:
        """Hand out runs until all have ended."""
        while self.waiting or self.running:
            while self.waiting and self.free:
                config, lane = self.waiting.popleft(), self.free.pop()
                try:
                    work = work_here if self.asker is None else self.asker.work(config)
                    future: Future[RunRecord] = lane.submit(work, config, self.ledger.root, self.device)
                except BrokenExecutor as error:  # it was lost while it had nothing to do
                    future = Future()
                    future.set_exception(error)
                self.running[future] = config, lane
            self.status.waiting = len(self.waiting)
            self.status.running = [config for config, _ in self.running.values()]
            if watch is not None:
                watch(self.status)
            ended, _ = futures.wait(self.running, _LOOK if watch else None, futures.FIRST_COMPLETED)
            for future in ended:
                self._end(future)
        if watch is not None:
            self.status.running = []
            watch(self.status)
        return self.status.ended

    def stop(self) -> None:
        """Let go of what has not ended; own processes end now, and leave their checkpoints."""
        for future in self.running:
            future.cancel()
        for pool in self.own:
            for process in list((pool._processes or {}).values()):  # Python 3.14 has terminate_workers()
                process.terminate()


def run(
    configs: Sequence[RunConfig],
    ledger: Ledger | None = None,
    executor: Executor | None = None,
    jobs: int = 1,
    device: str = "auto",
    retries: int = 1,
    watch: Callable[[Status], None] | None = None,
) -> dict[str, BaseException | None]:
    """Train the missing runs on an executor, by default `jobs` local processes of one thread each.

    Each failure is noted in the ledger. A run that lost its worker, its memory or its disk is tried again,
    from its checkpoint; one that would fail in the same way again (see `NOT_RETRIED`) is not. When this is
    interrupted, local processes are stopped; the next call goes on from their checkpoints. For each run that
    was missing, by run id, its error is returned, or None where it is now in the ledger.

    Parameters
    ----------
    configs : sequence of RunConfig
        The runs that are wanted; those in the ledger are left alone.
    ledger : Ledger, optional
        Where records are kept. A worker puts its record there itself; if it cannot see this folder, the
        record that it returns is put there from here.
    executor : concurrent.futures.Executor, optional
        Who trains; it gets all runs at once and is not shut down.
    jobs, device : int, str
        Number of processes where no executor is given, and where each run trains.
    retries : int
        How often a run is tried again after a failure that may pass.
    watch : callable, optional
        Called with the `Status` each second and after each run, as a `Display` is.

    Raises
    ------
    ValueError
        For fewer than 1 job or 0 retries, or a device that is not there (an executor looks after its own).
    MixedImages
        As `require_images_at_hand` does.

    Examples
    --------
    >>> run([])
    {}
    """
    if jobs < 1:
        raise ValueError(f"jobs is the number of processes, at least 1, not {jobs}")
    if retries < 0:
        raise ValueError(f"retries is how often a run is tried again, 0 or more, not {retries}")
    if executor is None:
        resolve_device(device)
    ledger = Ledger() if ledger is None else ledger
    configs = list(configs)
    if not (todo := missing(configs, ledger)):
        return {}
    require_images_at_hand(configs, ledger)
    remove_stale(ledger.root)
    remove_stale(cache_root() / "checkpoints")
    sweep = _Sweep(todo, ledger, device, retries, executor, jobs)
    try:
        ended = sweep.go(watch)
    except BaseException:
        sweep.stop()
        raise
    finally:
        for pool in sweep.own:
            pool.shutdown(cancel_futures=True)
    return {config.run_id: error for config, error in ended.items()}
