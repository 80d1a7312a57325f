"""A small tree in Clothing1M's official layout: to see that what reads it and trains on it runs."""

from pathlib import Path

import numpy as np
from PIL import Image

from sce_lib.data.clothing1m import CATEGORIES

CLOTHES = (
    *("T-Shirt", "Shirt", "Knitwear", "Chiffon", "Sweater", "Hoodie", "Windbreaker", "Jacket", "Downcoat"),
    *("Suit", "Shawl", "Dress", "Vest", "Underwear"),
)


class MadeClothing1M:
    """Clothing1M's layout with a few images of random pixels: a result on it says nothing about clothes.

    Parameters
    ----------
    root : path
        The folder that `write` makes.
    noisy_train, clean_train, clean_val, clean_test : int
        How many images each key list names; labels go through the classes in turn.

    Attributes
    ----------
    pixels : dict of str to ndarray
        The images by key, uint8 ``(H, W, 3)``, of different sizes.
    texts : dict of str to list of str
        The lines of the seven text files, by name. What is changed here is what `write` writes.

    Examples
    --------
    >>> import tempfile
    >>> from sce_lib.data import load_clothing1m
    >>> tree = MadeClothing1M(tempfile.mkdtemp(), noisy_train=3)
    >>> tree.label_twice()
    >>> data = load_clothing1m(tree.write())
    >>> data.train.labels.tolist(), int(data.noise_counts.sum())
    ([0, 3, 6], 28)
    """

    def __init__(
        self,
        root: str | Path,
        noisy_train: int = 28,
        clean_train: int = 28,
        clean_val: int = 5,
        clean_test: int = 28,
    ) -> None:
        self.root = Path(root)
        rng = np.random.default_rng(0)
        self.pixels: dict[str, np.ndarray] = {}
        self.texts: dict[str, list[str]] = {CATEGORIES: list(CLOTHES)}
        self.texts |= {"noisy_label_kv.txt": [], "clean_label_kv.txt": []}
        sizes = dict(
            noisy_train=noisy_train, clean_train=clean_train, clean_val=clean_val, clean_test=clean_test
        )
        for split, n in sizes.items():
            keys = [f"images/{k % 10}/{k:02d}/{split},{k}.jpg" for k in range(n)]
            self.texts[f"{split}_key_list.txt"] = keys
            kind = "noisy" if split == "noisy_train" else "clean"
            for k, key in enumerate(keys):
                self.pixels[key] = rng.integers(0, 256, (20 + k, 31, 3), dtype=np.uint8)
                self.texts[f"{kind}_label_kv.txt"].append(f"{key} {(3 * k) % len(CLOTHES)}")

    def label_twice(self) -> None:
        """Give each image of ``clean_train`` a noisy label too; every fourth gets that of the next class."""
        for k, key in enumerate(self.texts["clean_train_key_list.txt"]):
            self.texts["noisy_label_kv.txt"].append(f"{key} {(3 * k + (k % 4 == 0)) % len(CLOTHES)}")

    def write(self, texts_in: str = "") -> Path:
        """Write the tree and return its folder; the text files go into `texts_in` below it."""
        for key, pixels in self.pixels.items():
            path = self.root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, "JPEG")
        (self.root / texts_in).mkdir(parents=True, exist_ok=True)
        for name, lines in self.texts.items():
            (self.root / texts_in / name).write_text("\n".join(lines) + "\n")
        return self.root
