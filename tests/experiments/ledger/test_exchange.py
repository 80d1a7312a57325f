"""Records compared, found by name, written as one table, taken from other ledgers."""

import os
import shutil
import sys
import warnings

import pandas as pd
import pytest

from sce_lib.experiments.ledger import (
    Ledger,
    LedgerError,
    MissingRuns,
    compare,
    differences,
    export,
    import_records,
    to_frame,
)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def other(tmp_path):
    return Ledger(tmp_path / "other")


def name(record):
    return f"{record.config.dataset}/{record.run_id}"


def changed(record, **fields):
    return record.model_copy(update=fields)


def elsewhere(record, **fields):
    """Return a record as if it had been made at another place and time."""
    return changed(record, provenance=record.provenance.model_copy(update=fields))


# --- Compared ----------------------------------------------------------------------------------------


def test_differences_are_named_by_place_with_both_values(make_record):
    record = make_record()
    assert differences(record, record) == {}
    assert differences(record, elsewhere(record, seconds=1.0, threads=8, platform="other")) == {}
    epoch = record.epochs[1].model_copy(update={"train_loss": 2.5})
    fewer = changed(record, last_accuracy=0.25, epochs=[record.epochs[0], epoch, *record.epochs[2:]])
    assert differences(record, fewer) == {
        "epochs[1].train_loss": (1.0, 2.5),
        "last_accuracy": (record.last_accuracy, 0.25),
    }


def test_what_only_one_record_has_differs_from_none(make_record):
    record = make_record()
    shorter = changed(record, classes=record.classes[:-1])
    assert differences(record, shorter) == {"classes.length": (5, 4), "classes[4]": ("class4", None)}
    assert differences(shorter, record)["classes[4]"] == (None, "class4")


def test_two_ledgers_are_told_apart_run_by_run(ledger, other, make_record):
    same, here, there, differs = (make_record(seed=seed) for seed in range(4))
    for record in (same, here, differs):
        ledger.put(record)
    for record in (elsewhere(same, date="later"), there, changed(differs, test_images_per_epoch=20)):
        other.put(record)
    found = compare(ledger, other)
    assert (found.only_one, found.only_other, found.equal) == ([name(here)], [name(there)], 1)
    assert found.differing == {name(differs): {"test_images_per_epoch": (differs.test_images_per_epoch, 20)}}


# --- Found -------------------------------------------------------------------------------------------


def test_a_run_is_found_by_its_id_and_by_how_it_begins(ledger, make_record):
    ce, sl = make_record("ce", "symmetric-0.4"), make_record("sl", "symmetric-0.4")
    for record in (ce, sl):
        ledger.put(record)
    for known in (ce.run_id, name(ce), ce.run_id[:-3], "ce", "digits/ce-sym"):
        assert ledger.find(known) == ce
    assert ledger.find("sl") == sl


def test_a_whole_name_is_that_run_though_others_begin_so(ledger, make_record):
    """As where a file's name is that of another data set's run with more behind it."""
    record = make_record()
    path = ledger.put(record)
    shutil.copy(path, path.with_name(f"{path.stem}0.json"))
    assert ledger.find(record.run_id) == record
    with pytest.raises(ValueError, match="2 runs"):
        ledger.find(record.run_id[:-1])


def test_what_is_not_found_or_not_one_is_said(ledger, make_record):
    with pytest.raises(MissingRuns, match="no run 'ce'"):
        ledger.find("ce")
    records = [make_record("ce", seed=seed) for seed in (0, 1)]
    for record in records:
        ledger.put(record)
    with pytest.raises(ValueError, match="'ce' is how 2 runs begin") as caught:
        ledger.find("ce")
    assert all(name(record) in str(caught.value) for record in records)
    with pytest.raises(MissingRuns, match="no run 'ledger'"):  # a folder above them is no part of a name
        ledger.find("ledger")


def test_a_damaged_record_that_is_asked_for_by_name_is_named_and_left(ledger, make_record):
    path = ledger.put(make_record("ce"))
    path.write_text("{")
    with pytest.raises(LedgerError, match=path.name):
        ledger.find("ce")
    assert path.read_text() == "{"


# --- Failures ----------------------------------------------------------------------------------------


