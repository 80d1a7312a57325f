import numpy as np
import pytest

from sce_lib.experiments.ledger import DetectionRecord
from sce_lib.report.claims import AGREES, DISAGREES, IN_DIRECTION, NOT_TESTED, Evidence, verdicts
from sce_lib.report.tables import (
    ablations,
    accuracies,
    combinations,
    compare_verdicts,
    detection,
    provenance,
    standings,
    verdict_table,
)

NOISY = "symmetric-0.4"


@pytest.fixture
def settings(make_record):
    """Return three settings of two seeds each."""

    def runs(method, noise, last):
        return [
            make_record(method, noise, seed, stages=[np.array([0.2, 0.9, 0.5]) + 0.02 * seed] * 4, last=value)
            for seed, value in enumerate(last)
        ]

    return [
        runs("ce", "clean", (0.9, 0.92)),
        runs("5ce", NOISY, (0.6, 0.7)),
        runs("sl", NOISY, (0.8, 0.85)),
    ]


def test_accuracies(settings):
    evidence = Evidence([record for records in settings for record in records])
    table = accuracies(settings, evidence)
    assert table.index.tolist() == [("CE", "clean"), ("5CE", NOISY), ("SL", NOISY)]
    assert table.loc[("5CE", NOISY), "last"] == "65.0 [60.0, 70.0]"
    assert table["hardest (class0)"].tolist() == ["21.0 [20.0, 22.0]"] * 3
    assert table["easiest (class1)"].tolist() == ["91.0 [90.0, 92.0]"] * 3
    assert table["seeds"].tolist() == [2, 2, 2]


def test_ablations(make_record):
    def run(seed, fitted):
        # Six epochs: the first third is the first two of them.
        curve = [0.1, 0.3, 0.7, 0.8, 0.65, 0.6]
        record = make_record("sl", NOISY, seed, curve=curve, last=0.61 + 0.01 * seed, flipped_fitted=fitted)
        final = record.final_stage()
        flipped = final.flipped.model_copy(update={"gradient_share": [0.1, 0.0, 0.05, 0.0, 0.0]})
        return record.model_copy(
            update={"stages": [*record.stages[:-1], final.model_copy(update={"flipped": flipped})]}
        )

    runs = [run(0, [0.1, 0.2, 0.3, 0.4, 0.5]), run(1, [0.5] * 5)]
    table = ablations({"one": runs[:1], "both": runs})
    assert table.index.tolist() == ["one", "both"]
    assert table.loc["one"].tolist() == ["20.0", "61.0", "20.0", "30.0", "15.0", 1]
    assert table.loc["both", "last"] == "61.5 [61.0, 62.0]"
    assert table.loc["both", "flipped fitted"] == "40.0 [30.0, 50.0]"
    assert table.loc["both", "seeds"] == 2


def test_detection(make_record):
    def run(seed, auroc):
        record = make_record("sl", NOISY, seed)
        by_class = {
            "classwise_auroc": [0.9, None, auroc - 0.1, 0.9, 1.0],
            "classwise_average_precision": [0.5] * 5,
            "classwise_precision": [0.5] * 5,
        }
        found = DetectionRecord(auroc=auroc, average_precision=0.75, precision=0.7, **by_class)
        final = record.final_stage().model_copy(update={"detection": found})
        return record.model_copy(update={"stages": [*record.stages[:-1], final]})

    mixed = [run(0, 0.8), make_record("sl", NOISY, 1)]
    table = detection({"new": [run(0, 0.8), run(1, 0.9)], "mixed": mixed})
    assert table.loc["new"].tolist() == [
        "85.0 [80.0, 90.0]",
        "75.0 [70.0, 80.0]",
        "75.0 [75.0, 75.0]",
        "70.0 [70.0, 70.0]",
        2,
    ]
    assert table.loc["mixed"].tolist() == ["80.0", "70.0", "75.0", "70.0", 1]
    assert detection({"old": [make_record("sl", NOISY)]}).loc["old"].tolist() == ["", "", "", "", 0]


