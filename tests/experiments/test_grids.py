"""The grids of the paper's figures and tables: their cells, their sizes, and what they share."""

import itertools
import subprocess
import sys

import pytest

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.parts import SL
from sce_lib.experiments.grids import FIRST_SEED, GRIDS, OF_ONE_DATASET, TABLE1_METHODS, default_dataset, grid

CELLS = {
    "figure1": 4,
    "figure2": 3,
    "figure3": 2,
    "figure4": 1,
    "figure5": 2,
    "figure6": 1,
    "figure7": 2,
    "figure8": 10,
    "floor": 2,
    "ce_and_sl": 6,
    "figure9": 14,
    "figure9a": 7,
    "figure9b": 7,
    "table1": 56,
    "table1_sample": 9,
    "table2": 9,
    "table3": 6,
    "cifar10n": 20,
    "fidelity": 12,
    "factors": 47,
    "six_ce": 3,
    "regime": 24,
    "capacity": 6,
}


# Details that say nothing of a data set: grey digits are not augmented, CIFAR's classes are of one size.
FACTORS_ELSEWHERE = {"digits": 35, "mnist": 35, "fashion_mnist": 29, "cifar100": 41}
ELSEWHERE = {"factors": FACTORS_ELSEWHERE, "regime": dict.fromkeys(("digits", "mnist", "fashion_mnist"), 12)}


def test_every_grid_has_its_cells():
    assert GRIDS.keys() == CELLS.keys()
    for name, cells in CELLS.items():
        assert len(grid(name, profile="full")) == cells


@pytest.mark.parametrize("profile", ["smoke", "laptop", "full"])
@pytest.mark.parametrize("name", [name for name in GRIDS if name not in OF_ONE_DATASET])
@pytest.mark.parametrize("dataset", ["digits", "mnist", "fashion_mnist", "cifar10", "cifar100"])
def test_every_grid_is_made_of_runs_that_differ(name, dataset, profile):
    seeds = 2
    for protocol in ("paper", "released"):
        configs = grid(name, dataset, protocol, profile, seeds)
        cells = [cell for block in GRIDS[name] for cell in block.cells]
        number = ELSEWHERE.get(name, {}).get(dataset, CELLS[name])
        d2l = 0 if protocol == "paper" else sum(cell[0] in ("d2l", "d2l+sl") for cell in cells)
        assert len({config.run_id for config in configs}) == len(configs) == seeds * (number - d2l)
        first = FIRST_SEED.get(name, 0)
        assert {config.seed for config in configs} == set(range(first, first + seeds))
        assert {(c.dataset, c.profile, c.protocol, c.section) for c in configs} == {
            (dataset, profile, block.protocol or protocol, block.section) for block in GRIDS[name]
        }


def test_the_full_table_1_is_840_runs():
    assert (
        sum(len(grid("table1", d, profile="full", seeds=5)) for d in ("mnist", "cifar10", "cifar100")) == 840
    )


def test_table_1_has_every_method_under_every_noise():
    configs = grid("table1", "cifar10")
    cells = {(config.method.name, config.noise.slug) for config in configs}
    rates = [f"symmetric-{r}" for r in (0.2, 0.4, 0.6, 0.8)] + [f"asymmetric-{r}" for r in (0.2, 0.3, 0.4)]
    assert cells == set(itertools.product(TABLE1_METHODS, ["clean", *rates]))


def test_table_3_is_of_clothing1m():
    configs = grid("table3", profile="full")
    assert {(config.dataset, config.section) for config in configs} == {("clothing1m", "5.3")}


@pytest.mark.parametrize("profile", ["smoke", "laptop", "full"])
def test_human_labels_are_of_cifar10(profile):
    configs = grid("cifar10n", profile=profile)
    assert configs == grid("cifar10n", "cifar10", profile=profile)
    cells = {(config.method.name, config.noise.label_set) for config in configs}
    kinds = ("aggre_label", "random_label1", "random_label2", "random_label3", "worse_label")
    assert cells == set(itertools.product(("ce", "gce", "lsr", "sl"), kinds))
    asked = RunConfig.preset("cifar10", "sl", "human-worse_label", profile=profile, section="5.2")
    assert asked in configs


