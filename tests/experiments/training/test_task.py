"""What a config makes of a data set: subset, noise, normalisation, and what is refused."""

import numpy as np
import pytest
import torch

from sce_lib.data import DatasetError
from sce_lib.experiments.config.parts import Noise
from sce_lib.experiments.training import train
from sce_lib.experiments.training.task import CappedWarning, prepare
from sce_lib.noise import symmetric_matrix

CPU = torch.device("cpu")


def test_labels_are_corrupted_as_the_config_says(make_images, tiny_config):
    data = make_images(train=300)
    task = prepare(tiny_config(noise="symmetric-0.4"), CPU, data=data)
    assert torch.equal(task.clean, data.train_labels)
    assert torch.equal(task.flipped, task.labels != task.clean)
    assert torch.bincount(task.clean[task.flipped]).tolist() == [40, 40, 40]
    np.testing.assert_allclose(task.noisy.requested, symmetric_matrix(3, 0.4))
    assert torch.equal(task.images, data.train_images)
    clean = prepare(tiny_config(noise="none"), CPU, data=data)
    assert not clean.flipped.any()


def test_noise_goes_by_its_own_seed_where_it_has_one(make_images, tiny_config):
    data = make_images(train=300)

    def labels(seed, noise_seed=None):
        noise = Noise(kind="symmetric", rate=0.4, noise_seed=noise_seed)
        return prepare(tiny_config(noise=noise, seed=seed), CPU, data=data).labels

    assert torch.equal(labels(1), labels(1))
    assert not torch.equal(labels(1), labels(2))
    assert torch.equal(labels(1, 7), labels(2, 7))
    assert torch.equal(labels(7), labels(2, 7))


def test_the_subset_keeps_the_shares_and_is_the_same_for_every_seed(make_images, tiny_config):
    data = make_images(train=400, classes=4)
    tasks = [prepare(tiny_config(n_train=100, seed=seed), CPU, data=data) for seed in (0, 1)]
    assert torch.bincount(tasks[0].clean).tolist() == [25] * 4
    assert torch.equal(tasks[0].images, tasks[1].images)
    other = prepare(tiny_config(n_train=100, subset_seed=1), CPU, data=data)
    assert not torch.equal(tasks[0].images, other.images)


def test_more_training_images_than_there_are(make_images, tiny_config):
    data = make_images(train=96)
    whole = prepare(tiny_config(n_train=96), CPU, data=data)
    with pytest.warns(CappedWarning, match="tiny has 96 training images: a run has all of them, not 97"):
        capped = prepare(tiny_config(n_train=97), CPU, data=data)
    assert len(capped.labels) == 96
    assert torch.equal(capped.labels, whole.labels)
    assert torch.equal(capped.images, whole.images)


def test_a_batch_larger_than_the_data(make_images, tiny_config, tmp_path):
    config = tiny_config(sgd={"batch_size": 500})
    with pytest.warns(CappedWarning, match="a batch of tiny is of 96, not 500"):
        record = train(config, "cpu", threads=1, data=make_images(train=96), checkpoints=tmp_path)
    assert len(record.epochs) == config.optimisation.epochs


def test_a_single_training_image(make_images, tiny_config):
    with pytest.raises(ValueError, match="1 training image"):
        prepare(tiny_config(), CPU, data=make_images(train=1, test=2, classes=1))


@pytest.mark.parametrize("label", [-1, 3, 10])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_label_out_of_range_is_named_with_what_is_allowed(make_images, split, label):
    labels = torch.arange(40) % 3
    labels[17] = label
    with pytest.raises(DatasetError, match=rf"{split} label {label} at index 17.*0 to 2"):
        make_images(train=40, test=40, **{f"{split}_labels": labels})


def test_a_label_put_out_of_range_later_is_named_too(make_images, tiny_config):
    data = make_images()
    data.train_labels[5] = 10
    for noise in ("symmetric-0.4", "none"):
        with pytest.raises(ValueError, match=r"label 10 at index 5; allowed 0\.\.2"):
            prepare(tiny_config(noise=noise), CPU, data=data)


