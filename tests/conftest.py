"""What many tests need: folders of their own, small images, runs made by hand."""

import os
import subprocess

import hypothesis
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from sce_lib.data import ImageData
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import EpochRecord, GroupRecord, Provenance, RunRecord, StageRecord

# How long an example takes says how busy the machine is, and nothing of what is tested.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Keep caches, checkpoints and records of a test in folders of its own."""
    monkeypatch.setenv("SCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SCE_LEDGER", str(tmp_path / "ledger"))
    return tmp_path


@pytest.fixture
def mount_disk(tmp_path):
    """Return a function that mounts a small disk, ``"64k"`` say, and returns its folder; only root can."""
    mounted = []

    def mount(size):
        disk = tmp_path / "disk"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a small disk needs root")
        mounted.append(disk)
        return disk

    yield mount
    for disk in mounted:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture(scope="session")
def make_images():
    """Return a maker of data sets: each class is a grey level under noise, so that it can be learned."""

    def make(train=96, test=40, classes=3, shape=(8, 8, 3), seed=0, **changed):
        rng = np.random.default_rng(seed)
        arrays = {}
        for split, count in (("train", train), ("test", test)):
            labels = np.arange(count) % classes
            level = (labels + 0.5) * 256 / classes
            pixels = rng.normal(level[:, None, None, None], 30, (count, *shape)).clip(0, 255).astype(np.uint8)
            arrays |= {
                f"{split}_images": torch.from_numpy(pixels),
                f"{split}_labels": torch.from_numpy(labels),
            }
        names = tuple(f"class{label}" for label in range(classes))
        return ImageData(name="tiny", classes=names, source="drawn by a test", **(arrays | changed))

    return make


@pytest.fixture(scope="session")
def tiny_config():
    """Return a maker of configs for such data: milliseconds an epoch."""

    def make(method="sl", noise="symmetric-0.4", *, dataset="tiny", sgd=None, **changes):
        fields = {
            "model": {"name": "cnn4", "width": 0.25},
            "optimisation": {"lr": 0.05, "epochs": 2, "batch_size": 32} | (sgd or {}),
            "augmentation": {},
            "n_train": None,
            "embedding": 0,
        }
        return RunConfig.preset(dataset, method, noise, profile="smoke", **(fields | changes))

    return make


# Of each class, in a record made by hand; enough for an accuracy of three decimals.
TEST_IMAGES = 1_000


def confusion_of(shares):
    """Return a confusion matrix of these accuracies; what is wrong is taken for the next class."""
    right = [0 if share is None else round(share * TEST_IMAGES) for share in shares]
    wrong = [0 if share is None else TEST_IMAGES - count for share, count in zip(shares, right, strict=True)]
    return (np.diag(right) + np.roll(np.diag(wrong), 1, axis=1)).tolist()


@pytest.fixture(scope="session")
def ending_in():
    """Return a function that gives a record another confusion matrix, and all that follows from it."""

    def change(record, counts):
        last = float(np.trace(counts) / counts.sum())
        shares = np.round(np.diag(counts) / counts.sum(axis=1), 6).tolist()  # as records have them
        final = record.final_stage().model_copy(update={"classwise_accuracy": shares, "test_accuracy": last})
        ends = {"stages": [*record.stages[:-1], final], "last_accuracy": last, "confusion": counts.tolist()}
        return record.model_copy(update=ends)

    return change


@pytest.fixture(scope="session")
def make_record():
    """Return a maker of records whose numbers are given: accuracies by class at each of four stages."""

    def make(
        method="ce",
        noise="clean",
        seed=0,
        stages=None,
        confidence=None,
        correct=None,
        curve=None,
        last=None,
        dataset="digits",
        clean_share=None,
        flipped_fitted=None,
        embedding=None,
        config=None,
        **changes,
    ):
        config = config or RunConfig.preset(dataset, method, noise, profile="smoke", seed=seed, **changes)
        if stages is None:
            stages = [(0.2, 0.4, 0.6, 0.8, 1.0) if last is None else (last,) * 5] * len(config.stages)
        k, size = len(stages[0]), 100
        zeros = {"accuracy": [0.0] * k, "fitted": [0.0] * k, "margin": [0.0] * k, "gradient_share": [0.0] * k}
        clean = zeros | {"gradient_share": clean_share or [0.0] * k}
        flipped = zeros | {"fitted": flipped_fitted or [0.0] * k}
        looks = [
            StageRecord(
                epoch=epoch,
                test_accuracy=float(np.nanmean(np.array(accuracies, dtype=float))),
                classwise_accuracy=list(accuracies),
                confidence=confidence or np.full((k, k), 1 / k).tolist(),
                predicted=[size] * k,
                correct=correct or [size // 2] * k,
                clean=GroupRecord(count=[60] * k, **clean),
                flipped=GroupRecord(count=[40] * k, **flipped),
            )
            for epoch, accuracies in zip(config.stages, stages, strict=True)
        ]
        if last is None:
            last = looks[-1].test_accuracy if curve is None else curve[-1]
        curve = curve or np.linspace(0.1, 0.65, config.optimisation.epochs).tolist()
        best = int(np.argmax(curve))
        confusion = confusion_of(stages[-1])
        images = int(np.sum(confusion))
        fields = dict(
            config=config,
            classes=[f"class{label}" for label in range(k)],
            test_images_per_epoch=images,
            epochs=[
                EpochRecord(
                    epoch=epoch,
                    learning_rate=0.1,
                    train_loss=1.0,
                    test_accuracy=value,
                    classwise_accuracy=[value] * k,
                )
                for epoch, value in enumerate(curve, start=1)
            ],
            stages=looks,
            last_accuracy=last,
            best_accuracy=curve[best],
            best_epoch=best + 1,
            confusion=confusion,
            embedding=embedding,
            provenance=Provenance(
                source="made by hand",
                fingerprint="0" * 64,
                train_images=size * k,
                test_images=images,
                requested_noise=np.eye(k).tolist(),
                realised_noise=np.eye(k).tolist(),
                noise_rate=0.4,
                versions={"torch": "0"},
                platform="none",
                device="cpu",
                threads=1,
                seconds=90.0,
                git_commit=None,
                date="2020-01-01T00:00:00+00:00",
            ),
        )
        try:
            return RunRecord(**fields)
        except ValidationError:  # numbers that no run can have: for figures and tables, not for a ledger
            return RunRecord.model_construct(**fields)

    return make
