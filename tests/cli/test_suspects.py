"""`sce suspects`: which image, which label, in which order; what is refused before anything is trained."""

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from sce_lib.cli.app import app
from sce_lib.experiments import out_of_fold as module

NAMES = ["a b.png", "été #1.png", "10.png", "9.png"]


@pytest.fixture
def tree(tmp_path, folders, monkeypatch):
    """Return an image tree of three grey levels in which five training images lie in the wrong folder."""
    monkeypatch.setenv("SCE_DATA", str(tmp_path / "data"))
    rng = np.random.default_rng(0)
    classes, wrong = ("ant", "bee", "été 3"), set()
    for split, count in (("train", 60), ("test", 12)):
        for k in range(count):
            true = k % 3
            stem = f"{k:02d} {NAMES[k % 4]}"
            given = (true + 1) % 3 if split == "train" and k < 5 else true
            path = tmp_path / "mine" / split / classes[given] / stem
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.normal(40 + 85 * true, 8, (8, 8, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(path)
            if given != true:
                wrong.add(str(path))
    return tmp_path / "mine", wrong


@pytest.fixture
def sce(folders):
    """Return a function that runs `sce suspects` at smoke and returns its exit code and what it said."""

    def run(*arguments):
        options = ["--profile", "smoke", "--device", "cpu"]
        result = CliRunner().invoke(app, ["suspects", *map(str, arguments), *options])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, " ".join(result.output.split())

    return run


def test_the_wrong_labels_of_a_tree_come_first(sce, tree, tmp_path, monkeypatch):
    folder, wrong = tree
    out = tmp_path / "new folder" / "found.csv"
    code, said = sce(folder, "--out", out, "--method", "ce", "--folds", 3)
    assert code == 0
    assert f"{out}: 60 of 60 images, ranked by loss" in said
    table = pd.read_csv(out)
    columns = ["rank", "path", "given", "predicted", "score", "loss", "margin", "self_confidence"]
    assert list(table) == columns
    assert table["rank"].tolist() == list(range(1, 61))
    assert set(table["path"]) == {str(path) for path in (folder / "train").rglob("*.png")}
    assert len(set(table["path"][:8]) & wrong) >= 4
    assert (np.diff(table["score"]) <= 0).all()
    assert all(f"/train/{row.given}/" in row.path for row in table.itertuples())
    np.testing.assert_allclose(table["self_confidence"], np.exp(-table["loss"]), rtol=1e-4)
    # What is trained is kept: another ranking trains nothing.
    monkeypatch.setattr(module, "Run", None)
    again = tmp_path / "again.csv"
    same = ("--method", "ce", "--folds", 3)
    assert sce(folder, "--out", again, "--by", "margin", "--top", 7, *same)[0] == 0
    by_margin = pd.read_csv(again)
    assert by_margin["margin"].tolist() == sorted(table["margin"])[:7]


@pytest.mark.parametrize(("folds", "images"), [(1, 60), (3, 40)])
def test_a_batch_is_told_of_the_images_that_a_network_has(sce, tree, tmp_path, folds, images):
    code, said = sce(tree[0], "--out", tmp_path / "found.csv", "--folds", folds, "--epochs", 1)
    assert code == 0
    assert said.count("a batch of mine is of") == 1
    assert f"a batch of mine is of {images}, not 128" in said


def test_of_a_zip_by_one_network(sce, tree, tmp_path):

    folder, _ = tree
    shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    shutil.rmtree(folder)
    out = tmp_path / "found.csv"
    code, _ = sce(tmp_path / "packed.zip", "--out", out, "--folds", 1, "--epochs", 2, "--width", 0.2)
    assert code == 0
    assert pd.read_csv(out)["path"].str.startswith(str(tmp_path / "packed.zip" / "train")).all()


def test_of_a_data_set_with_noise_it_says_how_well(sce, tmp_path):
    out = tmp_path / "digits.csv"
    code, said = sce("digits", "--noise", "symmetric-0.4", "--folds", 2, "--out", out)
    assert code == 0
    table = pd.read_csv(out)
    assert list(table)[1:5] == ["index", "given", "predicted", "flipped"]
    assert sorted(table["index"]) == list(range(1297))
    assert f"{table['flipped'].sum()} labels were flipped: AUROC 0." in said
    assert table["flipped"][:300].mean() > 0.8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mine", "--out", "found.txt"], "--out is the .csv file to write, not 'found.txt'"),
        (["mine", "--out", "there.csv"], "there.csv is there already: give another --out, or --overwrite"),
        (["mine", "--out", "folder.csv"], "--out folder.csv is a folder"),
        (["mine", "--top", "0"], "at least 1, not 0"),
        (["mine", "--folds", "0"], "--folds is how many networks to train, at least 1, not 0"),
        (["mine", "--folds", "61"], "a whole number from 2 to 60"),
        (["mine", "--by", "entropy"], "'self_confidence'"),
        (["mine", "--method", "sla"], "method 'sla' is not known"),
        (["mine", "--noise", "symmetric"], "noise 'symmetric' is not known"),
        (["mine", "--profile", "huge"], "'huge' is not known"),
        (["mine", "--seed", "-1"], "seed: Input should be greater than or equal to 0"),
        (["mine/train"], "mine/train is no image tree: {train,test}/<class>/<file>"),
        (["missing.zip"], "missing.zip is no image tree"),
        (["mine", "--threads", "0"], "--threads is how many threads torch has, at least 1, not 0"),
        (["mine", "--device", "tpu"], "device 'tpu' is not known"),
        (["mine", "--out", "there.csv/found.csv"], "there.csv"),
        (["nowhere"], "'nowhere' was not found"),
    ],
)
def test_slips_are_answered_in_a_line(tree, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("by hand\n")
    (tmp_path / "folder.csv").mkdir()
    monkeypatch.setattr(module, "Run", None)  # nothing is trained
    result = CliRunner().invoke(app, ["suspects", "--device", "cpu", *arguments])
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert (tmp_path / "there.csv").read_text() == "by hand\n"
    assert not (tmp_path / "suspects.csv").exists()


def test_a_file_is_replaced_when_that_is_asked_for(sce, tree, tmp_path):
    out = tmp_path / "found.csv"
    out.write_text("by hand\n")
    assert sce(tree[0], "--out", out, "--folds", 1, "--overwrite")[0] == 0
    assert len(pd.read_csv(out)) == 60


def test_ctrl_c_says_how_to_go_on(sce, tree, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.Run, "run_epoch", interrupted)
    code, said = sce(tree[0], "--out", tmp_path / "found.csv")
    assert (code, "the same command goes on where it was" in said) == (130, True)
    assert not (tmp_path / "found.csv").exists()


def test_a_slip_is_answered_before_torch(tree, tmp_path):
    (next((tree[0] / "test" / "ant").iterdir())).write_bytes(b"no image")
    arguments = ["suspects", str(tree[0]), "--out", str(tmp_path / "found.csv")]
    program = (
        "import sys; from typer.testing import CliRunner; from sce_lib.cli.app import app\n"
        f"said = CliRunner().invoke(app, {arguments})\n"
        "assert said.exit_code == 2 and 'cannot be decoded' in said.output.replace(chr(10), ' ')\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
