"""How much is trained, where it is not the profile's own: what follows it, and what keeps its name."""

import pytest

from sce_lib.experiments.config import RunConfig, Scale
from sce_lib.experiments.grids import grid


def test_the_profiles_own_scale_changes_nothing():
    for profile in ("smoke", "laptop", "full"):
        plain = RunConfig.preset("cifar10", "sl", "symmetric-0.4", profile=profile)
        assert RunConfig.preset("cifar10", "sl", "symmetric-0.4", profile=profile, scale=Scale()) == plain
        assert RunConfig.preset("cifar10", "sl", "symmetric-0.4", profile=profile, scale=Scale.of()) == plain
    own = Scale(n_train=10_000, epochs=30, width=0.25)
    assert RunConfig.preset("cifar10", "sl", scale=own).run_id == RunConfig.preset("cifar10", "sl").run_id


@pytest.mark.parametrize("dataset", ["mnist", "cifar10", "cifar100"])
@pytest.mark.parametrize("protocol", ["paper", "released"])
def test_the_papers_amount_at_laptop_has_the_papers_schedule(dataset, protocol):
    full = RunConfig.preset(dataset, "ce", protocol=protocol, profile="full")
    size = {"mnist": 60_000}.get(dataset, 50_000)
    scale = Scale(n_train=size, epochs=full.optimisation.epochs, width=1.0)
    scaled = RunConfig.preset(dataset, "ce", protocol=protocol, profile="laptop", scale=scale)
    assert scaled.optimisation == full.optimisation
    assert scaled.model == full.model


def test_what_follows_the_length_follows_it():
    short = RunConfig.preset("cifar10", "d2l", profile="full", scale=Scale(epochs=12))
    assert short.optimisation.milestones == (4, 8)
    assert (short.method.window, short.method.first_epoch) == (2, 4)
    assert short.stages == (1, 5, 10, 12)
    # Keras' decay counts steps: half of them, twice the decay.
    decays = [
        RunConfig.preset(
            "cifar10", "ce", protocol="released", profile="full", scale=scale
        ).optimisation.lr_decay
        for scale in (Scale(), Scale(epochs=60), Scale(n_train=25_000))
    ]
    assert decays[1:] == pytest.approx([2 * decays[0]] * 2)


def test_a_grid_of_another_amount_has_other_runs():
    scale = Scale.of(500, 3, 0.25)
    plain, scaled = grid("figure1", "mnist"), grid("figure1", "mnist", scale=scale)
    assert len(plain) == len(scaled)
    assert not {run.run_id for run in plain} & {run.run_id for run in scaled}
    assert {(run.n_train, run.optimisation.epochs, run.model.width) for run in scaled} == {(500, 3, 0.25)}
    assert "500 images" in scaled[0].setting


def test_the_options_are_those_of_the_command_and_of_papermill():
    assert Scale.of(1_234_567, 3, 0.25).options == " --n-train 1234567 --epochs 3 --width 0.25"
    assert Scale(epochs=3).parameters == " -p epochs 3"
    assert Scale().options == Scale().parameters == ""


@pytest.mark.parametrize(
    "amount", [{"n_train": 1}, {"n_train": -5}, {"epochs": -1}, {"width": -0.5}, {"width": float("inf")}]
)
def test_an_amount_that_cannot_be_is_refused(amount):
    with pytest.raises(ValueError, match=next(iter(amount))):
        Scale.of(**amount)


def test_what_a_chapter_was_given_wrongly_is_a_line():
    with pytest.raises(
        ValueError, match=r"^epochs: Input should be greater than or equal to 1, not -1; 0 is"
    ):
        Scale.of(epochs=-1)
    with pytest.raises(ValueError, match=r"n_train: .* 2, not 1; 0 is") as caught:
        Scale.of(n_train=1)
    assert type(caught.value) is ValueError
    assert "\n" not in str(caught.value)
