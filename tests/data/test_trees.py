"""Image trees as folders and zips: order, pixels, and each bad one refused by name."""

import os
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from image_trees import encode
from PIL import Image

from sce_lib.data import DatasetError, DatasetNotFound, load_dataset
from sce_lib.data.trees import class_order

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load(name="mine", **options):
    return load_dataset(name, download=False, **options)


@pytest.mark.parametrize(("where", "channels"), [("folder", 3), ("zip with prefix", 1), ("zip without", 3)])
def test_pixels_labels_and_order(make, where, channels):
    files, pixels = make.images(shape=(6, 5, channels))
    if where == "folder":
        make.folder("mine", files)
    else:
        make.zip("mine", files, prefix="mine/" if where == "zip with prefix" else "")
    data = load()
    assert data.name == "mine"
    assert data.classes == ("ant", "bee")
    assert data.source == "image tree (PNG)"
    for split, images, labels in (
        ("train", data.train_images, data.train_labels),
        ("test", data.test_images, data.test_labels),
    ):
        members = sorted((m for m in pixels if m.startswith(split)), key=lambda m: m.rsplit("/", 1)[1])
        assert images.dtype == torch.uint8
        assert labels.dtype == torch.int64
        assert images.is_contiguous()
        np.testing.assert_array_equal(images.numpy(), np.stack([pixels[m] for m in members]))
        assert [data.classes[k] for k in labels] == [m.split("/")[1] for m in members]


class Unflagged(zipfile.ZipInfo):
    """A member whose name is written as UTF-8 without the flag that says so, as Info-ZIP does."""

    def _encodeFilenameFlags(self):
        return self.filename.encode(), self.flag_bits & ~0x800


def test_names_of_a_zip_that_are_utf8_without_saying_so(make):
    files, _ = make.images(("mésange bleue", "pie #2"))
    make.root.mkdir()
    with zipfile.ZipFile(make.root / "mine.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(Unflagged(name), content)
    with zipfile.ZipFile(make.root / "mine.zip") as archive:
        assert not any("é" in name for name in archive.namelist())
    data = load()
    assert data.classes == ("mésange bleue", "pie #2")
    assert len(data.train_labels) == 6


def test_folder_and_zip_give_the_same_fingerprint(make, tmp_path):
    files, _ = make.images()
    make.folder("mine", files)
    first = load().fingerprint
    other = type(make)(tmp_path / "elsewhere")
    other.zip("mine", dict(reversed(files.items())), prefix="mine/")
    assert load(root=other.root).fingerprint == first


def test_numbers_in_stems_count_by_value_and_across_classes(make):
    files = {
        f"{split}/{c}/im{k}.png": encode(np.full((2, 2, 3), k, dtype=np.uint8))
        for split in ("train", "test")
        for k, c in ((10, "ant"), (9, "bee"), (100, "ant"), (2, "bee"))
    }
    make.folder("mine", files)
    data = load()
    assert data.train_images[:, 0, 0, 0].tolist() == [2, 9, 10, 100]
    assert data.train_labels.tolist() == [1, 1, 0, 0]


def test_equal_stems_are_ordered_by_class(make):
    files = {f"{s}/{c}/{k}.png": encode(np.zeros((2, 2, 3), np.uint8)) for s in ("train", "test")
             for c in ("bee", "ant") for k in (1, 0)}  # fmt: skip
    make.folder("mine", files)
    assert load().train_labels.tolist() == [0, 1, 0, 1]


def test_cifar10_falls_back_to_a_jpeg_tree_in_official_class_order(make):
    files, _ = make.images(CIFAR10[::-1], (2, 1), (32, 32, 3), kind="jpg")
    make.zip("cifar10", files, prefix="cifar10/")
    data = load("cifar10")
    assert data.classes == CIFAR10
    assert data.source == "image tree (JPEG)"
    assert data.train_labels.tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0] * 2


def test_jpeg_is_decoded_as_pillow_does(make):
    rng = np.random.default_rng(0)
    content = encode(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), "JPEG", quality=75)
    make.zip("mine", {f"{s}/{c}/0.jpg": content for s in ("train", "test") for c in "ab"})
    path = make.root / "x.jpg"
    path.write_bytes(content)
    np.testing.assert_array_equal(load().train_images[0].numpy(), np.asarray(Image.open(path)))


def test_a_named_tree_may_use_class_ids(make):
    files, _ = make.images([str(k) for k in range(10)], (1, 1), (8, 8, 1))
    make.folder("fashion_mnist", files)
    data = load("fashion_mnist")
    assert data.classes[0] == "T-shirt/top"
    assert data.train_labels.tolist() == list(range(10))


