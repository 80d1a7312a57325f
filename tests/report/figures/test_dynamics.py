"""The lines of the dynamics figures, and of memorisation, stand where the records have them."""

import numpy as np
import pytest

from sce_lib.experiments.ledger import GroupRecord
from sce_lib.report.claims import Evidence
from sce_lib.report.figures.dynamics import MEASURES, evolution, fitted_share, group_value, memorisation

STAGES = [(0.1, 0.2, 0.6, 0.8, 0.9)] * 4  # hard: 0 and 1, easy: 3 and 4
SHARE = [0.1, 0.05, 0.2, 0.1, 0.1]
FITTED = [0.4, 0.2, 0.9, 0.6, 0.8]
CONFIDENCE = np.full((5, 5), 0.05)
np.fill_diagonal(CONFIDENCE, [0.2, 0.3, 0.5, 0.7, 0.9])


@pytest.fixture
def settings(make_record):
    def runs(method):
        return [
            make_record(
                method,
                "symmetric-0.4",
                seed,
                stages=STAGES,
                clean_share=SHARE,
                flipped_fitted=FITTED,
                confidence=CONFIDENCE.tolist(),
            )
            for seed in (0, 1)
        ]

    return [runs("ce"), runs("sl")]


@pytest.fixture
def evidence(settings, make_record):
    return Evidence([make_record("ce", "clean", stages=STAGES), *settings[0], *settings[1]])


def lines(axis):
    return {line.get_label(): np.asarray(line.get_ydata()) for line in axis.lines}


@pytest.mark.parametrize("measure", MEASURES)
def test_a_line_a_group_each_apart_in_colour_or_dashes(settings, evidence, measure):
    parts = ("clean",) if measure == "confidence" else ("clean", "flipped")
    figure = evolution(settings, evidence, measure)
    panels = [axis for axis in figure.axes if axis.get_title()]
    assert [axis.get_title() for axis in panels] == ["CE, 40 % symmetric noise", "SL, 40 % symmetric noise"]
    for axis in panels:
        assert set(lines(axis)) == {f"{p}, {c} classes" for p in parts for c in ("hard", "easy")}
        assert len({(line.get_color(), line.get_linestyle()) for line in axis.lines}) == 2 * len(parts)
        epochs = [stage.epoch for stage in settings[0][0].stages]
        assert all(line.get_xdata().tolist() == epochs for line in axis.lines)
        assert (axis.get_ylim()[0] == 0) == (measure != "margin")  # a margin can be negative
    assert panels[0].get_ylabel() == MEASURES[measure]


def test_values_are_the_records(settings, evidence):
    share = lines(evolution(settings, evidence, "gradient_share").axes[0])
    assert share["clean, hard classes"] == pytest.approx([15.0] * 4)
    assert share["clean, easy classes"] == pytest.approx([20.0] * 4)
    fitted = lines(evolution(settings, evidence, "fitted").axes[0])
    assert fitted["flipped, hard classes"] == pytest.approx([30.0] * 4)
    assert fitted["flipped, easy classes"] == pytest.approx([70.0] * 4)
    confidence = lines(evolution(settings, evidence, "confidence").axes[0])
    assert confidence["clean, hard classes"] == pytest.approx([25.0] * 4)
    assert confidence["clean, easy classes"] == pytest.approx([80.0] * 4)


def test_a_mean_is_over_samples_and_a_class_without_any_has_no_part():
    group = GroupRecord(
        count=[30, 10, 0],
        accuracy=[0.2, 0.6, None],
        fitted=[0.0, 0.0, None],
        margin=[0.0, 0.0, None],
        gradient_share=[0.1, 0.2, 0.0],
    )
    assert group_value(group, "accuracy", np.array([0, 1, 2])) == pytest.approx((30 * 0.2 + 10 * 0.6) / 40)
    assert np.isnan(group_value(group, "accuracy", np.array([2])))
    assert group_value(group, "gradient_share", np.array([0, 1, 2])) == pytest.approx(0.3)


def test_an_unknown_measure_is_named(settings, evidence):
    with pytest.raises(ValueError, match=r"speed.*accuracy"):
        evolution(settings, evidence, "speed")


@pytest.fixture
def repeated(make_record):
    fitted = [0.4, 0.2, 0.9, 0.6, 0.8]
    curves = {"a": ([0.1] * 12, [0.3] * 12), "b": ([0.5] * 12, [0.5] * 12)}
    return {
        name: [
            make_record("ce", "symmetric-0.4", seed, curve=curve, flipped_fitted=fitted)
            for seed, curve in enumerate(runs)
        ]
        for name, runs in curves.items()
    }


def test_fitted_share_weighs_samples_alike(repeated):
    stage = repeated["a"][0].final_stage()  # of each class 60 clean ones, none fitted, and 40 flipped ones
    assert fitted_share(stage, "flipped") == pytest.approx(0.58)
    assert fitted_share(stage, "clean") == 0
    assert fitted_share(stage) == pytest.approx(0.4 * 0.58)
    with pytest.raises(ValueError, match="part 'noisy' is not known; known are all, clean, flipped"):
        fitted_share(stage, "noisy")


def test_fitted_share_without_flipped_samples(repeated):
    stage = repeated["a"][0].final_stage()
    none = stage.flipped.model_copy(update={"count": [0] * 5, "fitted": [None] * 5})
    full = stage.clean.model_copy(update={"fitted": [0.5] * 5})
    clean = stage.model_copy(update={"flipped": none, "clean": full})
    assert fitted_share(clean) == 0.5
    assert np.isnan(fitted_share(clean, "flipped"))


def test_lines_of_memorisation_are_means_over_seeds(repeated):
    training, testing = memorisation(repeated).axes[:2]
    looks = [stage.epoch for stage in repeated["a"][0].stages]
    assert [line.get_label() for line in training.lines] == ["a", "b"]
    assert all(line.get_xdata().tolist() == looks for line in training.lines)
    np.testing.assert_allclose([line.get_ydata() for line in training.lines], 23.2)
    means = [line.get_ydata()[0] for line in testing.lines]
    assert means == pytest.approx([20, 50])
    assert [len(line.get_xdata()) for line in testing.lines] == [12, 12]


def test_more_settings_than_colours_are_refused(repeated):
    with pytest.raises(ValueError, match="up to 4 settings are drawn, not 5"):
        memorisation({name: repeated["a"] for name in "abcde"})
