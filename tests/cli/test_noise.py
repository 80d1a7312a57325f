"""`sce noise export` of a run and of a file of one's own, and runs under noise that looks at the image."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from sce_lib.cli.app import app
from sce_lib.data import load_dataset
from sce_lib.experiments.config import Noise, RunConfig
from sce_lib.experiments.ledger import Ledger
from sce_lib.noise import (
    confidence_noise,
    corrupt,
    instance_noise,
    load_export,
    pair_matrix,
    read_labels,
    reference_probabilities,
    symmetric_matrix,
)

WORDS = ["cat", "dög", "eel, grey"]


@pytest.fixture
def sce(tmp_path, monkeypatch):
    """Return a caller of the command, in a folder of its own: exit code and what was said."""
    for name in ("SCE_LEDGER", "SCE_CACHE", "SCE_DATA"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return done.exit_code, " ".join(done.output.split())

    return call


@pytest.fixture
def table(tmp_path):
    """Return a table of sixty files and what is on them, and this as an array."""
    labels = np.array(WORDS)[np.arange(60) % 3]
    with (tmp_path / "mine.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "species"), *((f"{i} ä.png", x) for i, x in enumerate(labels))])
    return tmp_path / "mine.csv", labels


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_labels_of_a_file_get_noise_and_keep_their_names(sce, table, tmp_path, suffix):
    path, labels = table
    own = ("--labels", path, "--column", "species", "--id-column", "file", "--seed", 3)
    code, said = sce("noise", "export", f"out{suffix}", *own, "--noise", "symmetric-0.4")
    assert (code, said) == (0, f"out{suffix}: 60 labels, 24 flipped, rate 0.4000, 3 classes")
    back = load_export(tmp_path / f"out{suffix}")
    expected = corrupt(labels, symmetric_matrix(3, 0.4), seed=3)
    assert back.labels.tolist() == expected.labels.tolist()
    assert back.clean.tolist() == labels.tolist()
    assert read_labels(tmp_path / f"out{suffix}", "index").tolist() == [f"{i} ä.png" for i in range(60)]


def test_labels_of_a_file_by_pairs_matrix_and_features(sce, table, tmp_path):
    path, labels = table
    own = ("--labels", path, "--column", "species")
    pairs = ("--pair", "cat=dög", "--pair", "dög=cat")
    assert sce("noise", "export", "a.csv", *own, "--noise", "asymmetric-0.5", *pairs)[0] == 0
    T = pair_matrix(3, {"cat": "dög", "dög": "cat"}, 0.5, WORDS)
    assert load_export("a.csv").labels.tolist() == corrupt(labels, T, seed=0).labels.tolist()
    np.savetxt("T.csv", T, delimiter=",")
    np.savez("T.npz", requested=T)
    for matrix in ("T.csv", "T.npz"):
        assert sce("noise", "export", "b.csv", *own, "--matrix", matrix, "--overwrite")[0] == 0
        assert load_export("b.csv").labels.tolist() == load_export("a.csv").labels.tolist()
    features = np.random.default_rng(0).random((60, 4, 4))
    np.save("x.npy", features)
    assert sce("noise", "export", "c.npz", *own, "--noise", "instance-0.4", "--features", "x.npy")[0] == 0
    back, expected = load_export("c.npz"), instance_noise(features, labels, 0.4, seed=0)
    assert back.labels.tolist() == expected.labels.tolist()
    np.testing.assert_array_equal(back.requested, expected.requested)
    code, _ = sce("noise", "export", "d.npz", *own, "--noise", "confidence-0.4", "--features", "x.npy")
    expected = confidence_noise(reference_probabilities(features, labels), labels, 0.4, seed=0)
    assert (code, load_export("d.npz").sha256) == (0, expected.sha256)
    (tmp_path / "ids.txt").write_text("10\n20\n10\n")
    ids = ("--labels", "ids.txt", "--classes", "10,20,30")
    assert sce("noise", "export", "e.csv", *ids, "--noise", "asymmetric-1", "--pair", "10=30")[0] == 0
    assert load_export("e.csv").labels.tolist() == [30, 20, 30]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("--labels nosuch.csv", "there is no file nosuch.csv"),
        ("--labels mine.csv", "say which is meant; there are file, species"),
        ("--labels mine.csv --column kind", "there is no 'kind'; there are file, species"),
        ("--labels mine.json", "labels are read from .csv, .npz, .npy, .txt, not from 'mine.json'"),
        ("--column species", "--column is about labels of your own: give their file as --labels"),
        ("--features x.npy", "--features is about labels of your own"),
        ("--labels mine.csv --column species --noise asymmetric-0.4", "--pair cat=dog"),
        ("--labels mine.csv --column species --noise asymmetric-0.4 --pair cat", "cat=dog, not 'cat'"),
        (
            "--labels mine.csv --column species --noise asymmetric-0.4 --pair cat=cow",
            "class 'cow' is not one",
        ),
        ("--labels mine.csv --column species --pair cat=dog", "--pair is about asymmetric noise"),
        ("--labels mine.csv --column species --noise instance-0.4", "give their --features"),
        ("--labels mine.csv --column species --features x.npy", "about instance and confidence noise"),
        ("--labels mine.csv --column species --noise human-worse_label", "of CIFAR images alone"),
        ("--labels mine.csv --column species --classes cat,dog", "none of the 2 classes: 'cat', 'dog'"),
        (
            "--labels mine.csv --column species --noise symmetric-1.4",
            "rate: Input should be less",
        ),
        ("--labels mine.csv --column species --matrix mine.csv", "could not convert string"),
        ("--labels ids.txt --classes cat,dog", "the labels are integers, and 'cat' is none"),
        ("--labels mine.csv --column species --dataset digits", "--dataset is about a run's labels"),
        ("--labels mine.csv --column species --profile full", "--profile is about a run's labels"),
        ("--labels mine.csv --column species --matrix T.csv --noise symmetric-0.4", "in place of --noise"),
        ("--labels mine.csv --column species --matrix T.csv --features x.npy", "needs no --features"),
        ("--noise symetric-0.4", "did you mean 'symmetric-0.4'?"),
        ("--noise Asymetric-0.4", "did you mean 'asymmetric-0.4'?"),
        ("--noise humen-worse_label", "did you mean 'human-worse_label'?"),
        ("--noise instance", "instance-RATE, confidence-RATE or human-LABELS"),
    ],
)
def test_what_cannot_be_exported_is_named_and_leaves_no_file(sce, table, tmp_path, arguments, named):
    (tmp_path / "ids.txt").write_text("1\n2\n")
    np.save(tmp_path / "x.npy", np.zeros((60, 2)))
    code, said = sce("noise", "export", "out.csv", *arguments.split())
    assert code == 2
    assert named in said
    assert not (tmp_path / "out.csv").exists()


def test_a_file_that_is_there_is_replaced_only_where_one_says_so(sce, table, tmp_path):
    path, _ = table
    own = ("--labels", path, "--column", "species")
    assert sce("noise", "export", "out.csv", *own)[0] == 0
    before = (tmp_path / "out.csv").read_bytes()
    code, said = sce("noise", "export", "out.csv", *own, "--seed", 1)
    assert (code, (tmp_path / "out.csv").read_bytes()) == (2, before)
    assert "out.csv is there already: give another, or --overwrite" in said
    assert sce("noise", "export", "out.csv", *own, "--seed", 1, "--overwrite")[0] == 0
    assert (tmp_path / "out.csv").read_bytes() != before
    assert "is a folder" in sce("noise", "export", tmp_path, *own, "--overwrite")[1]


@pytest.mark.parametrize("read", ["labels", "matrix", "features"])
@pytest.mark.parametrize("way", ["mine.csv", "./sub/../mine.csv", "link.csv"])
def test_a_file_that_is_read_is_never_written(sce, table, tmp_path, read, way):
    path, _ = table
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.csv").symlink_to("mine.csv")
    (tmp_path / "other.csv").write_bytes(before := path.read_bytes())
    files = {"labels": "other.csv"} | {read: "mine.csv"}
    words = [word for name, file in files.items() for word in (f"--{name}", file)]
    code, said = sce("noise", "export", way, *words, "--column", "species", "--overwrite")
    assert (code, path.read_bytes()) == (2, before)
    assert f"is the file of --{read}, which would be lost" in said


@pytest.mark.parametrize("kind", ["instance", "confidence"])
def test_a_run_under_noise_that_looks_at_the_image(sce, tmp_path, kind):
    """Its record has the rate and the matrices of the labels that `sce noise export` writes."""
    run = ("--dataset", "digits", "--noise", f"{kind}-0.4", "--profile", "smoke")
    assert sce("run", *run, "--method", "forward", "--device", "cpu")[0] == 0
    (record,) = Ledger(tmp_path / "SCE_LEDGER")
    assert record.config.noise == Noise(kind=kind, rate=0.4)
    assert sce("noise", "export", "out.npz", *run)[0] == 0
    noisy = load_export("out.npz")
    found = record.provenance
    assert found.noise_rate == noisy.rate == 519 / 1297
    np.testing.assert_allclose(found.realised_noise, noisy.realised, atol=1e-6)
    np.testing.assert_allclose(found.requested_noise, noisy.requested, atol=1e-6)
    data = load_dataset("digits")
    images, labels = data.train_images, data.train_labels
    if kind == "instance":
        expected = instance_noise(images, labels, 0.4, seed=0)
    else:
        expected = confidence_noise(reference_probabilities(images, labels), labels, 0.4, seed=0)
    assert noisy.sha256 == expected.sha256


def test_kinds_of_noise_have_names_that_are_those_of_old_runs_too():
    old = Noise(kind="symmetric", rate=0.4)
    assert json.loads(old.model_dump_json(exclude_defaults=True)) == {"kind": "symmetric", "rate": 0.4}
    assert RunConfig.preset("digits", "sl", "symmetric-0.4").run_id == OLD
    config = RunConfig.preset("digits", "sl", "instance-0.4", protocol="released", profile="smoke")
    assert (config.noise.variant, config.noise_seed) == ("paper", 0)
    assert config.run_id.startswith("sl-instance-0.4-smoke-s0-")
    assert RunConfig.preset("digits", "sl", ("confidence", 0.3)).noise.title == "30 % noise by confidence"
    assert RunConfig.preset("digits", "sl", "instance-0.4").setting == "SL, 40 % instance-dependent noise"
    assert Noise(kind="instance", rate=0.0) == Noise()
    with pytest.raises(ValueError, match="noise of kind 'instance' has no variant 'released'"):
        Noise(kind="instance", rate=0.4, variant="released")
    with pytest.raises(ValueError, match="belongs to human noise, not to confidence"):
        Noise(kind="confidence", rate=0.4, label_set="worse_label")


# The name of a run as the first records have it.
OLD = "sl-symmetric-0.4-laptop-s0-6d8d08014629"
