"""Records come back to the last bit; a damaged file is named, set aside, and never lost."""

import hashlib
import json
import os
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sce_lib.experiments.config import Noise, RunConfig
from sce_lib.experiments.ledger import Ledger, LedgerError, OutOfReach, RunRecord, select
from sce_lib.experiments.sweep import runs


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger")


def written(path, content):
    path.write_text(json.dumps(content))
    return path


def means_the_same(one, other):
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False


def sealed(content):
    """Give content the checksum that belongs to it, as someone would who edits with care."""
    digest = hashlib.sha256(json.dumps(content["record"], sort_keys=True).encode()).hexdigest()
    return content | {"checksum": digest}


def test_what_is_put_is_got(ledger, make_record):
    record = make_record("sl", "symmetric-0.4", seed=3)
    path = ledger.put(record)
    assert path == ledger.root / "digits" / f"{record.run_id}.json"
    assert ledger.get(record.config) == Ledger.read(path) == record
    assert ledger.get(make_record("sl", "symmetric-0.4", seed=4).config) is None
    assert list(ledger) == [record]


def test_an_absent_file_is_no_damaged_one(ledger, make_record):
    with pytest.raises(FileNotFoundError):
        Ledger.read(ledger.path(make_record().config))


def test_results_are_all_but_time_place_and_date(make_record):
    record = make_record()
    elsewhere = record.provenance.model_copy(
        update={"seconds": 1e6, "date": "later", "platform": "other", "threads": 8, "git_commit": "abc"}
    )
    assert record.model_copy(update={"provenance": elsewhere}).results() == record.results()
    for update in ({"last_accuracy": 0.123}, {"confusion": [[1]]}, {"stages": record.stages[:3]}):
        assert record.model_copy(update=update).results() != record.results()
    other_noise = record.provenance.model_copy(update={"noise_rate": 0.1})
    assert record.model_copy(update={"provenance": other_noise}).results() != record.results()


def test_numbers_are_kept_to_the_last_bit(ledger, make_record):
    record = make_record()
    odd = [0.1 + 0.2, 1 / 3, 2**-52]
    epochs = [
        epoch.model_copy(update={"train_loss": value})
        for epoch, value in zip(record.epochs, odd * 4, strict=True)
    ]
    ledger.put(record.model_copy(update={"epochs": epochs}))
    assert [epoch.train_loss for epoch in ledger.get(record.config).epochs] == odd * 4


def test_a_class_without_samples_has_no_accuracy(ledger, make_record):
    record = make_record()
    stage = record.stages[0].model_copy(update={"classwise_accuracy": [0.5, None, 1.0, 0.0, 0.1]})
    epoch = record.epochs[0].model_copy(update={"classwise_accuracy": [None, 0.5, 1.0, 0.0, 0.1]})
    looks = {"stages": [stage, *record.stages[1:]], "epochs": [epoch, *record.epochs[1:]]}
    record = RunRecord.model_validate(record.model_copy(update=looks).model_dump())
    ledger.put(record)
    assert ledger.get(record.config) == record


def corrupt_not_json(path, record):
    path.write_text("{")


def corrupt_empty(path, record):
    path.write_bytes(b"")


def corrupt_binary(path, record):
    path.write_bytes(bytes(range(256)))


def corrupt_cut_short(path, record):
    path.write_bytes(path.read_bytes()[:-100])


def corrupt_a_list(path, record):
    written(path, [1, 2])


def corrupt_no_checksum(path, record):
    written(path, {"record": record.model_dump(mode="json"), "format": 1})


def corrupt_edited(path, record):
    content = json.loads(path.read_text())
    content["record"]["last_accuracy"] = 0.99
    written(path, content)


def corrupt_wrong_format(path, record):
    written(path, json.loads(path.read_text()) | {"format": "one"})


def corrupt_nested_too_deep(path, record):
    path.write_text("[" * 100_000 + "]" * 100_000)


def corrupt_endless_number(path, record):
    path.write_text(path.read_text().replace('"seed":0', f'"seed":{"9" * 5_000}'))


