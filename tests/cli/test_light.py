"""What the command answers without what takes seconds to import: torch, torchvision, scikit-learn."""

import json
import os
import shutil
import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "sklearn", "scipy", "matplotlib", "seaborn")
RUN = """
import json, sys
from sce_lib.cli import main
sys.argv = ["sce", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]))
"""


@pytest.fixture
def sce(folders):
    """Return a function that runs the command in a new process: its status, what it said, what it loaded."""
    environment = os.environ | {
        "SCE_DATA": str(folders / "data"),
        "SCE_LEDGER": str(folders / "ledger"),
        "SCE_CACHE": str(folders / "cache"),
    }

    def run(*arguments):
        command = [sys.executable, "-c", RUN, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folders)
        said, _, last = done.stdout.rstrip("\n").rpartition("\n")
        status, modules = json.loads(last)
        loaded = sorted(set(HEAVY) & set(modules))
        return status or 0, said + done.stderr, loaded

    return run


@pytest.mark.parametrize("arguments", ["--version", "--help", "run --help", "data check --help", "ledger ls"])
def test_what_needs_no_torch_imports_none(sce, arguments):
    status, said, loaded = sce(*arguments.split())
    assert (status, loaded) == (0, [])
    assert said


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("run --dataset cifr10", "Did you mean 'cifar10'?"),
        ("run --dataset CIFAR+10", "Did you mean 'cifar10'? Known are digits, mnist"),
        ("run --noise symmetric-1.2", "1.2"),
        ("run --method sce", "'sce' is not known; known are ce,"),
        ("run --profile huge", "known are smoke, laptop, full"),
        ("run --device gpu", "'gpu' is not known; give auto, cpu, cuda"),
        ("run --threads 0", "not 0"),
        ("run --seeds 0", "not 0"),
        ("run --n-train 1", "n_train: Input should be greater than or equal to 2, not 1"),
        ("run --epochs 0", "epochs: Input should be greater than or equal to 1, not 0"),
        ("run --width 0", "width: Input should be greater than 0, not 0"),
        ("run --width nan", "width: Input should be a finite number"),
        ("run --config nosuch.json", "nosuch.json"),
        ("sweep figure10", "known are figure1,"),
        ("sweep figur1", "Did you mean 'figure1'?"),
        ("run --method sll", "Did you mean 'sl'?"),
        ("sweep figure1 --dataset fashion-mnist", "Did you mean 'fashion_mnist'?"),
        ("sweep figure1 --jobs 0", "not 0"),
        ("ledger verify nosuch", "nosuch"),
        ("data check nosuch", "nosuch is not there"),
    ],
)
def test_a_slip_is_answered_before_torch_is_imported(sce, arguments, named):
    status, said, loaded = sce(*arguments.split())
    assert (status, loaded) == (2, [])
    assert named in said
    assert "Traceback" not in said
    assert "[A-Za-z0-9]" not in said


@pytest.fixture
def tree(folders, write_tree):
    return write_tree(folders / "data" / "birds")


def test_a_bad_tree_is_refused_before_torch_is_imported(sce, tree):
    (tree / "train" / "pie #2" / "cut.png").write_bytes(b"\x89PNG")
    for command in ("run", "sweep figure1 --dry-run", "sweep figure1"):
        status, said, loaded = sce(*command.split(), "--dataset", "birds")
        assert (status, loaded) == (2, [])
        assert "image 'train/pie #2/cut.png' cannot be decoded" in said
    status, said, loaded = sce("data", "check", "birds")
    assert (status, loaded) == (1, [])
    assert "train/pie #2/cut.png: cannot be decoded" in said


def test_a_typo_names_trees_that_are_there(sce, tree):
    status, said, loaded = sce("run", "--dataset", "brids")
    assert (status, loaded) == (2, [])
    assert "Did you mean 'birds'?" in said
    assert "Image trees in" in said


def test_images_too_small_for_the_shift_are_refused_before_torch_unless_a_run_has_none(
    sce, folders, write_tree
):
    write_tree(folders / "data" / "s4", side=4)
    write_tree(folders / "data" / "s5", side=5)
    for command in ("run", "suspects"):
        named = ["s4"] if command == "suspects" else ["--dataset", "s4"]
        status, said, loaded = sce(command, *named, "--profile", "laptop")
        assert (status, loaded) == (2, [])
        assert "images of s4 are 4x4 pixels" in said
        assert "shifts them by up to 4 pixels" in said
        assert "--convert FOLDER --size 32" in said
    status, said, _ = sce("sweep", "figure1", "--dry-run", "--dataset", "s4")
    assert status == 1
    assert "cannot begin: 4 runs: images of s4 are 4x4 pixels" in said
    status, said, _ = sce("sweep", "figure1", "--dry-run", "--dataset", "s5")
    assert status == 0
    assert "cannot begin" not in said


def test_a_tree_of_one_class_is_refused_before_torch(sce, tree):
    for split in ("train", "test"):
        shutil.rmtree(tree / split / "pie #2")
        shutil.rmtree(tree / split / "mésange bleue")
    for arguments, ends in ((["run", "--dataset", "birds"], 2), (["suspects", "birds"], 2),
                            (["data", "check", "birds"], 1)):  # fmt: skip
        status, said, loaded = sce(*arguments)
        assert (status, loaded) == (ends, [])
        assert "birds: " in said
        assert "'rouge-gorge $x_1$' is the only class with images; at least 2 are needed" in said
        assert "--convert" not in said  # a copy would have one class, too