def test_a_named_tree_with_other_classes_is_refused(make):
    files, _ = make.images(("cat", "dog"))
    make.folder("cifar10", files)
    with pytest.raises(DatasetError, match=r"missing \['airplane'.*name of its own"):
        load("cifar10")


@given(st.permutations([*range(12)]))
def test_folders_that_are_whole_numbers_count_by_value(ids):
    assert class_order({str(k) for k in ids}, None, None) == [str(k) for k in range(12)]


def test_other_folders_are_sorted_by_name():
    assert class_order({"b", "a10", "a9", "B"}, None, None) == ["B", "a10", "a9", "b"]


def test_kinds_are_named(make):
    files, _ = make.images(kind="png")
    more, _ = make.images(kind="bmp")
    make.folder("mine", {**files, "train/ant/9.jpg": encode(np.zeros((6, 5, 3), np.uint8), "JPEG"), **more})
    assert load().source == "image tree (BMP, JPEG, PNG)"


def test_palette_and_bitmap_are_read_without_loss(make):
    colours = np.array([[[255, 0, 0], [0, 255, 0]]], dtype=np.uint8)
    palette = Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE)
    path = make.root / "p.png"
    make.root.mkdir()
    palette.save(path)
    make.folder("mine", {f"{s}/{c}/0.png": path.read_bytes() for s in ("train", "test") for c in "ab"})
    np.testing.assert_array_equal(load().train_images[0].numpy(), colours)
    Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).convert("1").save(path)
    make.folder("bits", {f"{s}/{c}/0.png": path.read_bytes() for s in ("train", "test") for c in "ab"})
    assert load("bits").train_images.tolist() == [[[[0], [255]]]] * 2


def test_what_is_no_image_is_passed_over(make):
    files, _ = make.images()
    make.folder("plain", files)
    extra = {
        "train/ant/readme.txt": b"x",
        "train/ant/.hidden.png": b"x",
        "train/.DS_Store": b"x",
        "val/ant/0.png": b"x",
        "notes.png": b"x",
        "train/ant/Thumbs.db": b"x",
    }
    make.folder("mine", {**files, **extra})
    make.zip(
        "zipped", {**files, **extra, "__MACOSX/train/ant/._0.png": b"x", "train/": b"", "train/ant/": b""}
    )
    expected = load("plain").fingerprint
    assert load("mine").fingerprint == expected
    assert load("zipped").fingerprint == expected


def refused(make, changes, match, where="folder"):
    files, _ = make.images()
    files.update({k: v for k, v in changes.items() if v is not None})
    for gone in (k for k, v in changes.items() if v is None):
        for member in [m for m in files if m.startswith(gone)]:
            del files[member]
    getattr(make, where)("mine", files)
    with pytest.raises(DatasetError, match=match):
        load()


BAD = [
    ({"test/": None}, "no test images"),
    ({"train/": None}, "no train images"),
    ({"test/bee/": None}, r"\['bee'\] are in train but not in test"),
    ({"train/bee/": None}, r"\['bee'\] are in test but not in train"),
    ({"train/cat/": b""}, "train/cat holds no image"),
    ({"train/cat/readme.txt": b"x"}, "train/cat holds no image"),
    ({"test/cat/": b""}, "test/cat holds no image"),
    ({"train/bee/": None, "test/bee/": None}, "mine: 'ant' is the only class with images; at least 2"),
    ({"train/ant/deep/0.png": b"x"}, "'train/ant/deep/0.png' is not at"),
    ({"train/loose.png": b"x"}, "'train/loose.png' is not at"),
    ({"train/ant/bad.png": b"no image"}, "'train/ant/bad.png' cannot be decoded"),
    ({"train/ant/bad.jpg": b""}, "'train/ant/bad.jpg' cannot be decoded"),
]


# A folder and a zip are listed each in its own way, and what is listed is looked at in one.
@pytest.mark.parametrize(
    ("changes", "match", "where"),
    [*((*bad, "folder") for bad in BAD), *((*BAD[place], "zip") for place in (0, 1, 4, 6))],
)
def test_bad_trees_are_refused_by_name(make, changes, match, where):
    refused(make, changes, match, where)


def test_an_image_of_another_size_is_named_with_both_sizes(make):
    odd = encode(np.zeros((7, 5, 3), np.uint8))
    refused(make, {"test/bee/0009.png": odd}, r"0009\.png' is 5x7 .*RGB, expected 5x6 .*RGB")


