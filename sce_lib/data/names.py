"""Names of data sets: those that are known, what a name may be, and what one that leads nowhere may mean."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from sce_lib import nearest, quoted
from sce_lib.data.errors import DatasetError

__all__ = ["KNOWN_DATASETS", "OFFICIAL", "Official", "check_name", "not_found"]


class Official(NamedTuple):
    """A data set that torchvision knows: its class there, its folder below the root, its classes in order."""

    torchvision_name: str
    folder: str
    classes: tuple[str, ...]

    @property
    def reader(self) -> Any:
        """The torchvision class; a `DatasetError` if torchvision is not installed or does not fit torch."""
        try:
            import torchvision
        except (ImportError, RuntimeError, AttributeError, OSError) as error:  # as a misfit's import ends
            raise DatasetError(
                f"{self.torchvision_name} is read and downloaded by torchvision, which cannot be imported "
                f"here ({error}): pip install 'sce-lib[data]', in the version that belongs to this torch. "
                "Images as a folder or zip need none."
            ) from error
        return getattr(torchvision.datasets, self.torchvision_name)


_FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag")
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CIFAR100 = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
    lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
    pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal
    shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank
    telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
OFFICIAL: dict[str, Official] = {
    "mnist": Official("MNIST", "MNIST/raw", tuple("0123456789")),
    "fashion_mnist": Official("FashionMNIST", "FashionMNIST/raw", (*_FASHION, "Ankle boot")),
    "cifar10": Official("CIFAR10", "cifar-10-batches-py", _CIFAR10),
    "cifar100": Official("CIFAR100", "cifar-100-python", tuple(_CIFAR100.split())),
}
KNOWN_DATASETS: tuple[str, ...] = ("digits", *OFFICIAL)
# Those, and the one that is read from disk image by image.
_NAMES = (*KNOWN_DATASETS, "clothing1m")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(name: str) -> str:
    """Return a name that a data set may have: it is a folder's too, in the ledger and in the cache.

    Raises
    ------
    DatasetError, TypeError
        For a name that is malformed, with what it may mean; for what is no text.

    Examples
    --------
    >>> check_name("cifar10")
    'cifar10'
    """
    if not isinstance(name, str):
        raise TypeError(f"a data set's name is a str, got {quoted(name)}.")
    if not _NAME.fullmatch(name):
        raise DatasetError(
            f"data set name {quoted(name)} must be letters, digits, '.', '_' and '-', beginning with a "
            f"letter or digit, 100 at most.{_guess(name, _NAMES)} Known are {', '.join(_NAMES)}. A folder is "
            "given as root (or SCE_DATA), not in the name."
        )
    return name


def _guess(name: str, known: Iterable[str]) -> str:
    close = nearest(name.lower(), known)
    return f" Did you mean {close!r}?" if close and close != name else ""


def not_found(name: str, root: Path, failure: str, trees: Iterable[str]) -> str:
    """Return what was looked for and where, what the name may mean, and how to get data.

    `failure` is what kept the download from being made, `trees` the names of image trees below the root.
    """
    looked = [f"{root / name}/{{train,test}}/<class>/<file>", f"{root / name}.zip"]
    if name in OFFICIAL:
        looked.insert(0, f"{root / OFFICIAL[name].folder}/, torchvision's files")
    own = sorted(set(trees) - set(_NAMES))
    lines = [
        f"Data set {name!r} was not found.{_guess(name, (*_NAMES, *own))} Known: {', '.join(_NAMES)}.",
        *([f"Image trees in {root}: {', '.join(own)}."] if own else []),
        "Looked for:",
        *(f"  {place}" for place in looked),
        f"Download: {failure}.",
        "Three ways to get data:",
        f"  1. download: load_dataset({name!r}, download=True) where there is internet "
        f"(torchvision has {', '.join(OFFICIAL)});",
        f"  2. put the official files, or torchvision's folder, under SCE_DATA (or root=), here {root};",
        f"  3. an image tree of your own, {looked[-2]} or that as {looked[-1]}.",
        "The digits need none of these: load_dataset('digits').",
    ]
    return "\n".join(lines)
