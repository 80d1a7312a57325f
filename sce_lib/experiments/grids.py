"""From a figure or table of the paper to the runs that it needs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from sce_lib import quoted
from sce_lib.experiments.config import RunConfig, Scale
from sce_lib.experiments.config.base import did_you_mean
from sce_lib.experiments.config.factors import FACTORS, Changes, change, changed
from sce_lib.experiments.config.parts import SL, Part, Profile, Protocol, Section
from sce_lib.experiments.config.presets import PAPER_SECTIONS, RELEASED_A
from sce_lib.noise.cifar10n import CIFAR10N

Cell = tuple[str | Part, str]
_OWN_SCALE = Scale()

TABLE1_METHODS = ("ce", "lsr", "bootstrap", "forward", "d2l", "gce", "sl")
TABLE1_NOISE = (
    "clean",
    *(f"symmetric-{rate}" for rate in (0.2, 0.4, 0.6, 0.8)),
    *(f"asymmetric-{rate}" for rate in (0.2, 0.3, 0.4)),
)
# D2L+SL is in the caption of Table 2 alone; each is set beside the method before its plus sign, and SL.
TABLE2_METHODS = ("forward+sl", "lsr+sl", "d2l+sl")
TABLE2_NOISE = ("symmetric-0.4", "symmetric-0.6", "asymmetric-0.4")
_TABLE1_SAMPLE = ("clean", "symmetric-0.6", "asymmetric-0.4")
_FIGURE2: list[Cell] = [("ce", "clean"), ("ce", "symmetric-0.4"), ("sl", "symmetric-0.4")]
_CE_AND_SL_60: list[Cell] = [("ce", "symmetric-0.6"), ("sl", "symmetric-0.6")]


def sl_setting(alpha: float, A: float, beta: float = 1.0) -> SL:
    """Return SL at a point of Fig. 8.

    Examples
    --------
    >>> sl_setting(0.1, -6)
    SL(name='sl', alpha=0.1, beta=1.0, A=-6.0)
    """
    return SL(alpha=alpha, beta=beta, A=A)


# §5.1's ranges, all at 60 % symmetric noise: alpha at its own A, then A at alpha = 0.1 and at alpha = 1.
FIGURE8_ALPHAS, FIGURE8_FLOORS = (1.0, 0.5, 0.1, 0.01), (-8.0, -6.0, -4.0, -2.0)
FIGURE8_FLOOR: float = PAPER_SECTIONS["5.1"]["A"]
_FIGURE8 = [
    *(sl_setting(alpha, FIGURE8_FLOOR) for alpha in FIGURE8_ALPHAS),
    *(sl_setting(alpha, A) for alpha in (0.1, 1.0) for A in FIGURE8_FLOORS if A != FIGURE8_FLOOR),
]
# log 0 := A beside Fig. 8: the released code's value, and another pair with beta * A = -6.
SAME_PRODUCT = sl_setting(0.1, -4.0, beta=1.5)
_FLOOR = [sl_setting(0.1, RELEASED_A), SAME_PRODUCT]
_ABLATION = ("ce", "2ce", "5ce", "rce", "2rce", "5rce", "sl")

# CIFAR-10N: the methods asked of labels that people gave.
CIFAR10N_METHODS = ("ce", "gce", "lsr", "sl")

# Where the text and its released code are compared, as wholes and detail by detail.
FIDELITY_NOISE = ("symmetric-0.4", "symmetric-0.6", "symmetric-0.8")
_FIDELITY: list[Cell] = [(method, noise) for noise in FIDELITY_NOISE for method in ("ce", "sl")]


@dataclass(frozen=True)
class Block:
    """Cells of a grid that share a section's settings, and a protocol where it is the grid's to choose.

    Parameters
    ----------
    section, cells : str, list of (method, noise)
        As `RunConfig.preset` takes them.
    protocol : str, optional
        Of these cells, where it is not the one that is asked for.
    factors : tuple of str
        Keys of `FACTORS` to change in each cell; cells of which one says nothing are left out.
    changes : callable, optional
        What else is set otherwise, from a run to its changed fields: scale, precision.
    """

    section: Section
    cells: list[Cell]
    protocol: Protocol | None = None
    factors: tuple[str, ...] = ()
    changes: Callable[[RunConfig], Changes] | None = None


def _of_capacity(run: RunConfig) -> Changes:
    """Return twice the width and four times the epochs: weights an image as in the paper, at `laptop`."""
    sgd = run.optimisation
    longer = {"epochs": 4 * sgd.epochs, "milestones": tuple(4 * epoch for epoch in sgd.milestones)}
    return {"precision": "bfloat16", "model": {"width": 2 * run.model.width}, "optimisation": longer}


# What keeps a network from learning wrong labels by heart: L2 and augmentation, each with and without.
_REGIMES: tuple[tuple[str, ...], ...] = ((), ("no-l2",), ("no-augmentation",), ("no-augmentation", "no-l2"))


_FIGURE9A = Block("5.1", [(method, "symmetric-0.6") for method in _ABLATION])
_FIGURE9B = Block("5.2", [(method, "symmetric-0.6") for method in TABLE1_METHODS])

# Each grid's blocks, by the grid's name; each cell of them is a run a seed.
GRIDS: dict[str, tuple[Block, ...]] = {
    "figure1": (Block("5.1", [*_FIGURE2, ("lsr", "symmetric-0.4")]),),
    "figure2": (Block("5.1", _FIGURE2),),
    "figure3": (Block("5.1", [("ce", "clean"), ("ce", "symmetric-0.4")]),),
    "figure4": (Block("5.1", [("ce", "symmetric-0.4")]),),
    "figure5": (Block("5.1", _CE_AND_SL_60),),
    "figure6": (Block("5.1", [("sl", "symmetric-0.4")]),),
    "figure7": (Block("5.1", _CE_AND_SL_60),),
    "figure8": (Block("5.1", [(method, "symmetric-0.6") for method in _FIGURE8]),),
    "floor": (Block("5.1", [(method, "symmetric-0.6") for method in _FLOOR]),),
    "ce_and_sl": (
        Block("5.1", [(m, n) for n in ("clean", "symmetric-0.4", "symmetric-0.6") for m in ("ce", "sl")]),
    ),
    "figure9": (_FIGURE9A, _FIGURE9B),
    "figure9a": (_FIGURE9A,),
    "figure9b": (_FIGURE9B,),
    "table1": (Block("5.2", [(method, noise) for method in TABLE1_METHODS for noise in TABLE1_NOISE]),),
    # Enough to see that chapter 8 works.
    "table1_sample": (Block("5.2", [(m, n) for m in ("ce", "gce", "sl") for n in _TABLE1_SAMPLE]),),
    "table2": (Block("5.2", [(method, noise) for method in TABLE2_METHODS for noise in TABLE2_NOISE]),),
    "table3": (Block("5.3", [(m, "clean") for m in ("ce", "bootstrap", "forward", "d2l", "gce", "sl")]),),
    "cifar10n": (Block("5.2", [(m, f"human-{kind}") for kind in CIFAR10N for m in CIFAR10N_METHODS]),),
    "fidelity": (Block("5.2", _FIDELITY, "paper"), Block("5.2", _FIDELITY, "released")),
    # One detail at a time; one draw of the noise is about the spread of seeds, and asked at one rate.
    "factors": tuple(
        Block("5.2", _CE_AND_SL_60 if factor == "one-draw" else _FIDELITY, "paper", (factor,))
        for factor in FACTORS
        if factor != "released"
    ),
    # Is CIFAR-100's setting (alpha 6, beta 0.1) six times cross entropy?
    "six_ce": (Block("5.2", [(method, "symmetric-0.4") for method in ("ce", "6ce", "sl")]),),
    # Does what SL gains depend on what cross entropy learns by heart? Chapter 12.
    "regime": tuple(
        Block("5.2", _FIDELITY, "paper", factors, lambda run: {"precision": "bfloat16"})
        for factors in _REGIMES
    ),
    "capacity": (Block("5.2", _FIDELITY, "paper", changes=_of_capacity),),
}

# Grids whose rules were written after runs with the seeds from 0 on had been seen begin at a fresh one.
FIRST_SEED = {"regime": 10, "capacity": 10}

# The data set that a grid is of where none is named, for those that are of one alone.
OF_ONE_DATASET = {"table3": "clothing1m", "cifar10n": "cifar10"}


def default_dataset(profile: Profile) -> str:
    """Return the data set of a profile where none is named: digits for smoke, the paper's CIFAR-10 else."""
    return "digits" if profile == "smoke" else "cifar10"


