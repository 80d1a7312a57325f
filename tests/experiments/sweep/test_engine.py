"""Runs wanted, runs made: once each, wherever they are trained, whatever happens to their neighbours."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from sce_lib.experiments import sweep
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import Ledger, MissingRuns
from sce_lib.experiments.training import TrainingDiverged, train

pytestmark = pytest.mark.usefixtures("folders")


def digits(method="sl", seed=0, **changes):
    fields = {"n_train": 300, "embedding": 0, "optimisation": {"lr": 0.05, "epochs": 2}} | changes
    return RunConfig.preset("digits", method, "symmetric-0.4", profile="smoke", seed=seed, **fields)


def diverging(seed=0):
    return digits("ce", seed, optimisation={"lr": 1e30, "epochs": 2})


@pytest.fixture
def ledger(folders):
    return Ledger(folders / "ledger")


@pytest.fixture(scope="module")
def in_process(tmp_path_factory):
    """Return the results of a config trained right here."""

    def results(config):
        return train(config, "cpu", threads=1, checkpoints=tmp_path_factory.mktemp("own")).results()

    return results


def files(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.json")}


def test_a_run_is_made_once_and_its_checkpoint_removed(ledger, folders, in_process):
    config = digits()
    record = sweep.ensure(config, ledger)
    assert record.results() == in_process(config)
    before = files(ledger.root)
    assert sweep.ensure(config, ledger) == record == ledger.get(config)
    assert files(ledger.root) == before
    assert list((folders / "cache" / "checkpoints").iterdir()) == []


def test_a_failure_is_raised_noted_and_counts_as_missing(ledger):
    config = diverging()
    with pytest.raises(TrainingDiverged, match=config.run_id):
        sweep.ensure(config, ledger)
    (failure,) = (ledger.root / "failed" / "digits").iterdir()
    assert failure.stem == config.run_id
    assert "TrainingDiverged" in json.loads(failure.read_text())["error"]
    assert ledger.get(config) is None
    assert sweep.missing([config], ledger) == [config]


def test_an_unknown_data_set_is_named_and_noted(ledger, folders, monkeypatch):
    monkeypatch.setenv("SCE_DATA", str(folders / "data"))
    config = digits().model_copy(update={"dataset": "nosuch"})
    with pytest.raises(FileNotFoundError, match="nosuch"):
        sweep.ensure(config, ledger)
    assert (ledger.root / "failed" / "nosuch").is_dir()


def test_two_processes_asked_for_one_run_train_it_once(ledger, folders):
    """Each has a cache of its own, and only who trains makes a folder of checkpoints there."""
    config = digits(optimisation={"lr": 0.05, "epochs": 8})
    script = (
        "import sys; from sce_lib.experiments.config import RunConfig; "
        "from sce_lib.experiments.ledger import Ledger; "
        "from sce_lib.experiments.sweep import ensure; "
        "print(ensure(RunConfig.model_validate_json(sys.argv[1]), Ledger(), 'cpu').model_dump_json())"
    )
    caches = [folders / "cache-1", folders / "cache-2"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, config.model_dump_json()],
            env=os.environ | {"SCE_CACHE": str(cache), "SCE_LEDGER": str(ledger.root)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for cache in caches
    ]
    answers = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert answers[0] == answers[1]
    assert json.loads(answers[0]) == ledger.get(config).model_dump(mode="json")
    assert sum((cache / "checkpoints").exists() for cache in caches) == 1


def test_a_sweep_in_processes_gives_what_training_here_gives(ledger, in_process):
    configs = [digits("sl"), digits("ce"), digits("sl", seed=1), diverging()]
    already = sweep.ensure(configs[0], ledger)
    outcomes = sweep.run([*configs, configs[1]], ledger, jobs=2)
    assert outcomes.keys() == {config.run_id for config in configs[1:]}
    failure = outcomes.pop(configs[3].run_id)
    assert isinstance(failure, TrainingDiverged)
    assert set(outcomes.values()) == {None}
    assert ledger.get(configs[0]) == already
    for config in configs[:3]:
        assert ledger.get(config).results() == in_process(config)
    assert len(ledger) == 3
    # What failed is tried again, what is there is not.
    before = files(ledger.root / "digits")
    with ThreadPoolExecutor(1) as executor:
        again = sweep.run(configs, ledger, executor)
    assert again.keys() == {configs[3].run_id}
    assert files(ledger.root / "digits") == before


def test_a_sweep_in_threads_gives_the_same_and_leaves_the_executor(ledger, in_process):
    configs = [digits("sl", seed=seed, n_train=100) for seed in range(4)]
    with ThreadPoolExecutor(4) as executor:
        assert set(sweep.run(configs, ledger, executor).values()) == {None}
        assert executor.submit(int, "1").result() == 1
    for config in configs:
        assert ledger.get(config).results() == in_process(config)


def test_an_empty_ledger_is_the_one_written_to(folders):
    given = Ledger(folders / "elsewhere")
    with ThreadPoolExecutor(1) as executor:
        sweep.run([digits()], given, executor)
    assert len(given) == 1
    assert not (folders / "ledger").exists()


def test_arguments_that_cannot_be(ledger):
    with pytest.raises(ValueError, match="not 0"):
        sweep.run([digits()], ledger, jobs=0)
    with pytest.raises(ValueError, match="nosuch"):
        sweep.run([digits()], ledger, device="nosuch")
    assert not ledger.root.exists()


def test_missing_names_each_run_once_and_a_damaged_one_again(ledger, make_record):
    here, gone = make_record(), make_record(seed=1)
    path = ledger.put(here)
    assert sweep.missing([here.config, gone.config, gone.config], ledger) == [gone.config]
    path.write_text("{}")
    with pytest.warns(UserWarning, match=path.name):
        assert sweep.missing([here.config, gone.config], ledger) == [here.config, gone.config]


def test_collect_returns_records_in_order_or_says_what_is_missing(ledger, make_record):
    records = [make_record(seed=seed) for seed in range(3)]
    configs = [record.config for record in records]
    for record in reversed(records[:2]):
        ledger.put(record)
    assert sweep.collect(configs[1::-1], ledger) == records[1::-1]
    assert sweep.present(configs, ledger) == records[:2]
    with pytest.raises(MissingRuns) as error:
        sweep.collect(configs, ledger)
    assert f"digits/{configs[2].run_id}" in str(error.value)
    assert configs[0].run_id not in str(error.value)
    assert "1 of 3" in str(error.value)
    assert "train_missing" in str(error.value)


def test_collect_guesses_what_a_data_set_nobody_has_heard_of_may_be(
    ledger, make_record, folders, monkeypatch
):
    monkeypatch.setenv("SCE_DATA", str(folders / "data"))
    (folders / "data" / "birds" / "train").mkdir(parents=True)
    ledger.put(make_record(dataset="kept"))
    typos = {"fashon_mnist": "fashion_mnist", "brids": "birds", "kepd": "kept"}
    for name, meant in typos.items():
        with pytest.raises(MissingRuns, match=f"data set '{name}' is not known.*Did you mean '{meant}'"):
            sweep.collect([make_record(dataset=name).config], ledger)
    for known in ("mnist", "clothing1m", "birds", "kept"):
        with pytest.raises(MissingRuns) as error:
            sweep.collect([make_record(dataset=known, seed=7).config], ledger)
        assert "is not known" not in str(error.value)


def test_collect_trains_what_is_missing_if_told_to(ledger, in_process):
    config = digits()
    (record,) = sweep.collect([config], ledger, train_missing=True, device="cpu")
    assert record.results() == in_process(config)
    assert sweep.collect([config], ledger) == [record]


def test_the_default_ledger_is_the_environments(folders, make_record):
    record = make_record()
    Ledger(folders / "ledger").put(record)
    assert sweep.collect([record.config]) == sweep.present([record.config]) == [record]
