"""What all figures share: sizes, colours that the colour-blind can tell apart, legends, the smoke stamp."""

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from sce_lib.experiments.ledger import RunRecord, require_same_images

WIDTH = 8.0  # inches: the text column of the book
PANEL_HEIGHT = 3.2
DPI = 144  # sharp on a screen of twice the usual resolution

# Colours that the colour-blind can tell apart: seaborn's "colorblind", whose import would take as long as a
# chapter's first figure. Below they are named by meaning rather than by order.
_HEX = "0173b2 de8f05 029e73 d55e00 cc78bc ca9161 fbafe4 949494 ece133 56b4e9"
PALETTE: list[Any] = [to_rgb(f"#{value}") for value in _HEX.split()]
OVERALL = "black"
METHOD_COLORS = {name: PALETTE[place] for place, name in enumerate(("ce", "gce", "lsr", "sl", "rce"))}
STAGE_COLORS = [PALETTE[place] for place in (0, 1, 2, 7)]

# A line's colour, dashes and marker change together, so that any one of them tells lines apart.
LINE_COLORS = [PALETTE[place] for place in (0, 1, 2, 3, 4, 5, 7, 9)]
LINE_DASHES: list[Any] = [
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (1, 1)),
    (0, (8, 2)),
    (0, (3, 1)),
]
LINE_MARKERS = "os^Dv*PX"

SMALL: dict[str, Any] = {"frameon": False, "fontsize": "small"}  # a legend within a panel
SLANTED: dict[str, Any] = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"}  # names below an axis


def line_style(place: int, points: int) -> dict[str, Any]:
    """Return how the line at a place of a legend is drawn through so many points: some seven have markers."""
    return {
        **{"color": LINE_COLORS[place], "linestyle": LINE_DASHES[place], "linewidth": 1.4},
        **{"marker": LINE_MARKERS[place], "markersize": 4},
        "markevery": (place % 4 if points > 7 else 0, max(1, points // 7)),
    }


def hard_to_easy(count: int) -> np.ndarray:
    """Return a colour for each of so many classes, from the hardest, which is dark, to the easiest."""
    return plt.get_cmap("viridis")(np.linspace(0.0, 0.92, count))


def bare_panels(
    rows: int, columns: int, height: float = PANEL_HEIGHT, **options: Any
) -> tuple[Figure, np.ndarray]:
    """Return a figure as wide as the text and its axes (rows, columns); options are of `plt.subplots`."""
    size = (WIDTH, height * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **options)
    plt.close(figure)  # for pyplot, which would keep it should an error follow; it can still be drawn on
    return figure, axes


def rows_of_panels(rows: int, columns: int, **options: Any) -> tuple[Figure, np.ndarray]:
    """Return `bare_panels`, each with a grid and open above and at the right."""
    figure, axes = bare_panels(rows, columns, **options)
    for axis in axes.flat:
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def panels(
    count: int, height: float = PANEL_HEIGHT, columns: int = 2, one_scale: bool = True
) -> tuple[Figure, list[plt.Axes]]:
    """Return a figure with `count` panels in rows of `columns`, and its axes.

    The panels have one scale, or with `one_scale` off heights of their own.
    """
    columns = min(count, columns)
    options: dict[str, Any] = {"height": height, "dpi": DPI, "sharex": True, "sharey": one_scale}
    figure, axes = rows_of_panels(-(-count // columns), columns, **options)
    flat = list(axes.flat)
    for unused in flat[count:]:
        unused.remove()
    for lowest in flat[max(0, count - columns) : count]:  # what stood under it may have been removed
        lowest.tick_params(labelbottom=True)
    return figure, flat[:count]


def over_epochs(records: Sequence[RunRecord], measure: str = "test_accuracy") -> tuple[list[int], np.ndarray]:
    """Return the epochs of runs, and a measure of each in per cent: a row a run, a column an epoch.

    ``"classwise_accuracy"`` has a third axis, the classes.
    """
    epochs = [epoch.epoch for epoch in records[0].epochs]
    return epochs, per_cent([[getattr(epoch, measure) for epoch in record.epochs] for record in records])


def per_cent(shares: Sequence | np.ndarray) -> np.ndarray:
    """Return shares in per cent; what is None is NaN."""
    return 100 * np.asarray(shares, dtype=float)


def line_with_range(
    axis: plt.Axes, x: Any, values: np.ndarray, *style: str, color: Any, alpha: float = 0.2, **options: Any
) -> None:
    """Draw the mean over seeds of `values` (seeds, len(x)) as a line, and a band that spans the seeds.

    `style` and `options` are those of `Axes.plot`; `alpha` is the band's.
    """
    axis.fill_between(x, values.min(axis=0), values.max(axis=0), color=color, alpha=alpha, linewidth=0)
    axis.plot(x, values.mean(axis=0), *style, color=color, **options)


def label_heights(axes: Sequence[plt.Axes], label: str) -> None:
    """Say what the heights are at the left of each row of two panels."""
    for axis in axes[::2]:
        axis.set_ylabel(label)


def legend(
    figure: Figure, axes: Iterable[plt.Axes], loc: Any = "outside lower center", **options: Any
) -> None:
    """Put one legend of all panels' lines beside them, each label once; options are of `Figure.legend`."""
    found: dict[str, Any] = {}
    for axis in axes:
        found |= {label: line for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(list(found.values()), list(found), loc=loc, frameon=False, **options)


def finish(figure: Figure, *runs: Iterable[RunRecord]) -> Figure:
    """Stamp a figure that rests on smoke runs, close it for pyplot, and return it.

    Raises
    ------
    MixedImages
        If the records were made from different images.
    """
    records = [record for group in runs for record in group]
    require_same_images(records)
    if any(record.config.profile == "smoke" for record in records):
        look: dict[str, Any] = {"fontsize": 60, "color": "grey", "alpha": 0.25}
        figure.text(0.5, 0.5, "smoke", rotation=25, ha="center", va="center", **look)
    plt.close(figure)
    return figure