def corrupt_renamed(path, record):
    other = record.config.model_copy(update={"seed": 9})
    content = json.loads(path.read_text())
    content["record"]["config"] = other.model_dump(mode="json")
    written(path, sealed(content))


def corrupt_field_missing(path, record):
    content = json.loads(path.read_text())
    del content["record"]["confusion"]
    written(path, sealed(content))


def corrupt_field_added(path, record):
    content = json.loads(path.read_text())
    content["record"]["luck"] = 1
    written(path, sealed(content))


DAMAGES = [value for name, value in sorted(globals().items()) if name.startswith("corrupt_")]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_named_and_set_aside_and_never_lost(ledger, make_record, damage):
    record, other = make_record(), make_record(seed=1)
    path, _ = ledger.put(record), ledger.put(other)
    damage(path, record)
    content = path.read_bytes()
    with pytest.raises(LedgerError, match=path.name):
        Ledger.read(path)
    assert path.read_bytes() == content  # reading alone moves nothing
    with pytest.warns(UserWarning, match=path.name):
        assert ledger.get(record.config) is None
    assert not path.exists()
    assert path.with_name(f"{path.name}.damaged-1").read_bytes() == content
    assert list(ledger) == [other]
    # Made again, and damaged again: the first damaged file stays.
    ledger.put(record)
    damage(path, record)
    with pytest.warns(UserWarning, match="damaged-2"):
        assert list(ledger) == [other]
    assert path.with_name(f"{path.name}.damaged-1").read_bytes() == content
    ledger.put(record)
    assert ledger.get(record.config) == record


def newer(path):
    written(path, {"format": 2, "records": ["what nobody knows yet"]})


def unreadable(path):
    path.unlink()
    path.mkdir()  # root may read every file, but no folder as one


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)  # whoever read it would wait for ever


@pytest.mark.parametrize(
    ("change", "said"), [(newer, "format 2"), (unreadable, "is no file"), (a_pipe, "is no file")]
)
def test_what_may_be_whole_is_left_alone_and_costs_a_line(ledger, make_record, change, said):
    record, other = make_record(), make_record(seed=1)
    path, _ = ledger.put(record), ledger.put(other)
    change(path)
    with pytest.raises(OutOfReach, match=said):
        Ledger.read(path)
    for look in (ledger.records, ledger.summaries):
        with pytest.warns(UserWarning, match=said) as told:
            assert [found.run_id for found in look()] == [other.run_id]
        assert len(told) == 1
    with pytest.warns(UserWarning, match=said):
        assert ledger.get(record.config) is None
    for asked in (lambda: ledger.put(record), lambda: ledger.require_place(record.config)):
        with pytest.raises(OutOfReach, match="elsewhere to make the run again"):
            asked()
    assert [entry.name for entry in path.parent.iterdir() if "damaged" in entry.name] == []
    assert path.exists()


def test_no_run_is_trained_whose_record_could_not_be_kept(ledger, make_record, monkeypatch):
    record = make_record()
    newer(ledger.put(record))
    monkeypatch.setattr(runs, "train", None)
    with pytest.warns(UserWarning, match="format 2"), pytest.raises(OutOfReach, match="update it"):
        runs.ensure(record.config, ledger, "cpu")


def test_a_file_that_is_too_large_is_not_read(ledger, make_record):
    path = ledger.put(make_record())
    with path.open("r+b") as file:
        file.truncate(2**40)  # a hole: it takes no disk
    with pytest.raises(LedgerError, match=r"no record has 1,099,511,627,776 bytes"):
        Ledger.read(path)


@pytest.mark.parametrize("changed", [{"dataset": "../x"}, {"dataset": "a/b"}, {"dataset": ""}])
def test_a_config_that_nobody_checked_leads_to_no_file_elsewhere(ledger, make_record, changed):
    config = make_record().config.model_copy(update=changed)
    for asked in (ledger.path, ledger.lock, ledger.get, lambda c: ledger.put_failure(c, ValueError())):
        with pytest.raises(ValueError, match="cannot be the name of a file"):
            asked(config)
    noise = make_record().config.noise.model_copy(update={"kind": "human", "label_set": "../../x"})
    with pytest.raises(ValueError, match="cannot be the name of a file"):
        ledger.path(make_record().config.model_copy(update={"noise": noise}))
    assert not ledger.root.exists()


