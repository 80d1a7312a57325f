"""What all figures share: sizes, colours that colour-blind readers can tell apart, the smoke stamp."""

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from sce_lib.experiments.ledger import RunRecord, require_same_images

WIDTH = 8.0  # inches: the text column of the book
PANEL_HEIGHT = 3.2
DPI = 144  # sharp on a screen of twice the usual resolution

# Okabe and Ito's colours, as seaborn has them, by meaning rather than by order.
_COLORBLIND = sns.color_palette("colorblind")
OVERALL = "black"
METHOD_COLORS = {
    "ce": _COLORBLIND[0],
    "lsr": _COLORBLIND[2],
    "sl": _COLORBLIND[3],
    "rce": _COLORBLIND[4],
    "gce": _COLORBLIND[1],
}
STAGE_COLORS = [_COLORBLIND[0], _COLORBLIND[1], _COLORBLIND[2], _COLORBLIND[7]]

# A line's colour, dashes and marker change together, so that any one of them tells lines apart.
LINE_COLORS = [_COLORBLIND[place] for place in (0, 1, 2, 3, 4, 5, 7, 9)]
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


def line_style(place: int, points: int) -> dict[str, Any]:
    """Return how the line at a place of a legend is drawn through so many points: some seven have markers."""
    return {
        "color": LINE_COLORS[place],
        "linestyle": LINE_DASHES[place],
        "marker": LINE_MARKERS[place],
        "markersize": 4,
        "markevery": (place % 4 if points > 7 else 0, max(1, points // 7)),
        "linewidth": 1.4,
    }


def panels(
    count: int, height: float = PANEL_HEIGHT, columns: int = 2, one_scale: bool = True
) -> tuple[Figure, list[plt.Axes]]:
    """Return a figure with `count` panels in rows of `columns`, and its axes.

    The panels have one scale, or with `one_scale` off heights of their own.
    """
    columns = min(count, columns)
    rows = -(-count // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(WIDTH, height * rows),
        dpi=DPI,
        sharex=True,
        sharey=one_scale,
        squeeze=False,
        layout="constrained",
    )
    plt.close(figure)  # for pyplot, which would keep it should an error follow; it can still be drawn on
    flat = list(axes.flat)
    for unused in flat[count:]:
        unused.remove()
    for axis in flat[:count]:
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    for lowest in flat[max(0, count - columns) : count]:  # what stood under it may have been removed
        lowest.tick_params(labelbottom=True)
    return figure, flat[:count]


def line_with_range(
    axis: plt.Axes,
    x: Sequence[int] | np.ndarray,
    values: np.ndarray,
    *style: str,
    color: Any,
    alpha: float = 0.2,
    **options: Any,
) -> None:
    """Draw the mean over seeds of `values` (seeds, len(x)) as a line, and a band that spans the seeds.

    `style` and `options` are those of `Axes.plot`; `alpha` is the band's.
    """
    axis.fill_between(x, values.min(axis=0), values.max(axis=0), color=color, alpha=alpha, linewidth=0)
    axis.plot(x, values.mean(axis=0), *style, color=color, **options)


def finish(figure: Figure, records: Iterable[RunRecord]) -> Figure:
    """Stamp a figure that rests on smoke runs, close it for pyplot, and return it.

    Raises
    ------
    MixedImages
        If the records were made from different images.
    """
    records = list(records)
    require_same_images(records)
    if any(record.config.profile == "smoke" for record in records):
        figure.text(
            0.5, 0.5, "smoke", fontsize=60, color="grey", alpha=0.25, rotation=25, ha="center", va="center"
        )
    plt.close(figure)
    return figure
