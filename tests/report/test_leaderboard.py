"""The leaderboard: seeds put together, nothing mixed that differs, the paper beside its own settings."""

import numpy as np
import pytest

from sce_lib.data.clothing1m import SOURCE, SOURCE_OF_A_PART
from sce_lib.experiments.config import RunConfig
from sce_lib.report.leaderboard import leaderboard

NOISY = "symmetric-0.4"


def run(make_record, seed=0, last=0.5, curve=None, **where):
    """Return a made record of a preset of the full profile."""
    config = RunConfig.preset("cifar10", "sl", NOISY, profile="full", seed=seed, **where)
    return make_record("sl", NOISY, last=last, curve=curve).model_copy(update={"config": config})


def test_seeds_are_put_together_and_the_paper_beside_them(make_record):
    records = [run(make_record, seed, last, [0.9, last]) for seed, last in enumerate((0.8, 0.84, 0.88))]
    (row,) = leaderboard(records).to_dict("records")
    assert (row["method"], row["changes"], row["noise"], row["seeds"]) == ("sl", "", NOISY, 3)
    assert [row[f"last{end}"] for end in ("", "_low", "_high")] == pytest.approx([84, 80, 88])
    assert [row[f"best{end}"] for end in ("", "_low", "_high")] == pytest.approx([90, 90, 90])
    assert (row["paper"], row["paper_std"]) == (85.34, 0.07)
    assert row["difference"] == pytest.approx(84 - 85.34)
    assert row["runs"].split() == sorted(record.run_id for record in records)


def test_what_must_not_be_mixed_has_rows_of_its_own(make_record):
    other = run(make_record, last=0.1)
    elsewhere = other.provenance.model_copy(update={"source": "image tree (JPEG)", "fingerprint": "1" * 64})
    records = [
        run(make_record),
        run(make_record, section="5.1"),
        run(make_record, protocol="released"),
        run(make_record, n_train=100),
        other.model_copy(update={"provenance": elsewhere}),
    ]
    board = leaderboard(records)
    assert board["seeds"].tolist() == [1] * 5
    with_paper = board[board["paper"].notna()]
    assert set(with_paper["section"]) == {"5.2"}
    assert set(with_paper["changes"]) == {""}
    assert len(with_paper) == 3
    assert np.isnan(board.loc[board["section"] == "5.1", "difference"]).all()


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ({"section": "5.3"}, "torchvision CIFAR10"),  # Table 3's settings on Table 1's images
        ({"section": "5.1"}, "torchvision CIFAR10"),
        ({"dataset": "clothing1m"}, SOURCE_OF_A_PART),
    ],
)
def test_the_papers_number_stands_beside_the_runs_of_its_own_table_alone(make_record, where, source):
    config = RunConfig.preset(where.pop("dataset", "cifar10"), "sl", "none", profile="full", **where)
    record = make_record("sl", "none")
    made = record.provenance.model_copy(update={"source": source})
    board = leaderboard([record.model_copy(update={"config": config, "provenance": made})])
    assert board[["paper", "paper_std", "difference"]].isna().all(axis=None)


def test_the_whole_of_clothing1m_has_the_number_of_table_3(make_record):
    record = make_record("sl", "none")
    made = record.provenance.model_copy(update={"source": SOURCE})
    config = RunConfig.preset("clothing1m", "sl", profile="full")
    board = leaderboard([record.model_copy(update={"config": config, "provenance": made})])
    assert board["paper"].tolist() == [71.02]


def test_a_method_that_no_preset_has_is_told_from_the_texts(make_record):
    """The released code has no D2L; a config with both can be made all the same."""
    paper = RunConfig.preset("mnist", "d2l", NOISY)
    configs = [
        RunConfig.model_validate(paper.model_dump() | {"protocol": "released"} | changed)
        for changed in ({}, {"n_train": 500})
    ]
    assert [config.method.slug for config in configs] == ["d2l", "d2l"]
    assert [config.changes for config in configs] == ["protocol released", "500 images, protocol released"]
    board = leaderboard([make_record(config=config) for config in configs])
    assert len(board) == 2
    assert board["paper"].isna().all()


def test_the_same_images_from_trees_of_two_kinds_are_one_row(make_record):
    runs = [run(make_record, seed) for seed in (0, 1)]
    made = runs[1].provenance.model_copy(update={"source": "image tree (BMP)"})
    (row,) = leaderboard([runs[0], runs[1].model_copy(update={"provenance": made})]).to_dict("records")
    assert (row["seeds"], row["source"]) == (2, "image tree (BMP) or made by hand")


def test_no_runs_no_rows():
    assert leaderboard([]).empty
