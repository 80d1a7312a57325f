"""What is said of runs before they begin, and that they then begin or do not."""

import pytest
import torch

from sce_lib.experiments.config import RunConfig, Scale
from sce_lib.experiments.sweep import outlook
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
