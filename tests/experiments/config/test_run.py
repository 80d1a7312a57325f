"""Configs are what the paper and its code state, survive JSON, and refuse what cannot be."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sce_lib.experiments.config import METHODS, Noise, Optimisation, RunConfig
from sce_lib.experiments.config.parts import explain
from sce_lib.experiments.config.presets import RELEASED_A

TABLE1_METHODS = ("ce", "lsr", "bootstrap", "forward", "d2l", "gce", "sl")
TABLE1_NOISE = ["none", "symmetric-0.2", "symmetric-0.4", "symmetric-0.6", "symmetric-0.8"] + [
    f"asymmetric-{rate}" for rate in (0.2, 0.3, 0.4)
]


def test_every_cell_of_table_1_has_a_config_of_its_own():
    made = set()
    cells = list(itertools.product(("mnist", "cifar10", "cifar100"), TABLE1_METHODS, TABLE1_NOISE))
    for dataset, method, noise in cells:
        made.add((dataset, RunConfig.preset(dataset, method, noise, "paper", "full").run_id))
        if method == "d2l":
            with pytest.raises(ValueError, match="D2L has no counterpart"):
                RunConfig.preset(dataset, method, noise, "released", "full")
        else:
            made.add((dataset, RunConfig.preset(dataset, method, noise, "released", "full").run_id))
    assert len(made) == len(cells) * 2 - 3 * 8


@pytest.mark.parametrize("profile", ["smoke", "laptop", "full"])
@pytest.mark.parametrize("method", METHODS)
def test_configs_survive_json(method, profile):
    config = RunConfig.preset("cifar10", method, "asymmetric-0.4", profile=profile, seed=3)
    again = RunConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert again.run_id == config.run_id


def test_what_the_paper_states():
    """§5.1 and §5.2 with the footnote, value by value."""
    section51 = RunConfig.preset("cifar10", "sl", "symmetric-0.4", profile="full", section="5.1")
    sgd = section51.optimisation
    assert (sgd.lr, sgd.momentum, sgd.weight_decay, sgd.milestones, sgd.epochs) == (
        0.01,
        0.9,
        1e-4,
        (40, 80),
        120,
    )
    assert (section51.method.alpha, section51.method.beta, section51.method.A) == (0.1, 1.0, -6.0)
    for dataset, weights, milestones, epochs, model in (
        ("mnist", (0.01, 1.0), (10, 30), 50, "cnn4"),
        ("cifar10", (0.1, 1.0), (40, 80), 120, "cnn8"),
        ("cifar100", (6.0, 0.1), (80, 120), 150, "resnet44"),
    ):
        config = RunConfig.preset(dataset, "sl", "symmetric-0.6", profile="full")
        sgd = config.optimisation
        assert (config.method.alpha, config.method.beta, config.method.A) == (*weights, -4.0)
        assert (sgd.lr, sgd.weight_decay, sgd.milestones, sgd.epochs) == (0.1, 5e-3, milestones, epochs)
        assert (config.model.name, config.model.width, config.n_train) == (model, 1.0, None)
    assert RunConfig.preset("cifar10", "sl", "asymmetric-0.4", profile="full").method.beta == 5.0
    assert RunConfig.preset("cifar100", "sl", "asymmetric-0.4", profile="full").method.alpha == 2.0
    assert RunConfig.preset("mnist", "sl", "asymmetric-0.4", profile="full").method.alpha == 0.01
    clothing = RunConfig.preset("clothing1m", "ce", profile="full")
    assert (clothing.optimisation.batch_size, clothing.optimisation.lr, clothing.section) == (64, 1e-3, "5.3")


def test_what_the_released_code_does():
    config = RunConfig.preset("cifar10", "sl", "symmetric-0.4", "released", "full")
    sgd = config.optimisation
    assert config.method.A == pytest.approx(RELEASED_A) == pytest.approx(-9.2103, abs=1e-4)
    assert (sgd.weight_decay, sgd.lr_decay, sgd.fc1_weight_decay, sgd.milestones_late) == (
        0,
        1e-4,
        0.02,
        True,
    )
    assert (config.augmentation.shift, config.noise.variant, config.normalisation) == (
        0.2,
        "released",
        "pixel_mean",
    )
    # The runs share one noisy label set.
    other = RunConfig.preset("cifar10", "sl", "symmetric-0.4", "released", "full", seed=4)
    assert other.noise_seed == config.noise_seed
    assert other.run_id != config.run_id
    assert RunConfig.preset("mnist", "forward", "symmetric-0.4", "released").method.matrix == "identity"


def test_a_shorter_run_decays_the_learning_rate_by_the_same_factor():
    full = RunConfig.preset("cifar10", "ce", "none", "released", "full").optimisation
    laptop_config = RunConfig.preset("cifar10", "ce", "none", "released", "laptop")
    laptop = laptop_config.optimisation
    full_steps, laptop_steps = full.epochs * 50_000 / 128, laptop.epochs * laptop_config.n_train / 128
    assert full.learning_rate(0, full_steps) == pytest.approx(laptop.learning_rate(0, laptop_steps))


@given(st.floats(0.01, 1.0), st.lists(st.integers(1, 40), unique=True, max_size=4), st.integers(0, 50))
def test_learning_rate_steps(lr, milestones, epoch):
    sgd = Optimisation(lr=lr, milestones=tuple(sorted(milestones)), epochs=50)
    late = sgd.model_copy(update={"milestones_late": True})
    assert sgd.learning_rate(epoch, 0) == pytest.approx(lr * 0.1 ** sum(epoch >= m for m in milestones))
    assert late.learning_rate(epoch + 1, 0) == pytest.approx(sgd.learning_rate(epoch, 0))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"noise": "symmetric-1.2"}, "1.2"),
        ({"noise": ("asymmetric", -0.1)}, "-0.1"),
        ({"noise": "uniform-0.2"}, "uniform"),
        ({"noise": "symmetric-half"}, "symmetric-half"),
        ({"method": "sce"}, "sce"),
        ({"protocol": "theirs"}, "theirs"),
        ({"profile": "huge"}, "huge"),
        ({"section": "5.9"}, "5.9"),
        ({"colour": 1}, "colour"),
        ({"precision": "float8"}, "float8"),
        ({"seed": -1}, "-1"),
        ({"method": {"name": "sl", "alpha": 0.1, "beta": 1.0, "A": 1.0}}, "A"),
        ({"method": {"name": "sl", "alpha": -0.1, "beta": 1.0, "A": -4.0}}, "alpha"),
    ],
)
def test_bad_values_are_named(fields, named):
    arguments = {"dataset": "digits", "method": "ce"} | fields
    with pytest.raises(ValueError, match=named):
        RunConfig.preset(**arguments)


def test_milestones_must_ascend():
    with pytest.raises(ValidationError, match=r"\(4, 2\)"):
        Optimisation(lr=0.1, milestones=(4, 2), epochs=5)


def test_clean_labels_have_one_name():
    clean = RunConfig.preset("digits", "ce")
    for noise in ("clean", "none", "symmetric-0.0", ("asymmetric", 0.0), Noise(kind="symmetric", rate=0)):
        assert RunConfig.preset("digits", "ce", noise).run_id == clean.run_id


def test_configs_that_differ_have_other_names_and_defaults_do_not():
    base = RunConfig.preset("digits", "ce", profile="smoke")
    changed = [
        base.model_copy(update=update)
        for update in (
            {"seed": 1},
            {"subset_seed": 1},
            {"n_train": 100},
            {"precision": "bfloat16"},
            {"normalisation": "scale"},
            {"section": "5.1"},
        )
    ]
    assert len({config.run_id for config in [base, *changed]}) == len(changed) + 1
    explicit = RunConfig.model_validate(base.model_dump())
    assert explicit.run_id == base.run_id


def test_stages_are_the_papers():
    assert RunConfig.preset("cifar10", "ce", profile="full").stages == (10, 50, 100, 120)
    stages = RunConfig.preset("cifar10", "ce", profile="laptop").stages
    assert len(stages) == 4
    assert stages[-1] == 30


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"noise": 0.4}, r"0\.4.*symmetric-RATE"),
        ({"noise": ("symmetric",)}, "symmetric-RATE"),
        ({"noise": "symmetric-nan"}, "nan"),
        ({"noise": {"kind": "symmetric", "rate": 0.4}}, "symmetric-RATE"),
        ({"dataset": "../elsewhere"}, "elsewhere"),
        ({"dataset": "a/b"}, "a/b"),
        ({"dataset": ""}, "dataset"),
        ({"augmentation": {"shift": 2.5}}, r"2\.5.*whole pixels"),
        ({"method": {"name": "d2l", "window": 5, "first_epoch": 5, "beta": 1.0}}, "give A"),
    ],
)
def test_what_would_pass_unnoticed_is_refused(fields, named):
    arguments = {"dataset": "digits", "method": "ce"} | fields
    with pytest.raises(ValueError, match=named):
        RunConfig.preset(**arguments)


def test_noise_that_is_none_keeps_nothing_of_what_it_was_and_lets_nothing_through():
    assert (
        Noise(kind="none", noise_seed=3) == Noise(kind="symmetric", variant="released", rate=0.0) == Noise()
    )
    with pytest.raises(ValidationError, match="rat"):
        Noise.model_validate({"kind": "symmetric", "rat": 0.4})
    with pytest.raises(ValidationError, match="worse_label"):
        Noise(label_set="worse_label")
    with pytest.raises(ValidationError, match="worse_label"):
        Noise(kind="symmetric", rate=0.4, label_set="worse_label")


@pytest.mark.parametrize("label_set", ["../../x", "a/b", "", "a\nb", "a b", "x" * 101])
def test_labels_that_people_gave_have_a_name_that_leads_nowhere(label_set):
    with pytest.raises(ValidationError, match="label_set"):
        Noise(kind="human", label_set=label_set)
    if label_set:
        with pytest.raises(ValueError, match=r"letters, digits|100 characters"):
            RunConfig.preset("cifar10", "ce", f"human-{label_set}")


@pytest.mark.parametrize(
    "changed",
    [
        {"model": {"name": "cnn4", "width": 0.009}},
        {"model": {"name": "cnn4", "width": 65.0}},
        {"model": {"name": "../x"}},
        {"optimisation": {"lr": math.inf, "epochs": 1}},
        {"optimisation": {"lr": 0.1, "epochs": 100_001}},
        {"optimisation": {"lr": 0.1, "epochs": 1, "weight_decay": math.inf}},
        {"augmentation": {"shift": math.inf}},
        {"method": {"name": "sl", "alpha": math.inf, "beta": 1.0, "A": -4.0}},
        {"method": {"name": "sl", "alpha": 1.0, "beta": 1.0, "A": -math.inf}},
        {"seed": 2**63},
    ],
)
def test_values_that_no_run_has_are_refused(changed):
    fields = RunConfig.preset("digits", "ce", profile="smoke").model_dump()
    with pytest.raises(ValidationError):
        RunConfig.model_validate(fields | changed)


def test_what_was_given_is_repeated_to_200_characters_and_few_faults_are_told():
    fields = RunConfig.preset("digits", "ce", profile="smoke").model_dump()
    for wrong in ({"seed": "x" * 10_000}, {f"\x1b[2J{n}": 1 for n in range(1000)}):
        with pytest.raises(ValidationError) as caught:
            RunConfig.model_validate(fields | wrong)
        said = explain(caught.value)
        assert len(said) < 1_000
        assert "\x1b" not in said
    assert said.endswith("and 995 more like these")