def test_figure_8_varies_alpha_and_then_A():
    methods = [config.method for config in grid("figure8", "cifar10", profile="full")]
    assert all(isinstance(method, SL) and method.beta == 1.0 for method in methods)
    assert [m.alpha for m in methods if m.A == -6] == [1.0, 0.5, 0.1, 0.01]
    assert {(m.alpha, m.A) for m in methods} >= set(itertools.product((0.1, 1.0), (-8.0, -6.0, -4.0, -2.0)))


def test_figure_9_is_of_two_sections():
    runs = [config.run_id for name in ("figure9a", "figure9b") for config in grid(name, "cifar10")]
    assert [config.run_id for config in grid("figure9", "cifar10")] == runs


@pytest.mark.parametrize("dataset", ["mnist", "cifar10", "cifar100"])
def test_fidelity_pairs_the_protocols_cell_by_cell(dataset):
    """Each cell of one protocol has its twin in the other, of the same section, method and rate."""
    configs = grid("fidelity", dataset, profile="full", seeds=2)
    assert grid("fidelity", dataset, "released", "full", seeds=2) == configs
    of = {p: [c for c in configs if c.protocol == p] for p in ("paper", "released")}
    twins = [[(c.seed, c.method.name, c.noise.rate, c.section) for c in of[p]] for p in of]
    assert twins[0] == twins[1]
    assert {(name, rate) for _, name, rate, _ in twins[0]} == set(
        itertools.product(("ce", "sl"), (0.4, 0.6, 0.8))
    )


def test_figures_share_the_runs_that_they_share():
    """Figs. 2, 3, 4 and 6 show runs of Fig. 1: they are trained once."""
    of_figure1 = {config.run_id for config in grid("figure1", "cifar10", seeds=2)}
    for name in ("figure2", "figure3", "figure4", "figure6"):
        assert {config.run_id for config in grid(name, "cifar10", seeds=2)} <= of_figure1


def test_seeds_go_one_by_one():
    seeds = [config.seed for config in grid("figure2", "digits", profile="smoke", seeds=2)]
    assert seeds == [0, 0, 0, 1, 1, 1]


def test_data_sets_of_profiles():
    assert default_dataset("smoke") == grid("figure1", profile="smoke")[0].dataset == "digits"
    assert default_dataset("laptop") == grid("figure1", profile="full")[0].dataset == "cifar10"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("figure10",), "figure10.*figure1.*table3"),
        (("figure1", "digits", "paper", "huge"), "huge"),
        (("figure1", "digits", "theirs"), "theirs"),
        (("figure1", "digits", "paper", "smoke", 0), "not 0"),
        (("figure1", "no/such"), "no/such"),
        (("cifar10n", "mnist"), "cifar10n.*CIFAR-10's images, not 'mnist'"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        grid(*arguments)


def test_the_sample_of_table_1_is_part_of_it():
    runs = {config.run_id for config in grid("table1", "digits", profile="smoke")}
    sample = grid("table1_sample", profile="smoke")
    assert {config.run_id for config in sample} < runs
    assert len({c.method.name for c in sample}) == len({c.noise.slug for c in sample}) == 3


def test_grids_are_known_without_torch_or_pandas():
    """A slip at the command line is answered before anything slow is loaded."""
    slow = "import sys, sce_lib.experiments.grids; sys.exit(bool({'torch', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", slow], check=False).returncode == 0


def test_the_regimes_are_what_keeps_a_network_from_memorising():
    changes = {config.changes for config in grid("regime", "cifar10", seeds=3)}
    assert changes == {
        "bfloat16",
        "no L2, bfloat16",
        "no shift, no flip, bfloat16",
        "no L2, no shift, no flip, bfloat16",
    }


def test_capacity_has_as_many_weights_an_image_as_the_paper():
    from sce_lib.models import build_model

    def weights_an_image(config, images):
        model = build_model(config.model.name, 10, 3, (32, 32), config.model.width)
        return sum(parameter.numel() for parameter in model.parameters()) / images

    run = grid("capacity", "cifar10")[0]
    paper = grid("table1", "cifar10", profile="full")[0]
    assert run.optimisation.epochs == paper.optimisation.epochs
    assert run.optimisation.milestones == paper.optimisation.milestones
    ratio = weights_an_image(run, run.n_train) / weights_an_image(paper, 50_000)
    assert 0.8 < ratio < 1.6
