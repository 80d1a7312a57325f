"""Predictions by networks that have not seen the image: in order, the same again, and of use."""

import random

import numpy as np
import pytest
import torch
from image_trees import Clothing

from sce_lib.data import image_paths, load_clothing1m
from sce_lib.experiments import out_of_fold as module
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.out_of_fold import in_sample, out_of_fold, stratified_folds
from sce_lib.experiments.training import TrainingDiverged, train
from sce_lib.experiments.training.loop import Run
from sce_lib.experiments.training.task import prepare
from sce_lib.metrics import detection, suspects

CPU = torch.device("cpu")


@pytest.mark.parametrize(("n", "folds"), [(97, 5), (96, 2), (7, 7), (1_000, 3)])
def test_folds_share_out_every_class(n, folds):
    labels = torch.from_numpy(np.random.default_rng(n).integers(0, 4, n))
    fold = stratified_folds(labels, folds, seed=0)
    assert fold.shape == (n,)
    for members in (torch.ones(n, dtype=torch.bool), *(labels == label for label in range(4))):
        sizes = fold[members].bincount(minlength=folds)
        assert len(sizes) == folds
        assert sizes.max() - sizes.min() <= 1
    assert torch.equal(fold, stratified_folds(labels, folds, seed=0))
    assert n < 10 or not torch.equal(fold, stratified_folds(labels, folds, seed=1))


@pytest.mark.parametrize("folds", [0, 1, 5, -2, 2.0, True])
def test_folds_that_cannot_be_are_refused(folds):
    with pytest.raises(ValueError, match="from 2 to 4"):
        stratified_folds(torch.arange(4), folds, seed=0)


def test_a_part_of_one_image_trains_nothing():
    with pytest.raises(ValueError, match="2 images or more to train on, not 2"):
        stratified_folds(torch.arange(3), 2, seed=0)


def test_every_image_is_predicted_by_the_network_that_did_not_see_it(make_images, tiny_config, tmp_path):
    data, config = make_images(train=60), tiny_config("ce")
    found = out_of_fold(config, 3, "cpu", data=data, checkpoints=tmp_path)
    task = prepare(config, CPU, data=data)
    assert torch.equal(found.labels, task.labels)
    assert torch.equal(found.flipped, task.flipped)
    assert found.classes == data.classes
    assert torch.allclose(found.probabilities.sum(1), torch.ones(60, dtype=torch.float64))
    # Other images in the place of those held out: all else is as it was, so their network is the same one.
    held_out = found.fold == 1
    changed = data.train_images.clone()
    changed[held_out] = changed[held_out].flip(0)
    statistics = config.model_copy(update={"normalisation": "scale"})  # which do not depend on images
    one = out_of_fold(statistics, 3, "cpu", data=data, checkpoints=tmp_path / "one")
    other_data = make_images(train=60, train_images=changed)
    other = out_of_fold(statistics, 3, "cpu", data=other_data, checkpoints=tmp_path / "other")
    assert torch.allclose(other.logits[held_out], one.logits[held_out].flip(0), atol=1e-5)
    assert not torch.allclose(other.logits[~held_out], one.logits[~held_out], atol=1e-5)


def test_labels_that_mean_nothing_are_memorised_in_sample_alone(make_images, tiny_config, tmp_path):
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (60, 8, 8, 3)).astype(np.uint8))
    data = make_images(train=60, train_images=images)
    config = tiny_config("ce", "none", sgd={"epochs": 30, "batch_size": 20})
    seen = in_sample(config, "cpu", data=data, checkpoints=tmp_path / "seen")
    unseen = out_of_fold(config, 3, "cpu", data=data, checkpoints=tmp_path / "unseen")
    assert seen.flipped is None
    assert (seen.logits.argmax(1) == seen.labels).double().mean() > 0.9
    assert (unseen.logits.argmax(1) == unseen.labels).double().mean() < 0.6


def test_in_sample_is_the_network_that_a_run_ends_with(make_images, tiny_config, tmp_path):
    data, config = make_images(train=90), tiny_config("gce")
    found = in_sample(config, "cpu", data=data, checkpoints=tmp_path / "a")
    record = train(config, "cpu", data=data, checkpoints=tmp_path / "b")
    quality = detection(suspects(found.logits, found.labels), found.flipped)
    assert round(quality.auroc, 6) == record.detection.auroc


