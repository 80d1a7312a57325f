"""Points of the embedding figures stand where the records have them."""

import numpy as np
import pytest

from sce_lib.experiments.ledger import Embedding
from sce_lib.report.claims import Evidence
from sce_lib.report.figures import embeddings

LABELS = [2, 0, 1, 0, 2]
EMBEDDING = Embedding(labels=LABELS, x=[10, 20, 30, 15, 12], y=[1, 2, 3, 1.5, 1.2])


@pytest.fixture
def settings(make_record):
    stages = [(0.5, 0.9, 0.2)] * 4
    other = EMBEDDING.model_copy(update={"x": [0.0] * 5})
    return [
        [
            make_record("ce", noise, seed, stages=stages, embedding=EMBEDDING if seed == 1 else other)
            for seed in (2, 1)
        ]
        for noise in ("clean", "symmetric-0.4")
    ]


def test_a_point_an_image_in_its_class_with_the_hardest_standing_out(settings):
    records = [record for runs in settings for record in runs]
    figure = embeddings(settings, Evidence(records))
    panels = [axis for axis in figure.axes if axis.get_title()]
    assert [axis.get_title() for axis in panels] == ["CE, clean labels", "CE, 40 % symmetric noise"]
    for axis in panels:
        drawn = {points.get_label(): np.asarray(points.get_offsets()) for points in axis.collections}
        assert {name: len(points) for name, points in drawn.items()} == {
            "class0": 2,
            "class1": 1,
            "class2": 2,
        }
        # Of the lower seed, in the middle and to one scale: x spans 20 and y spans 2.
        assert drawn["class1"].ravel() == pytest.approx([1.0, 0.1])
        assert drawn["class2"][0] == pytest.approx([-1.0, -0.1])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["class2", "class0", "class1"]  # hardest first
    assert figure.axes[0].collections[-1].get_label() == "class2"  # and drawn last, on top


def test_a_run_without_an_embedding_is_named(settings, make_record):
    bare = make_record("sl", "clean")
    with pytest.raises(ValueError, match=bare.run_id):
        embeddings([[bare]], Evidence([*settings[0], bare]))


def test_points_that_all_coincide_are_drawn(make_record):
    same = Embedding(labels=[0, 1, 2], x=[3.0] * 3, y=[4.0] * 3)
    record = make_record("ce", "clean", stages=[(0.5, 0.9, 0.2)] * 4, embedding=same)
    figure = embeddings([[record]], Evidence([record]))
    assert np.isfinite(figure.axes[0].collections[0].get_offsets()).all()
