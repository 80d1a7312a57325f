"""The command, as one types it: here where that will do, as a process of its own where it matters."""

import os
import resource
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import sce_lib
from sce_lib.cli.app import app
from sce_lib.data import load_dataset
from sce_lib.data.names import OFFICIAL
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.grids import grid
from sce_lib.experiments.ledger import Ledger, select
from sce_lib.noise import corrupt, symmetric_matrix

SCE = Path(sys.executable).with_name("sce")


@pytest.fixture
def sce(folders, monkeypatch):
    """Return a function that runs the command here and returns its exit code and what it printed."""
    monkeypatch.setenv("SCE_DATA", str(folders / "data"))

    def run(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, " ".join(result.output.split())

    return run


def small_config(folder, **changes):
    fields = {"n_train": 200, "embedding": 0, "optimisation": {"lr": 0.05, "epochs": 2}} | changes
    config = RunConfig.preset("digits", "ce", "symmetric-0.4", profile="smoke", **fields)
    path = folder / "run.json"
    path.write_text(config.model_dump_json())
    return config, path


def test_run_trains_once_and_says_where_the_record_is(sce, folders):
    config, path = small_config(folders)
    code, said = sce("run", "--config", path, "--device", "cpu")
    record = Ledger(folders / "ledger").get(config)
    assert code == 0
    assert f"{record.last_accuracy:.4f}" in said
    file = Ledger(folders / "ledger").path(config)
    assert str(file) in said
    before = file.stat().st_mtime_ns
    assert sce("run", "--config", path) == (0, said)
    assert file.stat().st_mtime_ns == before


def test_run_by_options_is_the_preset(sce, folders):
    code, _ = sce("run", "--method", "ce", "--noise", "none", "--seeds", 2, "--ledger", folders / "mine")
    assert code == 0
    expected = [RunConfig.preset("digits", "ce", profile="smoke", seed=seed) for seed in (0, 1)]
    assert [record.config for record in select(list(Ledger(folders / "mine")))] == expected


def test_sweep_says_what_is_missing_and_a_dry_run_trains_nothing(sce, folders, make_record):
    code, said = sce("sweep", "figure2", "--profile", "smoke", "--seeds", 2, "--dry-run")
    assert code == 0
    assert "figure2: 6 runs, 0 in the ledger, 6 missing: 6.3e+10 FLOPs, time not known" in said
    for config in grid("figure2", profile="smoke", seeds=2):
        assert f"digits/{config.run_id}" in said
    assert not (folders / "ledger").exists()
    # Two runs are made by hand, in 90 s each: the other four, of the same network, take as long.
    for seed in (0, 1):
        Ledger(folders / "ledger").put(make_record("ce", "clean", seed, section="5.1"))
    said = sce("sweep", "figure2", "--profile", "smoke", "--seeds", 2, "--dry-run", "--device", "cpu")[1]
    assert "figure2: 6 runs, 2 in the ledger, 4 missing: 4.2e+10 FLOPs, about 6.0 min" in said
    assert said.count("1e+10 FLOPs, about 1.5 min") == 4
    two = ["--jobs", 2, "--dry-run", "--device", "cpu"]
    assert "about 3.0 min with 2 jobs" in sce("sweep", "figure2", "--profile", "smoke", "--seeds", 2, *two)[1]


@pytest.mark.parametrize("command", ["sweep table1 --dataset mnist --profile full --dry-run", "ledger ls"])
def test_a_reader_that_goes_away_is_no_error(command, folders):
    """As `head` does: nothing is complained of."""
    environment = os.environ | {"SCE_LEDGER": str(folders / "ledger"), "PYTHONUNBUFFERED": "1"}
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [SCE, *command.split()], stdout=writing, stderr=subprocess.PIPE, text=True, env=environment
    )
    os.close(writing)
    assert done.stderr == ""


def test_sweep_of_what_is_there_does_nothing(sce, folders, make_record):
    Ledger(folders / "ledger").put(make_record("ce", "symmetric-0.4", section="5.1"))
    code, said = sce("sweep", "figure4", "--profile", "smoke")
    assert code == 0
    assert said.startswith("figure4: 1 runs, 1 in the ledger, 0 missing")
    assert said.endswith(f" 0 trained, 0 failed; records are in {folders / 'ledger'}")


