"""Training on images that are read from disk: the same loop, the same numbers, and labels as they come."""

import dataclasses
import random
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from sce_lib.data import (
    DatasetError,
    DatasetNotFound,
    ImageData,
    ImageReader,
    LazyImages,
    MadeClothing1M,
    load_clothing1m,
)
from sce_lib.data.clothing1m import SOURCE_OF_A_PART
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import Ledger
from sce_lib.experiments.training import TrainingDiverged, train
from sce_lib.experiments.training.checkpoint import Checkpoint
from sce_lib.experiments.training.task import CappedWarning, prepare

CPU = torch.device("cpu")
SMALL = {"resize": 12, "crop": 8}


@pytest.fixture(autouse=True)
def each_epoch(monkeypatch):
    """Keep a checkpoint after each epoch, here and in processes that are started."""
    monkeypatch.setenv("SCE_CHECKPOINT_SECONDS", "0")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Return a tree in the official layout in which images of every class have both labels."""
    clothing = MadeClothing1M(tmp_path_factory.mktemp("data") / "clothing1m", noisy_train=70, clean_train=30)
    clothing.label_twice()
    return clothing.write().parent


@pytest.fixture
def lazy(root, folders):
    return load_clothing1m(root / "clothing1m", **SMALL)


def readers():
    """Return the processes of this one that read images: all but multiprocessing's own."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


def test_the_processes_that_read_stay_from_pass_to_pass_until_they_are_stopped(lazy):
    reader = ImageReader(lazy.train, CPU, workers=2)
    chosen = reader[torch.arange(0, 70, 3)]
    orders = [torch.randperm(len(chosen)).split(5) for _ in range(3)]
    try:
        there = []
        for order in orders:
            read = torch.cat(list(chosen.batches(order)))
            expected = [lazy.train[3 * int(place)][0] for place in torch.cat(order)]
            assert torch.equal(read, torch.stack(expected))
            there.append({child.pid for child in readers()})
        assert len(there[0]) == 2
        assert there[0] == there[1] == there[2]
        # A pass that is given up leaves nothing to the next, of another choice of the same images.
        next(iter(chosen.batches(orders[0])))
        assert torch.equal(next(iter(reader.split(4))), torch.stack([lazy.train[k][0] for k in range(4)]))
        assert {child.pid for child in readers()} == there[0]
    finally:
        reader.close()
    assert readers() == []
    reader.close()
    assert len(list(reader.split(64))) == 2  # begun anew
    reader.close()


def test_no_process_outlives_its_run(lazy, tiny_config, tmp_path):
    train(small(tiny_config), "cpu", data=lazy, checkpoints=tmp_path, workers=2)
    assert readers() == []
    config = small(tiny_config, "ce", sgd={"lr": 1e30})
    with pytest.raises(TrainingDiverged) as caught:
        train(config, "cpu", data=lazy, checkpoints=tmp_path, workers=2)
    assert caught.tb is not None
    assert readers() == []