@pytest.mark.parametrize("name", ["failed", "replicates"])
def test_a_data_set_is_not_called_as_a_folder_of_the_ledgers_own(ledger, make_record, name):
    with pytest.raises(ValueError, match=f"cannot be called '{name}'"):
        ledger.path(make_record(dataset=name).config)


def test_each_file_is_read_once(ledger, make_record, opened):
    """``list`` asks for the length first."""
    for seed in range(3):
        ledger.put(make_record(seed=seed))
    opened.clear()
    assert len(list(ledger)) == 3
    assert sorted(opened) == [str(path) for path in ledger.paths()]
    opened.clear()
    assert len(ledger) == 3
    assert opened == []


def test_a_file_under_another_runs_name_or_data_set_is_not_that_run(ledger, make_record):
    record = make_record()
    path = ledger.put(record)
    other = make_record(seed=1).config
    shutil.copy(path, ledger.path(other))
    with pytest.raises(LedgerError, match=record.run_id):
        Ledger.read(ledger.path(other))
    ledger.path(other).unlink()
    moved = ledger.root / "mnist" / path.name
    moved.parent.mkdir()
    shutil.copy(path, moved)
    with pytest.warns(UserWarning, match="mnist"):
        assert list(ledger) == [record]  # not twice
    assert moved.with_name(f"{moved.name}.damaged-1").exists()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_flipped_byte_or_cut_gives_another_record(tmp_path, make_record, data):
    record = make_record()
    whole = Ledger(tmp_path).put(record).read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.none() | st.integers(0, 255))
    damaged = whole[:place] if byte is None else whole[:place] + bytes([byte]) + whole[place + 1 :]
    path = tmp_path / f"{record.run_id}.json"
    path.write_bytes(damaged)
    if means_the_same(damaged, whole):  # as where e is written E in a number
        assert Ledger.read(path) == record
    else:
        with pytest.raises(LedgerError, match=path.name):
            Ledger.read(path)


def test_failures_are_kept_apart_until_the_run_is_done(ledger, make_record):
    record = make_record()
    path = ledger.put_failure(record.config, RuntimeError("out of memory"))
    assert path.parts[-3:-1] == ("failed", "digits")
    content = json.loads(path.read_text())
    assert content["error"] == "RuntimeError: out of memory"
    assert RunConfig.model_validate(content["config"]) == record.config
    assert ledger.get(record.config) is None
    assert list(ledger) == []
    ledger.put(record)
    assert not path.exists()


def test_an_empty_ledger_is_one_and_a_missing_folder_is_an_empty_one(tmp_path):
    ledger = Ledger(tmp_path / "nowhere")
    assert (len(ledger), bool(ledger), list(ledger)) == (0, True, [])
    assert not (tmp_path / "nowhere").exists()


def test_the_folder_is_given_or_the_environments(tmp_path, monkeypatch):
    monkeypatch.setenv("SCE_LEDGER", str(tmp_path / "there"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Ledger().root == tmp_path / "there"
    assert Ledger("~/mine").root == tmp_path / "mine"


def test_select_by_method_noise_and_field_in_order_of_seed(make_record):
    records = [
        make_record(method, noise, seed)
        for seed in (2, 0, 1)
        for method in ("ce", "sl")
        for noise in ("clean", "symmetric-0.4")
    ]
    found = select(records, "sl", "symmetric-0.4")
    assert [(r.config.method.name, r.config.noise.slug, r.config.seed) for r in found] == [
        ("sl", "symmetric-0.4", seed) for seed in (0, 1, 2)
    ]
    assert select(records, noise=Noise(kind="symmetric", rate=0.4), method="sl") == found
    assert len(select(records, seed=1)) == 4
    assert select(records, "ce", dataset="mnist") == []
    assert select(records, "ce", section="5.1") == []
