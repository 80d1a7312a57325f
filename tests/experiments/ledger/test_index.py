"""The index saves reading, and says nothing that the files do not."""

import json
import os
import threading
import time

import pytest

from sce_lib.experiments.ledger import Ledger, Summary
from sce_lib.experiments.ledger import index as index_module
from sce_lib.experiments.ledger.index import Index


@pytest.fixture
def ledger(folders, make_record):
    """Return a ledger of three records, written long enough ago."""
    ledger = Ledger(folders / "ledger")
    for seed in range(3):
        ledger.put(make_record("sl", "symmetric-0.4", seed=seed))
    settle()
    return ledger


def settle():
    """Let the clock's tick go by in which a file was written: a second change in it could not be told."""
    time.sleep(2e-9 * index_module._TICK)


def records_read(opened):
    return [file for file in opened if file.endswith(".json")]


def test_a_summary_is_the_records(ledger):
    for summary, record in zip(ledger.summaries(), ledger, strict=True):
        assert summary.run_id == record.run_id
        assert summary.setting == record.config.setting
        for name in ("config", "last_accuracy", "best_accuracy", "best_epoch", "test_images_per_epoch"):
            assert getattr(summary, name) == getattr(record, name)
        matrices = {"requested_noise", "realised_noise"}
        assert summary.provenance.model_dump(exclude=matrices) == record.provenance.model_dump(
            exclude=matrices
        )


def test_a_file_that_has_not_changed_is_not_read_again(ledger, opened):
    first = list(ledger.summaries())
    assert len(records_read(opened)) == 3
    opened.clear()
    assert list(ledger.summaries()) == list(Ledger(ledger.root).summaries()) == first
    assert records_read(opened) == []


def test_it_lies_in_the_cache_and_can_be_deleted(ledger, folders, opened):
    first = list(ledger.summaries())
    (kept,) = (folders / "cache" / "ledgers").iterdir()
    assert sorted(ledger.root.rglob("*.index")) == []
    kept.unlink()
    opened.clear()
    assert list(ledger.summaries()) == first
    assert len(records_read(opened)) == 3
    assert kept.exists()


def edited(path, **changes):
    """Change a record by hand, with care: its number of bytes stays, and its time as far as one can."""
    before = path.stat()
    content = json.loads(path.read_text())
    content["record"] |= changes
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def test_a_record_that_was_edited_by_hand_is_seen(ledger):
    first = list(ledger.summaries())
    path = ledger.paths()[1]
    edited(path, last_accuracy=0.9)
    with pytest.warns(UserWarning, match="does not match its own checksum"):
        found = list(ledger.summaries())
    assert found == [first[0], first[2]]


def test_an_edit_in_the_tick_of_the_writing_is_seen(folders, make_record):
    ledger = Ledger(folders / "ledger")
    path = ledger.put(make_record())
    assert len(list(ledger.summaries())) == 1
    edited(path, last_accuracy=0.9)
    with pytest.warns(UserWarning, match="checksum"):
        assert list(ledger.summaries()) == []


def test_records_that_come_and_go_are_seen(ledger, make_record):
    list(ledger.summaries())
    gone, _, _ = ledger.paths()
    gone.unlink()
    added = make_record("ce", seed=7, dataset="mnist")
    ledger.put(added)
    assert [summary.run_id for summary in ledger.summaries("mnist")] == [added.run_id]
    assert [summary.run_id for summary in ledger.summaries()] == [record.run_id for record in ledger]
    assert f"digits/{gone.stem}" not in Index(ledger.root).names()


def no_index(path):
    path.write_bytes(b"")


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-10])


def other_numbers(path):
    path.write_bytes(path.read_bytes().replace(b'"last_accuracy":0.6', b'"last_accuracy":0.9'))


def not_text(path):
    path.write_bytes(bytes(range(256)) * 100)


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [no_index, cut_short, other_numbers, not_text, a_folder])
def test_a_damaged_one_is_not_believed_and_made_anew(ledger, folders, damage):
    first = list(ledger.summaries())
    (kept,) = (folders / "cache" / "ledgers").iterdir()
    content = kept.read_bytes()
    damage(kept)
    assert list(ledger.summaries()) == first
    if damage is not a_folder:
        assert kept.read_bytes() == content


def test_one_that_other_code_has_made_is_not_believed(ledger, monkeypatch, opened):
    first = list(ledger.summaries())
    opened.clear()
    monkeypatch.setattr(index_module, "_code", lambda: b"of tomorrow")
    assert list(ledger.summaries()) == first
    assert len(records_read(opened)) == 3


def test_a_cache_that_cannot_be_written_costs_time_alone(ledger, folders):
    (folders / "cache").write_text("in its place")
    assert len(list(ledger.summaries())) == len(list(ledger.summaries())) == 3


def test_many_may_look_and_write_at_once(ledger, make_record):
    def look():
        found.append([summary.run_id for summary in ledger.summaries()])

    found = []
    looks = [threading.Thread(target=look) for _ in range(8)]
    for thread in looks:
        thread.start()
    for thread in looks:
        thread.join()
    assert found == [[record.run_id for record in ledger]] * 8
    assert len(list(Index(ledger.root).names())) == 3


def test_what_is_looked_at_halfway_is_kept(ledger, opened):
    looks = ledger.summaries()
    assert isinstance(next(looks), Summary)
    looks.close()
    opened.clear()
    list(ledger.summaries())
    assert len(records_read(opened)) == 2


def test_lines_that_are_none_for_json_are_none_here(folders, make_record):
    """U+0085 and the like end a line for `str.splitlines`, and may stand in a name."""
    ledger = Ledger(folders / "ledger")
    record = make_record()
    made = record.provenance.model_copy(update={"source": "a\u00a0b\u3000c"})
    ledger.put(record.model_copy(update={"provenance": made}))
    settle()
    for _ in range(2):
        assert [summary.provenance.source for summary in ledger.summaries()] == ["a\u00a0b\u3000c"]
