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
from sce_lib.report.figures import style

WIDTH = 6.4  # inches: narrower than other figures, so that labels can be read on a phone
_ROW, _FRAME = 0.62, 0.9  # inches a row, and of what is around the rows
_SL_FOR_CE = "SL in the place of CE"
_COLORS = style.METHOD_COLORS | {"lead": style.OVERALL}


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
            axis.axvline(value, color=style.OVERALL, linestyle=":", linewidth=1, zorder=0)
    return style.finish(figure, *by_dataset.values())


def leads(by_dataset: Mapping[str, Sequence[RunRecord]]) -> Figure:
    """Draw how far SL ends above CE where both have one detail changed, or none. See `by_size`."""
    tables = {dataset: effects.leads(runs).assign(method="lead") for dataset, runs in by_dataset.items()}
    figure, _ = _draw(tables, "SL less CE, last accuracy (points)")
    return style.finish(figure, *by_dataset.values())


def _draw(tables: Mapping[str, pd.DataFrame], label: str) -> tuple[Figure, list[plt.Axes]]:
    for dataset, table in tables.items():
        if table.empty:
            raise ValueError(f"{dataset} has no two runs that differ in one detail: no effect can be drawn")
    whole = pd.concat(tables.values())
    rows = sum(table["change"].nunique() for table in tables.values())
    figure, axes = style.panels(len(tables), columns=1, one_scale=False)
    figure.set_size_inches(WIDTH, _ROW * rows + _FRAME * len(tables))
    markers = dict(zip(sorted(set(whole["noise"])), style.LINE_MARKERS, strict=False))
    for axis, (dataset, table) in zip(axes, tables.items(), strict=True):
        _dots(axis, table, markers)
        axis.set_title(dataset)
    # Two seeds can give an interval many times as long as all effects: it runs out of the frame.
    low, high = min(0.0, whole["effect"].min()), max(0.0, whole["effect"].max())
    axes[0].set_xlim(low - 0.15 * (high - low), high + 0.15 * (high - low))
    axes[-1].set_xlabel(label)
    methods = [method for method in ("ce", "sl") if (whole["method"] == method).any()]
    handles = [Line2D([], [], color=_COLORS[name], linewidth=4, label=name.upper()) for name in methods]
    for noise, marker in markers.items():
        look = {"color": "grey", "linestyle": "", "marker": marker}
        handles.append(Line2D([], [], label=noise.replace("-", " "), **look))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure, axes


def _dots(axis: plt.Axes, table: pd.DataFrame, markers: Mapping[str, str]) -> None:
    """Draw a row a change, the largest on top; in a row CE above SL, and low rates above high ones."""
    sizes = table["effect"].abs().groupby(table["change"]).max().sort_values(kind="stable")
    for place, change in enumerate(sizes.index):
        # By name, CE stands before SL; the lead of SL is alone in its row.
        of_row = table[table["change"] == change].sort_values(["method", "noise"], kind="stable")
        heights = place + np.linspace(0.36, -0.36, len(of_row) + 2)[1:-1]
        for height, (_, row) in zip(heights, of_row.iterrows(), strict=True):
            color = _COLORS[row["method"]]
            axis.plot(row["effect"], height, markers[row["noise"]], color=color, markersize=6)
            if np.isfinite(row["low"]):
                axis.hlines(height, row["low"], row["high"], color=color, linewidth=1.3)
    titles = [name if name == _SL_FOR_CE else effects.title(name) for name in sizes.index]
    axis.set_yticks(range(len(titles)), [textwrap.fill(title, 24) for title in titles])
    axis.set_ylim(-0.6, len(titles) - 0.4)
    axis.axvline(0, color=style.OVERALL, linewidth=0.8, zorder=0)
    for between in np.arange(0.5, len(titles) - 1):
        axis.axhline(between, color="lightgrey", linewidth=0.8, zorder=0)
    axis.grid(False, axis="y")
