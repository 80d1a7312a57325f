"""A record names the code and the machine that made it, by what of them can move a number."""

import shutil
from pathlib import Path

import pytest

import sce_lib
from sce_lib.experiments.training import provenance, train
from sce_lib.experiments.training.provenance import code_digest, machine, processor

PACKAGE = Path(sce_lib.__file__).parent


@pytest.fixture
def digest_of_copy(tmp_path, monkeypatch):
    """Return what gives the digest of a copy of the package, in which one file has a line more."""
    copy = tmp_path / "sce_lib"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sce_lib, "__file__", str(copy / "__init__.py"))

    def digest(changed=None):
        if changed is not None:
            path = copy / changed
            before = path.read_bytes()
            path.write_bytes(before + b"\n# a line more\n")
        try:
            return code_digest.__wrapped__()
        finally:
            if changed is not None:
                path.write_bytes(before)

    return digest


@pytest.mark.parametrize(
    "file",
    [
        "losses/functional/symmetric.py",
        "noise/matrices.py",
        "noise/cifar10n_counts.csv",
        "models/plain.py",
        "metrics/__init__.py",
        "data/augmentation.py",
        "experiments/config/presets.py",
        "experiments/training/loop.py",
    ],
)
def test_what_decides_a_run_changes_the_digest(digest_of_copy, file):
    assert digest_of_copy(file) != digest_of_copy()


@pytest.mark.parametrize(
    "file",
    ["report/figures/style.py", "report/tables.py", "cli/app.py", "experiments/ledger/store.py", "files.py"],
)
def test_what_only_shows_or_keeps_runs_does_not(digest_of_copy, file):
    assert digest_of_copy(file) == digest_of_copy()


def test_a_copy_elsewhere_has_the_same_digest(digest_of_copy, tmp_path):
    (tmp_path / "sce_lib" / "losses" / "notes.txt").write_text("no code")
    assert digest_of_copy() == code_digest.__wrapped__()


def test_it_is_computed_once(monkeypatch):
    digest = code_digest()
    monkeypatch.setattr(sce_lib, "__file__", "/nowhere/__init__.py")
    assert code_digest() == digest


def cpuinfo(**changes):
    fields = {"model name": "A CPU", "cpu family": "25", "model": "97", "stepping": "2", "flags": "fpu avx2"}
    return fields | changes


def test_processors_are_told_apart(monkeypatch):
    def named(**changes):
        monkeypatch.setattr(provenance, "_cpuinfo", lambda: cpuinfo(**changes))
        monkeypatch.setattr(provenance, "processor", processor.__wrapped__)
        return machine.__wrapped__()

    changes = [
        {},
        {"model name": "Another"},
        {"model": "98"},
        {"flags": "fpu avx2 avx512_bf16"},
        {"stepping": "3"},
    ]
    names = [named(**changed) for changed in changes]
    assert len(set(names)) == len(changes)
    assert "A CPU (family 25, model 97, stepping 2)" in names[0]
    assert "avx512_bf16" in names[3]
    assert named(flags="fpu avx2 of_the_kernel") == names[0]


@pytest.mark.parametrize(
    ("info", "name"),
    [
        (
            {"CPU implementer": "0x41", "CPU part": "0xd0c", "Features": "fp bf16"},
            "implementer 0x41, part 0xd0c",
        ),
        ({"model name": "Virtual"}, "Virtual"),
    ],
)
def test_processors_that_say_less(monkeypatch, info, name):
    monkeypatch.setattr(provenance, "_cpuinfo", lambda: info)
    assert processor.__wrapped__() == name
    assert provenance.instructions() == (["bf16"] if "Features" in info else [])


def test_a_record_has_them(make_images, tiny_config, tmp_path):
    made = train(tiny_config(), "cpu", data=make_images(), checkpoints=tmp_path).provenance
    assert (made.code, made.platform) == (code_digest(), machine())


def test_an_older_record_is_kept_as_it_was(make_record):
    record = make_record()
    assert record.provenance.code is None
    assert "code" not in record.model_dump(mode="json")["provenance"]
    assert "code" not in record.results()["provenance"]
