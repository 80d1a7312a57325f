"""Real runs: the same every time, wherever they were cut short, and clear about what they cannot do."""

import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sce_lib.data import load_dataset
from sce_lib.experiments.config import METHODS, RunConfig
from sce_lib.experiments.ledger import Ledger
from sce_lib.experiments.training import (
    TrainingDiverged,
    discard_checkpoint,
    progress_of,
    provenance,
    resolve_device,
    train,
)
from sce_lib.experiments.training import checkpoint as checkpoint_module
from sce_lib.experiments.training.checkpoint import Checkpoint
from sce_lib.experiments.training.loop import Run, repeatable
from sce_lib.experiments.training.task import CappedWarning, Task

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def each_epoch(monkeypatch):
    """Keep a checkpoint after each epoch, here and in processes that are started."""
    monkeypatch.setenv("SCE_CHECKPOINT_SECONDS", "0")


def digits(method, **changes):
    """Return a run on the digits that has everything random in it: subset, noise, order, augmentation."""
    fields = {"n_train": 500, "embedding": 40, "augmentation": {"shift": 1, "flip": True}}
    return RunConfig.preset("digits", method, "symmetric-0.4", profile="smoke", **(fields | changes))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return the results of runs that nothing happened to, each made once."""
    made = {}

    def results(config):
        if config.run_id not in made:
            folder = tmp_path_factory.mktemp("undisturbed")
            made[config.run_id] = train(config, "cpu", threads=1, checkpoints=folder).results()
        return made[config.run_id]

    return results


class Interrupted(Exception):
    """What a signal raises in the middle of training."""


@contextlib.contextmanager
def interrupted_after(saves, folder):
    """Raise `Interrupted` in this thread, wherever it is, once a checkpoint was written that often."""

    def watch():
        seen = set()
        while len(seen) < saves and not over.is_set():
            for path in folder.glob("*.pt"):
                with contextlib.suppress(FileNotFoundError):
                    seen.add(path.stat().st_mtime_ns)
            time.sleep(0.001)
        if not over.is_set():
            os.kill(os.getpid(), signal.SIGUSR1)

    def interrupt(*_):
        raise Interrupted

    over = threading.Event()
    watcher = threading.Thread(target=watch)
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        watcher.start()
        with pytest.raises(Interrupted):
            yield
    finally:
        over.set()
        watcher.join()
        signal.signal(signal.SIGUSR1, before)


def epochs_in(config, folder):
    return len(state_of(config, folder)["epochs"])


def state_of(config, folder):
    return Checkpoint(config, load_dataset("digits").fingerprint, folder).load(CPU)


def test_the_same_config_gives_the_same_results_and_touches_nothing_global(undisturbed, tmp_path):
    config = digits("sl")
    expected = undisturbed(config)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state()  # noqa: NPY002
    threads = torch.get_num_threads()
    record = train(config, "cpu", threads=1, checkpoints=tmp_path)
    assert record.results() == expected
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), states[2])
    assert torch.get_num_threads() == threads


def test_threads_are_as_before_after_an_error_too(make_images, tiny_config, tmp_path):
    before = torch.get_num_threads()
    config = tiny_config("ce", sgd={"lr": 1e30})
    with pytest.raises(TrainingDiverged):
        train(config, "cpu", threads=before + 1, data=make_images(), checkpoints=tmp_path)
    assert torch.get_num_threads() == before


def test_another_seed_gives_other_results(make_images, tiny_config, tmp_path):
    data = make_images()
    first, second = (
        train(tiny_config(seed=seed), "cpu", data=data, checkpoints=tmp_path).results() for seed in (0, 1)
    )
    assert first["epochs"] != second["epochs"]


def test_a_run_killed_in_the_middle_goes_on_to_the_same_results(undisturbed, tmp_path):
    config = digits("sl")
    script = (
        "import sys; from sce_lib.experiments.config import RunConfig; "
        "from sce_lib.experiments.training import train; "
        "train(RunConfig.model_validate_json(sys.argv[1]), 'cpu', threads=1, checkpoints=sys.argv[2])"
    )
    process = subprocess.Popen([sys.executable, "-c", script, config.model_dump_json(), str(tmp_path)])
    while not list(tmp_path.glob("*.pt")):
        assert process.poll() is None, "it ended before its first checkpoint"
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 1 <= epochs_in(config, tmp_path) < config.optimisation.epochs
    assert train(config, "cpu", threads=1, checkpoints=tmp_path).results() == undisturbed(config)


def test_d2l_interrupted_before_and_after_its_turning_point_ends_the_same(undisturbed, tmp_path):
    config = digits("d2l")
    for _ in range(2):
        with interrupted_after(4, tmp_path):
            train(config, "cpu", threads=1, checkpoints=tmp_path)
    assert epochs_in(config, tmp_path) < config.optimisation.epochs
    assert train(config, "cpu", threads=1, checkpoints=tmp_path).results() == undisturbed(config)


def test_elr_interrupted_goes_on_with_what_it_remembers(undisturbed, tmp_path):
    config = digits("elr")
    with interrupted_after(3, tmp_path):
        train(config, "cpu", threads=1, checkpoints=tmp_path)
    state = state_of(config, tmp_path)
    seen, targets = len(state["epochs"]), state["criterion"]["targets"]
    assert 1 <= seen < config.optimisation.epochs
    # Each sample was seen once an epoch, but for a last batch of one.
    remembered = 1 - config.method.momentum**seen
    assert torch.allclose(targets.sum(1).max(), torch.tensor(remembered))
    assert targets.sum(1).min() > 0
    assert train(config, "cpu", threads=1, checkpoints=tmp_path).results() == undisturbed(config)
    assert undisturbed(config) != undisturbed(digits("ce"))


def test_d2l_goes_back_to_the_weights_before_its_turning_point(tmp_path):
    def ended(epochs):
        config = digits("d2l", n_train=300)
        sgd = config.optimisation.model_copy(update={"epochs": epochs})
        config = config.model_copy(update={"optimisation": sgd})
        train(config, "cpu", threads=1, checkpoints=tmp_path)
        return state_of(config, tmp_path)

    state = ended(12)["criterion"]["_extra_state"]
    turning = state["turning_point"]
    assert turning is not None
    assert len(state["lids"]) == 12
    before, given_up = ended(turning), ended(turning + 1)
    assert before["criterion"]["_extra_state"]["turning_point"] is None
    for name, value in before["model"].items():
        assert torch.equal(value, given_up["model"][name]), name


@pytest.mark.parametrize("damage", ["truncated", "one bit"])
def test_a_damaged_checkpoint_costs_time_and_nothing_else(undisturbed, tmp_path, damage):
    config = digits("sl")
    with interrupted_after(2, tmp_path):
        train(config, "cpu", threads=1, checkpoints=tmp_path)
    (path,) = tmp_path.glob("*.pt")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content if damage == "one bit" else content[: len(content) // 2])
    with pytest.warns(UserWarning, match=path.name):
        record = train(config, "cpu", threads=1, checkpoints=tmp_path)
    assert record.results() == undisturbed(config)
    assert path.with_name(f"{path.name}.damaged-1").exists()


def test_a_run_killed_between_checkpoints_begins_at_the_last_one(
    make_images, tiny_config, tmp_path, monkeypatch
):
    """After a minute there is one, however many epochs that are: here after the third of four."""
    data, config = make_images(), tiny_config(sgd={"epochs": 4})
    expected = train(config, "cpu", data=data, checkpoints=tmp_path / "calm")
    saved, measured = [], Run.measure
    monkeypatch.setattr(Checkpoint, "due", property(lambda _: len(saved) == 3))

    def measure_and_stop(run, epoch, train_loss):
        if epoch == 4 and not (tmp_path / "stopped").exists():
            (tmp_path / "stopped").touch()
            raise Interrupted
        saved.append(epoch)
        measured(run, epoch, train_loss)

    monkeypatch.setattr(Run, "measure", measure_and_stop)
    with pytest.raises(Interrupted):
        train(config, "cpu", data=data, checkpoints=tmp_path)
    kept = Checkpoint(config, data.fingerprint, tmp_path).load(CPU)
    assert [epoch["epoch"] for epoch in kept["epochs"]] == [1, 2, 3]
    assert train(config, "cpu", data=data, checkpoints=tmp_path).results() == expected.results()
    assert saved == [1, 2, 3, 4]


def test_a_short_run_keeps_one_checkpoint_at_its_end(make_images, tiny_config, tmp_path, monkeypatch):
    monkeypatch.delenv("SCE_CHECKPOINT_SECONDS")
    saves, save = [], Checkpoint.save
    monkeypatch.setattr(
        Checkpoint, "save", lambda self, state: (saves.append(len(state["epochs"])), save(self, state))
    )
    train(tiny_config(sgd={"epochs": 3}), "cpu", data=make_images(), checkpoints=tmp_path)
    assert saves == [3]


def test_a_finished_run_is_handed_out_with_its_own_date_and_commit(
    make_images, tiny_config, tmp_path, monkeypatch
):
    data, config = make_images(), tiny_config()
    monkeypatch.setattr(provenance, "now", lambda: "2020-01-01T00:00:00+00:00")
    monkeypatch.setattr(provenance, "git_commit", lambda: "of then")
    first = train(config, "cpu", data=data, checkpoints=tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(Run, "train_epoch", lambda *_: pytest.fail("it is trained already"))
    again = train(config, "cpu", data=data, checkpoints=tmp_path)
    assert (again.provenance.date, again.provenance.git_commit) == ("2020-01-01T00:00:00+00:00", "of then")
    assert again == first


@pytest.mark.parametrize("changed", ["code", "threads", "machine"])
def test_a_finished_run_made_otherwise_is_made_again_and_says_so(
    make_images, tiny_config, tmp_path, monkeypatch, changed
):
    data, config = make_images(), tiny_config()
    train(config, "cpu", threads=1, data=data, checkpoints=tmp_path)
    fresh = train(
        config, "cpu", threads=2 if changed == "threads" else 1, data=data, checkpoints=tmp_path / "b"
    )
    if changed != "threads":
        function = {"code": "code_digest", "machine": "machine"}[changed]
        monkeypatch.setattr(checkpoint_module, function, lambda: "other")
        monkeypatch.setattr(provenance, function, lambda: "other")
    with pytest.warns(UserWarning, match="so the run starts again") as told:
        again = train(config, "cpu", threads=fresh.provenance.threads, data=data, checkpoints=tmp_path)
    assert len(told) == 1
    assert again.results() == fresh.results()
    assert again.provenance.threads == fresh.provenance.threads
    assert changed == "threads" or "other" in (again.provenance.code, again.provenance.platform)


def test_a_checkpoint_of_other_data_is_not_gone_on_from(make_images, tiny_config, tmp_path):
    config, mine, other = tiny_config(), make_images(seed=0), make_images(seed=1)
    expected = train(config, "cpu", data=mine, checkpoints=tmp_path / "a").results()
    train(config, "cpu", data=other, checkpoints=tmp_path / "b")
    with pytest.warns(UserWarning, match="other data"):
        record = train(config, "cpu", data=mine, checkpoints=tmp_path / "b")
    assert record.results() == expected


def test_a_checkpoint_of_another_config_is_not_looked_at(make_images, tiny_config, tmp_path):
    data = make_images()
    expected = train(tiny_config(seed=1), "cpu", data=data, checkpoints=tmp_path / "a").results()
    train(tiny_config(seed=0), "cpu", data=data, checkpoints=tmp_path / "b")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record = train(tiny_config(seed=1), "cpu", data=data, checkpoints=tmp_path / "b")
    assert record.results() == expected


def test_a_checkpoint_says_how_far_the_run_is_until_it_is_discarded(make_images, tiny_config, tmp_path):
    record = train(tiny_config(), "cpu", data=make_images(), checkpoints=tmp_path)
    last = record.epochs[-1]
    assert progress_of(tiny_config(), tmp_path) == (last.epoch, last.test_accuracy)
    assert progress_of(tiny_config(seed=1), tmp_path) is None
    discard_checkpoint(tiny_config(seed=1), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    discard_checkpoint(tiny_config(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_not_a_number(make_images, tiny_config, tmp_path):
    config = tiny_config("ce", sgd={"lr": 1e30})
    with pytest.raises(TrainingDiverged, match=rf"{config.run_id}.*epoch 1 is (nan|inf)"):
        train(config, "cpu", data=make_images(), checkpoints=tmp_path)


@pytest.mark.parametrize("device", ["nosuch", "meta", "cuda:x", "mps"])
def test_a_device_that_is_none(tiny_config, device):
    with pytest.raises(ValueError, match=f"{device}.*cpu"):
        train(tiny_config(), device)


@pytest.mark.parametrize(
    "device",
    [
        "cuda:99",
        pytest.param("cuda", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is there")),
    ],
)
def test_a_device_that_is_not_there(tiny_config, device):
    with pytest.raises(ValueError, match=f"{device}.*CUDA device.*cpu"):
        train(tiny_config(), device)


def test_devices_that_are_there():
    assert resolve_device("cpu") == resolve_device(CPU) == CPU
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_are_at_least_one(tiny_config, threads):
    with pytest.raises(ValueError, match=f"not {threads}"):
        train(tiny_config(), "cpu", threads=threads)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_steps_and_its_record_is_kept(make_images, tmp_path, method):
    sgd = {"lr": 0.05, "epochs": 2, "batch_size": 32}
    config = RunConfig.preset(
        "cifar10", method, "asymmetric-0.4", profile="smoke", optimisation=sgd, n_train=None, embedding=0
    )
    data = make_images(train=64, test=20, classes=10, shape=(32, 32, 3))
    record = train(config, "cpu", data=data, checkpoints=tmp_path)
    assert [epoch.epoch for epoch in record.epochs] == [1, 2]
    ledger = Ledger(tmp_path / "ledger")
    ledger.put(record)
    assert ledger.get(config) == record


@pytest.mark.parametrize(
    ("model", "shape"),
    [("cnn4", (28, 28, 1)), ("cnn8", (9, 14, 3)), ("resnet44", (32, 32, 3)), ("resnet50", (40, 32, 3))],
)
def test_every_network_takes_steps_on_images_of_any_shape(make_images, tiny_config, tmp_path, model, shape):
    config = tiny_config(model={"name": model, "width": 0.25}, sgd={"epochs": 1})
    record = train(config, "cpu", data=make_images(train=64, shape=shape), checkpoints=tmp_path)
    assert sum(map(sum, record.confusion)) == 40


def test_an_unknown_network(make_images, tiny_config, tmp_path):
    with pytest.raises(ValueError, match="lenet"):
        train(tiny_config(model={"name": "lenet"}), "cpu", data=make_images(), checkpoints=tmp_path)


def test_training_learns_what_can_be_learned(make_images, tiny_config, tmp_path):
    config = tiny_config("ce", "none", sgd={"epochs": 8})
    record = train(config, "cpu", data=make_images(train=200), checkpoints=tmp_path)
    assert record.last_accuracy > 0.95
    assert record.epochs[-1].train_loss < record.epochs[0].train_loss


@pytest.mark.parametrize("late", [False, True])
def test_the_learning_rate_of_every_epoch_is_the_schedules(make_images, tiny_config, tmp_path, late):
    sgd = {"lr": 0.08, "epochs": 6, "milestones": (2, 4), "milestones_late": late, "lr_decay": 0.01}
    record = train(tiny_config(sgd=sgd), "cpu", data=make_images(train=70), checkpoints=tmp_path)
    steps = 3  # of 32, 32 and 6 images
    expected = []
    for epoch in range(6):
        drops = (epoch >= 2 + late) + (epoch >= 4 + late)
        last_step = (epoch + 1) * steps - 1
        expected.append(0.08 * 0.1**drops / (1 + 0.01 * last_step))
    assert [epoch.learning_rate for epoch in record.epochs] == pytest.approx(expected)


def test_weight_decay_acts_on_the_parameters_it_is_for(make_images, tiny_config, tmp_path):
    """One step with and without: what is decayed moves, the rest is the same to the bit."""
    data = make_images(train=32)

    def after_a_step(name, **sgd):
        config = tiny_config("ce", "none", sgd={"epochs": 1, "batch_size": 32} | sgd)
        train(config, "cpu", data=data, checkpoints=tmp_path / name)
        return Checkpoint(config, data.fingerprint, tmp_path / name).load(CPU)["model"]

    none = after_a_step("none")
    all_ = after_a_step("all", weight_decay=0.5)
    kernels = after_a_step("kernels", weight_decay=0.5, decay_kernels_only=True)
    fc1 = after_a_step("fc1", fc1_weight_decay=0.5)
    instead = after_a_step("instead", weight_decay=0.5, fc1_weight_decay=0.0)
    for name in none:
        expected = all_ if none[name].ndim >= 2 else none
        assert torch.equal(kernels[name], expected[name]), name
        assert torch.equal(fc1[name], (all_ if name.startswith("fc1.") else none)[name]), name
        assert torch.equal(instead[name], (none if name.startswith("fc1.") else all_)[name]), name
    assert not torch.equal(all_["fc1.weight"], none["fc1.weight"])
    # BatchNorm's weights start at 1, so that one step takes lr * decay from them.
    torch.testing.assert_close(none["bn1.weight"] - all_["bn1.weight"], torch.full((32,), 0.05 * 0.5))


def test_decay_of_a_dense_layer_that_a_network_does_not_have(make_images, tiny_config, tmp_path):
    config = tiny_config(model={"name": "resnet44", "width": 0.5}, sgd={"fc1_weight_decay": 0.1})
    with pytest.raises(ValueError, match="resnet44"):
        train(config, "cpu", data=make_images(), checkpoints=tmp_path)


@pytest.mark.parametrize("train_images", [33, 2, 31])
def test_batches_that_do_not_come_out_even(make_images, tiny_config, tmp_path, train_images):
    """BatchNorm cannot take a single image: 33 are 32 and one that waits."""
    record = train(
        tiny_config(noise="none"), "cpu", data=make_images(train=train_images), checkpoints=tmp_path
    )
    assert record.provenance.train_images == train_images


@pytest.mark.parametrize(("size", "shapes"), [(96, [32, 32, 32]), (70, [32, 32]), (20, [20])])
def test_a_last_batch_that_is_dropped_leaves_one_shape(
    make_images, tiny_config, tmp_path, monkeypatch, size, shapes
):
    seen, augmented = [], Task.training_batch
    monkeypatch.setattr(
        Task, "training_batch", lambda task, index, g: (seen.append(len(index)), augmented(task, index, g))[1]
    )
    dropping = tiny_config(noise="none", sgd={"epochs": 2, "last_batch": "drop", "lr_decay": 0.1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CappedWarning)
        record = train(dropping, "cpu", data=make_images(train=size), checkpoints=tmp_path)
    assert seen == shapes * 2
    last_step = 2 * len(shapes) - 1
    assert record.epochs[-1].learning_rate == pytest.approx(0.05 / (1 + 0.1 * last_step))
    assert record.provenance.train_images == size


def test_without_a_rest_dropping_it_changes_nothing(make_images, tiny_config, tmp_path):
    data = make_images(train=96)
    keeping, dropping = (tiny_config(sgd={"last_batch": what}) for what in ("keep", "drop"))
    assert keeping == tiny_config()
    assert keeping.run_id != dropping.run_id
    assert "last batch dropped" in dropping.setting
    kept, dropped = (
        train(config, "cpu", data=data, checkpoints=tmp_path).results() for config in (keeping, dropping)
    )
    del kept["config"], dropped["config"]
    assert kept == dropped


@pytest.mark.parametrize("benchmark", [False, True])
def test_cudnn_is_told_what_the_config_says(benchmark):
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    with repeatable(1, benchmark):
        assert torch.backends.cudnn.benchmark == benchmark
        assert torch.backends.cudnn.deterministic != benchmark
    assert (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic) == before


def test_what_a_gpu_needs_changes_nothing_on_a_cpu(make_images, tiny_config, tmp_path):
    data = make_images()
    plain = train(tiny_config(), "cpu", data=data, checkpoints=tmp_path).results()
    benchmark = train(tiny_config(cudnn_benchmark=True), "cpu", data=data, checkpoints=tmp_path).results()
    del plain["config"], benchmark["config"]
    assert plain == benchmark


def test_epochs_are_measured_on_a_subset_and_the_end_on_all(make_images, tiny_config, tmp_path):
    data = make_images(train=32, test=2300, shape=(2, 2, 1))
    config = tiny_config(sgd={"epochs": 13})
    record = train(config, "cpu", data=data, checkpoints=tmp_path)
    assert record.test_images_per_epoch == 2000
    assert sum(map(sum, record.confusion)) == record.provenance.test_images == 2300
    for epoch in record.epochs:
        assert (epoch.test_accuracy * 2000) == pytest.approx(round(epoch.test_accuracy * 2000))
    correct = np.trace(np.array(record.confusion))
    assert record.last_accuracy == record.stages[-1].test_accuracy == correct / 2300


def test_classes_without_a_test_image_or_a_training_image(make_images, tiny_config, tmp_path):
    data = make_images()
    data = dataclasses.replace(data, classes=(*data.classes, "never seen"))
    record = train(tiny_config(), "cpu", data=data, checkpoints=tmp_path)
    assert record.epochs[-1].classwise_accuracy[3] is None
    assert record.stages[-1].classwise_accuracy[3] is None
    assert record.provenance.realised_noise[3] == [None] * 4
    ledger = Ledger(tmp_path / "ledger")
    ledger.put(record)
    assert ledger.get(record.config) == record


def test_provenance_says_what_was_run(make_images, tiny_config, tmp_path):
    data = make_images(train=90)
    made = train(tiny_config(n_train=60), "cpu", threads=1, data=data, checkpoints=tmp_path).provenance
    assert (made.source, made.fingerprint) == ("drawn by a test", data.fingerprint)
    assert (made.train_images, made.test_images, made.device, made.threads) == (60, 40, "cpu", 1)
    assert made.versions["torch"] == torch.__version__
    assert made.requested_noise[0] == pytest.approx([0.6, 0.2, 0.2])
    assert made.noise_rate == 0.4


class ScalarReads(TorchDispatchMode):
    """Count the places at which a GPU would be waited for: a value or a data-dependent shape is asked for."""

    waits = (
        torch.ops.aten._local_scalar_dense.default,
        torch.ops.aten.nonzero.default,
        torch.ops.aten.masked_select.default,
    )

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in self.waits:
            # `normalise` looks at deviations where they are not on a GPU.
            self.count += not any(frame.name == "normalise" for frame in traceback.extract_stack())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("method", ["sl", "forward", "lsr+sl", "bootstrap"])
def test_the_device_is_not_waited_for_within_an_epoch(make_images, tiny_config, tmp_path, method):
    data = make_images(train=128)

    def waits(batch_size):
        config = tiny_config(
            method, sgd={"batch_size": batch_size, "epochs": 1}, augmentation={"shift": 1, "flip": True}
        )
        with ScalarReads() as reads:
            train(config, "cpu", data=data, checkpoints=tmp_path)
        return reads.count

    assert waits(16) == waits(64) > 0


def test_bfloat16_is_another_run_near_to_the_float32_one(make_images, tiny_config, tmp_path):
    data = make_images(train=200)
    config = tiny_config("ce", "none", sgd={"epochs": 6}, precision="bfloat16")
    half = train(config, "cpu", data=data, checkpoints=tmp_path / "a")
    again = train(config, "cpu", data=data, checkpoints=tmp_path / "b")
    full = train(tiny_config("ce", "none", sgd={"epochs": 6}), "cpu", data=data, checkpoints=tmp_path)
    assert half.results() == again.results()
    assert half.epochs[0].train_loss != full.epochs[0].train_loss
    assert half.epochs[0].train_loss == pytest.approx(full.epochs[0].train_loss, rel=0.05)
    assert half.last_accuracy > 0.9


@pytest.mark.slow
def test_a_compiled_run_is_near_to_the_eager_one(make_images, tiny_config, tmp_path):
    data = make_images(train=200)
    state = torch.random.get_rng_state()
    compiled = train(tiny_config(compile=True), "cpu", data=data, checkpoints=tmp_path)
    assert torch.equal(torch.random.get_rng_state(), state)
    eager = train(tiny_config(), "cpu", data=data, checkpoints=tmp_path)
    for one, other in zip(compiled.epochs, eager.epochs, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("last_batch", "graphs"), [("drop", 1), ("keep", 2)])
def test_one_shape_of_batches_is_one_graph(make_images, tiny_config, tmp_path, last_batch, graphs):
    """Compiled as for a GPU, where each graph is captured: the rest of an epoch would be another one."""
    config = tiny_config(
        noise="none",
        sgd={"last_batch": last_batch},
        **{"compile": True, "compile_mode": "reduce-overhead"},
    )
    torch._dynamo.reset()
    counted = torch._dynamo.utils.counters
    counted.clear()
    record = train(config, "cpu", data=make_images(train=80), checkpoints=tmp_path)
    assert counted["stats"]["unique_graphs"] == graphs
    eager = train(
        tiny_config(noise="none", sgd={"last_batch": last_batch}),
        "cpu",
        data=make_images(train=80),
        checkpoints=tmp_path,
    )
    assert record.epochs[0].train_loss == pytest.approx(eager.epochs[0].train_loss, rel=1e-3)
