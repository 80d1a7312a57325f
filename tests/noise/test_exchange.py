"""Labels as files: what is written is read back, and files that are none, or hostile, are refused."""

import io
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sce_lib.noise import corrupt, exchange, export, load_export, read_labels, symmetric_matrix


@pytest.mark.parametrize("as_torch", [False, True])
def test_exports_hold_what_was_flipped(unbalanced, tmp_path, as_torch):
    labels = unbalanced(10)
    noisy = corrupt(torch.from_numpy(labels) if as_torch else labels, symmetric_matrix(10, 0.4), seed=0)
    table = np.genfromtxt(
        export(noisy, tmp_path / "new" / "labels.csv"), delimiter=",", names=True, dtype=int
    )
    np.testing.assert_array_equal(table["index"], np.arange(len(labels)))
    with np.load(export(noisy, str(tmp_path / "labels.npz"))) as arrays:
        for content in (table, arrays):
            np.testing.assert_array_equal(content["clean"], labels)
            np.testing.assert_array_equal(content["noisy"], np.asarray(noisy.labels))
            np.testing.assert_array_equal(content["flipped"], np.asarray(noisy.flipped))
        np.testing.assert_array_equal(arrays["requested"], noisy.requested)
        np.testing.assert_array_equal(arrays["realised"], noisy.realised)
        assert str(arrays["sha256"]) == noisy.sha256
    first = (tmp_path / "labels.npz").read_bytes()
    assert export(noisy, tmp_path / "labels.npz").read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.npz", "new"]


def test_exports_know_two_formats(tmp_path):
    noisy = corrupt([0, 1], np.eye(2), seed=0)
    with pytest.raises(ValueError, match=r"\.csv or \.npz, not to 'labels\.parquet'"):
        export(noisy, tmp_path / "labels.parquet")
    assert not list(tmp_path.iterdir())


WORDS = np.array(['Zürich, "old"', "dog", "two\nlines"])[np.arange(60) % 3]
LABELS = {
    "indices": np.arange(60) % 3,
    "tensor": torch.arange(60) % 3,
    "ids": np.arange(60) % 3 * 5 + 1,
    "words": WORDS,
    "series": pd.Series(WORDS, index=[f"{i}.png" for i in range(60)]),
    "categories": pd.Series(WORDS, dtype="category"),
    "booleans": np.arange(60) % 2 == 0,
    "numbers as words": np.array(["10", "9", "007"])[np.arange(60) % 3],
}


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
@pytest.mark.parametrize("kind", LABELS)
def test_what_is_exported_is_read_back(kind, suffix, tmp_path):
    K = 2 if kind == "booleans" else 3
    noisy = corrupt(LABELS[kind], symmetric_matrix(K, 0.4), seed=0)
    path = export(noisy, tmp_path / f"labels{suffix}")
    back = load_export(path, classes=noisy.classes if suffix == ".csv" else None)
    for side in ("clean", "labels", "flipped"):
        np.testing.assert_array_equal(getattr(back, side), np.asarray(getattr(noisy, side)))
    assert (back.sha256, list(back.classes)) == (noisy.sha256, list(noisy.classes))
    np.testing.assert_array_equal(back.realised, noisy.realised)
    np.testing.assert_array_equal(back.requested, noisy.requested if suffix == ".npz" else noisy.realised)
    index = noisy.labels.index if kind == "series" else None
    assert export(back, tmp_path / f"again{suffix}", index).read_bytes() == path.read_bytes()
    expected = LABELS[kind].index if kind == "series" else np.arange(60)
    if suffix == ".csv":
        assert read_labels(path, "index").tolist() == list(expected)
    elif kind == "series":
        assert np.load(path)["index"].tolist() == list(expected)
    if kind != "numbers as words" or suffix == ".npz":
        assert read_labels(path, "noisy").tolist() == back.labels.tolist()


