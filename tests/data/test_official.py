"""scikit-learn's digits, and torchvision's layouts and downloads, down to the real files."""

import gzip
import hashlib
import os
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from image_trees import random_pixels

from sce_lib.data import DatasetError, DatasetNotFound, load_dataset
from sce_lib.data.official import OFFICIAL

REAL = Path(os.environ.get("SCE_DATA") or "/nonexistent").expanduser()


def test_digits_are_scikit_learns_own():
    from sklearn.datasets import load_digits

    data = load_dataset("digits")
    images = torch.cat([data.train_images, data.test_images]).squeeze(-1).numpy()
    labels = torch.cat([data.train_labels, data.test_labels]).numpy()
    digits = load_digits()
    expected = {
        (img.astype(int).tobytes(), int(t)) for img, t in zip(digits.images, digits.target, strict=True)
    }
    got = {
        (np.rint(img / 255 * 16).astype(int).tobytes(), int(t)) for img, t in zip(images, labels, strict=True)
    }
    assert got == expected
    assert len(images) == 1797
    assert images.max() == 255
    np.testing.assert_array_equal(np.unique(images), [(v * 255 + 8) // 16 for v in range(17)])


def test_digits_are_split_by_class_and_always_alike():
    data = load_dataset("digits")
    assert (len(data.train_labels), len(data.test_labels)) == (1297, 500)
    total = torch.bincount(torch.cat([data.train_labels, data.test_labels]))
    assert ((torch.bincount(data.test_labels) - 500 * total / 1797).abs() < 1).all()
    torch.manual_seed(1)
    assert load_dataset("digits", root="/nonexistent", download=False).fingerprint == data.fingerprint


def write_idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes())


def write_mnist(root, folder="MNIST", counts=(30, 20), top=10):
    rng = np.random.default_rng(0)
    written = {}
    for split, n in zip(("train", "t10k"), counts, strict=True):
        written[split] = random_pixels(rng, (n, 28, 28)), rng.integers(0, top, n, dtype=np.uint8)
        write_idx(root / folder / "raw" / f"{split}-images-idx3-ubyte", written[split][0])
        write_idx(root / folder / "raw" / f"{split}-labels-idx1-ubyte", written[split][1])
    return written


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_mnists_layout(make, offline, name, folder):
    written = write_mnist(make.root, folder)
    data = load_dataset(name)
    assert data.image_shape == (28, 28, 1)
    assert data.source == f"torchvision {folder}"
    np.testing.assert_array_equal(data.train_images.squeeze(-1), written["train"][0])
    np.testing.assert_array_equal(data.test_images.squeeze(-1), written["t10k"][0])
    np.testing.assert_array_equal(data.train_labels, written["train"][1])
    np.testing.assert_array_equal(data.test_labels, written["t10k"][1])
    assert len(data.classes) == 10


@pytest.mark.parametrize("keep", [0, 3, 20, 2000])
def test_a_truncated_mnist_file_is_named(make, keep):
    write_mnist(make.root)
    file = make.root / "MNIST/raw/train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DatasetError, match=r"mnist: .*MNIST/raw"):
        load_dataset("mnist", download=False)


def test_a_missing_mnist_file_is_named(make, offline):
    write_mnist(make.root)
    (make.root / "MNIST/raw/t10k-labels-idx1-ubyte").unlink()
    for download, why in ((True, "refused"), (False, "download=False")):
        with pytest.raises(DatasetError, match=f"t10k-labels-idx1-ubyte is missing.*{why}"):
            load_dataset("mnist", download=download)


def test_labels_out_of_range_are_refused(make):
    write_mnist(make.root, top=12)
    with pytest.raises(DatasetError, match=r"label 1[01] at index \d+ is not a class id"):
        load_dataset("mnist")


def test_images_and_labels_must_be_as_many(make):
    write_mnist(make.root)
    write_idx(make.root / "MNIST/raw/train-labels-idx1-ubyte", np.zeros(29, np.uint8))
    with pytest.raises(DatasetError, match=r"must be int64 \(30,\)"):
        load_dataset("mnist")


def md5(content):
    return hashlib.md5(content).hexdigest()


def cifar_batch(rng, n, key, num_classes):
    pixels = random_pixels(rng, (n, 3072))
    labels = [k % num_classes for k in range(n)]
    return (
        pickle.dumps({"data": pixels, key: labels, "filenames": [f"{k}.png" for k in range(n)]}),
        pixels,
        labels,
    )


class SmallCifar:
    """A few images in the real layout of CIFAR, and torchvision's class told of their sums."""

    def __init__(self, name, root):
        base = OFFICIAL[name].reader
        key, meta_key = (
            ("labels", "label_names") if name == "cifar10" else ("fine_labels", "fine_label_names")
        )
        rng = np.random.default_rng(0)
        self.contents, self.pixels, self.labels, lists = {}, [], [], []
        for files in (base.train_list, base.test_list):
            lists.append([])
            for file, _ in files:
                content, pixels, labels = cifar_batch(rng, 110, key, len(OFFICIAL[name].classes))
                self.contents[file] = content
                lists[-1].append([file, md5(content)])
                self.pixels.append(pixels)
                self.labels += labels
        meta = pickle.dumps({meta_key: list(OFFICIAL[name].classes)})
        self.contents[base.meta["filename"]] = meta
        self.archive = root / "served" / base.filename
        self._pack(base.base_folder)
        parts = {
            "train_list": lists[0],
            "test_list": lists[1],
            "meta": {**base.meta, "md5": md5(meta)},
            "tgz_md5": md5(self.archive.read_bytes()),
        }
        self.reader = type(base.__name__, (base,), parts)

    def _pack(self, folder):
        self.archive.parent.mkdir(parents=True)
        for file, content in self.contents.items():
            path = self.archive.parent / folder / file
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        with tarfile.open(self.archive, "w:gz") as archive:
            archive.add(self.archive.parent / folder, folder)

    def put(self, root):
        for file, content in self.contents.items():
            path = root / self.reader.base_folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@pytest.fixture(params=["cifar10", "cifar100"])
def small(request, tmp_path, monkeypatch):
    small = SmallCifar(request.param, tmp_path)
    monkeypatch.setattr(torchvision.datasets, small.reader.__name__, small.reader)
    small.name = request.param
    return small


def check_small(data, small):
    pixels = np.concatenate(small.pixels).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(torch.cat([data.train_images, data.test_images]), pixels)
    assert torch.cat([data.train_labels, data.test_labels]).tolist() == small.labels
    assert len(data.test_labels) == 110
    assert data.train_images.is_contiguous()
    assert data.classes == OFFICIAL[small.name].classes
    assert data.source == f"torchvision {small.reader.__name__}"


def test_cifars_layout(small, make, offline):
    small.put(make.root)
    check_small(load_dataset(small.name), small)


def test_cifars_files_come_before_a_tree(small, make):
    small.put(make.root)
    make.zip(small.name, make.images(OFFICIAL[small.name].classes, (1, 1), (32, 32, 3), "jpg")[0])
    assert load_dataset(small.name).source.startswith("torchvision")


def test_an_archive_that_lies_there_is_unpacked_without_a_network(small, make, offline):
    make.root.mkdir()
    small.archive.rename(make.root / small.archive.name)
    check_small(load_dataset(small.name), small)


def test_cifar_is_downloaded_and_checked(small, make, server):
    small.reader.url = f"{server}/{small.archive.name}"
    check_small(load_dataset(small.name), small)


def test_a_download_with_another_sum_is_refused(small, make, server):
    small.archive.write_bytes(small.archive.read_bytes() + b"\0")
    small.reader.url = f"{server}/{small.archive.name}"
    with pytest.raises(DatasetNotFound, match="corrupted"):
        load_dataset(small.name)


def test_a_server_without_the_file_is_told(small, make, server):
    small.reader.url = f"{server}/absent.tar.gz"
    with pytest.raises(DatasetNotFound, match="404"):
        load_dataset(small.name)


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_cifar_file_is_named_or_downloaded_anew(small, make, server, damage):
    small.put(make.root)
    file = make.root / small.reader.base_folder / small.reader.test_list[0][0]
    file.write_bytes(file.read_bytes() + b"\0") if damage == "changed" else file.unlink()
    with pytest.raises(DatasetError, match=f"{file.name} (does not have its MD5 sum|is missing)"):
        load_dataset(small.name, download=False)
    small.reader.url = f"{server}/{small.archive.name}"
    check_small(load_dataset(small.name), small)


def test_mnist_is_downloaded_and_checked(make, tmp_path, monkeypatch, server):
    write_mnist(tmp_path / "served")
    raw = tmp_path / "served/MNIST/raw"
    sums = []
    for name, _ in torchvision.datasets.MNIST.resources:
        content = gzip.compress((raw / name.removesuffix(".gz")).read_bytes())
        (tmp_path / "served" / name).write_bytes(content)
        sums.append((name, md5(content)))
    parts = {"resources": sums, "mirrors": ["http://127.0.0.1:9/", f"{server}/"]}
    reader = type("MNIST", (torchvision.datasets.MNIST,), parts)
    monkeypatch.setattr(torchvision.datasets, "MNIST", reader)
    data = load_dataset("mnist")
    assert (len(data.train_labels), len(data.test_labels)) == (30, 20)


def test_cifar100_has_a_hundred_names_in_alphabetical_order():
    classes = OFFICIAL["cifar100"].classes
    assert len(set(classes)) == 100
    assert list(classes) == sorted(classes)
    assert (classes[0], classes[99]) == ("apple", "worm")


def real(path):
    return pytest.mark.skipif(not (REAL / path).exists(), reason=f"SCE_DATA has no {path}")


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "first"),
    [
        pytest.param("mnist", [5, 0, 4, 1, 9, 2, 1, 3, 1, 4], marks=real("MNIST/raw")),
        pytest.param("fashion_mnist", [9, 0, 0, 3, 0, 2, 7, 2, 5, 5], marks=real("FashionMNIST/raw")),
    ],
)
def test_real_mnist(name, first):
    data = load_dataset(name, root=REAL, download=False)
    assert data.train_images.shape == (60_000, 28, 28, 1)
    assert data.test_images.shape == (10_000, 28, 28, 1)
    assert data.train_labels[:10].tolist() == first


@pytest.mark.real_data
@real("cifar10.zip")
def test_real_cifar10():
    data = load_dataset("cifar10", root=REAL, download=False)
    assert data.train_images.shape == (50_000, 32, 32, 3)
    assert data.test_images.shape == (10_000, 32, 32, 3)
    assert data.train_labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert data.test_labels[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    assert torch.bincount(data.train_labels).tolist() == [5000] * 10
    assert data.source in ("image tree (JPEG)", "torchvision CIFAR10")
    assert data.classes[6] == "frog"