def test_a_sweep_names_the_jobs_that_cannot_be_even_where_the_time_is_known(sce, folders, make_record):
    Ledger(folders / "ledger").put(make_record("ce", "clean", section="5.1"))
    code, said = sce("sweep", "figure2", "--profile", "smoke", "--jobs", 0, "--dry-run", "--device", "cpu")
    assert (code, "at least 1, not 0" in said) == (2, True)


@pytest.fixture
def cifar10_tree(folders):
    """Write a tree of CIFAR-10's classes with two images each, without the labels that people gave."""
    for name in OFFICIAL["cifar10"].classes:
        for split in ("train", "test"):
            folder = folders / "data" / "cifar10" / split / name
            folder.mkdir(parents=True)
            for place in range(2):
                Image.new("RGB", (32, 32), (place, place, place)).save(folder / f"{name} {place}.png")


def test_a_failed_run_ends_a_sweep_with_1_and_where_the_reason_is(sce, folders, cifar10_tree):
    small = ["--profile", "smoke", "--epochs", 1, "--device", "cpu"]
    code, said = sce("sweep", "cifar10n", *small)
    assert code == 1
    assert "cannot begin: 20 runs:" in said
    assert "failed: cifar10/ce-human-worse_label" in said
    assert "tried again" not in said
    assert "0 trained, 20 failed" in said
    assert f"kept in {folders / 'ledger' / 'failed'}" in said
    assert "failed: cifar10/ce-human-worse_label" in sce("ledger", "ls")[1]
    assert list(Ledger(folders / "ledger")) == []


def test_a_dry_run_says_what_cannot_begin_and_what_is_less_than_asked(sce, folders, cifar10_tree):
    code, said = sce("sweep", "cifar10n", "--profile", "smoke", "--dry-run")
    assert code == 1
    assert "cannot begin: 20 runs:" in said
    assert "CIFAR-10_human.pt" in said
    code, said = sce("sweep", "figure4", "--profile", "smoke", "--dataset", "cifar10", "--dry-run")
    assert code == 0
    assert "cifar10 has 20 training images: a run has all of them, not 1,000" in said
    assert "a batch of cifar10 is of 20, not 128" in said
    code, said = sce("sweep", "figure4", "--profile", "smoke", "--dataset", "mnist", "--dry-run")
    assert code == 0
    assert "mnist is not here: torchvision downloads it" in said
    code, said = sce("sweep", "table3", "--profile", "smoke", "--dry-run")
    assert code == 1
    assert "cannot begin: 6 runs:" in said


def test_a_dry_run_says_which_noise_own_images_have_no_matrix_for(sce, folders, write_tree):
    write_tree(folders / "data" / "birds")
    code, said = sce("sweep", "table1", "--profile", "smoke", "--dataset", "birds", "--dry-run")
    assert code == 1
    assert "cannot begin: 21 runs: no asymmetric noise is defined for 'birds'" in said


def test_few_images_with_odd_names_train_by_the_documented_command(sce, folders, write_tree):
    write_tree(folders / "data" / "birds")
    code, said = sce(
        *[
            "run",
            "--dataset",
            "birds",
            "--method",
            "sl",
            "--noise",
            "clean",
            "--profile",
            "laptop",
            "--epochs",
            "3",
        ]
    )
    assert code == 0, said
    assert "sce: birds has 90 training images: a run has all of them, not 10,000" in said
    assert "sce: a batch of birds is of 90, not 128" in said
    (record,) = Ledger(folders / "ledger")
    assert record.provenance.train_images == 90
    assert record.config.n_train == 10_000  # what was asked
    assert record.classes == ["mésange bleue", "pie #2", "rouge-gorge $x_1$"]
    shown = sce("ledger", "show", record.run_id)[1]
    assert "pie #2" in shown
    assert "90 training images" in shown


def test_how_much_is_trained_can_be_said(sce, folders):
    small = ["--n-train", 100, "--epochs", 2, "--width", 0.25]
    code, _ = sce("run", "--method", "ce", *small)
    assert code == 0
    (record,) = Ledger(folders / "ledger")
    assert record.provenance.train_images == 100
    assert len(record.epochs) == 2
    assert record.config.model.width == 0.25
    assert record.config.optimisation.milestones == (1,)
    assert "100 images" in record.config.setting
    # A sweep of the same amount finds it.
    code, said = sce("sweep", "figure4", "--profile", "smoke", *small, "--dry-run")
    assert "1 runs, 0 in the ledger" in said  # of §5.1
    code, said = sce("sweep", "table1_sample", "--profile", "smoke", *small, "--dry-run")
    assert "9 runs, 0 in the ledger" in said


