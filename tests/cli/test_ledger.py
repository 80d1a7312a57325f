"""`sce ledger`, as one types it: what it says, and the status that it ends with."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from sce_lib.cli.app import app
from sce_lib.experiments import sweep
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import Ledger, RunRecord


@pytest.fixture
def ledger(folders):
    return Ledger(folders / "ledger")


@pytest.fixture
def sce(folders):
    """Return a function that runs ``sce ledger`` and returns its status, its output and its messages."""

    def run(*arguments):
        result = CliRunner().invoke(app, ["ledger", *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    return run


def name(record):
    return f"{record.config.dataset}/{record.run_id}"


def changed(record, **fields):
    return record.model_copy(update=fields)


# --- ls ----------------------------------------------------------------------------------------------


def test_ls_tells_of_failures_beside_the_records(sce, ledger, make_record):
    record, failed = make_record("ce", last=0.75), make_record("sl")
    ledger.put(record)
    ledger.put_failure(failed.config, MemoryError("40 GB"))
    code, said, complained = sce("ls")
    assert code == 0
    header, line, legend = said.splitlines()
    assert legend.startswith(
        "last: after the last epoch, on all test images; best: of the best epoch, on `of`"
    )
    assert header.split() == ["last", "best", "of", "minutes", "setting", "protocol", "run"]
    assert line.split()[:4] == ["0.7500", f"{record.best_accuracy:.4f}", "5,000", "1.5"]
    assert "  CE, clean labels  paper    §5.2  " in line
    assert line.endswith(name(record))
    assert complained == f"failed: {name(failed)}: MemoryError: 40 GB\n"
    assert sce("ls", "--dataset", "cifar10") == (
        0,
        f"no run of cifar10 in {ledger.root}; it has runs of digits\n",
        "",
    )


# --- show --------------------------------------------------------------------------------------------


def test_show_by_how_a_run_begins(sce, ledger, make_record):
    record = make_record("sl", "symmetric-0.4", stages=((0.2, 0.4, None, 0.9, 1.0),) * 4)
    ledger.put(record)
    code, said, _ = sce("show", "sl-sym")
    assert code == 0
    assert said.startswith(
        name(record) + "\nSL, 40 % symmetric noise\nlast 0.6250 on 4,000 test images; best "
    )
    assert [line.split() for line in said.splitlines()[3:8]] == [
        *(["class0", "0.200"], ["class1", "0.400"], ["class2", "–"]),
        *(["class3", "0.900"], ["class4", "1.000"]),
    ]
    assert "500 training images of made by hand, 40.0 % of the labels flipped" in said
    assert "90 s on cpu (none, 1 thread(s)), torch 0, commit None, 2020-01-01" in said
    shown = RunConfig.model_validate_json(said[said.index("{") :])
    assert shown == record.config


def test_show_where_the_noise_is_not_known(sce, ledger, make_record):
    record = make_record()
    unknown = record.provenance.model_copy(update={"noise_rate": None})
    ledger.put(changed(record, provenance=unknown))
    assert "an unknown part of the labels flipped" in sce("show", record.run_id)[1]


def test_show_as_json_is_the_whole_record(sce, ledger, make_record):
    record = make_record()
    ledger.put(record)
    code, said, _ = sce("show", name(record), "--json")
    assert code == 0
    assert RunRecord.model_validate_json(said) == record


def test_show_lists_the_runs_that_begin_so(sce, ledger, make_record):
    records = [make_record("ce", seed=seed) for seed in (0, 1)]
    for record in records:
        ledger.put(record)
    code, said, complained = sce("show", "ce")
    assert (code, said) == (2, "")
    assert complained.startswith("sce: 'ce' is how 2 runs begin")
    assert {line.strip() for line in complained.splitlines()[1:]} == {name(record) for record in records}


@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_run_that_is_not_there_ends_with_2(sce, ledger, make_record, command):
    ledger.put(make_record("ce"))
    assert sce(command, "sl") == (
        2,
        "",
        f"sce: no run 'sl' in {ledger.root}; `sce ledger ls` lists the runs there\n",
    )


# --- verify ------------------------------------------------------------------------------------------


def test_verify_passes_what_can_be_made_again_and_no_number_changed_by_hand(sce, ledger, folders, ending_in):
    """The hand that changes it gives the file a checksum that fits."""
    fields = {"n_train": 200, "embedding": 0, "optimisation": {"lr": 0.05, "epochs": 2}}
    config = RunConfig.preset("digits", "ce", "symmetric-0.4", profile="smoke", **fields)
    record = sweep.ensure(config, ledger, "cpu", progress=False)
    file = ledger.path(config)
    before = file.read_bytes()
    assert sce("verify", record.run_id) == (0, f"OK   {name(record)}: equal to the last bit\n", "")
    assert file.read_bytes() == before
    counts = np.array(record.confusion)
    counts[0, :2] += [-1, 1]  # one image of 500
    ledger.put(ending_in(record, counts))
    before = file.read_bytes()
    code, said, _ = sce("verify", "ce")
    assert code == 1
    assert said.startswith(f"FAIL {name(record)}: 5 values differ, stages[1].test_accuracy first (")
    assert "last accuracies 0.0020 apart" in said
    assert said.endswith("made elsewhere: no, equal bits are promised\n")
    assert file.read_bytes() == before
    assert list((folders / "cache" / "checkpoints").iterdir()) == []  # its own is in a folder that is gone


def test_verify_of_a_record_whose_data_are_not_here_names_them(
    sce, ledger, make_record, monkeypatch, folders
):
    monkeypatch.setenv("SCE_DATA", str(folders / "data"))
    record = make_record()
    ledger.put(changed(record, config=record.config.model_copy(update={"dataset": "nosuch"})))
    code, _, complained = sce("verify", "nosuch/")
    assert code == 2
    assert "'nosuch' was not found" in complained


# --- diff --------------------------------------------------------------------------------------------


def test_diff_of_two_ledgers(sce, ledger, folders, make_record):
    other = Ledger(folders / "other")
    same, here, there, differs = (make_record(seed=seed) for seed in range(4))
    for record in (same, differs):
        ledger.put(record)
        other.put(record)
    assert sce("diff", ledger.root, other.root) == (0, "2 runs have the same results in both\n", "")
    ledger.put(here)
    other.put(there)
    other.put(changed(differs, test_images_per_epoch=20))
    code, said, _ = sce("diff", ledger.root, other.root)
    assert code == 1
    assert said.splitlines() == [
        f"only in {ledger.root}: {name(here)}",
        f"only in {other.root}: {name(there)}",
        f"differ: {name(differs)}, in 1 values, test_images_per_epoch first",
        "1 runs have the same results in both",
    ]


def test_diff_of_two_files(sce, ledger, folders, make_record):
    record = make_record(last=0.75)
    one = ledger.put(record)
    other = Ledger(folders / "other").put(changed(record, test_images_per_epoch=20))
    assert sce("diff", one, one) == (0, "0 values differ\n", "")
    assert sce("diff", one, other) == (1, "test_images_per_epoch: 5000 and 20\n1 values differ\n", "")


def test_diff_of_what_cannot_be_compared(sce, ledger, folders, make_record):
    path = ledger.put(make_record())
    (folders / "empty").mkdir()
    damaged = folders / path.name
    damaged.write_text("{")
    for one, other, named in (
        (ledger.root, folders / "nowhere", "nowhere is not there"),
        (ledger.root, path, "a file and a folder"),
        (ledger.root, folders / "empty", "empty holds no record"),
        (path.parent, path.parent, "digits holds no record"),  # a folder too deep, and not equal to itself
        (path, damaged, "no ledger record"),
    ):
        code, said, complained = sce("diff", one, other)
        assert (code, said) == (2, "")
        assert named in complained


# --- export ------------------------------------------------------------------------------------------


def test_export_writes_a_row_a_run(sce, ledger, folders, make_record):
    for dataset in ("digits", "mnist"):
        ledger.put(make_record("ce", dataset=dataset))
    for suffix, read in ((".csv", pd.read_csv), (".parquet", pd.read_parquet)):
        out = folders / f"all{suffix}"
        assert sce("export", out) == (0, f"{out}: 2 runs\n", "")
        assert list(read(out)["dataset"]) == ["digits", "mnist"]
    assert sce("export", out, "--dataset", "mnist") == (0, f"{out}: 1 runs\n", "")
    assert list(pd.read_parquet(out)["dataset"]) == ["mnist"]


def test_export_of_nothing_or_to_another_format_ends_with_2(sce, ledger, folders, make_record):
    out = folders / "all.csv"
    assert sce("export", out) == (2, "", f"sce: there is no ledger {ledger.root}\n")
    ledger.root.mkdir()
    assert sce("export", out) == (2, "", f"sce: the ledger {ledger.root} is empty\n")
    ledger.put(make_record())
    assert sce("export", out, "--dataset", "nosuch") == (
        2,
        "",
        f"sce: no run of nosuch in {ledger.root}; it has runs of digits\n",
    )
    code, _, complained = sce("export", folders / "all.xlsx")
    assert code == 2
    assert ".csv or .parquet, not '.xlsx'" in complained
    assert not list(folders.glob("all*"))


# --- import ------------------------------------------------------------------------------------------


def test_import_adds_what_is_missing_and_refuses_what_differs(sce, ledger, folders, make_record):
    other = Ledger(folders / "other")
    records = [make_record(seed=seed) for seed in (0, 1)]
    for record in records:
        other.put(record)
    where = f"the ledger is {ledger.root}"
    assert sce("import", other.root) == (0, f"2 added, 0 there already, 0 refused; {where}\n", "")
    assert sce("import", other.root) == (0, f"0 added, 2 there already, 0 refused; {where}\n", "")
    file = other.put(changed(records[0], test_images_per_epoch=20))
    code, said, complained = sce("import", other.root)
    assert (code, said) == (1, f"0 added, 1 there already, 1 refused; {where}\n")
    assert complained.startswith(f"refused: {file}: {ledger.path(records[0].config)} has other results")
    assert list(ledger) == records


def test_import_refuses_a_damaged_file_and_takes_the_rest(sce, ledger, folders, make_record):
    other = Ledger(folders / "other")
    damaged, fine = other.put(make_record(seed=0)), make_record(seed=1)
    other.put(fine)
    damaged.write_text(json.dumps({"record": {}}))
    code, said, complained = sce("import", damaged, other.path(fine.config), "--ledger", folders / "mine")
    assert (code, said) == (1, f"1 added, 0 there already, 1 refused; the ledger is {folders / 'mine'}\n")
    assert complained.startswith(f"refused: {damaged}: is no ledger record: KeyError")
    assert list(Ledger(folders / "mine")) == [fine]
    assert not ledger.root.exists()


def test_import_from_what_is_not_there_or_empty_ends_with_2(sce, ledger, folders, make_record):
    other = Ledger(folders / "other")
    path = other.put(make_record())
    code, said, complained = sce("import", other.root, folders / "nowhere")
    assert (code, said) == (2, "")
    assert "nowhere is not there" in complained
    path.unlink()
    shutil.rmtree(other.root / ".locks", ignore_errors=True)
    assert "holds no record" in sce("import", other.root)[2]
    assert not ledger.root.exists()


def test_names_from_others_reach_no_terminal(sce, ledger, make_record):
    """Of files, of notes of failures: what would clear the screen is written out."""
    note = ledger.put_failure(make_record(seed=3).config, RuntimeError("\x1b[2Jfirst\nsecond"))
    ledger.put(make_record())
    bad = ledger.root / "digits" / "\x1b[2J.json"
    bad.write_text("{")
    status, _, said = sce("ls")
    assert status == 0
    assert f"{note.stem}: RuntimeError: \\x1b[2Jfirst" in said
    assert "\\x1b[2J.json is counted as missing" in said
    assert "\x1b" not in said
    assert "second" not in said


@pytest.mark.parametrize("command", ["show", "verify"])
def test_what_was_asked_for_is_repeated_to_200_characters(sce, ledger, make_record, command):
    ledger.put(make_record())
    status, _, said = sce(command, "x" * 100_000)
    assert status == 2
    assert len(said) < 1_000


def test_a_newer_record_costs_a_line(sce, ledger, folders, make_record):
    path, other = ledger.put(make_record()), ledger.put(make_record(seed=1))
    path.write_text('{"format": 2}')
    for command in (("ls",), ("import", other.parent, "--ledger", folders / "mine")):
        _, _, said = sce(*command)
        assert said.count("format 2") == 1
    status, _, said = sce("export", folders / "runs.csv")
    assert status == 0
    assert set(said.splitlines()) == {said.splitlines()[0]}  # one reason, however often it is looked at
    assert path.read_text() == '{"format": 2}'
