"""Small image trees, written by the tests themselves."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


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


CLOTHES = (
    "T-Shirt",
    "Shirt",
    "Knitwear",
    "Chiffon",
    "Sweater",
    "Hoodie",
    "Windbreaker",
    "Jacket",
    "Downcoat",
    "Suit",
    "Shawl",
    "Dress",
    "Vest",
    "Underwear",
)


class Clothing:
    """The official layout with a few small images, its text files kept as lists of lines to tamper with."""

    def __init__(self, root, noisy_train=30, clean_train=6, clean_test=4):
        self.root = root
        rng = np.random.default_rng(0)
        self.pixels = {}
        self.texts = {
            "category_names_eng.txt": list(CLOTHES),
            "noisy_label_kv.txt": [],
            "clean_label_kv.txt": [],
        }
        sizes = {
            "noisy_train": noisy_train,
            "clean_train": clean_train,
            "clean_val": 5,
            "clean_test": clean_test,
        }
        for split, n in sizes.items():
            keys = [f"images/{k % 10}/{k:02d}/{split},{k}.jpg" for k in range(n)]
            self.texts[f"{split}_key_list.txt"] = keys
            for k, key in enumerate(keys):
                self.pixels[key] = random_pixels(rng, (20 + k, 31, 3))
                kind = "noisy" if split == "noisy_train" else "clean"
                self.texts[f"{kind}_label_kv.txt"].append(f"{key} {(3 * k) % 14}")
        # Two images of clean_train, one of clean_val and one of clean_test have noisy labels as well.
        for split, k in (("clean_train", 0), ("clean_train", 1), ("clean_val", 1), ("clean_test", 0)):
            self.texts["noisy_label_kv.txt"].append(f"{self.texts[f'{split}_key_list.txt'][k]} 13")

    def write(self, texts_in=""):
        for key, pixels in self.pixels.items():
            path = self.root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(pixels, "JPEG"))
        (self.root / texts_in).mkdir(parents=True, exist_ok=True)
        for name, lines in self.texts.items():
            (self.root / texts_in / name).write_text("\n".join(lines) + "\n")
        return self.root