def grid(
    name: str,
    dataset: str = "auto",
    protocol: Protocol = "paper",
    profile: Profile = "laptop",
    seeds: int = 1,
    scale: Scale = _OWN_SCALE,
) -> list[RunConfig]:
    """Return the runs of a figure or table: every cell with `seeds` seeds, seed by seed.

    They count from 0, or from the grid's `FIRST_SEED`.

    Parameters
    ----------
    name : str
        A key of `GRIDS`: ``"figure1"``, ``"table1"``.
    dataset : str
        ``"auto"`` is `default_dataset`, or the one that the grid is of.
    protocol, profile : str
        Whose details, and how much; ``"fidelity"`` compares both protocols, whichever is given.
    seeds : int
        Runs of each cell, at least 1.
    scale : Scale
        Images, epochs and width, where they are not the profile's own.

    Raises
    ------
    ValueError
        For a grid that is not known, fewer than one seed, or human labels of other images than CIFAR-10's.

    Examples
    --------
    >>> [config.run_id.rsplit("-", 1)[0] for config in grid("figure3", profile="smoke")]
    ['ce-clean-smoke-s0', 'ce-symmetric-0.4-smoke-s0']
    >>> len(grid("table1", "mnist", profile="full", seeds=5))
    280
    """
    if name not in GRIDS:
        meant = did_you_mean(name, GRIDS)
        raise ValueError(f"grid {quoted(name)} is not known; known are {', '.join(GRIDS)}{meant}")
    if seeds < 1:
        raise ValueError(f"seeds is how many runs each cell gets, at least 1, not {seeds}")
    if dataset == "auto":
        dataset = OF_ONE_DATASET.get(name) or default_dataset(profile)
    if name == "cifar10n" and dataset != "cifar10":
        raise ValueError(
            f"grid 'cifar10n' is of labels that people gave CIFAR-10's images, not {dataset!r}'s"
        )
    first = FIRST_SEED.get(name, 0)
    wanted = product(range(first, first + seeds), GRIDS[name])
    cells = (_runs(block, dataset, protocol, profile, seed, scale) for seed, block in wanted)
    return [config for runs in cells for config in runs]


def _runs(
    block: Block, dataset: str, protocol: Protocol, profile: Profile, seed: int, scale: Scale
) -> Iterator[RunConfig]:
    protocol = block.protocol or protocol
    for method, noise in block.cells:
        if method in ("d2l", "d2l+sl") and protocol == "released":  # which has no D2L
            continue
        config = RunConfig.preset(dataset, method, noise, protocol, profile, block.section, seed, scale)
        if (run := _changed(config, block)) is not None:
            yield run


def _changed(config: RunConfig, block: Block) -> RunConfig | None:
    """Return a block's run, or None where one of its factors says nothing of such a run."""
    for factor in block.factors:
        if (of_factor := change(config, factor)) is None:
            return None
        config = of_factor
    return changed(config, block.changes(config)) if block.changes else config
