"""Disks that are full, files that are damaged or change: nothing wrong is taken for right."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from image_trees import TreeMaker
from sweeps import digits, results, six

from sce_lib.data import load_dataset
from sce_lib.experiments import sweep
from sce_lib.experiments.ledger import Ledger
from sce_lib.experiments.training import train
from sce_lib.experiments.training.checkpoint import Checkpoint


def sweep_here(configs, ledger, **options):
    """Run a sweep one after another in this process."""
    with ThreadPoolExecutor(1) as executor:
        return sweep.run(configs, ledger, executor, device="cpu", **options)


@pytest.fixture
def small_disk(mount_disk):
    """A disk that some of the records fit on, and not all."""
    return mount_disk("48k")


def test_a_disk_that_fills_costs_no_record(small_disk, folders, undisturbed):
    ledger = Ledger(small_disk)
    outcomes = sweep_here(six(), ledger)
    full = [run for run, error in outcomes.items() if error is not None]
    assert 0 < len(full) < 6
    assert all(isinstance(outcomes[run], OSError) for run in full)
    assert results(ledger) == {run: undisturbed[run] for run in outcomes if run not in full}
    subprocess.run(["mount", "-o", "remount,size=10m", str(small_disk)], check=True)
    assert sweep_here(six(), ledger) == dict.fromkeys(full)
    assert results(ledger) == undisturbed
    assert ledger.failures() == {}
    assert list((folders / "cache" / "checkpoints").iterdir()) == []
    assert list(small_disk.rglob("*.part")) == []


class Stopped(Exception):
    """What ends a run after an epoch."""


def leave_checkpoint(config):
    """Train a run until its second checkpoint is written."""
    saves, save = [], Checkpoint.save

    def save_twice(checkpoint, state):
        save(checkpoint, state)
        saves.append(state)
        if len(saves) == 2:
            raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "save", save_twice)
        with pytest.raises(Stopped):
            train(config, "cpu", threads=1, progress=False)


def test_a_checkpoint_cut_short_is_not_gone_on_from(ledger, folders, undisturbed):
    leave_checkpoint(six()[0])
    checkpoints = folders / "cache" / "checkpoints"
    (cut,) = checkpoints.glob("*.pt")
    cut.write_bytes(cut.read_bytes()[:-1000])
    with pytest.warns(UserWarning, match=cut.name):
        assert set(sweep_here(six(), ledger).values()) == {None}
    assert results(ledger) == undisturbed
    assert [path.name for path in checkpoints.iterdir()] == [f"{cut.name}.damaged-1"]


def test_a_damaged_record_is_made_again_and_kept_aside(ledger, undisturbed):
    sweep_here(six(), ledger)
    path = ledger.path(six()[2])
    content = path.read_text()
    path.write_text(content.replace('"last_accuracy":0.', '"last_accuracy":0.9'))
    with pytest.warns(UserWarning, match=path.name):
        assert sweep_here(six(), ledger) == {six()[2].run_id: None}
    assert results(ledger) == undisturbed
    assert path.with_name(f"{path.name}.damaged-1").exists()


def test_parts_of_killed_writers_go_after_a_day(ledger, folders):
    old, young = (ledger.root / "digits" / f".{age}.json.x1.part" for age in ("old", "young"))
    checkpoint = folders / "cache" / "checkpoints" / ".run.pt.x2.part"
    for path in (old, young, checkpoint):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"cut sho")
    for path in (old, checkpoint):
        os.utime(path, (0, 0))
    assert sweep_here([digits()], ledger) == {digits().run_id: None}
    assert [path.exists() for path in (old, checkpoint, young)] == [False, False, True]


def test_a_record_names_the_images_that_it_was_trained_on(folders, ledger, tiny_config, monkeypatch):
    """An image that changes after the data set was cached changes fingerprint, cache and checkpoint."""
    monkeypatch.setenv("SCE_DATA", str(folders / "data"))
    maker = TreeMaker(folders / "data")
    files, _ = maker.images(per_class=(8, 4), shape=(8, 8, 3))
    maker.folder("mine", files)
    before = load_dataset("mine").fingerprint
    config = tiny_config(dataset="mine", noise="none")
    interrupted = train(config, "cpu", threads=1, progress=False)
    member = next(name for name in files if name.startswith("train/"))
    other = next(name for name in files if name.startswith("train/") and files[name] != files[member])
    maker.folder("mine", files | {member: files[other]})
    with pytest.warns(UserWarning, match="other data"):
        record = sweep.ensure(config, ledger, "cpu")
    assert interrupted.provenance.fingerprint == before
    assert record.provenance.fingerprint == load_dataset("mine").fingerprint != before
    fresh = train(config, "cpu", threads=1, checkpoints=folders / "fresh", progress=False)
    assert record.results() == fresh.results()