@pytest.fixture
def photo(tmp_path):
    """Return the maker of a one-image data set of a smooth photo of a size."""

    def make(side, draft):
        y, x = np.mgrid[:side, :side] / side
        pixels = np.stack([x, y, (x + y) / 2], axis=2)
        Image.fromarray((255 * pixels).astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
        return LazyImages(tmp_path, ["a.jpg"], torch.zeros(1), tmp_path / "list", [1], 32, 28, draft)[0][0]

    return make


def test_a_draft_is_near_the_image_and_of_small_images_the_same(photo):
    assert torch.equal(photo(48, draft=True), photo(48, draft=False))  # no scale between 48 and 32
    whole, draft = photo(400, draft=False), photo(400, draft=True)
    assert not torch.equal(whole, draft)
    assert (whole.int() - draft.int()).abs().max() <= 4


def test_a_run_on_drafts_is_another_run(root, tiny_config, tmp_path):
    drafted = load_clothing1m(root / "clothing1m", **SMALL, draft=True)
    config = small(tiny_config, jpeg_draft=True)
    assert config.run_id != small(tiny_config).run_id
    assert "JPEGs in draft" in config.setting
    assert len(train(config, "cpu", data=drafted, checkpoints=tmp_path, workers=0).epochs) == 2
    with pytest.raises(ValueError, match=r"jpeg_draft is False, but .* draft=True"):
        prepare(small(tiny_config), CPU, data=drafted)


def in_memory(lazy):
    """Return the same images and labels as arrays."""
    arrays = {}
    for name, split in (("train", lazy.train), ("test", lazy.test)):
        arrays[f"{name}_images"] = torch.stack([split[k][0] for k in range(len(split))])
        arrays[f"{name}_labels"] = split.labels
    return ImageData(name="clothing1m", classes=lazy.classes, source="the same images", **arrays)


def small(tiny_config, method="sl", **changes):
    """Return a run with everything random in it that a run on Clothing1M can have."""
    augmentation = {"shift": 1, "flip": True, "rotation": 5.0}
    fields = {"n_train": 61, "augmentation": augmentation, "embedding": 20, "section": "5.3"}
    return tiny_config(method, "none", dataset="clothing1m", **(fields | changes))


@pytest.mark.parametrize("workers", [0, 2])
def test_images_on_disk_give_what_images_in_memory_give(lazy, tiny_config, tmp_path, workers):
    config = small(tiny_config)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state()  # noqa: NPY002
    record = train(config, "cpu", data=lazy, checkpoints=tmp_path / "lazy", workers=workers)
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), states[2])
    expected = train(config, "cpu", data=in_memory(lazy), checkpoints=tmp_path / "memory").results()
    found = record.results()
    del found["provenance"], expected["provenance"]
    assert found == expected


def test_d2l_looks_at_images_on_disk_too(lazy, tiny_config, tmp_path):
    config = small(tiny_config, "d2l", sgd={"epochs": 4})
    found = train(config, "cpu", data=lazy, checkpoints=tmp_path / "lazy", workers=0)
    expected = train(config, "cpu", data=in_memory(lazy), checkpoints=tmp_path / "memory")
    assert found.epochs == expected.epochs


def test_the_record_says_that_the_true_labels_are_unknown(lazy, tiny_config, tmp_path):
    record = train(small(tiny_config), "cpu", data=lazy, checkpoints=tmp_path)
    made = record.provenance
    assert made.noise_rate is None
    assert made.realised_noise == [[None] * 14] * 14
    assert (made.source, made.train_images, made.test_images) == (SOURCE_OF_A_PART, 61, 28)
    stage = record.final_stage()
    assert sum(stage.flipped.count) == 0
    assert stage.clean.count == torch.bincount(prepare(small(tiny_config), CPU, data=lazy).labels).tolist()
    assert stage.clean.accuracy == stage.clean.fitted
    ledger = Ledger(tmp_path / "ledger")
    ledger.put(record)
    assert ledger.get(record.config) == record


def test_forward_is_given_the_matrix_of_images_with_both_labels(lazy, tiny_config, tmp_path):
    task = prepare(small(tiny_config, "forward"), CPU, data=lazy)
    counts = lazy.noise_counts.double()
    expected = counts / counts.sum(dim=1, keepdim=True)
    np.testing.assert_allclose(task.noisy.requested, expected)
    assert 0.5 < np.trace(task.noisy.requested) / 14 < 1
    record = train(small(tiny_config, "forward"), "cpu", data=lazy, checkpoints=tmp_path)
    assert record.provenance.requested_noise[0][13] == pytest.approx(expected[0, 13].item(), abs=1e-6)


