"""Workers with other images or other code than whoever asks them: nothing of theirs gets into the ledger."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from image_trees import TreeMaker
from sweeps import wait_for

import sce_lib
from sce_lib.data import DatasetNotFound, load_dataset
from sce_lib.experiments import sweep
from sce_lib.experiments.ledger import Ledger, MixedImages, require_same_images
from sce_lib.experiments.sweep.workers import OtherCode
from sce_lib.experiments.training import train
from sce_lib.experiments.training.provenance import code_digest


@pytest.fixture
def trees(folders):
    """Return two folders with a data set ``mine`` each, of the same names and other pixels."""
    for number in range(2):
        maker = TreeMaker(folders / f"data-{number}")
        files, _ = maker.images(per_class=(8, 4), shape=(8, 8, 3), seed=number)
        maker.folder("mine", files)
    return [folders / f"data-{number}" for number in range(2)]


def runs(tiny_config, count):
    return [tiny_config(dataset="mine", noise="none", seed=seed) for seed in range(count)]


class Workers(ThreadPoolExecutor):
    """Workers in turn on machines whose data sets and ledgers lie elsewhere."""

    def __init__(self, folders, *roots):
        super().__init__(1)  # one at a time: the variable is the process's
        self.folders, self.roots, self.asked = folders, roots, 0

    def submit(self, function, config, root, device):
        number = self.asked % len(self.roots)
        self.asked += 1

        def there():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SCE_DATA", str(self.roots[number]))
                return function(config, self.folders / f"ledger-{number}", device)

        return super().submit(there)


def test_records_of_one_set_of_images_alone_are_taken(trees, folders, tiny_config, monkeypatch):
    monkeypatch.setenv("SCE_DATA", str(trees[0]))
    mine = load_dataset("mine").fingerprint
    assert mine != load_dataset("mine", root=trees[1]).fingerprint
    ledger, wanted = Ledger(folders / "ledger"), runs(tiny_config, 6)
    with Workers(folders, *trees) as executor:
        outcomes = sweep.run(wanted, ledger, executor, device="cpu")
    refused = [error for error in outcomes.values() if error is not None]
    assert len(refused) == 3
    assert all(
        isinstance(error, MixedImages) and "has other images of mine" in str(error) for error in refused
    )
    assert {record.provenance.fingerprint for record in ledger} == {mine}
    with Workers(folders, trees[0]) as executor:
        assert set(sweep.run(wanted, ledger, executor, device="cpu").values()) == {None}
    require_same_images(ledger)
    assert len(ledger) == 6


def test_where_nobody_has_the_images_here_the_first_worker_says_which(
    trees, folders, tiny_config, monkeypatch
):
    monkeypatch.setenv("SCE_DATA", str(folders / "empty"))
    with pytest.raises(DatasetNotFound):
        load_dataset("mine")
    ledger = Ledger(folders / "ledger")
    with Workers(folders, trees[1], trees[0]) as executor:
        outcomes = sweep.run(runs(tiny_config, 4), ledger, executor, device="cpu")
    assert sum(isinstance(error, MixedImages) for error in outcomes.values()) == 2
    first = load_dataset("mine", root=trees[1]).fingerprint
    assert {record.provenance.fingerprint for record in ledger} == {first}


def test_a_record_that_a_worker_had_already_is_looked_at_too(trees, folders, tiny_config, monkeypatch):
    """Its ledger may be of other images than its data sets are now."""
    (config,) = runs(tiny_config, 1)
    other = train(config, "cpu", root=trees[1], checkpoints=folders / "other")
    Ledger(folders / "ledger-0").put(other)
    monkeypatch.setenv("SCE_DATA", str(trees[0]))
    ledger = Ledger(folders / "ledger")
    with Workers(folders, trees[0]) as executor:
        outcomes = sweep.run([config], ledger, executor, device="cpu")
    assert isinstance(outcomes[config.run_id], MixedImages)
    assert len(ledger) == 0


def test_records_in_the_ledger_say_which_images_are_right(trees, folders, tiny_config, monkeypatch):
    """Whoever asks has none here."""
    ledger, (first, second) = Ledger(folders / "ledger"), runs(tiny_config, 2)
    ledger.put(train(first, "cpu", root=trees[0], checkpoints=folders / "first"))
    monkeypatch.setenv("SCE_DATA", str(folders / "empty"))
    with Workers(folders, trees[1]) as executor:
        outcomes = sweep.run([first, second], ledger, executor, device="cpu")
    assert isinstance(outcomes[second.run_id], MixedImages)
    assert len(ledger) == 1


@pytest.fixture
def other_code(folders):
    """Return the folder of a copy of the package in which the code of a loss has changed."""
    package = Path(sce_lib.__file__).parent
    copy = folders / "other" / "sce_lib"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / "losses" / "functional" / "symmetric.py").open("a") as file:
        file.write("\n# not as it was\n")
    return copy.parent


@pytest.mark.slow
def test_a_cluster_of_two_trees_and_two_versions(trees, folders, tiny_config, other_code, monkeypatch):
    """Workers are processes of their own, as `dask worker` starts them."""
    distributed = pytest.importorskip("distributed")
    monkeypatch.setenv("SCE_DATA", str(trees[0]))
    monkeypatch.setenv("SCE_CACHE", str(folders / "cache"))
    ledger, wanted = Ledger(folders / "ledger"), runs(tiny_config, 12)
    with distributed.LocalCluster(
        n_workers=0, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        address, started = cluster.scheduler_address, []
        for data, code in ((trees[0], None), (trees[1], None), (trees[0], other_code)):
            own = {"SCE_DATA": str(data)} | ({} if code is None else {"PYTHONPATH": str(code)})
            command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1"]
            options = ["--no-dashboard", "--no-nanny", "--local-directory", str(folders)]
            started.append(subprocess.Popen([*command, *options], env=os.environ | own, cwd=folders))
        try:
            with distributed.Client(address, set_as_default=False) as client:
                wait_for(lambda: len(client.scheduler_info()["workers"]) == 3)
                assert len(set(client.run(code_digest).values())) == 2
            with sweep.dask_executor(address) as executor:
                outcomes = sweep.run(wanted, ledger, executor, device="cpu")
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()
    kinds = {type(error) for error in outcomes.values()}
    assert kinds == {type(None), MixedImages, OtherCode}
    require_same_images(ledger)
    assert {record.provenance.fingerprint for record in ledger} == {load_dataset("mine").fingerprint}
    assert {record.provenance.code for record in ledger} == {code_digest()}
    assert len(ledger) == sum(error is None for error in outcomes.values())
