"""Figures are looked at by people; here: every line and bar is at the height that the records say."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sce_lib.report.claims import Evidence
from sce_lib.report.figures.classes import (
    classwise_curves,
    clean_confidence,
    prediction_counts,
    stage_accuracy,
)

NOISY = "symmetric-0.4"
STAGES = [(0.2, 0.9, 0.5), (0.4, 0.8, 0.6), (0.5, 0.7, 0.6), (0.6, 0.7, 0.65)]
CONFIDENCE = [[0.5, 0.2, 0.3], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]]
CORRECT = [30, 80, 50]
FIGURES = [classwise_curves, stage_accuracy, clean_confidence, prediction_counts]


@pytest.fixture
def settings(make_record):
    def runs(method, noise):
        return [
            make_record(
                method,
                noise,
                seed,
                stages=np.array(STAGES) + 0.02 * seed,
                confidence=CONFIDENCE,
                correct=CORRECT,
                curve=[0.2 + 0.1 * seed, 0.5 + 0.1 * seed],
            )
            for seed in (0, 1)
        ]

    return [runs("ce", "clean"), runs("ce", NOISY), runs("sl", NOISY)]


@pytest.fixture
def evidence(settings):
    return Evidence([record for records in settings for record in records])


def panels_of(figure):
    return [axis for axis in figure.axes if axis.get_title()]


@pytest.mark.parametrize(
    ("draw", "count"), [*((draw, 3) for draw in FIGURES), (classwise_curves, 1), (stage_accuracy, 2)]
)
def test_a_panel_a_setting_with_its_name_and_the_smoke_stamp(settings, evidence, draw, count):
    figure = draw(settings[:count], evidence)
    titles = ["CE, clean labels", "CE, 40 % symmetric noise", "SL, 40 % symmetric noise"]
    assert [axis.get_title() for axis in panels_of(figure)] == titles[:count]
    assert [text.get_text() for text in figure.texts] == ["smoke"]
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    image = plt.imread(io.BytesIO(drawn.getvalue()))
    assert image.std() > 0.01


@pytest.mark.parametrize("draw", FIGURES)
def test_runs_at_scale_bear_no_stamp(settings, evidence, draw):
    def at_scale(record):
        return record.model_copy(update={"config": record.config.model_copy(update={"profile": "laptop"})})

    figure = draw([[at_scale(record) for record in settings[0]]], evidence)
    assert figure.texts == []


def test_curves_are_means_over_seeds_in_per_cent(settings, evidence):
    (axis,) = panels_of(classwise_curves(settings[:1], evidence))
    for line in axis.get_lines():
        np.testing.assert_allclose(line.get_xdata(), [1, 2])
        np.testing.assert_allclose(line.get_ydata(), [25, 55])
    assert len(axis.get_lines()) == 4  # three classes and all
    (band,) = axis.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (pytest.approx(20), pytest.approx(60))


def test_stages_are_drawn_from_the_hardest_class_to_the_easiest(settings, evidence):
    assert evidence.ranking.tolist() == [0, 2, 1]
    for number, axis in enumerate(panels_of(stage_accuracy(settings, evidence))):
        drawn = [line.get_ydata() for line in axis.get_lines()]
        expected = 100 * (np.array(STAGES)[:3] + 0.01)[:, [0, 2, 1]]
        np.testing.assert_allclose(drawn, expected)
        # Names stand under each column of panels: the third is under the first, nothing under the second.
        names = [label.get_text() for label in axis.get_xticklabels() if label.get_visible()]
        assert names == ([] if number == 0 else ["class0", "class2", "class1"])


def test_confidence_bars_are_the_hardest_classs_row(settings, evidence):
    (axis,) = panels_of(clean_confidence(settings[1:2], evidence))
    heights = [[bar.get_height() for bar in bars] for bars in axis.containers]
    np.testing.assert_allclose(heights, [CONFIDENCE[0]] * 3)
    assert "class0" in axis.get_ylabel()


def test_count_bars_are_the_last_stages(settings, evidence):
    (axis,) = panels_of(prediction_counts(settings[1:2], evidence))
    predicted, correct = ([bar.get_height() for bar in bars] for bars in axis.containers)
    assert predicted == [100, 100, 100]
    assert correct == [30, 50, 80]
    sizes = {line.get_label(): list(line.get_ydata()) for line in axis.get_lines()}
    assert sizes == {"samples of the class": [100, 100, 100]}
