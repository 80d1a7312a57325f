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
    "confidence of more": (at("stages.1.confidence.2", [0.3] * 5), "row 2 of confidence after epoch"),
    "confidence of less": (at("stages.0.confidence.0.0", 0.1), "must sum to 1, not to 0.9"),
    "confidence with a gap": (at("stages.0.confidence.0.0", None), "row 0 of confidence"),
    "noise asked for": (at("provenance.requested_noise.4", [0.0] * 5), "row 4 of requested_noise"),
    "noise realised": (at("provenance.realised_noise.0.1", 0.001), "row 0 of realised_noise"),
    "no fingerprint": (at("provenance.fingerprint", ""), "has a letter or two"),
    "no class name": (at("classes.1", " "), "has a letter or two"),
    "a class in two lines": (at("classes.1", "a\n```"), "control character"),
    "a class that is a path": (at("classes.1", "../../etc/passwd"), "a name is no path"),
    "a class of a drive": (at("classes.1", "C:\\x"), "a name is no path"),
    "a source that closes a block": (at("provenance.source", "x\n```\n<script>"), "control character"),
    "a source of a terminal": (at("provenance.source", "\x1b[2J"), "control character"),
    "a source written backwards": (at("provenance.source", "\u202efdp.exe"), "control character"),
    "half a character": (at("provenance.device", "\ud800"), "provenance.device"),
    "a version in two lines": (at("provenance.versions", {"torch\n": "1"}), "control character"),
    "a long name": (at("provenance.platform", "x" * 201), "200 characters at most"),
    "label sets elsewhere": (
        at("config.noise", {"kind": "human", "label_set": "../../x"}),
        "letters, digits",
    ),
    "a network elsewhere": (at("config.model.name", "a|b`$x$"), "letters, digits"),
    "a network of no width": (at("config.model.width", 0.001), "config.model.width"),
    "a network of any width": (at("config.model.width", 1e9), "config.model.width"),
    "endless learning": (at("config.optimisation.lr", float("inf")), "config.optimisation.lr"),
    "endless epochs": (at("config.optimisation.epochs", 10**9), "config.optimisation.epochs"),
    "a seed beyond": (at("config.seed", 2**63), "config.seed"),
    "class-wise short": (at("epochs.0.classwise_accuracy", [0.5]), "classwise_accuracy of epoch 1"),
}


@pytest.fixture(params=IMPOSSIBLE.values(), ids=list(IMPOSSIBLE))
def falsified(request, make_record):
    """Return a record's content with something in it that cannot be, and what is to be said of it."""
    change, named = request.param
    content = make_record().model_dump(mode="json")
    change(content)
    return content, named


def test_names_are_free_otherwise(make_record, tmp_path):
    names = ["T-shirt/top", "Änderung #2", "a | b", "$x$ `y`", "<script>", "{include} x", "狗", "_under"]
    names = names[:5] if len(make_record().classes) == 5 else names
    for some in (names, ["狗", "{include} x", "_under", "*", "'quoted\""]):
        content = make_record().model_dump(mode="json") | {"classes": some}
        record = RunRecord.model_validate(content)
        ledger = Ledger(tmp_path)
        assert Ledger.read(ledger.put(record)).classes == some


def test_a_class_without_samples_has_a_row_of_nothing(make_record):
    content = make_record().model_dump(mode="json")
    content["stages"][0]["confidence"][1] = content["provenance"]["realised_noise"][1] = [None] * 5
    assert RunRecord.model_validate(content).stages[0].confidence[1] == [None] * 5


def test_rows_may_be_rounded_to_six_digits(make_record):
    content = make_record().model_dump(mode="json")
    content["stages"][0]["confidence"][1] = [0.333333, 0.333333, 0.333333, 0.0, 0.0]
    RunRecord.model_validate(content)


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