@pytest.mark.parametrize("method", ["forward", "backward", "forward+sl"])
def test_a_class_without_such_images_stops_the_methods_that_need_them(lazy, tiny_config, method):
    counts = lazy.noise_counts.clone()
    counts[5] = 0
    data = dataclasses.replace(lazy, noise_counts=counts)
    with pytest.raises(ValueError, match=rf"{method.replace('+', '.')} needs .* Hoodie there is none"):
        prepare(small(tiny_config, method), CPU, data=data)
    assert np.isnan(prepare(small(tiny_config), CPU, data=data).noisy.requested[5]).all()


def test_no_noise_is_put_on_labels_that_are_noisy(lazy, tiny_config):
    config = tiny_config("sl", "symmetric-0.4", dataset="clothing1m")
    with pytest.raises(ValueError, match=r"symmetric-0\.4 .* noisy as they come; give noise 'none'"):
        prepare(config, CPU, data=lazy)


def test_fewer_workers_than_none(lazy, tiny_config):
    with pytest.raises(ValueError, match="0 or more, not -1"):
        prepare(small(tiny_config), CPU, data=lazy, workers=-1)


def test_more_training_images_than_are_listed(lazy, tiny_config):
    with pytest.warns(
        CappedWarning, match="clothing1m has 70 training images: a run has all of them, not 71"
    ):
        task = prepare(small(tiny_config, n_train=71), CPU, data=lazy)
    assert len(task.labels) == 70


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_cannot_be_read_is_named(root, lazy, tiny_config, tmp_path, workers):
    file = root / "clothing1m" / lazy.train.key(9)
    content = file.read_bytes()
    file.write_bytes(content[:100])
    try:
        with pytest.raises(DatasetError, match=rf"{file.name} .*noisy_train_key_list\.txt:10") as caught:
            train(small(tiny_config, n_train=None), "cpu", data=lazy, checkpoints=tmp_path, workers=workers)
        assert caught.tb is not None  # whose frames do not keep the workers
        assert readers() == []
    finally:
        file.write_bytes(content)


def test_a_run_killed_in_the_middle_goes_on_to_the_same_results(root, lazy, tiny_config, tmp_path):
    config = small(tiny_config, sgd={"epochs": 30})
    script = (
        "import sys; from sce_lib.experiments.config import RunConfig; "
        "from sce_lib.data import load_clothing1m; "
        "from sce_lib.experiments.training import train; "
        f"data = load_clothing1m(sys.argv[2], **{SMALL}); "
        "config = RunConfig.model_validate_json(sys.argv[1]); "
        "train(config, 'cpu', threads=1, data=data, checkpoints=sys.argv[3], workers=0)"
    )
    arguments = [config.model_dump_json(), str(root / "clothing1m"), str(tmp_path / "killed")]
    process = subprocess.Popen([sys.executable, "-c", script, *arguments])
    while not list((tmp_path / "killed").glob("*.pt")):
        assert process.poll() is None, "it ended before its first checkpoint"
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    kept = Checkpoint(config, lazy.fingerprint, tmp_path / "killed").load(CPU)
    assert 1 <= len(kept["epochs"]) < 30

    def ended(folder):
        return train(config, "cpu", threads=1, data=lazy, checkpoints=tmp_path / folder, workers=0).results()

    assert ended("killed") == ended("undisturbed")


def test_the_presets_smoke_run_on_a_tree_in_the_official_layout(root, folders):
    config = RunConfig.preset("clothing1m", "forward", profile="smoke")
    record = train(config, "cpu", root=root, workers=0)
    assert (record.config.model.name, record.config.section) == ("resnet50", "5.3")
    assert (record.provenance.train_images, record.provenance.test_images) == (28, 28)
    assert len(record.epochs) == 1
    assert sum(map(sum, record.confusion)) == 28
    assert len(record.embedding.labels) == 28


def test_the_data_set_that_is_not_there(folders, tmp_path):
    with pytest.raises(DatasetNotFound, match="ask them"):
        train(RunConfig.preset("clothing1m", "sl", profile="smoke"), "cpu", root=tmp_path)
