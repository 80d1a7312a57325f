"""When a repetition confirms a record, by records whose difference is known."""

import pytest
import torch

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import differences
from sce_lib.experiments.sweep import Verification, verify
from sce_lib.experiments.sweep.checking import TOLERANCE

OTHER_TORCH = ["torch: 2.0, now 2.9"]


def beside(record, repeated, elsewhere=()):
    return Verification(record, repeated, list(elsewhere), differences(record, repeated))


def test_equal_results_pass_wherever_they_were_made(make_record):
    record = make_record()
    later = record.provenance.model_copy(update={"seconds": 1.0, "date": "later"})
    for elsewhere in ([], OTHER_TORCH):
        found = beside(record, record.model_copy(update={"provenance": later}), elsewhere)
        assert (found.passed, found.drift, found.differing) == (True, 0, {})


@pytest.mark.parametrize(("drift", "passes"), [(1e-9, True), (TOLERANCE / 2, True), (2 * TOLERANCE, False)])
def test_rounding_is_let_pass_elsewhere_alone_and_within_its_bound(make_record, drift, passes):
    record = make_record(last=0.5)
    for sign in (1, -1):
        moved = record.model_copy(update={"last_accuracy": 0.5 + sign * drift})
        found = beside(record, moved, OTHER_TORCH)
        assert found.drift == pytest.approx(drift)
        assert found.passed == passes
        assert not beside(record, moved).passed


def test_other_data_other_noise_or_another_run_never_pass(make_record):
    record = make_record(last=0.5)

    def provenance(**fields):
        return {"provenance": record.provenance.model_copy(update=fields)}

    for update in (
        provenance(fingerprint="1" * 64),
        provenance(noise_rate=0.41),
        provenance(train_images=499),
        {"classes": [*record.classes[:-1], "other"]},
        {"config": make_record(seed=1).config},
    ):
        found = beside(record, record.model_copy(update=update), OTHER_TORCH)
        assert found.drift == 0
        assert not found.passed


def test_what_was_made_elsewhere_is_said_and_an_invented_record_fails(folders, make_record):
    fields = {"n_train": 100, "embedding": 0, "optimisation": {"lr": 0.05, "epochs": 2}}
    config = RunConfig.preset("digits", "ce", profile="smoke", **fields)
    record = make_record().model_copy(update={"config": config})
    found = verify(record, "cpu")
    assert found.elsewhere[0].startswith("platform: none, now ")
    assert found.elsewhere[1:] == [f"torch: 0, now {torch.__version__}"]  # on a CPU both times
    assert found.repeated.config == config
    assert found.repeated.provenance.threads == record.provenance.threads == 1
    assert found.differing.keys() >= {"provenance.fingerprint", "provenance.source"}
    assert not found.passed
    assert not (folders / "ledger").exists()
    assert not (folders / "cache" / "checkpoints").exists()
