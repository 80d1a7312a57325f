"""Small image trees, written by the tests themselves."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from sce_lib.data import MadeClothing1M


def encode(pixels, kind="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def random_pixels(rng, shape):
    return rng.integers(0, 256, shape, dtype=np.uint8)


class TreeMaker:
    """Writes files given as {member: bytes} into a folder or a zip."""

    def __init__(self, root: Path):
        self.root = root

    def folder(self, name, files):
        for member, content in files.items():
            path = self.root / name / member
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content) if not member.endswith("/") else path.mkdir(exist_ok=True)
        return self.root

    def zip(self, name, files, prefix=""):
        self.root.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(self.root / f"{name}.zip", "w") as archive:
            for member, content in files.items():
                archive.writestr(prefix + member, content)
        return self.root

    def images(self, classes=("ant", "bee"), per_class=(3, 2), shape=(6, 5, 3), kind="png", seed=0):
        """Return the files of a tree and the pixels in them, both by member name."""
        rng = np.random.default_rng(seed)
        names = [
            f"{split}/{c}/{k * len(classes) + place:04d}.{kind}"
            for split, count in zip(("train", "test"), per_class, strict=True)
            for place, c in enumerate(classes)
            for k in range(count)
        ]
        pixels = {name: random_pixels(rng, shape) for name in names}
        form = {"jpg": "JPEG", "jpeg": "JPEG"}.get(kind, kind.upper())
        return {
            name: encode(p.squeeze(-1) if p.shape[-1] == 1 else p, form) for name, p in pixels.items()
        }, pixels


class Clothing(MadeClothing1M):
    """Clothing1M's layout with few images, of which two of clean_train, one of clean_val and one of
    clean_test have a noisy label as well.
    """

    def __init__(self, root):
        super().__init__(root, noisy_train=30, clean_train=6, clean_test=4)
        for split, k in (("clean_train", 0), ("clean_train", 1), ("clean_val", 1), ("clean_test", 0)):
            self.texts["noisy_label_kv.txt"].append(f"{self.texts[f'{split}_key_list.txt'][k]} 13")