def test_failures_are_told_until_there_is_a_record(ledger, make_record):
    assert ledger.failures() == {}
    record, other = make_record("ce"), make_record("sl")
    for each in (record, other):
        ledger.put_failure(each.config, MemoryError("no more of it"))
    assert ledger.failures() == dict.fromkeys([name(record), name(other)], "MemoryError: no more of it")
    assert ledger.paths() == []
    with pytest.raises(MissingRuns):
        ledger.find(record.run_id)
    path = ledger.put(record)
    assert ledger.failures().keys() == {name(other)}
    ledger.put_failure(record.config, MemoryError())  # by another machine, after the record
    assert ledger.failures().keys() == {name(other)}
    assert ledger.paths() == [path]


def test_a_damaged_note_still_tells_that_a_run_failed(ledger, make_record):
    record = make_record()
    for content in ("", "{}", "[1]"):
        ledger.put_failure(record.config, MemoryError()).write_text(content)
        assert "cannot be read" in ledger.failures()[name(record)]


def test_no_data_set_can_have_the_name_of_the_folder_of_failures(ledger, make_record):
    record = make_record()
    config = record.config.model_copy(update={"dataset": "failed"})
    with pytest.raises(ValueError, match="cannot be called 'failed'"):
        ledger.get(config)
    with pytest.raises(ValueError, match="another name"):
        ledger.put(changed(record, config=config))
    assert not ledger.root.exists()


# --- One table ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "read"), [(".csv", pd.read_csv), (".parquet", pd.read_parquet)])
def test_a_table_read_again_has_every_run_and_its_numbers(tmp_path, make_record, suffix, read):
    records = [make_record("sl", "symmetric-0.4", last=0.125), make_record("ce", seed=2, last=0.1 + 0.2)]
    path = tmp_path / "new" / f"all{suffix}"
    assert export(records, path) == 2
    table = read(path).set_index("run_id")
    assert list(table.index) == [record.run_id for record in records]
    for record in records:
        row, config = table.loc[record.run_id], record.config
        assert row["last_accuracy"] == record.last_accuracy
        assert (row["best_accuracy"], row["best_epoch"]) == (record.best_accuracy, record.best_epoch)
        assert (row["method.name"], row["noise.kind"]) == (config.method.name, config.noise.kind)
        assert (row["seed"], row["optimisation.epochs"]) == (config.seed, config.optimisation.epochs)
        assert row["provenance.source"] == "made by hand"
    assert table.loc[records[0].run_id, "method.alpha"] == records[0].config.method.alpha
    assert pd.isna(table.loc[records[1].run_id, "method.alpha"])  # CE has none


def test_a_table_has_a_value_in_each_cell_and_no_list(make_record):
    table = to_frame([make_record("sl"), make_record("ce")])
    assert not [column for column in table if table[column].map(lambda value: isinstance(value, list)).any()]


def test_a_table_that_cannot_be_written_is_refused_before_a_file_is_made(tmp_path, make_record, monkeypatch):
    with pytest.raises(ValueError, match=r"all\.xlsx.*\.csv or \.parquet"):
        export([make_record()], tmp_path / "all.xlsx")
    with pytest.raises(ValueError, match="empty"):
        export([], tmp_path / "all.csv")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "fastparquet", None)
    with pytest.raises(ImportError, match=r"sce-lib\[report\]"):
        export([make_record()], tmp_path / "all.parquet")
    assert list(tmp_path.iterdir()) == []


# --- Taken in ----------------------------------------------------------------------------------------


def kept(ledger):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in ledger.paths()}


def test_records_are_taken_once_and_the_same_results_are_there_already(ledger, other, make_record):
    records = [make_record(seed=seed) for seed in (0, 1)]
    for record in records:
        other.put(record)
    first = import_records([other.root], ledger)
    assert (first.added, first.present, first.refused) == ([name(r) for r in records], [], {})
    assert list(ledger) == list(other) == records
    before = kept(ledger)
    other.put(elsewhere(records[0], seconds=1.0))
    again = import_records([other.root, other.path(records[1].config)], ledger)
    assert (again.added, again.refused) == ([], {})
    assert again.present == [name(records[0]), name(records[1]), name(records[1])]
    assert kept(ledger) == before


