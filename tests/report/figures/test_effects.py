"""Effects by size: every dot is where the records say, the largest change on top, and SL among them."""

import numpy as np
import pandas as pd
import pytest

from sce_lib.experiments.config.factors import change
from sce_lib.report import effects as computed
from sce_lib.report.figures import effects


@pytest.fixture
def run(make_record):
    """Return a maker of a record with one detail changed, under 60 % noise unless told."""

    def make(method, last, factor=None, noise="symmetric-0.6", seed=0):
        record = make_record(method, noise, seed=seed, last=last, curve=[0.2, 0.2])
        config = record.config if factor is None else change(record.config, factor)
        return record.model_copy(update={"config": config})

    return make


@pytest.fixture
def records(run):
    ce = [run("ce", 0.5), run("ce", 0.3, "no-l2"), run("ce", 0.56, "low-lr")]
    return [*ce, run("sl", 0.6), run("sl", 0.58, "low-lr")]


def dots(axis):
    """Return the place of each marker, by the title of its row: (points, height)."""
    titles = dict(zip(axis.get_yticks(), (t.get_text() for t in axis.get_yticklabels()), strict=True))
    found = {}
    for line in axis.get_lines():
        if line.get_marker() != "None":
            (x,), (y,) = line.get_data()
            found.setdefault(titles[round(y)].replace("\n", " "), []).append((round(x, 6), y, line))
    return found


def test_rows_are_ordered_by_their_largest_effect(records):
    (axis,) = effects.by_size({"digits": records}).axes
    assert axis.get_title() == "digits"
    titles = [text.get_text().replace("\n", " ") for text in axis.get_yticklabels()]
    best = computed.title(computed.BEST_EPOCH)
    assert titles[::-1] == ["no L2", "SL in the place of CE", "initial learning rate of §5.1", best]
    found = dots(axis)
    assert [x for x, _, _ in found["no L2"]] == [-20]
    assert [x for x, _, _ in found["SL in the place of CE"]] == [10]
    (ce, upper, blue), (sl, lower, red) = found["initial learning rate of §5.1"]
    assert (ce, sl) == (6, -2)
    assert upper > lower
    assert blue.get_color() != red.get_color()
    low, high = axis.get_xlim()
    assert low < -20
    assert high > 10
    dotted = [line.get_xdata()[0] for line in axis.get_lines() if line.get_linestyle() == ":"]
    assert dotted == pytest.approx([10])


def test_bars_are_the_intervals_and_missing_ones_are_not_drawn(run, records):
    (axis,) = effects.by_size({"digits": records}).axes
    assert list(axis.collections) == []
    records = [*records, *(run("ce", last, seed=seed) for seed, last in ((1, 0.52), (2, 0.54)))]
    (axis,) = effects.by_size({"digits": records}).axes
    table = computed.effects(records)
    bars = sorted(tuple(part[:, 0]) for bar in axis.collections for part in bar.get_segments())
    lead = computed.leads(records)
    known = pd.concat([table, lead[lead["change"] == computed.NOTHING]]).dropna(subset="low")
    np.testing.assert_allclose(bars, known[["low", "high"]].sort_values("low"))
    assert len(bars) == 5


def test_a_marker_a_noise_in_the_order_of_rates(run):
    noises = ("symmetric-0.4", "symmetric-0.6", "symmetric-0.8")
    runs = [run("ce", last, factor, n) for n in noises for factor, last in ((None, 0.5), ("no-l2", 0.4))]
    figure = effects.by_size({"digits": runs})
    found = dots(figure.axes[0])["no L2"]
    assert len({line.get_marker() for _, _, line in found}) == 3
    heights = [height for _, height, _ in found]
    assert heights == sorted(heights, reverse=True)
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["CE", *(noise.replace("-", " ") for noise in noises)]


def test_a_panel_a_data_set_on_one_scale(run, records):
    figure = effects.by_size({"one": records, "other": [run("ce", 0.2), run("ce", 0.9, "no-l2")]})
    one, other = figure.axes
    assert (one.get_title(), other.get_title()) == ("one", "other")
    assert one.get_xlim() == other.get_xlim()
    assert other.get_xlim()[1] > 70
    assert [text.get_text() for text in figure.texts] == ["smoke"]


def test_leads_have_a_row_for_nothing_changed(records):
    (axis,) = effects.leads({"digits": records}).axes
    found = {title: [x for x, _, _ in places] for title, places in dots(axis).items()}
    assert found == {"nothing changed": [10], "initial learning rate of §5.1": [2]}


@pytest.mark.parametrize("draw", [effects.by_size, effects.leads])
def test_nothing_to_compare_is_refused(draw, run):
    with pytest.raises(ValueError, match="digits has no two runs that differ in one detail"):
        draw({"digits": [run("ce", 0.5, "no-l2")]})
