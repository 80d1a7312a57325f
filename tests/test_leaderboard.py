import numpy as np
import pytest

from sce_lib.config import METHODS, RunConfig
from sce_lib.config.schema import SL, Noise
from sce_lib.leaderboard import described, leaderboard

NOISY = "symmetric-0.4"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dataset", ["mnist", "cifar10", "cifar100"])
def test_every_preset_is_described_by_its_own_name(method, dataset):
    for noise in ("none", NOISY, "asymmetric-0.4"):
        for where in ({"section": "5.1"}, {"section": "5.2"}, {"protocol": "released"}):
            try:
                config = RunConfig.preset(dataset, method, noise, seed=2, **where)
            except ValueError:
                assert method.startswith("d2l")
                assert "protocol" in where
            else:
                assert described(config) == (method, "")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"n_train": 500}, "n_train=500"),
        ({"noise": Noise(kind="symmetric", rate=0.4, noise_seed=7)}, "noise_seed=7"),
        ({"model": {"name": "resnet44", "width": 1.0}}, "model=resnet44 width=1"),
        ({"method": SL(alpha=0.1, beta=0.5, A=-8.0)}, "A=-8 beta=0.5"),
    ],
)
def test_what_differs_from_the_preset_is_said(changes, expected):
    preset = RunConfig.preset("cifar10", "sl", NOISY)
    config = RunConfig.model_validate(preset.model_dump() | changes)
    assert described(config) == ("sl", expected)


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
    elsewhere = other.provenance.model_copy(update={"source": "image tree (JPEG)"})
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


def test_no_runs_no_rows():
    assert leaderboard([]).empty
