"""What stands in the way of runs, before they begin: known from the data that lie here."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sce_lib.data import DatasetNotFound, ImageData, LazyImageData
from sce_lib.data.at_hand import require_room
from sce_lib.data.names import OFFICIAL
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.training.criterion import build_criterion
from sce_lib.experiments.training.task import choose_and_corrupt, load_images, num_training_images, shortfalls


@dataclass(frozen=True)
class Outlook:
    """What can be known of runs before they begin.

    Parameters
    ----------
    remarks : tuple of str
        What they will have less of than they ask for, and what must be downloaded first.
    obstacles : dict of str to int
        Why runs cannot begin at all, and how many of them each reason keeps.
    """

    remarks: tuple[str, ...]
    obstacles: dict[str, int]


def outlook(configs: Iterable[RunConfig]) -> Outlook:
    """Return what stands in the way of runs: data, matrices or human labels that are not there, tiny images.

    Data sets are read, labels drawn and losses built as training does it; nothing is trained or downloaded.

    Examples
    --------
    >>> runs = [RunConfig.preset("digits", "ce", noise) for noise in ("symmetric-0.4", "human-worse_label")]
    >>> outlook(runs).obstacles
    {"there are no human labels for 'digits': they are of cifar10 and cifar100": 1}
    """
    remarks: dict[str, None] = {}
    obstacles: Counter[str] = Counter()
    loaded: dict[str, ImageData | LazyImageData | Exception] = {}
    for config in configs:
        name = config.dataset
        if name not in loaded:
            loaded[name] = _at_hand(config)
        data = loaded[name]
        if isinstance(data, DatasetNotFound) and name in OFFICIAL:
            remarks[f"{name} is not here: torchvision downloads it when the first run begins"] = None
            continue
        try:
            if isinstance(data, Exception):
                raise data
            require_room(name, data.image_shape, config.augmentation.shift)
            labels = choose_and_corrupt(config, data)[2]
            build_criterion(config.method, labels.requested, config.optimisation.epochs, len(labels.labels))
        except (ValueError, OSError) as error:
            obstacles[str(error).splitlines()[0]] += 1
        else:
            remarks |= dict.fromkeys(shortfalls(config, num_training_images(data)))
    return Outlook(tuple(remarks), dict(obstacles))


def _at_hand(config: RunConfig) -> ImageData | LazyImageData | Exception:
    """Return a run's images, or why they cannot be had from this disk."""
    try:
        return load_images(config, download=False)
    except (ValueError, OSError) as error:
        return error