def test_masks_are_exported_with_what_they_ignore(tmp_path):
    mask = np.random.default_rng(0).integers(0, 4, (3, 8, 8))
    mask[mask == 3] = 255
    noisy = corrupt(mask, symmetric_matrix(3, 0.4), seed=0, ignore_index=255)
    back = load_export(export(noisy, tmp_path / "mask.npz"))
    np.testing.assert_array_equal(back.labels, noisy.labels)
    np.testing.assert_array_equal(back.realised, noisy.realised)
    assert back.rate == noisy.rate
    line = corrupt(mask[0, 0], symmetric_matrix(3, 0.4), seed=0, ignore_index=255)
    back = load_export(export(line, tmp_path / "line.csv"), classes=line.classes)
    np.testing.assert_array_equal(back.labels, line.labels)
    assert (back.rate, back.num_labels) == (line.rate, line.num_labels)
    with pytest.raises(ValueError, match=r"shape \(3, 8, 8\) are exported to .npz"):
        export(noisy, tmp_path / "mask.csv")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), min_size=1), min_size=1))
def test_any_names_survive_a_csv(tmp_path_factory, labels):
    labels = [f"x{label}" for label in labels]
    noisy = corrupt(labels, np.eye(len(set(labels))), seed=0)
    back = load_export(export(noisy, tmp_path_factory.mktemp("csv") / "labels.csv"))
    assert back.clean.tolist() == labels


def test_label_files_of_users(tmp_path):
    def file(name, text):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    assert read_labels(file("a.txt", "cat\ndog\ncat\n")).tolist() == ["cat", "dog", "cat"]
    assert read_labels(file("b.txt", "3\r\n-1\r\n")).tolist() == [3, -1]
    assert read_labels(file("c.csv", "file,label\na.png,cat\nb.png,dog\n")).tolist() == ["cat", "dog"]
    assert read_labels(file("d.csv", "\ufefffile,species\na,1\nb,02\n"), "species").tolist() == ["1", "02"]
    assert read_labels(file("e.csv", "species\n5\n6\n")).tolist() == [5, 6]
    np.save(tmp_path / "f.npy", np.array([[1, 2], [3, 4]], order="F"))
    assert read_labels(tmp_path / "f.npy").tolist() == [[1, 2], [3, 4]]
    np.savez(tmp_path / "g.npz", label=np.array(["a", "b"]), x=np.zeros(3))
    assert read_labels(str(tmp_path / "g.npz")).tolist() == ["a", "b"]
    for path, column, message in (
        (file("h.csv", "file,species\na,1\n"), None, "say which is meant; there are file, species"),
        (file("i.csv", "file,species\na,1\n"), "kind", "there is no 'kind'; there are file, species"),
        (file("j.csv", "file,label\na\n"), None, r"row 1 \(the header is row 0\) has 1 fields, not 2"),
        (file("k.csv", 'label\n a\n""\n'), None, r"label 1 \(from 0\) is missing"),
        (file("l.txt", "cat\n\ndog\n"), None, "label 1 .* is missing"),
        (file("m.csv", "a,a\n1,2\n"), None, "each once"),
        (file("n.csv", ""), None, "the first line names the columns"),
        (file("o.csv", 'label\n"never closed\n'), None, "is no CSV"),
        (file("p.csv", b"label\n\xff\xfe\n"), None, r"no UTF-8 text \(byte 6\)"),
        (file("q.csv", "label\n" + "x" * 200_000), None, "field larger than field limit"),
        (file("r.csv", "label\n1.5\n\n"), "x", "there is no 'x'"),
        (file("s.json", "[]"), None, "labels are read from .csv, .npz, .npy, .txt, not from 's.json'"),
    ):
        with pytest.raises(ValueError, match=message):
            read_labels(path, column)
    with pytest.raises(FileNotFoundError, match=r"no file .*nosuch\.csv"):
        read_labels(tmp_path / "nosuch.csv")
    with pytest.raises(FileNotFoundError, match="no file"):
        read_labels(tmp_path.with_suffix(".csv"))


