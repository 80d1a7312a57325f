"""Images of one's own, as few and as oddly named as people have them."""

import numpy as np
import pytest
from PIL import Image

CLASSES = {"mésange bleue": 60, "pie #2": 128, "rouge-gorge $x_1$": 200}


@pytest.fixture
def write_tree():
    """Return a function that writes 120 images in three classes, told apart by their gray level."""

    def write(folder, side=16, train=30, test=10):
        rng = np.random.default_rng(0)
        for name, level in CLASSES.items():
            for split, count in (("train", train), ("test", test)):
                (folder / split / name).mkdir(parents=True)
                for place in range(count):
                    pixels = rng.normal(level, 30, (side, side, 3)).clip(0, 255).astype(np.uint8)
                    Image.fromarray(pixels).save(folder / split / name / f"photo n° {place} #.png")
        return folder

    return write
