"""What a worker elsewhere must have in common with whoever asks it: code, and the images of each data set."""

import functools
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path

from sce_lib.data import DatasetError, DatasetNotFound, ImageData, LazyImageData
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import Ledger, MixedImages, RunRecord, described_images
from sce_lib.experiments.sweep.runs import ensure, recorded
from sce_lib.experiments.training.provenance import code_digest
from sce_lib.experiments.training.task import load_images

# Where images came from, and their fingerprint.
Images = tuple[str, str]


class OtherCode(ValueError):
    """A worker would train by other code than that of whoever asks it."""


def work_here(config: RunConfig, ledger_root: Path, device: str) -> RunRecord:
    """Train one run in a worker process, on one thread; the record is kept there if it can, and returned."""
    return ensure(config, Ledger(ledger_root), device, threads=1, progress=False)


def _work_elsewhere(
    config: RunConfig, ledger_root: Path, device: str, code: str, images: Images | None
) -> RunRecord:
    """Do what `work_here` does, unless this worker's code or images are not those of whoever asks."""
    if (here := code_digest()) != code:
        raise OtherCode(
            f"the worker on {socket.gethostname()} has other code of sce-lib ({here}) than whoever asks it "
            f"({code}): install the same version on both"
        )
    data = load_images(config)
    who = f"the worker on {socket.gethostname()}"
    _require_same(images or _told(data), _told(data), config.dataset, who)
    return ensure(config, Ledger(ledger_root), device, threads=1, progress=False, data=data)


def _images_of(config: RunConfig, ledger_root: Path, device: str) -> Images:
    """Return what images a run would be trained on here; it is called as `work_here` is."""
    return _told(load_images(config))


def _told(data: ImageData | LazyImageData) -> Images:
    return data.source, data.fingerprint


def _require_same(wanted: Images, found: Images, dataset: str, who: str) -> None:
    if wanted[1] != found[1]:
        raise MixedImages(
            f"{who} has other images of {dataset} than the rest: {described_images(*found)}, not "
            f"{described_images(*wanted)}. Give all workers the same data set, or keep the runs of each in a "
            "ledger of its own"
        )


class Asker:
    """Hands runs to workers elsewhere, and takes their records only if they are of the same images.

    Which images are the right ones is told by the ledger's records of the same settings, else by the data
    sets here, else by the first worker to answer.

    Parameters
    ----------
    configs, ledger, executor, device
        The missing runs, and what `sce_lib.experiments.sweep.run` has them done with.
    """

    def __init__(self, configs: Iterable[RunConfig], ledger: Ledger, executor: Executor, device: str) -> None:
        configs = list(configs)
        made = {record.config.dataset: record.provenance for record in recorded(configs, ledger)}
        self._images: dict[str, Images] = {name: (of.source, of.fingerprint) for name, of in made.items()}
        for config in configs:
            if config.dataset not in self._images:
                self._images |= _found(config, ledger, executor, device)

    def work(self, config: RunConfig) -> Callable[..., RunRecord]:
        """Return what a worker is to call for a run, with the arguments of `work_here`."""
        return functools.partial(_work_elsewhere, code=code_digest(), images=self._images.get(config.dataset))

    def check(self, record: RunRecord) -> None:
        """Raise unless a worker's record is of the same images as those before it.

        Raises
        ------
        MixedImages
            The message says of which images it is, and which were wanted.
        """
        made, dataset = record.provenance, record.config.dataset
        found = made.source, made.fingerprint
        _require_same(self._images.setdefault(dataset, found), found, dataset, "a worker")


def _found(config: RunConfig, ledger: Ledger, executor: Executor, device: str) -> dict[str, Images]:
    """Return the images of a run's data set here, else where a worker is that answers, else none."""
    try:
        return {config.dataset: _told(load_images(config, download=False))}
    except (DatasetError, DatasetNotFound):
        pass
    try:
        return {config.dataset: executor.submit(_images_of, config, ledger.root, device).result()}
    except Exception:  # the runs themselves will say what is wrong there
        return {}
