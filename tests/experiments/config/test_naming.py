"""What a person calls a method and a setting, as the paper writes them, and all that differs from it."""

from itertools import product

import pytest

from sce_lib.experiments.config import METHODS, RunConfig
from sce_lib.experiments.config.parts import SL, Noise


@pytest.mark.parametrize(
    ("method", "written"),
    [("5ce", "5CE"), ("forward+sl", "Forward+SL"), ("d2l", "D2L"), ("d2l+sl", "D2L+SL"), ("sl", "SL")],
)
def test_methods_are_written_as_the_paper_does(make_record, method, written):
    assert make_record(method, "symmetric-0.4").config.method_setting == written


@pytest.mark.parametrize(
    ("method", "noise", "name"),
    [
        ("5ce", "asymmetric-0.3", "5CE, 30 % asymmetric noise"),
        ("forward", "symmetric-0.125", "Forward, 12.5 % symmetric noise"),
        ("nce+rce", "human-worse_label", "NCE+RCE, human labels (worse_label)"),
        ("forward+sl", "none", "Forward+SL, clean labels"),
    ],
)
def test_names_of_settings(make_record, method, noise, name):
    assert make_record(method, noise).config.setting == name


@pytest.mark.parametrize("method", METHODS)
def test_every_preset_is_described_by_its_own_name(method):
    places = ({"section": "5.1"}, {"section": "5.2"}, {"protocol": "released"})
    noises = ("none", "symmetric-0.4", "asymmetric-0.4")
    for dataset, noise, where in product(("mnist", "cifar10", "cifar100"), noises, places):
        try:
            config = RunConfig.preset(dataset, method, noise, seed=2, **where)
        except ValueError:
            assert method.startswith("d2l")
            assert "protocol" in where
        else:
            assert (config.method.slug, config.changes) == (method, "")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"n_train": 500}, "500 images"),
        ({"noise": Noise(kind="symmetric", rate=0.4, noise_seed=7)}, "noise seed 7"),
        ({"model": {"name": "resnet44", "width": 1.0}}, "resnet44, width 1"),
        ({"method": SL(alpha=0.1, beta=0.5, A=-8.0)}, "β 0.5, A −8"),
    ],
)
def test_what_differs_from_the_preset_is_said(changes, expected):
    preset = RunConfig.preset("cifar10", "sl", "symmetric-0.4")
    config = RunConfig.model_validate(preset.model_dump() | changes)
    assert (config.method.slug, config.changes) == ("sl", expected)
