"""A record of results that cannot be is refused, where it is made, written, read and imported."""

import hashlib
import json

import pytest
from pydantic import ValidationError

from sce_lib.experiments.ledger import Ledger, LedgerError, RunRecord, import_records


def at(place, value):
    """Return a change of a record's content: the value at ``"a.b.0"``, or what a function makes of it."""

    def change(content):
        *path, last = [int(key) if key.isdecimal() else key for key in place.split(".")]
        for key in path:
            content = content[key]
        content[last] = value(content[last]) if callable(value) else value

    return change


NOT_A_NUMBER = float("nan")
IMPOSSIBLE = {
    "per cent": (at("last_accuracy", 60.0), "last_accuracy"),
    "nan": (at("last_accuracy", NOT_A_NUMBER), "last_accuracy"),
    "none": (at("best_accuracy", None), "best_accuracy"),
    "another accuracy": (at("last_accuracy", 0.61), "last_accuracy must be 0.6"),
    "below 0": (at("stages.0.classwise_accuracy.2", -0.1), "classwise_accuracy"),
    "margin": (at("stages.1.clean.margin.0", -1.5), "margin"),
    "endless loss": (at("epochs.3.train_loss", float("inf")), "train_loss"),
    "best epoch": (at("best_epoch", 3), "the best epoch must be 12"),
    "best accuracy": (at("best_accuracy", 0.9), "the best epoch must be 12"),
    "too few epochs": (at("epochs", lambda kept: kept[:-1]), "epochs must be 1 to 12"),
    "epochs twice": (at("epochs.4.epoch", 4), "epochs must be 1 to 12"),
    "no epochs": (at("epochs", []), "epochs"),
    "too few looks": (at("stages", lambda kept: kept[:-1]), "stages must be after the epochs"),
    "a class fewer": (at("classes", lambda kept: kept[:-1]), "an entry for each of 4 classes"),
    "confusion too small": (at("confusion", [[3000, 2000], [0, 0]]), "confusion must have an entry"),
    "confusion ragged": (at("confusion.1", [0, 1000]), "a row of confusion must have an entry"),
    "confusion of other images": (at("confusion.0.0", lambda kept: kept + 1), "5000 test images"),
    "counts below 0": (at("confusion.0.2", -1), "confusion"),
    "noise of two classes": (at("provenance.realised_noise", [[1.0, 0.0], [0.0, 1.0]]), "realised_noise"),
    "rate": (at("provenance.noise_rate", 40.0), "noise_rate"),
    "looked at more": (at("test_images_per_epoch", 5_001), "test_images_per_epoch must be 1 to 5000"),
    "the last look's accuracy": (at("stages.3.test_accuracy", 0.01), "test_accuracy after the last epoch"),
    "the last look's classes": (at("stages.3.classwise_accuracy", [1.0] * 5), "the last accuracy of class0"),
    "a class left out": (at("stages.3.classwise_accuracy.1", None), "the last accuracy of class1"),
    "confusion transposed": (at("confusion", lambda kept: [*zip(*kept, strict=True)]), "class0 must be"),
    "training images": (at("provenance.train_images", 7), "must count 7 images"),
    "groups of others": (at("stages.0.flipped.count.2", 10**9), "clean and flipped after epoch"),
    "right beyond all": (at("stages.0.correct.1", 101), "counts more than predicted"),
    "shares of more": (at("stages.2.clean.gradient_share", [0.5] * 5), "the gradient shares"),
    "classes of one name": (at("classes", ["a"] * 5), "names of their own"),
    "endless": (at("provenance.seconds", float("inf")), "seconds"),
    "threads": (at("provenance.threads", -1), "threads"),
    "replicates": (at("provenance.replicates", -3), "replicates"),
    "rate of learning": (at("epochs.0.learning_rate", -5.0), "learning_rate"),
    "embedding short": (at("embedding", {"labels": [0, 1], "x": [0.0, 1.0], "y": [0.0]}), "an x and a y"),
    "embedding of others": (at("embedding", {"labels": [99], "x": [0.0], "y": [0.0]}), "below 5, not 99"),
    "embedding nowhere": (at("embedding", {"labels": [0], "x": [NOT_A_NUMBER], "y": [0.0]}), "embedding"),
    "class-wise short": (at("epochs.0.classwise_accuracy", [0.5]), "classwise_accuracy of epoch 1"),
}


@pytest.fixture(params=IMPOSSIBLE.values(), ids=list(IMPOSSIBLE))
def falsified(request, make_record):
    """Return a record's content with something in it that cannot be, and what is to be said of it."""
    change, named = request.param
    content = make_record().model_dump(mode="json")
    change(content)
    return content, named


def sealed(content):
    text = json.dumps(content, sort_keys=True)
    return {"format": 1, "checksum": hashlib.sha256(text.encode()).hexdigest(), "record": content}


def test_it_is_not_made(falsified):
    content, named = falsified
    with pytest.raises(ValidationError) as caught:
        RunRecord.model_validate(content)
    assert named in str(caught.value)


def test_it_is_refused_by_name_and_left_where_it_is(falsified, make_record, tmp_path):
    """The hand that changes it gives the file a checksum that fits."""
    content, named = falsified
    theirs, ours = tmp_path / "theirs" / f"{make_record().run_id}.json", Ledger(tmp_path / "ours")
    theirs.parent.mkdir()
    theirs.write_text(json.dumps(sealed(content)))
    before = theirs.read_bytes()
    with pytest.raises(LedgerError, match=theirs.name):
        Ledger.read(theirs)
    outcome = import_records([theirs], ours)
    assert (outcome.added, outcome.present, list(outcome.refused)) == ([], [], [theirs])
    assert named in outcome.refused[theirs]
    assert "pydantic" not in outcome.refused[theirs]
    assert theirs.read_bytes() == before
    assert len(ours) == 0


def test_it_is_not_written(make_record, tmp_path):
    record = make_record().model_copy(update={"last_accuracy": 0.9})
    ledger = Ledger(tmp_path)
    with pytest.raises(LedgerError, match=r"last_accuracy must be 0\.6"):
        ledger.put(record)
    assert not ledger.paths()
