"""A tree looked over as a whole: all that is unfit in one go, and a clean copy."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from image_trees import encode
from PIL import Image

from sce_lib.data import DatasetError, DatasetNotFound, convert, load_dataset, survey

SIDE = (6, 5)  # height, width


def image(mode="RGB", size=(5, 6), kind="PNG", colour=None, **options):
    stream = io.BytesIO()
    Image.new(mode, size, colour if colour is not None else 0).save(stream, kind, **options)
    return stream.getvalue()


def huge_png(side):
    """Return a PNG of a few bytes that claims to be so many pixels wide and high."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


WHOLE = encode(np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8))
# What is unfit about each: a piece of the reason that is given.
UNFIT = {
    "train/ant/alpha.png": (image("RGBA"), "mode RGBA"),
    "train/ant/gray_alpha.png": (image("LA"), "mode LA"),
    "train/ant/ink.jpg": (image("CMYK", kind="JPEG"), "mode CMYK"),
    "train/ant/deep.png": (image("I;16"), "mode I;16"),
    "train/ant/float.tif": (image("F", kind="TIFF"), "mode F"),
    "train/ant/clear.png": (image("P", transparency=0), "mode PA"),
    "train/bee/cut.png": (WHOLE[:-40], "cannot be decoded"),
    "train/bee/empty.png": (b"", "the file is empty"),
    "train/bee/text.png": (b"not an image", "it is no image"),
    "train/bee/wide.png": (image(size=(7, 6)), "is 7x6 (width x height) RGB; most are 5x6"),
    "test/bee/gray.png": (image("L"), "is 5x6 (width x height) grayscale; most are 5x6"),
    "test/ant/huge.png": (huge_png(30_000), "decompression bomb"),
    "test/ant/large.png": (huge_png(10_000), "it has 10000x10000 pixels"),
}


@pytest.fixture
def bad_tree(make):
    files, _ = make.images(("ant", "bee"), (8, 4), (*SIDE, 3))
    make.folder("mine", {**files, **{name: content for name, (content, _) in UNFIT.items()}})
    tree = make.root / "mine"
    (tree / "train/ant/broken.png").symlink_to(make.root / "nowhere.png")
    (tree / "train/ant/readme.txt").write_text("x")
    os.mkfifo(tree / "train/bee/pipe.png")
    return tree


def test_all_that_is_unfit_is_listed_at_once(bad_tree):
    found = survey(bad_tree)
    assert found.shape == (*SIDE, 3)
    reasons = dict(found.problems)
    for name, (_, reason) in UNFIT.items():
        assert reason in reasons[name], name
    assert "No such file" in reasons["train/ant/broken.png"]
    assert "no regular file" in reasons["train/bee/pipe.png"]
    assert len(reasons) == len(UNFIT) + 2
    assert found.passed_over == ("train/ant/readme.txt",)
    assert found.images == 24 + len(reasons)


def test_what_a_survey_finds_nothing_wrong_with_is_read(make):
    for where in ("folder", "zip"):
        files, _ = make.images(("a b", "é #1"), (3, 2), (*SIDE, 3))
        files["train/a b/palette.png"] = image("P")
        getattr(make, where)(f"my_{where}", files)
        found = survey(f"my_{where}")
        assert found.problems == ()
        assert found.counts == {"train": {"a b": 4, "é #1": 3}, "test": {"a b": 2, "é #1": 2}}
        data = load_dataset(f"my_{where}", download=False)
        assert data.classes == ("a b", "é #1")
        assert len(data.train_labels) == 7


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"train/loose.png": WHOLE}, "'train/loose.png' is not at"),
        ({"train/ant/deep/0.png": WHOLE}, "'train/ant/deep/0.png' is not at"),
        ({"train/cat/0.png": WHOLE}, "['cat'] are in train but not in test"),
        ({"test/cat/readme.txt": b"x"}, "test/cat holds no image"),
    ],
)
def test_what_is_out_of_place_is_listed_as_well(make, changes, reason):
    make.folder("mine", {**make.images()[0], **changes})
    problems = survey("mine").problems
    assert any(reason in problem.reason for problem in problems)


def test_a_tree_without_splits_and_one_of_a_bad_name_say_so(make):
    make.folder("my birds", {"ant/0.png": WHOLE})
    reasons = [problem.reason for problem in survey(make.root / "my birds").problems]
    assert "no train images" in reasons[0]
    assert any("must be letters" in reason for reason in reasons)


def test_a_link_that_leads_back_does_not_go_round_for_ever(make):
    make.folder("mine", make.images()[0])
    (make.root / "mine/train/ant/again").symlink_to(make.root / "mine/train", target_is_directory=True)
    assert survey("mine").problems == ()
    (make.root / "mine/train/round").symlink_to(make.root / "mine/train", target_is_directory=True)
    assert any("train/round holds no image" in problem.reason for problem in survey("mine").problems)


def test_a_path_that_leads_nowhere_is_named(make):
    with pytest.raises(DatasetNotFound, match="nosuch is not there"):
        survey("nosuch")


