"""The noise report, transition matrices and flipped samples are drawn as they are, and nothing else."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import QuadMesh

from sce_lib.data import load_dataset
from sce_lib.noise import NoisyLabels, asymmetric_matrix, corrupt, pair_matrix, report, symmetric_matrix
from sce_lib.report.figures.noise import flipped_samples, noise_report, transition_matrices


def heat_maps(figure):
    """Return the arrays that the figure's heat maps show, by their titles."""
    return {
        axis.get_title(): shown_in(axis)
        for axis in figure.axes
        if axis.get_title() and isinstance(next(iter(axis.collections), None), QuadMesh)
    }


def shown_in(axis):
    """Return the matrix that an axis shows as a heat map; NaN where it shows nothing."""
    return np.ma.filled(axis.collections[0].get_array(), np.nan)


def bars(figure):
    (axis,) = [axis for axis in figure.axes if axis.get_title() == "wrong labels"]
    return axis, np.array([bar.get_width() for bar in axis.patches])


@settings(max_examples=15, deadline=None)
@given(
    num_classes=st.integers(2, 14),
    rate=st.floats(0, 0.9),
    size=st.integers(0, 200),
    seed=st.integers(0, 2**31),
)
def test_shows_what_the_report_says(num_classes, rate, size, seed):
    labels = np.random.default_rng(seed).integers(num_classes, size=size)
    noisy = corrupt(labels, symmetric_matrix(num_classes, rate), seed=seed)
    page, figure = report(noisy), noise_report(noisy)
    shown = heat_maps(figure)
    np.testing.assert_array_equal(shown["requested"], page.requested)
    np.testing.assert_array_equal(shown["realised"], page.realised)
    _, widths = bars(figure)
    np.testing.assert_allclose(widths, 100 * np.nan_to_num(page.class_rates))
    title = figure.get_suptitle()
    assert page.sha256 in title
    assert (f"{size} labels, {page.num_flipped} flipped: {100 * page.rate:.1f} %" in title) == (size > 0)


def test_both_matrices_on_one_scale():
    figure = noise_report(corrupt(np.arange(10).repeat(10), symmetric_matrix(10, 0.4), seed=0))
    assert [axis.collections[0].get_clim() for axis in figure.axes[:2]] == [(0, 1), (0, 1)]


def test_a_rate_is_level_with_its_class():
    figure = noise_report(corrupt(np.arange(4).repeat(5), symmetric_matrix(4, 0.4), seed=0))
    rows = figure.axes[0].get_yticks().tolist()
    assert [bar.get_y() + bar.get_height() / 2 for bar in bars(figure)[0].patches] == pytest.approx(rows)
    assert figure.axes[0].get_ylim() == (4, 0)


def test_title_tells_classes_apart():
    labels = torch.arange(5).repeat(20)
    title = noise_report(corrupt(labels, pair_matrix(5, {1: 2}, 0.25), seed=3)).get_suptitle()
    assert "100 labels, 5 flipped: 5.0 %, by class 0.0 to 25.0 %" in title
    assert re.search(r"largest \|realised − requested\| 0\.0000", title)


def test_class_without_a_sample_is_not_drawn_as_clean():
    figure = noise_report(corrupt(np.array([0, 0, 1, 1]), symmetric_matrix(3, 0.5), seed=0))
    assert np.isnan(heat_maps(figure)["realised"][2]).all()
    assert "no sample" in [text.get_text() for text in bars(figure)[0].texts]


def test_classes_have_their_names_and_each_rate_its_number():
    noisy = NoisyLabels.of([0, 0, 1, 1], [0, 1, 1, 1], num_classes=2)
    figure = noise_report(noisy, ["cat", "dog"])
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["cat", "dog"]
    assert [tick.get_text() for tick in figure.axes[1].get_xticklabels()] == ["cat", "dog"]
    assert [text.get_text() for text in bars(figure)[0].texts] == ["50.0", "0.0"]


def test_a_hundred_classes_stay_readable():
    figure = noise_report(corrupt(np.arange(100).repeat(2), symmetric_matrix(100, 0.5), seed=0))
    assert len(figure.axes[0].get_yticks()) == 10
    assert not figure.axes[0].texts


def test_other_labels_other_hash():
    labels, T = np.arange(10).repeat(10), symmetric_matrix(10, 0.4)
    titles = {noise_report(corrupt(labels, T, seed=seed)).get_suptitle() for seed in (0, 1, 2)}
    assert len(titles) == 3


def test_names_must_fit():
    with pytest.raises(ValueError, match="2 class names for labels of 3 classes"):
        noise_report(corrupt([0, 1, 2], np.eye(3), seed=0), ["cat", "dog"])


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def test_each_panel_shows_its_matrix():
    given = {"a": (symmetric_matrix(3, 0.3), "xyz"), "b": (asymmetric_matrix("digits", 0.4), "0123456789")}
    panels = [axis for axis in transition_matrices(given).axes if axis.get_title()]
    assert [axis.get_title() for axis in panels] == list(given)
    for axis, (matrix, names) in zip(panels, given.values(), strict=True):
        np.testing.assert_array_equal(shown_in(axis), matrix)
        assert axis.collections[0].get_clim() == (0, 1)
        assert axis.get_ylim() == (len(matrix), 0)  # the first class is on top
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


def test_labels_that_are_names_are_drawn_by_name():
    noisy = corrupt(["cat", "dog", "dog"] * 5, symmetric_matrix(2, 0.4), seed=0)
    shown = [label.get_text() for label in noise_report(noisy).axes[0].get_yticklabels()]
    assert shown == ["cat", "dog"]
