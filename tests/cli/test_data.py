"""`sce data check`, as one types it."""

import pytest
from PIL import Image
from typer.testing import CliRunner

from sce_lib.cli.app import app
from sce_lib.data import load_dataset


@pytest.fixture
def sce(folders, monkeypatch):
    monkeypatch.setenv("SCE_DATA", str(folders / "data"))

    def run(*arguments):
        result = CliRunner().invoke(app, ["data", "check", *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return run


@pytest.fixture
def tree(folders, write_tree):
    return write_tree(folders / "data" / "birds")


def test_a_sound_tree_is_told_by_class_and_ends_with_0(sce, tree):
    status, said = sce("birds")
    assert status == 0
    assert "120 images, most of them 16x16 (width x height) RGB" in said
    assert "train: mésange bleue 30, pie #2 30, rouge-gorge $x_1$ 30" in said
    assert "nothing is wrong with it" in said


def test_all_problems_are_lines_and_a_copy_is_without_them(sce, tree, folders):
    pie = tree / "train" / "pie #2"
    Image.new("RGBA", (16, 16), (9, 9, 9, 99)).save(pie / "clear.png")
    Image.new("RGB", (40, 20)).save(pie / "wide.png")
    (pie / "empty.png").touch()
    (pie / "notes.txt").touch()
    status, said = sce(tree)
    assert status == 1
    assert "train/pie #2/clear.png: has mode RGBA" in said
    assert "train/pie #2/wide.png: is 40x20 (width x height) RGB; most are 16x16" in said
    assert "train/pie #2/empty.png: cannot be decoded: the file is empty" in said
    assert "passed over, no images by their names: train/pie #2/notes.txt" in said
    assert "3 problems; --convert DIR" in said
    status, said = sce("birds", "--convert", folders / "data" / "clean", "--size", "12x10")
    assert status == 0
    assert "left out: train/pie #2/empty.png: cannot be decoded: the file is empty" in said
    assert "122 images, 12x10 (width x height) RGB; 122 were scaled and cropped to that, 1 left out" in said
    assert load_dataset("clean").image_shape == (10, 12, 3)
    assert sce("clean")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("nosuch", "nosuch is not there"),
        ("birds --convert birds", "is there already"),
        ("birds --convert {tree}/train/copy", "lies in the source"),
        ("birds --convert copy --size 0", "at least 1x1 pixels, not 0x0"),
        ("birds --convert copy --size big", "--size big is neither a side"),
        ("birds --size 32", "--size is that of the images of --convert"),
    ],
)
def test_what_cannot_be_is_named_and_nothing_is_written(sce, tree, folders, monkeypatch, arguments, named):
    monkeypatch.chdir(folders / "data")
    before = sorted(folders.rglob("*"))
    status, said = sce(*arguments.format(tree=tree).split())
    assert status == 2
    assert named in said
    assert sorted(folders.rglob("*")) == before


def test_tiny_images_and_an_empty_class_are_told_and_mended(sce, folders, write_tree):
    tree = write_tree(folders / "data" / "s4", side=4)
    status, said = sce("s4")
    assert status == 0
    assert "these are tiny" in said
    (tree / "train" / "wren").mkdir()
    assert sce("s4")[0] == 1
    status, said = sce("s4", "--convert", folders / "data" / "s32", "--size", "32")
    assert status == 0
    assert "left out: class wren: a class needs images in both splits" in said
    status, said = sce("s32")
    assert status == 0
    assert "these are tiny" not in said