def test_noise_of_other_classes_than_the_datas(make_images, tiny_config):
    config = tiny_config(noise="asymmetric-0.4", dataset="digits")
    with pytest.raises(ValueError, match=r"10 classes, the data have 3"):
        prepare(config, CPU, data=make_images())


def test_noise_that_a_data_set_does_not_have(make_images, tiny_config):
    for noise in ("asymmetric-0.4", "human-worse_label"):
        with pytest.raises(ValueError, match="tiny"):
            prepare(tiny_config(noise=noise), CPU, data=make_images())


def test_human_labels_are_those_of_the_images_chosen(make_images, tiny_config, tmp_path):
    data = make_images(train=60, classes=10, test=10)
    noisy = (data.train_labels.numpy() + (np.arange(60) % 5 == 0)) % 10
    content = {"clean_label": data.train_labels.numpy(), "worse_label": noisy}
    torch.save(content, tmp_path / "CIFAR-10_human.pt")
    config = tiny_config(noise="human-worse_label", dataset="cifar10", n_train=30)
    task = prepare(config, CPU, root=tmp_path, data=data)
    place = [int((data.train_images == image).flatten(1).all(1).nonzero()[0]) for image in task.images]
    assert task.labels.tolist() == noisy[place].tolist()
    assert task.flipped.tolist() == [index % 5 == 0 for index in place]


@pytest.mark.parametrize(
    ("train", "test", "looked_at"),
    [(100, 2000, 2000), (100, 2001, 2000), (3500, 2100, 2100), (3499, 2100, 2000), (5000, 2500, 2500)],
)
def test_test_images_looked_at_each_epoch(make_images, tiny_config, train, test, looked_at):
    """All of them up to 2,000, or up to 0.6 of the training images; else 2,000, in their classes' shares."""
    data = make_images(train=train, test=test, shape=(2, 2, 1))
    task = prepare(tiny_config(), CPU, data=data)
    assert len(task.epoch_test) == looked_at == len(task.epoch_test.unique())
    assert len(task.test_labels) == test
    shares = torch.bincount(task.test_labels[task.epoch_test]) / looked_at
    torch.testing.assert_close(shares, torch.bincount(task.test_labels) / test, atol=1 / looked_at, rtol=0)
    again = prepare(tiny_config(seed=1), CPU, data=data)
    assert torch.equal(task.epoch_test, again.epoch_test)


def test_normalisation(make_images, tiny_config):
    data = make_images(train=50)
    pixels = data.train_images.numpy() / 255.0
    expected = {
        "channel": (pixels - pixels.mean((0, 1, 2))) / pixels.std((0, 1, 2)),
        "pixel_mean": pixels - pixels.mean(0),
        "scale": pixels,
    }
    for normalisation, values in expected.items():
        task = prepare(tiny_config(normalisation=normalisation), CPU, data=data)
        network_sees = task.normalised(task.images)
        assert network_sees.dtype == torch.float32
        np.testing.assert_allclose(network_sees.permute(0, 2, 3, 1), values, atol=1e-5)


@pytest.mark.parametrize("shift", [0.2, 2.0])
def test_augmented_batches_come_from_the_generator_alone(make_images, tiny_config, shift):
    config = tiny_config(augmentation={"shift": shift, "flip": True, "rotation": 10.0})
    task = prepare(config, CPU, data=make_images())
    index = torch.arange(32)

    def batch(seed):
        return task.training_batch(index, torch.Generator().manual_seed(seed))

    assert torch.equal(batch(0), batch(0))
    assert not torch.equal(batch(0), batch(1))
    assert not torch.equal(batch(0), task.normalised(task.images[index]))
    assert batch(0).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("rate", "warned"), [(0.6, False), (0.7, True), (1.0, True)])
def test_noise_that_leaves_no_class_to_be_told_is_legal_and_warned_of(
    make_images, tiny_config, rate, warned, recwarn
):
    """Of three classes the right label is no longer the most frequent one from two thirds on."""
    task = prepare(tiny_config(noise=f"symmetric-{rate}"), torch.device("cpu"), data=make_images(train=300))
    assert task.flipped.float().mean().item() == pytest.approx(rate)
    told = [warning for warning in recwarn if "no more frequent than a wrong one" in str(warning.message)]
    assert bool(told) == warned
