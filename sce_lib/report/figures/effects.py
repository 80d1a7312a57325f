"""What a changed detail does: effects with intervals, ordered by size."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sce_lib.experiments.ledger import RunRecord
from sce_lib.report import effects
from sce_lib.report.figures.style import LINE_MARKERS, METHOD_COLORS, OVERALL, finish, panels

WIDTH = 6.4  # inches: narrower than other figures, so that labels can be read on a phone
_ROW, _FRAME = 0.62, 0.9  # inches a row, and of what is around the rows
_SL_FOR_CE = "SL in the place of CE"
_ORDER = ("ce", "sl", "lead")
_COLORS = METHOD_COLORS | {"lead": OVERALL}


def by_size(by_dataset: Mapping[str, Sequence[RunRecord]]) -> Figure:
    """Draw what each change adds to the last accuracy of CE and SL, a panel a data set.

    Parameters
    ----------
    by_dataset : mapping of str to sequence of RunRecord
        For each data set, by its name, its runs with nothing or one detail changed. A row is a change, that
        with the largest effect on top; a marker is a noise; bars are the intervals of
        `sce_lib.report.effects.effects`. What SL adds to CE is a row among them, in black, and a dotted line
        through all.

    Raises
    ------
    ValueError
        If a data set has no pair of runs to show an effect.
    """
    tables = {}
    for dataset, records in by_dataset.items():
        leads = effects.leads(records)
        lead = leads[leads["change"] == effects.NOTHING].assign(method="lead", change=_SL_FOR_CE)
        tables[dataset] = pd.concat([effects.effects(records), lead], ignore_index=True)
    figure, axes = _draw(tables, "added to the last accuracy (points)")
    for axis, table in zip(axes, tables.values(), strict=True):
        for value in table.loc[table["method"] == "lead", "effect"]:
            axis.axvline(value, color=OVERALL, linestyle=":", linewidth=1, zorder=0)
    return finish(figure, [record for records in by_dataset.values() for record in records])


def leads(by_dataset: Mapping[str, Sequence[RunRecord]]) -> Figure:
    """Draw how far SL ends above CE where both have one detail changed, and where nothing is.

    Parameters and errors as of `by_size`.
    """
    tables = {
        dataset: effects.leads(records).assign(method="lead") for dataset, records in by_dataset.items()
    }
    figure, _ = _draw(tables, "SL less CE, last accuracy (points)")
    return finish(figure, [record for records in by_dataset.values() for record in records])


def _draw(tables: Mapping[str, pd.DataFrame], label: str) -> tuple[Figure, list[plt.Axes]]:
    for dataset, table in tables.items():
        if table.empty:
            raise ValueError(f"{dataset} has no two runs that differ in one detail: no effect can be drawn")
    whole = pd.concat(tables.values())
    rows = sum(table["change"].nunique() for table in tables.values())
    figure, axes = panels(len(tables), columns=1, one_scale=False)
    figure.set_size_inches(WIDTH, _ROW * rows + _FRAME * len(tables))
    markers = dict(zip(sorted(set(whole["noise"])), LINE_MARKERS, strict=False))
    for axis, (dataset, table) in zip(axes, tables.items(), strict=True):
        _dots(axis, table, markers)
        axis.set_title(dataset)
    # Two seeds can give an interval many times as long as all effects: it runs out of the frame.
    low, high = min(0.0, whole["effect"].min()), max(0.0, whole["effect"].max())
    axes[0].set_xlim(low - 0.15 * (high - low), high + 0.15 * (high - low))
    axes[-1].set_xlabel(label)
    _legend(figure, [method for method in ("ce", "sl") if (whole["method"] == method).any()], markers)
    return figure, axes


def _dots(axis: plt.Axes, table: pd.DataFrame, markers: Mapping[str, str]) -> None:
    """Draw a row a change, the largest on top; in a row CE above SL, and low rates above high ones."""
    sizes = table["effect"].abs().groupby(table["change"]).max().sort_values(kind="stable")
    for place, change in enumerate(sizes.index):
        of_row = table[table["change"] == change]
        order = sorted(of_row.index, key=lambda i: (_ORDER.index(of_row["method"][i]), of_row["noise"][i]))
        for height, i in zip(place + _offsets(len(order)), order, strict=True):
            row, color = of_row.loc[i], _COLORS[of_row["method"][i]]
            axis.plot(row["effect"], height, markers[row["noise"]], color=color, markersize=6)
            if np.isfinite(row["low"]):
                axis.hlines(height, row["low"], row["high"], color=color, linewidth=1.3)
    titles = [name if name == _SL_FOR_CE else effects.title(name) for name in sizes.index]
    axis.set_yticks(range(len(titles)), [textwrap.fill(title, 24) for title in titles])
    axis.set_ylim(-0.6, len(titles) - 0.4)
    axis.axvline(0, color=OVERALL, linewidth=0.8, zorder=0)
    for between in np.arange(0.5, len(titles) - 1):
        axis.axhline(between, color="lightgrey", linewidth=0.8, zorder=0)
    axis.grid(False, axis="y")


def _offsets(count: int) -> np.ndarray:
    """Return heights around 0 for the dots of a row, from the top down."""
    return np.linspace(0.36, -0.36, count + 2)[1:-1] if count else np.empty(0)


def _legend(figure: Figure, methods: Sequence[str], markers: Mapping[str, str]) -> None:
    handles = [Line2D([], [], color=_COLORS[name], linewidth=4, label=name.upper()) for name in methods]
    handles += [
        Line2D([], [], color="grey", marker=marker, linestyle="", label=noise.replace("-", " "))
        for noise, marker in markers.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
