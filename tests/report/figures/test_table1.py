"""Figures of Table 1: each point is at the height that cells and records say, and no two lines are alike."""

import numpy as np
import pandas as pd
import pytest

from sce_lib.experiments.grids import TABLE1_METHODS
from sce_lib.report import published, table1
from sce_lib.report.figures.table1 import (
    by_noise_rate,
    hard_and_easy_curves,
    method_curves,
    reported_elsewhere,
)

NOISY = "symmetric-0.6"


def cells_of(dataset, ours):
    """Return the cells of a data set in which some have runs: from method and noise to accuracy."""
    cells = table1.cells([], dataset)
    for (method, noise), value in ours.items():
        cells.loc[(noise, method), ["seeds", "last", "last_low", "last_high"]] = [
            2,
            value,
            value - 1,
            value + 1,
        ]
    return cells


def lines_of(axis):
    return {line.get_label(): line for line in axis.get_lines()}


def test_accuracy_by_rate_beside_the_papers(make_record):
    ours = {("ce", "clean"): 99.0, ("ce", NOISY): 80.0, ("sl", NOISY): 95.0}
    figure = by_noise_rate({"mnist": cells_of("mnist", ours)}, [make_record()])
    theirs, runs = figure.axes
    assert [axis.get_title() for axis in figure.axes] == ["mnist, the paper", "mnist, these runs"]
    np.testing.assert_allclose(
        lines_of(theirs)["SL"].get_xydata(),
        [[0, 99.32], [0.2, 99.02], [0.4, 98.97], [0.6, 97.40], [0.8, 65.02]],
    )
    assert len(lines_of(theirs)) == 7
    drawn = lines_of(runs)
    assert drawn.keys() == {"CE", "SL"}
    np.testing.assert_allclose(drawn["CE"].get_xydata(), [[0, 99], [0.6, 80]])
    bars = sorted(tuple(segment[:, 1]) for bar in runs.collections for segment in bar.get_segments())
    assert bars == [(79, 81), (94, 96), (98, 100)]
    assert [text.get_text() for text in figure.texts] == ["smoke"]


def test_each_data_set_has_a_row(make_record):
    tables = {name: cells_of(name, {("ce", NOISY): 50.0}) for name in ("mnist", "cifar10", "digits")}
    figure = by_noise_rate(tables, [make_record()])
    assert [axis.get_title() for axis in figure.axes][::2] == [f"{name}, the paper" for name in tables]
    assert figure.axes[4].get_lines() == []  # the paper has no digits


@pytest.fixture
def methods(make_record):
    """Return runs of all methods: each class rises to a height of its own."""
    return {
        method: [
            make_record(method, NOISY, seed, curve=[0.1 * place, 0.1 * place + 0.1 * seed]) for seed in (0, 1)
        ]
        for place, method in enumerate(TABLE1_METHODS, start=1)
    }


def test_a_line_a_method_over_epochs(methods):
    figure = method_curves({"one": methods, "other": {"sl": methods["sl"]}})
    one, other = figure.axes
    assert list(lines_of(one)) == ["CE", "LSR", "Bootstrap", "Forward", "D2L", "GCE", "SL"]
    np.testing.assert_allclose(lines_of(one)["LSR"].get_xydata(), [[1, 20], [2, 25]])
    np.testing.assert_allclose(lines_of(other)["SL"].get_xydata(), [[1, 70], [2, 75]])
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 7


@pytest.mark.parametrize("look", ["get_color", "get_marker"])
def test_methods_can_be_told_apart_by_colour_or_by_marker_alone(methods, look):
    (axis,) = method_curves({"one": methods}).axes
    looks = {getattr(line, look)() for line in axis.get_lines()}
    assert len(looks) == 7


def test_a_method_looks_the_same_whichever_others_are_there(methods):
    alone = lines_of(method_curves({"one": {"gce": methods["gce"]}}).axes[0])["GCE"]
    beside = lines_of(method_curves({"one": methods}).axes[0])["GCE"]
    assert alone.get_color() == beside.get_color()
    assert alone.get_marker() == beside.get_marker()


def with_classes(record, shares):
    epochs = [
        epoch.model_copy(update={"classwise_accuracy": [share * number for share in shares]})
        for number, epoch in enumerate(record.epochs, start=1)
    ]
    return record.model_copy(update={"epochs": epochs})


def test_hard_classes_apart_from_easy_ones(make_record):
    runs = {
        method: [with_classes(make_record(method, NOISY, curve=[0.5, 0.6]), shares)]
        for method, shares in {"ce": (0.1, 0.2, 0.5, 0.3, 0.4), "sl": (0.3, 0.4, 0.5, 0.4, 0.4)}.items()
    }
    figure = hard_and_easy_curves(runs, np.array([0, 1]), np.array([4, 3]))
    ce, sl = figure.axes
    assert [ce.get_title(), sl.get_title()] == ["CE", "SL"]
    drawn = lines_of(ce)
    np.testing.assert_allclose(drawn["hard classes"].get_ydata(), [15, 30])
    np.testing.assert_allclose(drawn["easy classes"].get_ydata(), [35, 70])
    np.testing.assert_allclose(drawn["SL's hard classes"].get_ydata(), [35, 70])
    assert "SL's hard classes" not in lines_of(sl)
    classes = sorted(line.get_ydata()[0] for line in ce.get_lines() if line.get_label().startswith("_"))
    np.testing.assert_allclose(classes, [10, 20, 30, 40])


def test_published_numbers_with_their_epoch_rule(make_record):
    others = published.load_others()
    cells = cells_of("cifar10", {("sl", NOISY): 60.0})
    figure = reported_elsewhere(others, cells, [make_record()])
    _, sl = figure.axes
    drawn = lines_of(sl)
    assert len(drawn) == 2 + others["source"].nunique()
    assert sum("best epoch" in label for label in drawn) == 1
    (best,) = (line for label, line in drawn.items() if "best epoch" in label)
    np.testing.assert_allclose(best.get_ydata(), [92.05, 89.96, 84.65, 73.77, 36.28])
    (ours,) = (line for label, line in drawn.items() if label.startswith("these runs"))
    np.testing.assert_allclose(ours.get_xydata(), [[0.6, 60]])
    without = reported_elsewhere(others, table1.cells([], "cifar10"), [])
    assert not any(label.startswith("these runs") for label in lines_of(without.axes[0]))
    assert pd.Series(list(drawn)).is_unique