def test_a_folder_of_loose_files_is_taken_too(ledger, other, make_record):
    record = make_record()
    path = other.put(record)
    assert import_records([path.parent], ledger).added == [name(record)]


def test_a_taken_record_ends_the_note_of_a_failure(ledger, other, make_record):
    record = make_record()
    ledger.put_failure(record.config, MemoryError())
    import_records([other.put(record)], ledger)
    assert ledger.failures() == {}
    assert not list((ledger.root / "failed").rglob("*.json"))


def test_other_results_are_refused_and_nothing_is_overwritten(ledger, other, make_record):
    record, fine = make_record(), make_record(seed=1)
    ledger.put(record)
    before = kept(ledger)
    path = other.put(changed(record, test_images_per_epoch=20))
    other.put(fine)
    outcome = import_records([other.root], ledger)
    assert outcome.added == [name(fine)]
    assert outcome.refused.keys() == {path}
    assert "other results for this run, in 1 places (test_images_per_epoch first)" in outcome.refused[path]
    assert before.items() <= kept(ledger).items()


def test_a_damaged_file_is_refused_and_left_where_it_is(ledger, other, make_record):
    record, fine = make_record(), make_record(seed=1)
    path = other.put(record)
    other.put(fine)
    path.write_bytes(path.read_bytes().replace(b'"best_epoch":', b'"best_epoch":1'))
    content = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # another's files are not set aside
        outcome = import_records([other.root], ledger)
    assert outcome.added == [name(fine)]
    assert outcome.refused == {path: "does not match its own checksum: it was changed after it was written"}
    assert path.read_bytes() == content
    assert ledger.get(record.config) is None


def test_a_run_that_is_being_trained_is_refused_until_that_has_ended(ledger, other, make_record):
    record = make_record()
    path = other.put(record)
    with ledger.lock(record.config):
        assert "being trained" in import_records([path], ledger).refused[path]
    assert list(ledger) == []
    assert import_records([path], ledger).added == [name(record)]


def test_seeds_trained_together_are_no_runs_of_their_own(ledger, other, make_record):
    together = elsewhere(make_record(), replicates=3)
    path = other.replicates().put(together)
    assert "seeds trained together" in import_records([path], ledger).refused[path]
    assert list(ledger) == []
    assert import_records([path], ledger.replicates()).added == [name(together)]


def test_sources_are_looked_at_before_any_is_taken(ledger, other, make_record, tmp_path):
    other.put(make_record())
    with pytest.raises(FileNotFoundError, match="nowhere is not there"):
        import_records([other.root, tmp_path / "nowhere"], ledger)
    os.mkdir(tmp_path / "empty")
    with pytest.raises(ValueError, match="empty holds no record"):
        import_records([other.root, tmp_path / "empty"], ledger)
    assert not ledger.root.exists()


def test_the_table_of_summaries_is_that_of_the_records(ledger, make_record, folders):
    for method, seed in (("ce", 0), ("sl", 1), ("gce", 0)):  # whose parameters are columns of their own
        ledger.put(make_record(method, "symmetric-0.4", seed=seed))
    pd.testing.assert_frame_equal(to_frame(ledger.summaries()), to_frame(ledger))
    nested = pd.json_normalize([{"run_id": record.run_id, **record.config.model_dump()} for record in ledger])
    table = to_frame(ledger)
    for column in ("method.alpha", "method.q", "noise.rate", "run_id"):
        pd.testing.assert_series_equal(table[column], nested[column], check_dtype=False)


def test_what_is_to_be_imported_may_be_of_any_kind(ledger, other, make_record):
    """One that is newer, one that is nested without end, one that is a pipe: each costs a line."""
    fine = other.put(make_record())
    newer, deep, pipe = (fine.with_name(f"{name}.json") for name in ("newer", "deep", "pipe"))
    newer.write_text('{"format": 2}')
    deep.write_text("[" * 100_000)
    os.mkfifo(pipe)
    outcome = import_records([other.root], ledger)
    assert len(outcome.added) == 1
    assert {path.name for path in outcome.refused} == {"newer.json", "deep.json", "pipe.json"}
    assert all(len(reason.splitlines()) == 1 for reason in outcome.refused.values())