def test_an_interrupted_call_goes_on_where_it_was(make_images, tiny_config, tmp_path, monkeypatch):
    monkeypatch.setenv("SCE_CHECKPOINT_SECONDS", "0")
    data, config = make_images(train=60), tiny_config("sl", sgd={"epochs": 3})

    def call(folder):
        return out_of_fold(config, 2, "cpu", data=data, checkpoints=tmp_path / folder, progress=False)

    whole, epochs, run_epoch = call("whole"), [], Run.run_epoch

    def counted(run, epoch):
        if len(epochs) == 4 and epochs[-1] != "interrupted":
            epochs.append("interrupted")
            raise KeyboardInterrupt
        epochs.append(epoch)
        run_epoch(run, epoch)

    monkeypatch.setattr(Run, "run_epoch", counted)
    with pytest.raises(KeyboardInterrupt):
        call("parts")
    assert torch.equal(call("parts").logits, whole.logits)
    assert epochs == [0, 1, 2, 0, "interrupted", 1, 2]
    assert torch.equal(call("parts").logits, whole.logits)  # and what is kept is read
    assert len(epochs) == 7


def test_other_images_are_not_taken_for_those_before(make_images, tiny_config, tmp_path, recwarn):
    config = tiny_config("ce")
    one = out_of_fold(config, 2, "cpu", data=make_images(train=60), checkpoints=tmp_path)
    other = out_of_fold(config, 2, "cpu", data=make_images(train=60, seed=1), checkpoints=tmp_path)
    assert not torch.equal(one.logits, other.logits)
    assert not [warning for warning in recwarn if "counted as missing" in str(warning.message)]


def test_what_is_damaged_is_made_again(make_images, tiny_config, tmp_path):
    def call():
        return out_of_fold(tiny_config("ce"), 2, "cpu", data=make_images(train=60), checkpoints=tmp_path)

    whole = call()
    for file in tmp_path.rglob("*.pt"):
        file.write_bytes(file.read_bytes()[:-7])
    with pytest.warns(UserWarning, match="counted as missing"):
        again = call()
    assert torch.equal(again.logits, whole.logits)


def test_images_that_are_read_from_disk(tmp_path):
    Clothing(tmp_path / "clothing1m").write()
    data = load_clothing1m(tmp_path / "clothing1m", resize=40, crop=32)
    config = RunConfig.preset("clothing1m", "sl", profile="smoke", n_train=None, embedding=0)
    found = out_of_fold(config, 2, "cpu", data=data, checkpoints=tmp_path / "kept", progress=False)
    assert found.logits.shape == (30, 14)
    assert found.flipped is None  # nobody knows
    table = found.table("margin", paths=image_paths(data))
    assert sorted(table["path"]) == sorted(map(str, image_paths(data)))
    assert table["margin"].is_monotonic_increasing


def test_global_random_state_is_left_alone(make_images, tiny_config, tmp_path):
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    out_of_fold(tiny_config("ce"), 2, "cpu", data=make_images(train=60), checkpoints=tmp_path)
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_a_network_that_diverges_is_named(make_images, tiny_config, tmp_path, monkeypatch):
    config = tiny_config("ce")
    monkeypatch.setattr(module.measure, "outputs", lambda *_: torch.full((30, 3), torch.nan))
    monkeypatch.setattr(Run, "run_epoch", lambda run, epoch: None)
    with pytest.raises(TrainingDiverged, match=config.run_id):
        out_of_fold(config, 2, "cpu", data=make_images(train=60), checkpoints=tmp_path)


@pytest.mark.parametrize("method", ["ce", "sl", "gce"])
def test_flipped_digits_are_found(method, tmp_path):
    """Bounds are wide: one seed, half the network, 12 epochs."""
    config = RunConfig.preset("digits", method, "symmetric-0.4", profile="smoke", embedding=0)
    found = out_of_fold(config, 2, "cpu", threads=1, checkpoints=tmp_path)
    quality = detection(suspects(found.logits, found.labels), found.flipped, found.labels)
    assert quality.auroc > 0.85
    assert quality.precision > 0.65  # 0.4 by chance
    assert min(part.auroc for part in quality.by_class.values()) > 0.6


@pytest.mark.slow
def test_what_is_memorised_is_no_longer_found(tmp_path):
    """What the page on using the losses says of records, at the scale of the book; one seed."""
    by_stage = {}
    for method in ("ce", "sl", "gce"):
        config = RunConfig.preset("digits", method, "symmetric-0.4", profile="laptop", embedding=0)
        record = train(config, "cpu", threads=1, checkpoints=tmp_path, progress=False)
        by_stage[method] = [stage.detection.auroc for stage in record.stages]
    assert by_stage["ce"][-1] < by_stage["ce"][0] - 0.02
    for method in ("sl", "gce"):
        assert min(by_stage[method]) > 0.97
        assert by_stage[method][-1] > by_stage["ce"][-1] + 0.03