def test_a_config_and_an_amount_do_not_go_together(sce, folders):
    _, path = small_config(folders)
    code, said = sce("run", "--config", path, "--epochs", 3)
    assert (code, "leave out --epochs 3" in said) == (2, True)


def test_a_full_memory_is_a_line(sce, folders, write_tree):
    """A network of 13 GB, where 4 are left: torch itself is asked for it, and says so."""
    write_tree(folders / "data" / "birds", side=512, train=2, test=1)
    before, used = resource.getrlimit(resource.RLIMIT_AS), psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + 4 * 2**30, before[1]))
    try:
        code, said = sce("run", "--dataset", "birds", "--width", 4, "--noise", "clean")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert code == 2
    assert "sce: out of memory (" in said
    assert "give a smaller --width or --n-train, or another --device" in said
    assert "Traceback" not in said


def test_the_version_is_said(sce):
    assert sce("--version") == (0, f"sce-lib {sce_lib.__version__}")


def test_a_scheduler_that_does_not_answer_is_named(sce):
    pytest.importorskip("distributed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"  # bound, and nobody listens
        code, said = sce("sweep", "figure4", "--profile", "smoke", "--dask", address)
    assert code == 2
    assert f"sce: no Dask scheduler answers at {address}" in said
    assert "Traceback" not in said


def test_a_cluster_without_dask_installed_says_what_to_install(sce, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, said = sce("sweep", "figure4", "--profile", "smoke", "--dask", "tcp://127.0.0.1:8786")
    assert code == 2
    assert "pip install 'sce-lib[cluster]'" in said


def test_ledger_ls(sce, folders, make_record):
    root = folders / "ledger"
    assert sce("ledger", "ls") == (0, f"there is no ledger {root}")
    records = [make_record("5ce", seed=seed, last=0.5 + seed / 10) for seed in (0, 1)]
    for record in records:
        Ledger(folders / "ledger").put(record)
    code, said = sce("ledger", "ls")
    assert code == 0
    for record, last in zip(records, ("0.5000", "0.6000"), strict=True):
        assert f"digits/{record.run_id}" in said
        assert last in said
    assert sce("ledger", "ls", "--dataset", "cifar10") == (
        0,
        f"no run of cifar10 in {root}; it has runs of digits",
    )


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_exported_noise_is_what_a_run_sees(sce, folders, suffix):
    out = folders / f"labels{suffix}"
    code, said = sce("noise", "export", out, "--noise", "symmetric-0.4", "--seed", 3)
    clean = load_dataset("digits").train_labels.numpy()
    noisy = corrupt(clean, symmetric_matrix(10, 0.4), seed=3).labels
    if suffix == ".npz":
        content = np.load(out)
        columns = content["clean"], content["noisy"], content["flipped"]
    else:
        columns = np.loadtxt(out, delimiter=",", skiprows=1, dtype=int, usecols=(1, 2, 3), unpack=True)
    assert code == 0
    assert np.array_equal(columns[0], clean)
    assert np.array_equal(columns[1], noisy)
    assert np.array_equal(columns[2], clean != noisy)
    assert f"1297 labels, {(clean != noisy).sum()} flipped" in said


def test_check_env_trains_and_names_what_is_installed(sce, folders):
    code, said = sce("check-env", "--device", "cpu", "--no-compile")
    assert f"OK losses, noise, models: numpy {np.__version__}, torch {version('torch')}" in said
    assert "OK extra book (executing the chapters and rendering the book): beautifulsoup4 " in said
    assert "OK trained on cpu" in said
    assert "OK one training step against float64 on the CPU" in said
    assert ("no CUDA device" in said) != torch.cuda.is_available()
    assert str(folders / "ledger") in said
    assert code == (1 if "FAIL" in said else 0)
    assert not (folders / "ledger").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("run --noise symmetric-1.2", "1.2"),
        ("run --noise uniform-0.2", "uniform-0.2"),
        ("run --method sce", "sce"),
        ("run --profile huge", "huge"),
        ("run --section 9.9", "9.9"),
        ("run --dataset ../elsewhere", "../elsewhere"),
        ("run --dataset failed --profile smoke", "cannot be called 'failed'"),
        ("run --dataset nosuch", "'nosuch' was not found"),
        ("run --device gpu", "gpu"),
        ("run --device cuda:99", "cuda:99"),
        ("run --method d2l --protocol released", "D2L"),
        ("run --seeds 0", "not 0"),
        ("run --threads 0", "not 0"),
        ("run --config nosuch.json", "nosuch.json"),
        ("sweep figure10", "figure10"),
        ("sweep figure1 --profile huge", "huge"),
        ("sweep figure1 --profile smoke --device gpu", "gpu"),
        ("sweep figure1 --jobs 0", "not 0"),
        ("sweep figure1 --seeds -1", "not -1"),
        ("sweep figure1 --profile smoke --retries -1 --device cpu", "0 or more, not -1"),
        ("sweep figure1 --gpu-share 0.5", "--gpu-share is about the workers of --dask"),
        ("sweep figure1 --profile smoke --dask tcp://127.0.0.1:1 --gpu-share 0", "at most 1, not 0"),
        ("sweep figure1 --profile smoke --dask tcp://127.0.0.1:1 --gpu-share 1.5", "at most 1, not 1.5"),
        ("noise export labels.txt", "labels.txt"),
        ("noise export labels.csv --noise symmetric-2", "2"),
        ("noise export labels.csv --dataset nosuch", "nosuch"),
        ("noise export labels.csv --seed -1", "seed: Input should be greater than or equal to 0, not -1"),
        ("check-env --device gpu", "gpu"),
    ],
)
def test_what_cannot_be_is_named_and_ends_with_2(sce, folders, monkeypatch, arguments, named):
    monkeypatch.chdir(folders)
    code, said = sce(*arguments.split())
    assert code == 2
    assert named in said
    assert "Traceback" not in said
    assert not list(folders.glob("labels*"))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "JSON"),
        ('{"dataset": "digits"}', "method"),
        ('{"dataset": "digits", "method": {"name": "sl", "alpha": 0.1, "beta": 1, "A": 1.5}}', "1.5"),
    ],
)
def test_a_config_file_that_cannot_be_is_explained(sce, folders, content, named):
    path = folders / "run.json"
    path.write_text(content)
    code, said = sce("run", "--config", path)
    assert code == 2
    assert named in said
    assert "pydantic" not in said


