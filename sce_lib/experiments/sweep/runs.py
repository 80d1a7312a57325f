"""Runs and their records: which are there, which are missing, and one of them made."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from sce_lib.data import DatasetError, DatasetNotFound, ImageData, LazyImageData
from sce_lib.data.names import KNOWN_DATASETS
from sce_lib.data.trees import find_tree
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.base import did_you_mean
from sce_lib.experiments.ledger import (
    Ledger,
    MissingRuns,
    MixedImages,
    RunRecord,
    Summary,
    described_images,
    require_same_images,
)
from sce_lib.experiments.training import discard_checkpoint, resolve_device, train
from sce_lib.experiments.training.task import load_images
from sce_lib.files import data_root


def ensure(
    config: RunConfig,
    ledger: Ledger,
    device: str = "auto",
    threads: int | None = 1,
    root: str | Path | None = None,
    progress: bool = True,
    data: ImageData | LazyImageData | None = None,
) -> RunRecord:
    """Return a run's record, training it first if the ledger has none.

    One thread by default: the number of threads moves a result by rounding, and small runs gain nothing
    from a second. Whoever asks second for the same run waits for the first and reads its record. A failure is
    noted in the ledger's ``failed`` folder and raised.
    """
    if (record := ledger.get(config)) is not None:
        return record
    resolve_device(device)  # a slip of the caller's, no failure of the run
    ledger.require_place(config)
    with ledger.lock(config):
        if (record := ledger.get(config)) is not None:
            return record
        try:
            record = train(config, device, threads=threads, root=root, progress=progress, data=data)
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
    """Return the records of those runs that the ledger has; nothing is trained or asked for.

    Raises
    ------
    MixedImages
        If those of one data set were made from different images.
    """
    ledger = ledger or Ledger()
    found = [record for config in configs if (record := ledger.get(config)) is not None]
    require_same_images(found)
    return found


def present_with_any_seed(configs: Iterable[RunConfig], ledger: Ledger | None = None) -> list[RunRecord]:
    """Return the records of those settings that the ledger has, whatever their seeds; in order of seed.

    Raises
    ------
    MixedImages
        As `present` does.
    """
    ledger = ledger or Ledger()
    found = [record for summary in recorded(configs, ledger) if (record := ledger.get(summary.config))]
    return sorted(found, key=lambda record: record.config.seed)


def recorded(configs: Iterable[RunConfig], ledger: Ledger) -> list[Summary]:
    """Return the summaries of those settings that the ledger has, whatever their seeds, as it has them.

    Raises
    ------
    MixedImages
        As `present` does.
    """
    settings = {config.model_copy(update={"seed": 0}) for config in configs}
    datasets = sorted({config.dataset for config in settings})
    kept = (summary for dataset in datasets for summary in ledger.summaries(dataset))
    found = [summary for summary in kept if summary.config.model_copy(update={"seed": 0}) in settings]
    require_same_images(found)
    return found


def require_images_at_hand(configs: Iterable[RunConfig], ledger: Ledger) -> None:
    """Raise if the missing runs would be trained on other images than those that the ledger has were.

    Those of other seeds count too. Data that are not here, or damaged, are left to the runs to report.

    Raises
    ------
    MixedImages
        The message says of what images the records are, and what lies here.
    """
    configs = list(configs)
    records = recorded(configs, ledger)
    there, images = {r.config for r in records}, {r.config.dataset: r.provenance for r in records}
    lacking = {config.dataset: config for config in configs if config not in there}
    for dataset in sorted(lacking.keys() & images.keys()):
        try:
            here, made = load_images(lacking[dataset], download=False), images[dataset]
        except (DatasetError, DatasetNotFound):
            continue
        if here.fingerprint != made.fingerprint:
            theirs, ours = (described_images(of.source, of.fingerprint) for of in (made, here))
            raise MixedImages(
                f"runs of {dataset} in {ledger.root} are of {theirs}, but the images here are {ours}: what "
                "is trained on them cannot be compared with these. Keep it in a ledger of its own (--ledger, "
                "or SCE_LEDGER)"
            )


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
    MixedImages
        If those of one data set were made from different images, or would be.
    """
    ledger = ledger or Ledger()
    if train_missing:
        require_images_at_hand(configs, ledger)
        return [ensure(config, ledger, device) for config in configs]
    records = present(configs, ledger)
    if len(records) < len(configs):
        absent = missing(configs, ledger)
        names = "\n  ".join(f"{config.dataset}/{config.run_id}" for config in absent)
        raise MissingRuns(
            f"{_unheard_of(absent, ledger)}{len(absent)} of {len(configs)} runs are not in {ledger.root}:\n"
            f"  {names}\n"
            "Set train_missing=True to train them here, or make them with `sce sweep`."
        )
    return records


def _unheard_of(configs: Iterable[RunConfig], ledger: Ledger) -> str:
    """Return a line for each data set that is neither known nor here as images or records: a typo, say."""
    root = data_root()
    names = {path.name.removesuffix(".zip") for path in root.iterdir()} if root.is_dir() else set()
    known = {*KNOWN_DATASETS, "clothing1m", *(name for name in names if find_tree(root, name))}
    if not (strange := {config.dataset for config in configs} - known):
        return ""
    known |= {summary.config.dataset for summary in ledger.summaries()}
    return "".join(
        f"data set {name!r} is not known, and there are neither images of it in {root} nor records"
        f"{did_you_mean(name, sorted(known))}\n"
        for name in sorted(strange - known)
    )
