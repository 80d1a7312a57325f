"""Operations against counts by hand, and times against records whose speed is known."""

import pytest

from sce_lib.data import load_dataset
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.presets import DATASETS
from sce_lib.experiments.cost import SIZES, Pace, flops, flops_per_image, speed
from sce_lib.experiments.ledger import Ledger


def by_hand(layers):
    """Return the operations of convolutions and dense layers given as (outputs, inputs to each)."""
    return sum(2 * outputs * inputs for outputs, inputs in layers)


def test_a_forward_pass_is_the_sum_over_the_layers():
    """cnn4 on 28 x 28: 32 and 64 channels, 3 x 3 kernels, each halved by pooling, 128 and 10 units."""
    forward, both = flops_per_image("cnn4", 1.0, SIZES["mnist"])
    convolutions = [(28 * 28 * 32, 9 * 1), (14 * 14 * 64, 9 * 32)]
    dense = [(128, 7 * 7 * 64), (10, 128)]
    assert forward == by_hand(convolutions + dense)
    # The backward pass is two products of the same size a layer, but for the images' own gradient.
    assert both == 3 * forward - by_hand(convolutions[:1])


@pytest.mark.parametrize("dataset", ["digits", "mnist", "fashion_mnist", "cifar10", "tiny_imagenet100"])
def test_sizes_are_those_of_the_data(dataset):
    try:
        data = load_dataset(dataset, download=False)
    except FileNotFoundError:
        pytest.skip(f"{dataset} is not here")
    assert SIZES[dataset] == (
        len(data.train_labels),
        len(data.test_labels),
        data.image_shape[:2],
        data.image_shape[2],
        data.num_classes,
    )


def test_sizes_are_those_that_the_presets_go_by():
    assert {name: SIZES[name].train for name in DATASETS} == {
        name: row["train_size"] for name, row in DATASETS.items()
    }


# In smoke, looking at the test set outweighs training.
@pytest.mark.parametrize("profile", ["laptop", "full"])
def test_a_run_grows_with_its_epochs_and_images(profile):
    config = RunConfig.preset("cifar10", "ce", profile=profile)
    longer = config.optimisation.model_copy(update={"epochs": 2 * config.optimisation.epochs})
    assert 1.8 < flops(config.model_copy(update={"optimisation": longer})) / flops(config) < 2.2
    assert flops(config.model_copy(update={"n_train": 40_000})) > flops(
        config.model_copy(update={"n_train": 20_000})
    )


def test_the_plan_of_every_data_set_can_be_made_without_its_images():
    for dataset in SIZES:
        assert flops(RunConfig.preset(dataset, "sl", profile="full")) > 0


def test_time_is_told_by_the_nearest_runs(folders, make_record):
    ledger = Ledger(folders / "ledger")
    config = RunConfig.preset("digits", "sl", profile="smoke")
    assert Pace(ledger).seconds(config) is None
    other = make_record(dataset="cifar10")  # cnn8: another network
    ledger.put(other)
    assert Pace(ledger).seconds(config) == pytest.approx(flops(config) / speed(other))
    alike = [make_record("ce", seed=seed) for seed in (0, 1, 2)]
    for record, seconds in zip(alike, (1.0, 2.0, 30.0), strict=True):
        made = record.provenance.model_copy(update={"seconds": seconds})
        ledger.put(record.model_copy(update={"provenance": made}))
    assert Pace(ledger).seconds(config) == pytest.approx(2.0)  # the median run, of the same size
    assert Pace(ledger, device="cuda").seconds(config) is None


def test_a_damaged_record_tells_no_speed(folders, make_record):
    ledger = Ledger(folders / "ledger")
    path = ledger.put(make_record())
    path.write_text("{")
    with pytest.warns(UserWarning, match="is no ledger record"):
        assert Pace(ledger).seconds(RunConfig.preset("digits", "sl", profile="smoke")) is None