def test_a_copy_has_one_size_and_mode_and_is_read(bad_tree, make):
    before = {path: path.lstat().st_mtime_ns for path in bad_tree.rglob("*")}
    made = convert(bad_tree, make.root / "clean")
    assert {path: path.lstat().st_mtime_ns for path in bad_tree.rglob("*")} == before
    # Those that no program could read; values without a range.
    out = ("cut", "empty", "text", "huge", "large", "broken", "pipe", "float")
    assert sorted(p.file.rpartition("/")[2].partition(".")[0] for p in made.left_out) == sorted(out)
    assert (made.size, made.mode, made.resized) == ((5, 6), "RGB", 1)
    data = load_dataset("clean", download=False)
    assert len(data.train_labels) + len(data.test_labels) == made.images == 24 + len(UNFIT) + 2 - len(out)
    assert survey("clean").problems == ()
    assert not [path for path in make.root.iterdir() if path.name.endswith(".part")]


def test_pixels_that_need_no_change_are_not_changed(make):
    files, pixels = make.images(("ant", "bee"), (3, 2), (6, 5, 1))
    make.zip("mine", files)
    made = convert("mine", make.root / "copy")
    assert made.mode == "L"
    for name, expected in pixels.items():
        assert np.array_equal(np.asarray(Image.open(make.root / "copy" / name)), expected.squeeze(-1))


def test_values_are_kept_as_far_as_they_can_be(make):
    files, _ = make.images(("ant", "bee"), (3, 3), (6, 5, 1))
    deep = np.full((6, 5), 65_535, np.uint16)
    upright = Image.fromarray(np.repeat(np.arange(6, dtype=np.uint8) * 40, 5).reshape(6, 5))
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    upright.rotate(90, expand=True).save(turned, "PNG", exif=exif)
    clear = image("LA", colour=(0, 0))
    make.folder("mine", {**files, "train/ant/d.png": encode(deep), "train/ant/t.png": turned.getvalue(),
                         "train/ant/c.png": clear})  # fmt: skip
    convert("mine", make.root / "copy")

    def read(stem):
        return np.asarray(Image.open(make.root / f"copy/train/ant/{stem}.png"))

    assert (read("d") == 255).all()
    assert np.array_equal(read("t"), np.asarray(upright))
    assert (read("c") == 255).all()  # white shows through


def test_images_of_one_stem_are_kept_apart(make):
    files, _ = make.images(("ant", "bee"), (1, 1), (6, 5, 3))
    make.folder("mine", {**files, "train/ant/x.png": WHOLE, "train/ant/x.bmp": image(kind="BMP")})
    assert convert("mine", make.root / "copy").images == 6
    assert len(list((make.root / "copy/train/ant").iterdir())) == 3


def test_the_size_that_is_asked_for(make):
    make.folder("mine", make.images()[0])
    made = convert("mine", make.root / "copy", (4, 3))
    assert made.resized == made.images
    assert load_dataset("copy", download=False).image_shape == (3, 4, 3)


def test_a_copy_never_goes_into_its_source_nor_over_anything(make):
    make.folder("mine", make.images()[0])
    before = sorted(make.root.rglob("*"))
    with pytest.raises(ValueError, match="lies in the source"):
        convert("mine", make.root / "mine/train/copy")
    (make.root / "link").symlink_to(make.root / "mine")
    with pytest.raises(ValueError, match="lies in the source"):
        convert("mine", make.root / "link/copy")
    for taken in ("mine", "link"):
        with pytest.raises(FileExistsError, match="is there already"):
            convert("mine", make.root / taken)
    with pytest.raises(ValueError, match="1x1 pixels, not 0x3"):
        convert("mine", make.root / "copy", (0, 3))
    assert sorted(make.root.rglob("*")) == sorted([*before, make.root / "link"])


@pytest.mark.parametrize(
    ("cat", "used"),
    [
        ({"train/cat/": b"", "test/cat/": b""}, (0, 0)),
        ({"train/cat/0.png": b"", "test/cat/0.png": WHOLE}, (0, 1)),
        ({"train/cat/0.png": WHOLE}, (1, 0)),
    ],
)
def test_a_class_without_an_image_in_a_split_is_left_out_and_named(make, cat, used):
    make.folder("mine", make.images()[0])
    for name in cat:
        (make.root / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
    make.folder("mine", cat)
    made = convert("mine", make.root / "copy")
    (said,) = [problem.reason for problem in made.left_out if not problem.file]
    assert said.startswith("class cat")
    assert f"{used[0]} of train and {used[1]} of test" in said
    assert made.images == 10
    assert survey("copy").problems == ()
    assert load_dataset("copy", download=False).classes == ("ant", "bee")


def test_a_copy_has_two_classes_at_least(make):
    files, _ = make.images()
    make.folder("mine", {name: content if "ant" in name else b"" for name, content in files.items()})
    with pytest.raises(DatasetError, match="'ant' is the only class with images"):
        convert("mine", make.root / "copy")
    assert [path.name for path in make.root.iterdir()] == ["mine"]


@pytest.mark.parametrize(("shape", "tiny"), [((8, 8, 3), False), ((7, 20, 3), True), ((20, 7, 3), True)])
def test_tiny_images_are_told(make, shape, tiny):
    make.folder("mine", make.images(shape=shape)[0])
    assert survey("mine").tiny == tiny
