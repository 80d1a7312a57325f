"""One detail of a run at a time."""

import pytest

from sce_lib.experiments.config import METHODS, RunConfig
from sce_lib.experiments.config.factors import FACTORS, change, is_changed
from sce_lib.experiments.config.presets import PAPER_SECTIONS, RELEASED, RELEASED_A, RELEASED_SHIFT


def start(dataset="cifar10", method="sl", noise="symmetric-0.6", **fields):
    return RunConfig.preset(dataset, method, noise, **fields)


def leaves(fields, place=""):
    for key, value in fields.items():
        yield from leaves(value, f"{place}{key}.") if isinstance(value, dict) else [(place + key, value)]


def differing(one, other):
    """Return the names of the fields in which two configs differ."""
    return {name for name, _ in set(leaves(one.model_dump())) ^ set(leaves(other.model_dump()))}


MOVED = {
    "no-l2": {"optimisation.weight_decay"},
    "decay-for-l2": {"optimisation.weight_decay", "optimisation.lr_decay"},
    "released-floor": {"method.A"},
    "fc1-l2": {"optimisation.fc1_weight_decay"},
    "low-lr": {"optimisation.lr"},
    "no-augmentation": {"augmentation.shift", "augmentation.flip"},
    "wide-shift": {"augmentation.shift"},
    "equal-counts": {"noise.variant"},
    "one-draw": {"noise.noise_seed"},
    "twice-the-epochs": {"optimisation.epochs", "optimisation.milestones"},
}


@pytest.mark.parametrize("profile", ["smoke", "laptop", "full"])
@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
@pytest.mark.parametrize("factor", MOVED)
def test_a_factor_moves_its_own_fields_and_no_other(factor, dataset, profile):
    before = start(dataset, profile=profile)
    after = change(before, factor)
    if after is not None:
        assert differing(before, after) == MOVED[factor]


def test_all_factors_are_looked_at():
    assert FACTORS.keys() == MOVED.keys() | {"released"}


def test_the_values_are_those_of_the_tables():
    assert change(start(), "released-floor").method.A == RELEASED_A
    assert change(start(), "wide-shift").augmentation.shift == RELEASED_SHIFT
    assert change(start(), "low-lr").optimisation.lr == PAPER_SECTIONS["5.1"]["lr"]
    decay = RELEASED["cifar10"]["fc1_weight_decay"]
    assert change(start(), "fc1-l2").optimisation.fc1_weight_decay == decay
    full = change(start(profile="full"), "decay-for-l2").optimisation
    assert (full.weight_decay, full.lr_decay) == (0.0, RELEASED["cifar10"]["lr_decay"])
    assert change(start(profile="full"), "twice-the-epochs").optimisation.milestones == (80, 160)
    assert change(start("mnist"), "equal-counts").noise.variant == "released"


@pytest.mark.parametrize("method", ["ce", "sl"])
@pytest.mark.parametrize("dataset", ["mnist", "cifar10", "cifar100"])
def test_released_is_the_protocol(dataset, method):
    assert change(start(dataset, method), "released") == start(dataset, method, protocol="released")


def test_a_factor_says_nothing_where_there_is_nothing_to_change():
    assert change(start(method="ce"), "released-floor") is None
    assert change(start("mnist"), "fc1-l2") is None
    assert change(start("mnist"), "no-augmentation") is None
    assert change(start("mnist"), "wide-shift") is None
    assert change(start("mnist", noise="asymmetric-0.4"), "equal-counts") is None
    assert change(start("cifar10"), "equal-counts") is None  # its classes are of one size
    assert change(start(noise="none"), "one-draw") is None
    assert change(start(noise="human-worse_label"), "one-draw") is None


@pytest.mark.parametrize("factor", FACTORS)
def test_every_factor_can_be_asked_of_every_method(factor):
    for method in METHODS:
        before = start("mnist", method)
        after = change(before, factor)
        own_preset = is_changed(before, None)  # 5CE is no preset of "ce"
        assert after is None or is_changed(after, factor) == own_preset
        assert not is_changed(before, factor)
    assert change(start("mnist", "d2l"), "released") is None  # which has no D2L
    assert change(start("mnist", "d2l"), "decay-for-l2").optimisation.lr_decay > 0


def test_unknown_factors_are_refused():
    with pytest.raises(ValueError, match="factor 'no_l2' is not known; known are no-l2"):
        change(start(), "no_l2")


def test_clothing1m_has_no_released_details():
    with pytest.raises(ValueError, match="the released code has nothing for 'clothing1m'"):
        change(start("clothing1m", noise="none"), "decay-for-l2")


@pytest.mark.parametrize("factor", [None, *FACTORS])
def test_a_run_is_told_by_its_factor(factor):
    before = start("cifar10", seed=2)
    after = before if factor is None else change(before, factor)
    if after is not None:
        assert [name for name in (None, *FACTORS) if is_changed(after, name)] == [factor]
