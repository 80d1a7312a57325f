"""What is said of runs before they begin, and that they then begin or do not."""

import numpy as np
import pytest
import torch
from PIL import Image

from sce_lib.experiments.config import RunConfig, Scale
from sce_lib.experiments.config.parts import Augmentation
from sce_lib.experiments.sweep import outlook
from sce_lib.experiments.training import train
from sce_lib.experiments.training.task import prepare


@pytest.fixture(autouse=True)
def no_data(folders, monkeypatch):
    monkeypatch.setenv("SCE_DATA", str(folders / "data"))


def test_runs_that_can_begin_have_no_obstacle():
    seen = outlook(
        [RunConfig.preset("digits", "sl", noise, profile="smoke") for noise in ("none", "symmetric-0.4")]
    )
    assert (seen.remarks, seen.obstacles) == ((), {})


@pytest.mark.parametrize(
    ("dataset", "method", "noise", "reason"),
    [
        ("digits", "ce", "human-worse_label", "no human labels for 'digits'"),
        ("digits", "backward", "symmetric-0.9", "singular"),
        ("nosuch", "ce", "none", "'nosuch' was not found"),
        ("clothing1m", "ce", "none", "clothing1m"),
    ],
)
def test_what_is_said_to_be_in_the_way_is(dataset, method, noise, reason):
    config = RunConfig.preset(dataset, method, noise, profile="smoke")
    (said,) = outlook([config, config]).obstacles.items()
    assert reason in said[0]
    assert "\n" not in said[0]
    assert said[1] == 2


def test_what_would_be_downloaded_is_a_remark():
    seen = outlook([RunConfig.preset("mnist", "ce", noise) for noise in ("none", "symmetric-0.4")])
    assert seen.remarks == ("mnist is not here: torchvision downloads it when the first run begins",)
    assert seen.obstacles == {}


def test_less_than_is_asked_for_is_said_here_and_when_it_is_prepared():
    config = RunConfig.preset("digits", "ce", profile="smoke", scale=Scale(n_train=5_000))
    (said,) = outlook([config]).remarks
    assert said == "digits has 1,297 training images: a run has all of them, not 5,000"
    with pytest.warns(UserWarning, match="a run has all of them, not 5,000"):
        capped = prepare(config, torch.device("cpu"))
    plain = prepare(config.model_copy(update={"n_train": None}), torch.device("cpu"))
    assert torch.equal(capped.labels, plain.labels)
    assert torch.equal(capped.images, plain.images)


@pytest.mark.parametrize(("side", "shifted"), [(4, 1), (5, 0)])
def test_images_no_larger_than_the_shift_keep_only_runs_that_shift(folders, side, shifted):
    pixels = np.random.default_rng(0).integers(0, 256, (side, 9, 3), dtype=np.uint8)
    for place in ("train/ant/0", "train/ant/1", "train/bee/2", "test/ant/3", "test/bee/4"):
        file = folders / "data" / "tiny" / f"{place}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    config = RunConfig.preset("tiny", "ce", "none", profile="smoke", seed=0)
    still = config.model_copy(update={"augmentation": Augmentation()})
    assert sum(outlook([config, still]).obstacles.values()) == shifted
    if shifted:
        with pytest.raises(ValueError, match="shift"):
            train(config, "cpu", progress=False)
    train(still, "cpu", progress=False)