def test_gray_among_colour_is_refused(make):
    gray = encode(np.zeros((6, 5), np.uint8))
    refused(make, {"test/bee/0009.png": gray}, r"0009\.png' is 5x6 .*grayscale, expected .*RGB")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "I;16", "CMYK"])
def test_modes_that_would_lose_something_are_refused(make, mode):
    path = make.root / "x"
    make.root.mkdir()
    kind = "TIFF" if mode == "CMYK" else "PNG"
    Image.new(mode, (5, 6)).save(path, kind)
    refused(make, {f"train/ant/odd.{kind.lower()}": path.read_bytes()}, "odd.* has mode")


def test_a_transparent_palette_is_refused(make):
    path = make.root / "x.png"
    make.root.mkdir()
    Image.new("P", (5, 6)).save(path, transparency=0)
    refused(make, {"train/ant/odd.png": path.read_bytes()}, "odd.* has mode PA")


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_truncated_image_in_a_zip_is_named(make, kind, cut):
    files, _ = make.images(kind=kind, shape=(32, 32, 3))
    member = f"train/bee/0003.{kind}"
    files[member] = files[member][: int(len(files[member]) * cut)]
    make.zip("mine", files, prefix="mine/")
    with pytest.raises(DatasetError, match=f"mine.zip: image 'mine/{member}' cannot be decoded"):
        load()


def test_flipped_bytes_in_a_zip_are_named(make):
    files, _ = make.images()
    make.zip("mine", files)
    path = make.root / "mine.zip"
    content = bytearray(path.read_bytes())
    place = content.find(files["train/bee/0003.png"]) + 50
    content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"train/bee/0003\.png"):
        load()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_zip_is_named(make, content):
    make.root.mkdir()
    (make.root / "mine.zip").write_bytes(content)
    with pytest.raises(DatasetError, match=r"mine\.zip is not a zip file"):
        load()


@pytest.mark.parametrize(
    "member", ["../train/ant/0.png", "/train/ant/0.png", "train/../ant/0.png", "mine/../../train/a/0.png"]
)
def test_members_that_point_outside_are_refused_and_nothing_is_unpacked(make, member, tmp_path):
    files, _ = make.images()
    make.zip("mine", {**files, member: files["train/ant/0000.png"]})
    before = {p for p in tmp_path.rglob("*") if p.suffix == ".png"}
    with pytest.raises(DatasetError, match="points outside"):
        load()
    assert {p for p in tmp_path.rglob("*") if p.suffix == ".png"} == before


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "\u202eknab", "x" * 201])
def test_a_class_folder_whose_name_could_do_harm_is_refused(make, name):
    files, _ = make.images(classes=("ant", name))
    make.zip("mine", files)
    with pytest.raises(DatasetError, match="a class folder is called") as caught:
        load()
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_names_of_classes_are_free_otherwise(make):
    names = ("Änten #2", "a | b", "$x$ `y`", "<b>")
    files, _ = make.images(classes=names)
    make.folder("mine", files)
    assert set(load().classes) == set(names)


def test_a_member_that_occurs_twice_is_refused(make):
    files, _ = make.images()
    make.zip("mine", files)
    with (
        zipfile.ZipFile(make.root / "mine.zip", "a") as archive,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        archive.writestr("train/ant/0000.png", files["train/ant/0002.png"])
    with pytest.raises(DatasetError, match=r"0000\.png' occurs twice"):
        load()


def test_linked_class_folders_are_followed(make, tmp_path):
    files, _ = make.images()
    make.folder("mine", files)
    plain = load().fingerprint
    target = tmp_path / "far" / "ant"
    target.parent.mkdir()
    os.rename(make.root / "mine" / "train" / "ant", target)
    (make.root / "mine" / "train" / "ant").symlink_to(target)
    assert load().fingerprint == plain


def test_the_folder_comes_before_the_zip(make):
    make.folder("mine", make.images(seed=1)[0])
    folder = load().fingerprint
    make.zip("mine", make.images(seed=2)[0])
    assert load().fingerprint == folder


def test_a_folder_without_splits_does_not_count(make):
    make.folder("mine", {"raw/0.png": b"x"})
    with pytest.raises(DatasetNotFound):
        load()
    make.zip("mine", make.images()[0])
    assert load().source == "image tree (PNG)"


def test_nothing_is_written_into_the_root(make):
    make.folder("mine", make.images()[0])
    make.zip("other", make.images()[0])
    before = sorted(make.root.rglob("*"))
    load("mine")
    load("other")
    assert sorted(make.root.rglob("*")) == before
