"""A tree is decoded once, and never taken for another that looks like it."""

import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from image_trees import encode

from sce_lib.data import DatasetError, load_dataset, pixel_statistics, training_statistics
from sce_lib.data import cache as cache_module


def files_in(folder, suffix=".npz"):
    return sorted(p for p in folder.iterdir() if p.name.endswith(suffix))


@pytest.fixture(params=["folder", "zip"])
def tree(request, make):
    files, _ = make.images()
    getattr(make, request.param)("mine", files)
    return make.root / ("mine" if request.param == "folder" else "mine.zip")


@pytest.fixture
def decodings(monkeypatch):
    """Count how often a tree is really decoded."""
    calls = []
    read_tree = cache_module.read_tree
    monkeypatch.setattr(cache_module, "read_tree", lambda *a: calls.append(a) or read_tree(*a))
    return calls


def same(one, other):
    for key in ("train_images", "train_labels", "test_images", "test_labels"):
        assert torch.equal(getattr(one, key), getattr(other, key))
    assert (one.fingerprint, one.source, one.classes) == (other.fingerprint, other.source, other.classes)


def test_a_tree_is_decoded_once(tree, own_cache, decodings):
    first, second = load_dataset("mine"), load_dataset("mine")
    same(first, second)
    assert len(decodings) == 1
    assert len(files_in(own_cache)) == 1
    assert not [p for p in own_cache.iterdir() if p.suffix not in (".npz", ".lock")]


def test_a_moved_zip_keeps_its_cache(make, decodings, tmp_path):
    make.zip("mine", make.images()[0])
    load_dataset("mine")
    (tmp_path / "new").mkdir()
    (make.root / "mine.zip").rename(tmp_path / "new" / "mine.zip")
    load_dataset("mine", root=tmp_path / "new")
    assert len(decodings) == 1


def test_a_change_of_equal_size_and_time_is_noticed(tree):
    before = load_dataset("mine")
    file = tree if tree.is_file() else tree / "train/ant/0000.png"
    state = file.stat()
    if tree.is_file():
        content = file.read_bytes()
        # The stems decide the order, so exchanging two equally long names exchanges two images.
        file.write_bytes(content.replace(b"ant/0000", b"ant/000#").replace(b"ant/0002", b"ant/0000")
                         .replace(b"ant/000#", b"ant/0002"))  # fmt: skip
    else:
        content = encode(np.zeros((6, 5, 3), np.uint8))
        file.write_bytes(content.ljust(state.st_size, b"\0"))
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert file.stat().st_size == state.st_size
    after = load_dataset("mine")
    assert after.fingerprint != before.fingerprint
    assert not torch.equal(after.train_images, before.train_images)


def test_a_zip_damaged_after_caching_is_noticed(make):
    files, _ = make.images()
    make.zip("mine", files)
    load_dataset("mine")
    path = make.root / "mine.zip"
    content = bytearray(path.read_bytes())
    content[content.find(files["test/bee/0001.png"]) + 45] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"test/bee/0001\.png"):
        load_dataset("mine")


def test_an_added_or_removed_file_is_noticed(make):
    files, _ = make.images()
    make.folder("mine", files)
    assert len(load_dataset("mine").train_labels) == 6
    make.folder("mine", {"train/ant/0100.png": files["train/ant/0000.png"]})
    assert len(load_dataset("mine").train_labels) == 7
    (make.root / "mine/train/ant/0100.png").unlink()
    (make.root / "mine/train/ant/0000.png").unlink()
    assert len(load_dataset("mine").train_labels) == 5


def truncate(content):
    return content[: len(content) // 2]


def flip(content):
    return content[:300] + bytes([content[300] ^ 1]) + content[301:]


def pickled(content):
    stream = io.BytesIO()
    np.savez(stream, train_images=np.array([{"a": 1}], dtype=object))
    return stream.getvalue()


def relabelled(content):
    """Write a sound file whose arrays are not those of its fingerprint."""
    with np.load(io.BytesIO(content)) as stored:
        arrays = dict(stored)
    arrays["train_labels"] = arrays["train_labels"][::-1].copy()
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize("damage", [truncate, flip, pickled, relabelled, lambda c: b"", lambda c: b"rubbish"])
def test_a_damaged_cache_is_set_aside_and_made_again(make, own_cache, damage, decodings):
    make.zip("mine", make.images()[0])
    first = load_dataset("mine")
    (file,) = files_in(own_cache)
    broken = damage(file.read_bytes())
    file.write_bytes(broken)
    with pytest.warns(UserWarning, match="damaged"):
        same(load_dataset("mine"), first)
    assert len(decodings) == 2
    (aside,) = [p for p in own_cache.iterdir() if ".damaged" in p.name]
    assert aside.read_bytes() == broken
    same(load_dataset("mine"), first)
    assert len(decodings) == 2


def test_a_cache_that_cannot_be_written_costs_a_warning(make, tmp_path, monkeypatch):
    make.zip("mine", make.images()[0])
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SCE_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot be written"):
        data = load_dataset("mine")
    assert len(data.train_labels) == 6


def test_an_error_is_not_cached(make):
    files, _ = make.images()
    make.folder("mine", {**files, "train/ant/9.png": b"x"})
    with pytest.raises(DatasetError):
        load_dataset("mine")
    (make.root / "mine/train/ant/9.png").unlink()
    assert len(load_dataset("mine").train_labels) == 6


def test_threads_that_load_at_once_decode_once(make, decodings):
    make.zip("mine", make.images(per_class=(100, 50))[0])
    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(load_dataset, ["mine"] * 8))
    assert len(decodings) == 1
    assert len({data.fingerprint for data in loaded}) == 1


@pytest.mark.slow
def test_processes_that_load_at_once_agree(make, own_cache):
    make.zip("mine", make.images(per_class=(200, 50))[0])
    code = "from sce_lib.data import load_dataset; print(load_dataset('mine').fingerprint)"
    runs = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    prints = {run.communicate(timeout=120)[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0]
    assert prints == {load_dataset("mine").fingerprint + "\n"}
    assert len(files_in(own_cache)) == 1


def test_training_statistics_are_kept_by_fingerprint(make, own_cache, monkeypatch):
    make.zip("mine", make.images()[0])
    data = load_dataset("mine")
    first = training_statistics(data)
    expected = pixel_statistics(data.train_images)
    (file,) = [p for p in files_in(own_cache) if p.name.startswith("pixels-")]
    time = file.stat().st_mtime_ns
    for statistics in (first, training_statistics(load_dataset("mine"))):
        for key in ("mean", "std", "pixel_mean"):
            assert torch.equal(getattr(statistics, key), getattr(expected, key))
    assert file.stat().st_mtime_ns == time
    file.write_bytes(relabelled_statistics(file))
    with pytest.warns(UserWarning, match="damaged"):
        assert torch.equal(training_statistics(data).mean, expected.mean)


def relabelled_statistics(file):
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays["mean"] = arrays["mean"] + 1
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()
