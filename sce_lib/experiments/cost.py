"""What a run costs before it is made: operations counted on its network, seconds from runs like it."""

import statistics
from functools import cache, lru_cache
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from sce_lib.data import load_dataset
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import Ledger, RunRecord, Summary
from sce_lib.experiments.training.task import epoch_test_size
from sce_lib.models import build_model


class Size(NamedTuple):
    """How large a data set is: its images, their height and width in pixels and channels, its classes."""

    train: int
    test: int
    side: tuple[int, int]
    channels: int
    classes: int


# Of data sets that a plan may be made for before they are there.
SIZES = {
    "digits": Size(1_297, 500, (8, 8), 1, 10),
    "mnist": Size(60_000, 10_000, (28, 28), 1, 10),
    "fashion_mnist": Size(60_000, 10_000, (28, 28), 1, 10),
    "cifar10": Size(50_000, 10_000, (32, 32), 3, 10),
    "cifar100": Size(50_000, 10_000, (32, 32), 3, 100),
    "tiny_imagenet100": Size(50_000, 5_000, (32, 32), 3, 100),
    "clothing1m": Size(1_000_000, 10_526, (224, 224), 3, 14),
}


@lru_cache
def _size(dataset: str) -> Size:
    if dataset in SIZES:
        return SIZES[dataset]
    data = load_dataset(dataset)
    height, width, channels = data.image_shape
    return Size(len(data.train_labels), len(data.test_labels), (height, width), channels, len(data.classes))


@lru_cache
def flops_per_image(name: str, width: float, size: Size) -> tuple[int, int]:
    """Return the operations of a network on one image: a forward pass, and a forward and a backward one.

    Counted are convolutions and matrix products, a multiplication and an addition each, as
    `torch.utils.flop_counter` does; on the meta device, so that nothing is computed.

    Examples
    --------
    >>> flops_per_image("cnn4", 1.0, SIZES["digits"])
    (694784, 2047488)
    """
    batch = 2
    with torch.device("meta"):
        model = build_model(name, size.classes, size.channels, size.side, width)
        images = torch.empty(batch, size.channels, *size.side)
        with FlopCounterMode(display=False) as forward:
            logits = model(images)
        with FlopCounterMode(display=False) as backward:
            logits.sum().backward()
    forwards = forward.get_total_flops()
    return forwards // batch, (forwards + backward.get_total_flops()) // batch


def flops(config: RunConfig) -> int:
    """Return the operations of a whole run: training, and the evaluations that its record needs.

    Of a data set that is not in `SIZES` the images are looked at.

    Examples
    --------
    >>> f"{flops(RunConfig.preset('cifar10', 'ce', profile='full')):.1e}"
    '5.2e+15'
    """
    size, epochs = _size(config.dataset), config.optimisation.epochs
    forward, both = flops_per_image(config.model.name, config.model.width, size)
    train = min(config.n_train or size.train, size.train)
    each_epoch, stages = epoch_test_size(train, size.test), len(config.stages)
    # At a stage the whole test set takes the place of the epoch's, and it is looked at once more at the end.
    evaluated = (epochs - stages) * each_epoch + stages * (train + size.test) + size.test
    return epochs * train * both + evaluated * forward


def speed(record: RunRecord | Summary) -> float:
    """Return the operations a second that a run was made with, evaluations included."""
    return flops(record.config) / max(record.provenance.seconds, 1e-3)


class Pace:
    """How fast runs are made, by the records of a ledger: looked up once, for as many runs as are asked for.

    Times were taken on whatever machine made the records. Runs of a CPU say nothing of a GPU, nor the other
    way round.

    Parameters
    ----------
    ledger, device : Ledger, str
        Whose records, and the kind of device that they were made on: ``"cpu"``, or another.
    """

    def __init__(self, ledger: Ledger, device: str = "cpu") -> None:
        self._speeds: dict[tuple[str, float], list[float]] = {}
        for record in ledger.summaries():
            if (record.provenance.device == "cpu") == (device == "cpu"):
                model = record.config.model
                self._speeds.setdefault((model.name, model.width), []).append(speed(record))
        self._nearest = cache(self._median)

    def _median(self, name: str, width: float) -> float | None:
        """Return the median speed of a network at a width, else of the network, else of any."""
        network = [value for (of, _), values in self._speeds.items() if of == name for value in values]
        every = [value for values in self._speeds.values() for value in values]
        alike = self._speeds.get((name, width)) or network or every
        return statistics.median(alike) if alike else None

    def seconds(self, config: RunConfig) -> float | None:
        """Return the seconds that a run will take, or None where no record says anything of it."""
        known = self._nearest(config.model.name, config.model.width)
        return None if known is None else flops(config) / known