def archive(path, **arrays):
    """Write an archive member by member: an array, or bytes that pass for one."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in arrays.items():
            if not isinstance(content, bytes):
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.asarray(content), allow_pickle=True)
                content = buffer.getvalue()
            file.writestr(f"{name}.npy", content)
    return path


class Harmful:
    def __reduce__(self):
        raise AssertionError("was pickled")


def header(shape, dtype="<i8"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def test_hostile_archives_are_refused(tmp_path, monkeypatch):
    noisy = corrupt(np.arange(60) % 3, symmetric_matrix(3, 0.4), seed=0)
    path = export(noisy, tmp_path / "labels.npz")
    good = dict(np.load(path))
    other = np.roll(good["noisy"], 1)
    run = pickle.dumps(print)
    cases = {
        "objects": ({"clean": np.array([{"a": 1}], dtype=object)}, "holds objects, which could run code"),
        "pickle": ({"clean": run}, "magic"),
        "huge": ({"clean": header((10**12,))}, "does not have the .* bytes of its file"),
        "overflow": ({"clean": header((2**62, 4))}, "does not have the .* bytes"),
        "negative": ({"clean": header((-5,))}, "does not have the"),
        "records": ({"clean": np.zeros(60, dtype=[("a", "i8")])}, "or records"),
        "floats": ({"clean": good["clean"].astype(float)}, "clean and noisy are integers"),
        "short": ({"noisy": good["noisy"][:-1]}, r"noisy int64 \(59,\)"),
        "outside": ({"noisy": good["noisy"] + 1}, "label 3 at index"),
        "matrix": ({"requested": np.ones((3, 3))}, "row 0 of the transition matrix"),
        "square": ({"requested": np.ones((3, 2))}, "square"),
        "classes": ({"classes": np.array(["a", "b"])}, "allowed 0..1|for 2 classes"),
        "twice": ({"classes": np.array(["a", "b", "b"])}, "'b' is named twice"),
        "hash": ({"noisy": other, "flipped": other != good["clean"]}, "not those of its hash"),
        "flips": ({"flipped": ~good["flipped"]}, "flipped where clean and noisy differ"),
        "scalar": ({"requested": np.array(3.0)}, "."),
    }
    for name, (changed, message) in cases.items():
        bad = archive(tmp_path / f"{name}.npz", **(good | changed))
        with pytest.raises(ValueError, match=message):
            load_export(bad)
    lacking = archive(tmp_path / "lacking.npz", **{key: good[key] for key in ("clean", "noisy")})
    with pytest.raises(ValueError, match="no array flipped, requested, realised, sha256"):
        load_export(lacking)
    content = path.read_bytes()
    for cut in (b"", content[:-30], content[: len(content) // 2], b"PK\x03\x04" + bytes(100)):
        (tmp_path / "cut.npz").write_bytes(cut)
        with pytest.raises(ValueError, match="damaged or no archive"):
            load_export(tmp_path / "cut.npz")
    flipped = bytearray(content)
    flipped[60] ^= 0xFF
    (tmp_path / "cut.npz").write_bytes(bytes(flipped))
    with pytest.raises(ValueError, match=r"cut\.npz"):
        load_export(tmp_path / "cut.npz")
    bomb = archive(tmp_path / "bomb.npz", clean=np.zeros(200_000, np.int64))
    monkeypatch.setattr(exchange, "LARGEST", 100_000)
    assert bomb.stat().st_size < 100_000
    with pytest.raises(ValueError, match="its arrays have 1,600,128 bytes; labels have 100,000 at most"):
        load_export(bomb)
    monkeypatch.setattr(exchange, "LARGEST", 100)
    with pytest.raises(ValueError, match="a file of labels has 100 at most"):
        load_export(bomb)


def test_tables_that_are_no_export_are_refused(tmp_path):
    noisy = corrupt(np.arange(6) % 3, symmetric_matrix(3, 0.4), seed=0)
    text = export(noisy, tmp_path / "labels.csv").read_text()
    for changed, message in (
        (text.replace("noisy", "given"), "its columns are index, clean, given, flipped, not index"),
        (text[:-2] + "01"[text[-2] == "0"] + "\n", "flipped where clean and noisy differ"),
        (text + "6,1\n", "row 7 .* has 2 fields"),
        (text + "6,0,0,no\n", "flipped is 0 or 1, not 'no'"),
        (text + "6,,0,1\n", "is missing"),
    ):
        (tmp_path / "bad.csv").write_text(changed)
        with pytest.raises(ValueError, match=message):
            load_export(tmp_path / "bad.csv")
    with pytest.raises(ValueError, match="label 2 at index 2"):
        load_export(tmp_path / "labels.csv", classes=range(2))
    with pytest.raises(ValueError, match=r"read from \.csv, \.npz, not from 'labels\.txt'"):
        load_export(tmp_path / "labels.txt")
    with pytest.raises(ValueError, match="an index of 2 names for 6 labels"):
        export(noisy, tmp_path / "labels.csv", index=["a", "b"])
