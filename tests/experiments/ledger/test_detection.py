"""How well flipped labels are found is kept where it is known, and records without it are as they were."""

import json

import pytest
from pydantic import ValidationError

from sce_lib.experiments.ledger import DetectionRecord, Ledger, RunRecord, differences

SHARES = ("classwise_auroc", "classwise_average_precision", "classwise_precision")


@pytest.fixture
def found(make_record):
    """Return a record that keeps it, and the same one without."""
    record = make_record("sl", "symmetric-0.4")
    by_class = {name: [0.5, None, 1.0, 0.0, 0.25] for name in SHARES}
    kept = DetectionRecord(auroc=0.9, average_precision=0.8, precision=0.7, **by_class)
    stages = [stage.model_copy(update={"detection": kept}) for stage in record.stages]
    return record.model_copy(update={"stages": stages}), record


def test_it_is_read_as_it_was_written(found, tmp_path):
    record, _ = found
    ledger = Ledger(tmp_path)
    ledger.put(record)
    assert ledger.get(record.config) == record
    assert ledger.get(record.config).detection.classwise_auroc[1] is None


def test_a_record_without_it_has_no_new_bytes(found, tmp_path):
    _, older = found
    written = json.loads(Ledger(tmp_path).put(older).read_bytes())["record"]
    assert "detection" not in json.dumps(written)
    assert RunRecord.model_validate(written) == older
    assert older.detection is None


def test_it_is_compared_where_both_have_it(found):
    record, older = found
    assert differences(record, older) == differences(older, record) == {}
    better = record.detection.model_copy(update={"auroc": 0.95})
    last = record.final_stage().model_copy(update={"detection": better})
    other = record.model_copy(update={"stages": [*record.stages[:-1], last]})
    assert differences(record, other) == {"stages[3].detection.auroc": (0.9, 0.95)}


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("auroc", 1.5, "auroc"),
        ("precision", None, "precision"),
        (
            "classwise_auroc",
            [0.5, 0.5],
            "classwise_auroc after epoch 1 must have an entry for each",
        ),
        ("classwise_precision", [2.0] * 5, "classwise_precision"),
    ],
)
def test_what_cannot_be_is_refused(found, place, value, said):
    content = found[0].model_dump(mode="json")
    content["stages"][0]["detection"][place] = value
    with pytest.raises(ValidationError) as caught:
        RunRecord.model_validate(content)
    assert said in str(caught.value)


def test_without_flipped_labels_there_is_nothing_to_find(found):
    content = found[0].model_dump(mode="json")
    stage = content["stages"][0]
    stage["clean"]["count"], stage["flipped"]["count"] = [100] * 5, [0] * 5
    with pytest.raises(ValidationError, match="must be of clean and of flipped labels"):
        RunRecord.model_validate(content)