def test_a_value_out_of_range_in_a_config_is_said_with_its_place(sce, folders):
    _, path = small_config(folders)
    path.write_text(path.read_text().replace('"lr":0.05', '"lr":-0.05'))
    code, said = sce("run", "--config", path)
    assert (code, said) == (2, "sce: optimisation.lr: Input should be greater than 0, not -0.05")


def test_a_diverging_run_ends_with_its_reason(sce, folders):
    config, path = small_config(folders, optimisation={"lr": 1e30, "epochs": 1})
    code, said = sce("run", "--config", path)
    assert code == 2
    assert "mean loss of epoch 1" in said
    assert (folders / "ledger" / "failed" / "digits" / f"{config.run_id}.json").exists()


def run_process(folders, *arguments):
    environment = os.environ | {"COLUMNS": "60", "SCE_LEDGER": str(folders / "ledger")}
    return subprocess.run([SCE, *arguments], capture_output=True, text=True, env=environment, cwd=folders)


def test_the_installed_command_lists_runs_uncut_in_a_narrow_terminal(folders, make_record):
    record = make_record("nce+rce", "asymmetric-0.3")
    Ledger(folders / "ledger").put(record)
    result = run_process(folders, "ledger", "ls")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"digits/{record.run_id}\n" in result.stdout


def test_the_installed_command_refuses_without_a_traceback(folders):
    result = run_process(folders, "run", "--noise", "symmetric-1.2")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("sce: ")
    assert "1.2" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [(RuntimeError("too large\nframe #0: c10::Error"), "RuntimeError: too large"), (MemoryError(), "memory")],
)
def test_an_error_of_a_run_is_one_line(folders, monkeypatch, error, said):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("sce_lib.experiments.sweep.runs.train", fail)
    result = CliRunner().invoke(app, ["run", "--dataset", "digits", "--device", "cpu"])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert said in line