def test_combinations_are_compared_seed_by_seed(make_record):
    ends = {
        "lsr": (0.5, 0.6),
        "sl": (0.7, 0.69, 0.2),
        "lsr+sl": (0.68, 0.7),
        "d2l": (0.3,),
        "d2l+sl": (0.25,),
    }
    records = [make_record(m, NOISY, seed, last=a) for m, of in ends.items() for seed, a in enumerate(of)]
    table = combinations(records, "cifar10")
    assert table.loc[(NOISY, "LSR+SL")].tolist() == [
        "+6.79",
        "+14.0 [+10.0, +18.0]",
        "−0.14",
        "−0.5 [−2.0, +1.0]",
        2,
    ]
    assert table.loc[(NOISY, "D2L+SL")].tolist() == ["", "−5.0", "", "−45.0", 1]
    assert table.loc[(NOISY, "Forward+SL")].tolist() == ["+3.17", "", "−0.80", "", 0]
    assert len(table) == 9
    assert (table["over base, ours"] != "").sum() == 2
    assert (combinations(records, "digits")[["over base, paper", "over SL, paper"]] == "").all(axis=None)


def test_verdict_tables_show_every_claim(settings):
    records = [record for records in settings for record in records]
    judged, nothing = verdicts(records, 2), verdicts([], 2)
    table = verdict_table(judged)
    assert table.index.equals(judged.index)
    assert table.loc["clean-starts-biased", "measured"] == "0.700 [0.700, 0.700]"
    assert table.loc["clean-starts-biased", "paper"] == "–"
    assert table.loc["hardest-unsure", "paper"] == "0.5"
    assert set(verdict_table(nothing)["measured"]) == {"–"}
    both = compare_verdicts({"one": judged, "other": nothing})
    assert both.columns.tolist() == ["claim", "rule", "one", "other"]
    assert both.loc["clean-starts-biased", "one"] == "0.700: agrees"
    assert set(both["other"]) == {"not tested"}


def test_a_claim_stands_as_the_largest_scale_that_tests_it_says():
    nothing = verdicts([], 7)
    names = nothing.index[:4]

    def judged(*said):
        table = nothing.copy()
        for name, (verdict, measured, seeds) in zip(names, said, strict=True):
            table.loc[name, ["verdict", "measured", "seeds"]] = verdict, measured, seeds
        return table

    unseen = (NOT_TESTED, np.nan, 0)
    laptop = judged((AGREES, 0.3, 1), (IN_DIRECTION, 0.2, 2), (DISAGREES, 0.1, 3), unseen)
    full = judged((DISAGREES, 0.01, 5), unseen, unseen, (AGREES, 0.4, 5))
    table = standings({"full": full, "laptop": laptop})
    assert table.loc[names, "standing"].tolist() == [
        "not shown",
        "in direction at reduced scale",
        "not shown at reduced scale",
        "shown",
    ]
    assert table.loc[names, "measured"].tolist() == [0.01, 0.2, 0.1, 0.4]
    assert table.loc[names, "seeds"].tolist() == [5, 2, 3, 5]
    assert set(table["standing"].iloc[4:]) == {NOT_TESTED}
    with pytest.raises(KeyError, match="laptop"):
        standings({"full": full})


def test_provenance_says_what_a_figure_rests_on(settings):
    line = provenance(settings[1], "sce sweep figure1")
    for said in ("2 runs, 2 seeds", "digits, made by hand", "profile smoke, protocol paper §5.2"):
        assert said in line
    for said in (
        "300 training images",
        "cnn4 at width 0.5",
        "12 epochs, float32 ·",
        "3.0 minutes",
        "`sce sweep figure1`",
    ):
        assert said in line
    assert "3,000 test images · " in line
    assert "1 seed ·" in provenance(settings[1][:1], "x")
    half = settings[0][0].config.model_copy(update={"precision": "bfloat16"})
    both = [settings[0][0], settings[0][0].model_copy(update={"config": half})]
    assert "epochs, bfloat16 ·" in provenance(both[1:], "x")
    assert "epochs, bfloat16 and float32 ·" in provenance(both, "x")
    looked_at = settings[0][0].model_copy(update={"test_images_per_epoch": 20})
    assert "a fixed 20 of them" in provenance([looked_at], "x")
