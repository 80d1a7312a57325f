"""Workers that are lost, here and on a cluster, and runs that fail by themselves."""

import os
import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import psutil
import pytest
from sweeps import digits, epochs_done, results, six, wait_for

from sce_lib.experiments import sweep
from sce_lib.experiments.ledger import Ledger
from sce_lib.experiments.training import TrainingDiverged, progress_of


class Watch:
    """Keeps what a sweep says of itself."""

    def __init__(self):
        self.status = None

    def __call__(self, status):
        self.status = status


def in_background(configs, ledger, **options):
    outcomes, watch = {}, Watch()

    def work():
        outcomes.update(sweep.run(configs, ledger, device="cpu", watch=watch, **options))

    thread = threading.Thread(target=work)
    thread.start()
    return thread, outcomes, watch


def workers():
    """Return the processes that train: those that have loaded torch, not multiprocessing's own."""
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def test_a_worker_killed_in_an_epoch_costs_its_neighbours_nothing(ledger, folders, undisturbed):
    thread, outcomes, watch = in_background(six(), ledger, jobs=2)
    wait_for(lambda: epochs_done(folders) > 2)
    victim, neighbour = workers()
    os.kill(victim.pid, signal.SIGKILL)
    wait_for(lambda: watch.status.retried)
    assert neighbour.is_running()
    thread.join()
    ((lost, error),) = watch.status.retried
    assert isinstance(error, BrokenProcessPool)
    assert lost in six()
    assert set(outcomes.values()) == {None}
    assert results(ledger) == undisturbed
    assert ledger.failures() == {}
    # It may have been killed as it wrote; that part is counted by nobody, and goes after a day.
    left = (folders / "cache" / "checkpoints").iterdir()
    assert [path.name for path in left if path.suffix != ".part"] == []


def test_a_run_that_always_loses_its_worker_is_given_up_and_the_rest_go_on(ledger, folders):
    """As one that needs more memory than there is; its checkpoint is kept."""
    long = digits(optimisation={"lr": 0.05, "epochs": 4000})
    thread, outcomes, _ = in_background([long, digits("ce")], ledger, jobs=1, retries=1)
    reached = 0
    for _ in range(2):  # a worker that has begun: one lost with nothing to do costs no attempt
        wait_for(lambda before=reached: (progress_of(long) or (0,))[0] > before + 1)
        reached = progress_of(long).epoch
        (worker,) = workers()
        os.kill(worker.pid, signal.SIGKILL)
        wait_for(lambda gone=worker: not gone.is_running())
    thread.join()
    assert isinstance(outcomes[long.run_id], BrokenProcessPool)
    assert outcomes[digits("ce").run_id] is None
    assert "BrokenProcessPool" in ledger.failures()[f"digits/{long.run_id}"]
    assert progress_of(long).epoch >= reached
    assert [record.config for record in ledger] == [digits("ce")]


def test_a_loss_of_nan_is_not_tried_again(ledger):
    diverging, fine = digits(optimisation={"lr": 1e30, "epochs": 2}), digits("ce")
    watch = Watch()
    with ThreadPoolExecutor(1) as executor:
        outcomes = sweep.run([diverging, fine], ledger, executor, device="cpu", retries=3, watch=watch)
    assert isinstance(outcomes[diverging.run_id], TrainingDiverged)
    assert outcomes[fine.run_id] is None
    assert watch.status.retried == []
    assert ledger.failures().keys() == {f"digits/{diverging.run_id}"}
    assert [record.config for record in ledger] == [fine]


class Gone(ThreadPoolExecutor):
    """What a cluster is whose scheduler has died: it lets go of all work."""

    def submit(self, *_, **__):
        future = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future


def test_a_scheduler_that_died_is_said_to_be_the_reason(ledger):
    with Gone(1) as executor:
        (error,) = sweep.run([digits()], ledger, executor, device="cpu").values()
    assert isinstance(error, ConnectionError)
    assert "the scheduler, or the connection to it, was lost" in str(error)
    (reason,) = ledger.failures().values()
    assert "scheduler" in reason


class Elsewhere(ThreadPoolExecutor):
    """Workers on another machine: what is a folder here is another folder there."""

    def __init__(self, folder):
        super().__init__(2)
        self.folder = folder

    def submit(self, function, config, root, device):
        return super().submit(function, config, self.folder, device)


def test_workers_with_other_folders_hand_their_records_over(ledger, folders, undisturbed):
    with Elsewhere(folders / "there") as executor:
        assert set(sweep.run(six(), ledger, executor, device="cpu").values()) == {None}
    assert results(ledger) == results(Ledger(folders / "there")) == undisturbed


# --- Dask --------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    """Return Dask's settings for a cluster that encrypts, and lets in who has its certificate alone.

    As `book/running.md` has it: one key and certificate for all.
    """
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sce"]
    if shutil.which("openssl") is None:
        pytest.skip("a certificate is made by openssl, which is not here")
    subprocess.run(
        ["openssl", "req", *options, "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    settings = {"distributed.comm.require-encryption": True, "distributed.comm.tls.ca-file": str(certificate)}
    for role in ("scheduler", "worker", "client"):
        place = f"distributed.comm.tls.{role}"
        settings |= {f"{place}.key": str(key), f"{place}.cert": str(certificate)}
    return settings


@pytest.fixture
def cluster(folders, tls):
    """Start a scheduler and two worker processes on this machine; what they say is encrypted."""
    distributed = pytest.importorskip("distributed")
    import dask

    local = {"host": "127.0.0.1", "protocol": "tls://", "dashboard_address": None}
    with (
        dask.config.set(tls),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            security=distributed.Security(),
            **local,
        ) as cluster,
    ):
        assert cluster.scheduler_address.startswith("tls://")
        yield cluster


def test_who_has_no_certificate_is_not_let_in(cluster, tls):
    import dask

    with (
        dask.config.set(dict.fromkeys(tls, None) | {"distributed.comm.require-encryption": False}),
        pytest.raises(ConnectionError, match="tls://"),
        sweep.dask_executor(cluster.scheduler_address),
    ):
        pass


def test_a_dask_worker_that_is_lost_costs_no_record(cluster, ledger, folders, undisturbed):
    import distributed

    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        pids = list(client.run(os.getpid).values())
    assert os.getpid() not in pids
    with sweep.dask_executor(cluster.scheduler_address) as executor:
        thread, outcomes, _ = in_background(six(), ledger, executor=executor)
        wait_for(lambda: epochs_done(folders) > 2)
        os.kill(pids[0], signal.SIGKILL)
        thread.join()
    assert set(outcomes.values()) == {None}
    assert results(ledger) == undisturbed


def interval(_):
    """Take half a second, and return when it began and ended."""
    began = time.monotonic()
    time.sleep(0.5)
    return began, time.monotonic()


@pytest.mark.parametrize(("share", "together"), [(1, False), (0.5, True)])
def test_runs_share_a_gpu_as_they_are_told(folders, share, together):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, resources={"GPU": 1}
        ) as cluster,
        sweep.dask_executor(cluster.scheduler_address, gpu_share=share) as executor,
    ):
        (_, ended), (began, _) = sorted(executor.map(interval, range(2)))
    assert (began < ended) == together
