"""From runs that are wanted to records in the ledger: train what is missing, once each."""

import contextlib
import multiprocessing
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from pathlib import Path

from sce_lib.config import RunConfig
from sce_lib.ledger import Ledger, MissingRuns, RunRecord
from sce_lib.training import discard_checkpoint, resolve_device, train


def ensure(
    config: RunConfig,
    ledger: Ledger,
    device: str = "auto",
    threads: int | None = 1,
    root: str | Path | None = None,
    progress: bool = True,
) -> RunRecord:
    """Return a run's record, training it first if the ledger has none.

    One thread by default: the number of threads moves a result by rounding, and small runs gain nothing
    from a second. Whoever asks second for the same run waits for the first and reads its record. A failure is
    noted in the ledger's ``failed`` folder and raised.
    """
    if (record := ledger.get(config)) is not None:
        return record
    resolve_device(device)  # a slip of the caller's, no failure of the run
    with ledger.lock(config):
        if (record := ledger.get(config)) is not None:
            return record
        try:
            record = train(config, device, threads=threads, root=root, progress=progress)
        except Exception as error:
            with contextlib.suppress(OSError):  # a full disk, say, is the error that is to be seen
                ledger.put_failure(config, error)
            raise
        ledger.put(record)
        discard_checkpoint(config)
        return record


def missing(configs: Iterable[RunConfig], ledger: Ledger) -> list[RunConfig]:
    """Return the runs, each once, that the ledger has no whole record of."""
    wanted = {(config.dataset, config.run_id): config for config in configs}
    return [config for config in wanted.values() if ledger.get(config) is None]


def _work(config: RunConfig, ledger_root: Path, device: str) -> str:
    """Train one run in a worker process, on one thread."""
    ensure(config, Ledger(ledger_root), device, threads=1, progress=False)
    return config.run_id


def run(
    configs: Sequence[RunConfig],
    ledger: Ledger | None = None,
    executor: Executor | None = None,
    jobs: int = 1,
    device: str = "auto",
) -> dict[str, BaseException | None]:
    """Train the missing runs on an executor, by default `jobs` local processes of one thread each.

    Parameters
    ----------
    configs : sequence of RunConfig
        The runs that are wanted; those in the ledger are left alone.
    ledger : Ledger, optional
        Where records are kept.
    executor : concurrent.futures.Executor, optional
        Who trains; it is not shut down.
    jobs : int
        Number of processes where no executor is given.
    device : str
        Where each run trains.

    Returns
    -------
    dict
        For each run that was missing, by run id, its error, or None where it is now in the ledger.

    Raises
    ------
    ValueError
        For fewer than one job, or a device that is not there (an executor's workers see to their own).

    Examples
    --------
    >>> run([])
    {}
    """
    if jobs < 1:
        raise ValueError(f"jobs is the number of processes, at least 1, not {jobs}")
    if executor is None:
        resolve_device(device)
    ledger = Ledger() if ledger is None else ledger
    todo = missing(configs, ledger)
    if not todo:
        return {}
    pool = executor or ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    try:
        futures = {pool.submit(_work, config, ledger.root, device): config.run_id for config in todo}
        return {futures[future]: future.exception() for future in as_completed(futures)}
    finally:
        if executor is None:
            pool.shutdown(cancel_futures=True)


def present(configs: Iterable[RunConfig], ledger: Ledger | None = None) -> list[RunRecord]:
    """Return the records of those runs that the ledger has; nothing is trained or asked for."""
    ledger = Ledger() if ledger is None else ledger
    return [record for config in configs if (record := ledger.get(config)) is not None]


def collect(
    configs: Sequence[RunConfig],
    ledger: Ledger | None = None,
    train_missing: bool = False,
    device: str = "auto",
) -> list[RunRecord]:
    """Return the records of runs, in their order; train those that are missing if told to.

    Raises
    ------
    MissingRuns
        If records are missing and `train_missing` is off; the message names them and says what to do.
    """
    ledger = Ledger() if ledger is None else ledger
    if train_missing:
        return [ensure(config, ledger, device) for config in configs]
    found = {config: ledger.get(config) for config in configs}
    absent = [config for config, record in found.items() if record is None]
    if absent:
        names = "\n  ".join(f"{config.dataset}/{config.run_id}" for config in absent)
        raise MissingRuns(
            f"{len(absent)} of {len(configs)} runs are not in {ledger.root}:\n  {names}\n"
            "Set train_missing=True to train them here, or make them with `sce sweep`."
        )
    return [record for config in configs if (record := found[config]) is not None]
