"""The results that the sweeps here end in when nothing disturbs them."""

import pytest
from sweeps import six

from sce_lib.experiments.ledger import Ledger
from sce_lib.experiments.training import train


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """Return the results of the six runs, trained one after another in this process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    records = [train(config, "cpu", threads=1, checkpoints=folder, progress=False) for config in six()]
    return {record.run_id: record.results() for record in records}


@pytest.fixture(autouse=True)
def each_epoch(monkeypatch):
    """Keep a checkpoint after each epoch, here and in processes that are started."""
    monkeypatch.setenv("SCE_CHECKPOINT_SECONDS", "0")


@pytest.fixture
def ledger(folders):
    return Ledger(folders / "ledger")
