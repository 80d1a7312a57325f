"""From a figure or table of the paper to the runs that it needs."""

from sce_lib.config import RunConfig
from sce_lib.config.presets import RELEASED_A
from sce_lib.config.schema import SL, Part, Profile, Protocol, Section

Cell = tuple[str | Part, str]

TABLE1_METHODS = ("ce", "lsr", "bootstrap", "forward", "d2l", "gce", "sl")
TABLE1_NOISE = (
    "none",
    *(f"symmetric-{rate}" for rate in (0.2, 0.4, 0.6, 0.8)),
    *(f"asymmetric-{rate}" for rate in (0.2, 0.3, 0.4)),
)
_FIGURE2: list[Cell] = [("ce", "none"), ("ce", "symmetric-0.4"), ("sl", "symmetric-0.4")]
_CE_AND_SL_60: list[Cell] = [("ce", "symmetric-0.6"), ("sl", "symmetric-0.6")]
# §5.1's ranges, all at 60 % symmetric noise: alpha at A = -6, then A at alpha = 0.1 and at alpha = 1.
_FIGURE8 = [
    *(SL(alpha=alpha, beta=1.0, A=-6.0) for alpha in (1.0, 0.5, 0.1, 0.01)),
    *(SL(alpha=alpha, beta=1.0, A=A) for alpha in (0.1, 1.0) for A in (-8.0, -4.0, -2.0)),
]
# log 0 := A beside Fig. 8: the released code's value, and another pair with beta * A = -6.
_FLOOR = [SL(alpha=0.1, beta=1.0, A=RELEASED_A), SL(alpha=0.1, beta=1.5, A=-4.0)]
_ABLATION = ("ce", "2ce", "5ce", "rce", "2rce", "5rce", "sl")

GRIDS: dict[str, tuple[Section | None, list[Cell]]] = {
    "figure1": ("5.1", [*_FIGURE2, ("lsr", "symmetric-0.4")]),
    "figure2": ("5.1", _FIGURE2),
    "figure3": ("5.1", [("ce", "none"), ("ce", "symmetric-0.4")]),
    "figure4": ("5.1", [("ce", "symmetric-0.4")]),
    "figure5": ("5.1", _CE_AND_SL_60),
    "figure6": ("5.1", [("sl", "symmetric-0.4")]),
    "figure7": ("5.1", _CE_AND_SL_60),
    "figure8": ("5.1", [(method, "symmetric-0.6") for method in _FIGURE8]),
    "floor": ("5.1", [(method, "symmetric-0.6") for method in _FLOOR]),
    "ce_and_sl": ("5.1", [(m, n) for n in ("none", "symmetric-0.4", "symmetric-0.6") for m in ("ce", "sl")]),
    "figure9a": ("5.1", [(method, "symmetric-0.6") for method in _ABLATION]),
    "figure9b": ("5.2", [(method, "symmetric-0.6") for method in TABLE1_METHODS]),
    "table1": ("5.2", [(method, noise) for method in TABLE1_METHODS for noise in TABLE1_NOISE]),
    "table2": (
        "5.2",
        [
            (method, noise)
            for method in ("forward+sl", "lsr+sl")
            for noise in ("symmetric-0.4", "symmetric-0.6", "asymmetric-0.4")
        ],
    ),
    "table3": ("5.3", [(method, "none") for method in ("ce", "bootstrap", "forward", "d2l", "gce", "sl")]),
}


def default_dataset(profile: Profile) -> str:
    """Return the data set of a profile where none is named: digits for smoke, the paper's CIFAR-10 else."""
    return "digits" if profile == "smoke" else "cifar10"


def grid(
    name: str,
    dataset: str = "auto",
    profile: Profile = "laptop",
    protocol: Protocol = "paper",
    seeds: int = 1,
) -> list[RunConfig]:
    """Return the runs of a figure or table: every cell with seeds 0 to `seeds` - 1, seed by seed.

    Parameters
    ----------
    name : str
        A key of `GRIDS`: ``"figure1"``, ``"table1"``.
    dataset : str
        Name of the data set; ``"auto"`` is `default_dataset`.
    profile, protocol : str
        How much, and whose details.
    seeds : int
        Runs of each cell, at least 1.

    Raises
    ------
    ValueError
        For a grid that is not known, or fewer than one seed.

    Examples
    --------
    >>> [config.run_id.rsplit("-", 1)[0] for config in grid("figure3", profile="smoke")]
    ['ce-clean-smoke-s0', 'ce-symmetric-0.4-smoke-s0']
    >>> len(grid("table1", "mnist", profile="full", seeds=5))
    280
    """
    if name not in GRIDS:
        raise ValueError(f"grid {name!r} is not known; known are {', '.join(GRIDS)}")
    if seeds < 1:
        raise ValueError(f"seeds is how many runs each cell gets, at least 1, not {seeds}")
    section, cells = GRIDS[name]
    if dataset == "auto":
        dataset = "clothing1m" if name == "table3" else default_dataset(profile)
    return [
        RunConfig.preset(dataset, method, noise, protocol, profile, section, seed)
        for seed in range(seeds)
        for method, noise in cells
        if not (method == "d2l" and protocol == "released")
    ]
