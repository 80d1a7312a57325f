"""Transition matrices and flipped samples are drawn as they are, and lines of memorisation as recorded."""

import numpy as np
import pytest

from sce_lib.data import load_dataset
from sce_lib.noise import asymmetric_matrix, corrupt, symmetric_matrix
from sce_lib.report.figures.dynamics import fitted_share, memorisation
from sce_lib.report.figures.noise import flipped_samples, transition_matrices


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def test_each_panel_shows_its_matrix():
    given = {"a": (symmetric_matrix(3, 0.3), "xyz"), "b": (asymmetric_matrix("digits", 0.4), "0123456789")}
    panels = [axis for axis in transition_matrices(given).axes if axis.get_title()]
    assert [axis.get_title() for axis in panels] == list(given)
    for axis, (matrix, names) in zip(panels, given.values(), strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), matrix)
        assert axis.images[0].get_clim() == (0, 1)
        for ticks in (axis.get_xticklabels(), axis.get_yticklabels()):
            assert [tick.get_text() for tick in ticks] == list(names)


def test_names_of_a_matrix_must_fit():
    with pytest.raises(ValueError, match="cats: 2 class names for a matrix of 3 classes"):
        transition_matrices({"cats": (symmetric_matrix(3, 0.3), "xy")})


def test_a_picture_of_each_class_that_was_flipped_with_both_labels(digits):
    noises = {
        "symmetric": corrupt(digits.train_labels, symmetric_matrix(10, 0.4), seed=0),
        "asymmetric": corrupt(digits.train_labels, asymmetric_matrix("digits", 0.4), seed=0),
    }
    axes = flipped_samples(digits, noises).axes
    assert [axis.get_title() for axis in axes] == 2 * list(digits.classes)
    assert all(axis.images for axis in axes[:10])
    shown = {axis.get_title(): axis.get_xlabel() for axis in axes[10:] if axis.images}
    assert shown == {"2": "→ 7", "3": "→ 8", "5": "→ 6", "6": "→ 5", "7": "→ 1"}
    for axis, noisy in zip(axes, [noisy for noisy in noises.values() for _ in range(10)], strict=True):
        if axis.images:
            label = digits.classes.index(axis.get_title())
            first = int(((noisy.clean == label) & noisy.flipped).nonzero()[0])
            np.testing.assert_array_equal(
                axis.images[0].get_array(), digits.train_images[first].squeeze(-1).numpy()
            )
            assert axis.get_xlabel() == f"→ {digits.classes[noisy.labels[first]]}"


def test_colour_images_are_drawn_in_colour(make_images):
    data = make_images()
    figure = flipped_samples(data, {"noise": corrupt(data.train_labels, symmetric_matrix(3, 0.5), seed=0)})
    assert {axis.images[0].get_array().shape for axis in figure.axes} == {(8, 8, 3)}


def test_labels_of_other_images_are_refused(digits):
    with pytest.raises(ValueError, match="noise: 3 labels for 1297 training images"):
        flipped_samples(digits, {"noise": corrupt([0, 1, 2], symmetric_matrix(10, 0.4), seed=0)})


@pytest.fixture
def settings(make_record):
    fitted = [0.4, 0.2, 0.9, 0.6, 0.8]
    curves = {"a": ([0.1] * 12, [0.3] * 12), "b": ([0.5] * 12, [0.5] * 12)}
    return {
        name: [
            make_record("ce", "symmetric-0.4", seed, curve=curve, flipped_fitted=fitted)
            for seed, curve in enumerate(runs)
        ]
        for name, runs in curves.items()
    }


def test_fitted_share_weighs_samples_alike(settings):
    stage = settings["a"][0].final_stage()  # of each class 60 clean ones, none fitted, and 40 flipped ones
    assert fitted_share(stage, "flipped") == pytest.approx(0.58)
    assert fitted_share(stage, "clean") == 0
    assert fitted_share(stage) == pytest.approx(0.4 * 0.58)
    with pytest.raises(ValueError, match="part 'noisy' is not known; known are all, clean, flipped"):
        fitted_share(stage, "noisy")


def test_fitted_share_without_flipped_samples(settings):
    stage = settings["a"][0].final_stage()
    none = stage.flipped.model_copy(update={"count": [0] * 5, "fitted": [None] * 5})
    full = stage.clean.model_copy(update={"fitted": [0.5] * 5})
    clean = stage.model_copy(update={"flipped": none, "clean": full})
    assert fitted_share(clean) == 0.5
    assert np.isnan(fitted_share(clean, "flipped"))


def test_lines_of_memorisation_are_means_over_seeds(settings):
    training, testing = memorisation(settings).axes[:2]
    looks = [stage.epoch for stage in settings["a"][0].stages]
    assert [line.get_label() for line in training.lines] == ["a", "b"]
    assert all(line.get_xdata().tolist() == looks for line in training.lines)
    np.testing.assert_allclose([line.get_ydata() for line in training.lines], 23.2)
    means = [line.get_ydata()[0] for line in testing.lines]
    assert means == pytest.approx([20, 50])
    assert [len(line.get_xdata()) for line in testing.lines] == [12, 12]


def test_more_settings_than_colours_are_refused(settings):
    with pytest.raises(ValueError, match="up to 4 settings are drawn, not 5"):
        memorisation({name: settings["a"] for name in "abcde"})
