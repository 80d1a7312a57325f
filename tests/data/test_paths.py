"""The file that is named for an image is the one that holds it."""

import io

import numpy as np
import pytest
import torch
from image_trees import Clothing, TreeMaker
from PIL import Image

from sce_lib.data import image_paths, load_clothing1m, load_dataset

NAMES = [
    "train/ant/10.png",
    "train/ant/9.png",
    "train/bee/9.png",
    "train/bee/été #2.png",
    "train/ant/a b.png",
]


def tree_of(maker):
    """Return files in an order that is not that of their names, and two images of one stem."""
    rng = np.random.default_rng(0)
    files, _ = maker.images()
    shape = (6, 5, 3)
    for name in NAMES:
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(stream := io.BytesIO(), "PNG")
        files[name] = stream.getvalue()
    return files


@pytest.mark.parametrize("kind", ["folder", "zip", "zip with a prefix"])
def test_of_a_tree(tmp_path, kind):
    maker = TreeMaker(tmp_path)
    files = tree_of(maker)
    if kind == "folder":
        maker.folder("mine", files)
    else:
        maker.zip("mine", files, "mine/" if "prefix" in kind else "")
    data = load_dataset("mine", tmp_path)
    paths = image_paths(data, tmp_path)
    assert len(paths) == len(set(paths)) == len(data.train_labels) == 11
    for path, image, label in zip(paths, data.train_images, data.train_labels, strict=True):
        inside = "/".join(path.parts[-3:])
        assert str(path).startswith(str(tmp_path / ("mine" if kind == "folder" else "mine.zip")))
        assert torch.equal(torch.from_numpy(np.array(Image.open(io.BytesIO(files[inside])))), image)
        assert path.parts[-2] == data.classes[label]
    assert kind != "folder" or all(path.is_file() for path in paths)


def test_a_tree_that_has_changed_is_not_named_wrongly(tmp_path):
    maker = TreeMaker(tmp_path)
    files = tree_of(maker)
    maker.folder("mine", files)
    data = load_dataset("mine", tmp_path)
    (tmp_path / "mine" / NAMES[0]).unlink()
    with pytest.raises(ValueError, match="has 10 training images, and had 11"):
        image_paths(data, tmp_path)


def test_of_images_read_from_disk(tmp_path):
    made = Clothing(tmp_path / "clothing1m")
    made.write()
    data = load_clothing1m(tmp_path / "clothing1m")
    paths = image_paths(data)
    assert len(paths) == len(data.train)
    assert all(path.is_file() for path in paths)
