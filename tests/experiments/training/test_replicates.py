"""Seeds trained together are the runs that they are alone, within rounding, and are never taken for them."""

import pytest
import torch

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import Ledger, LedgerError
from sce_lib.experiments.training import TrainingDiverged, train, train_replicates

SEEDS = [3, 0, 7]


def alone(config, seed, data, folder):
    own = RunConfig.model_validate(config.model_dump() | {"seed": seed})
    return train(own, "cpu", threads=1, data=data, checkpoints=folder)


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("sl", {"augmentation": {"shift": 1, "flip": True, "rotation": 10.0}, "normalisation": "pixel_mean"}),
        ("forward", {"sgd": {"milestones": (1,), "lr_decay": 1e-2, "decay_kernels_only": True}}),
        ("lsr+sl", {"sgd": {"fc1_weight_decay": 0.02, "weight_decay": 1e-3}}),
        ("gce", {"precision": "bfloat16"}),
    ],
)
def test_each_is_the_run_that_it_is_alone(make_images, tiny_config, tmp_path, method, changes):
    """An epoch: noise, order, augmentation, schedule and decay are a run's own; only the rounding is not."""
    data = make_images(train=161, classes=4)  # the last sample waits: a batch of one has no variance
    sgd = {"epochs": 1, "batch_size": 40} | changes.pop("sgd", {})
    config = tiny_config(method, "symmetric-0.4", sgd=sgd, **changes)
    rough = 2e-2 if config.precision == "bfloat16" else 1e-5
    records = train_replicates(config, SEEDS, "cpu", threads=1, data=data)
    for seed, record in zip(SEEDS, records, strict=True):
        own = alone(config, seed, data, tmp_path)
        assert record.config == own.config
        assert record.provenance.realised_noise == own.provenance.realised_noise
        assert record.epochs[0].train_loss == pytest.approx(own.epochs[0].train_loss, rel=rough)
        assert record.epochs[0].learning_rate == own.epochs[0].learning_rate
        assert torch.tensor(record.stages[-1].confidence) == pytest.approx(
            torch.tensor(own.stages[-1].confidence), abs=rough
        )
    assert len({record.epochs[0].train_loss for record in records}) == len(SEEDS)


def test_their_running_statistics_are_their_own(make_images, tiny_config, tmp_path):
    """A test accuracy is measured with them: those of no epoch, or of another seed, would give another."""
    data = make_images(train=192)
    config = tiny_config("ce", "none", sgd={"epochs": 4})
    for seed, record in zip(SEEDS, train_replicates(config, SEEDS, "cpu", data=data), strict=True):
        own = alone(config, seed, data, tmp_path)
        assert [e.test_accuracy for e in record.epochs] == pytest.approx(
            [e.test_accuracy for e in own.epochs], abs=0.05
        )
        assert record.last_accuracy > 0.9


def test_they_are_the_same_each_time(make_images, tiny_config):
    data = make_images()
    first, again = (train_replicates(tiny_config(), [0, 1], "cpu", threads=1, data=data) for _ in range(2))
    assert [record.results() for record in first] == [record.results() for record in again]


def test_they_are_marked_and_kept_apart(make_images, tiny_config, tmp_path):
    data, ledger = make_images(), Ledger(tmp_path / "ledger")
    config = tiny_config()
    together = train_replicates(config, [0, 1], "cpu", data=data)
    assert [record.provenance.replicates for record in together] == [2, 2]
    with pytest.raises(LedgerError, match=r"2 seeds trained together.*'replicates'"):
        ledger.put(together[0])
    for record in together:
        ledger.replicates().put(record)
    assert len(ledger.replicates()) == 2
    assert ledger.get(config) is None
    assert len(ledger) == 0
    single = alone(config, 0, data, tmp_path)
    assert single.provenance.replicates is None
    with pytest.raises(LedgerError, match="a run of its own"):
        ledger.replicates().put(single)


def test_a_record_carried_into_the_ledger_by_hand_is_not_taken_for_a_run(make_images, tiny_config, tmp_path):
    config, ledger = tiny_config(), Ledger(tmp_path / "ledger")
    record, _ = train_replicates(config, [0, 1], "cpu", data=make_images())
    source = ledger.replicates().put(record)
    target = ledger.path(config)
    target.parent.mkdir(parents=True)
    target.write_bytes(source.read_bytes())
    with pytest.warns(UserWarning, match="seeds trained together"):
        assert ledger.get(config) is None


def test_a_seed_that_diverges_is_named(make_images, tiny_config):
    config = tiny_config("ce", sgd={"lr": 1e30, "epochs": 2})
    with pytest.raises(TrainingDiverged, match=r"-s0-.*(learning rate|not finite)"):
        train_replicates(config, [0, 1], "cpu", data=make_images())


@pytest.mark.parametrize("seeds", [[], [0], [0, 1, 0]])
def test_seeds_that_are_not_several(tiny_config, seeds):
    with pytest.raises(ValueError, match=r"two or more different ones"):
        train_replicates(tiny_config(), seeds)


@pytest.mark.parametrize(
    ("method", "changes", "named"), [("d2l", {}, "d2l"), ("sl", {"compile": True}, "compile")]
)
def test_what_cannot_be_trained_together(tiny_config, method, changes, named):
    sgd = {"epochs": 20} if method == "d2l" else {}
    with pytest.raises(ValueError, match=named):
        train_replicates(tiny_config(method, sgd=sgd, **changes), [0, 1])


def test_a_seed_that_is_none(tiny_config):
    with pytest.raises(ValueError, match="seed"):
        train_replicates(tiny_config(), [0, -1])
