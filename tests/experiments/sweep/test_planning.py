"""What a sweep will take, told before it: counted once a run, timed by the runs that are there."""

import pytest

from sce_lib.experiments import sweep
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.cost import flops
from sce_lib.experiments.ledger import Ledger


def digits(seed=0, **changes):
    return RunConfig.preset("digits", "ce", profile="smoke", seed=seed, **changes)


@pytest.fixture
def ledger(folders):
    return Ledger(folders / "ledger")


def made_in(record, seconds, device="cpu"):
    made = record.provenance.model_copy(update={"seconds": seconds, "device": device})
    return record.model_copy(update={"provenance": made})


def test_all_is_missing_from_an_empty_ledger(ledger):
    configs = [digits(0), digits(1)]
    plan = sweep.plan([*configs, configs[0]], ledger, "cpu")
    assert (plan.wanted, [estimate.config for estimate in plan.missing]) == (2, configs)
    assert [estimate.flops for estimate in plan.missing] == [flops(configs[0])] * 2
    assert plan.flops == 2 * flops(configs[0])
    assert plan.seconds() is None
    assert plan.summary() == (f"2 runs, 0 in the ledger, 2 missing: {plan.flops:.2g} FLOPs, time not known")
    assert str(plan.missing[1]) == (
        f"digits/{configs[1].run_id}  {flops(configs[1]):.2g} FLOPs, time not known"
    )
    assert not ledger.root.exists()


def test_nothing_is_missing_from_a_full_ledger(ledger, make_record):
    for seed in (0, 1):
        ledger.put(make_record("ce", seed=seed))
    plan = sweep.plan([digits(0), digits(1)], ledger, "cpu")
    assert (plan.missing, plan.flops, plan.seconds()) == ((), 0, 0)
    assert plan.summary() == "2 runs, 2 in the ledger, 0 missing"


def test_a_run_alike_takes_the_time_of_the_one_that_is_there(ledger, make_record):
    ledger.put(made_in(make_record("ce"), 90))
    plan = sweep.plan([digits(seed) for seed in range(3)], ledger, "cpu")
    assert [estimate.seconds for estimate in plan.missing] == pytest.approx([90, 90])
    assert plan.seconds() == pytest.approx(180)
    assert plan.seconds(2) == plan.seconds(8) == pytest.approx(90)  # no more processes than runs
    assert plan.summary().endswith("FLOPs, about 3.0 min")
    assert plan.summary(2).endswith("FLOPs, about 1.5 min with 2 jobs")
    assert str(plan.missing[0]).endswith("FLOPs, about 1.5 min")


def test_a_longer_run_takes_longer_by_its_operations(ledger, make_record):
    ledger.put(made_in(make_record("ce"), 100))
    epochs = digits().optimisation.epochs
    longer = digits(1, optimisation={"lr": 0.05, "epochs": 2 * epochs})
    (estimate,) = sweep.plan([longer], ledger, "cpu").missing
    assert estimate.seconds == pytest.approx(100 * flops(longer) / flops(digits()))
    assert estimate.seconds > 100


def test_a_gpus_time_says_nothing_of_a_cpu(ledger, make_record):
    ledger.put(made_in(make_record("ce"), 2, device="cuda (some card)"))
    assert sweep.plan([digits(1)], ledger, "cpu").seconds() is None


def test_one_run_of_unknown_time_makes_the_whole_unknown():
    known, unknown = sweep.Estimate(digits(0), 10, 5.0), sweep.Estimate(digits(1), 10, None)
    assert sweep.Plan(2, (known,)).seconds() == 5
    assert sweep.Plan(2, (known, unknown)).seconds() is None
    assert sweep.Plan(2, (known, unknown)).flops == 20


@pytest.mark.parametrize("jobs", [0, -1])
def test_fewer_than_one_process_is_refused(jobs):
    plan = sweep.Plan(1, (sweep.Estimate(digits(), 10, 5.0),))
    with pytest.raises(ValueError, match=f"at least 1, not {jobs}"):
        plan.summary(jobs)


def test_a_device_that_is_not_there_is_refused(ledger):
    with pytest.raises(ValueError, match="cuda:99"):
        sweep.plan([digits()], ledger, "cuda:99")
