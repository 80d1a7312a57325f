"""Runs and their records: which are there, which are missing, and one of them made."""

import contextlib
from collections.abc import Iterable, Sequence
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
