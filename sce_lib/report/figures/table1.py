"""Table 1 and Fig. 9b: all methods, by noise rate, by epoch and by class, and what others report.

Cells are from `sce_lib.report.table1.cells`, and `records` what they rest on. Runs of a method differ in seed
alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from sce_lib.experiments.config.parts import method_title
from sce_lib.experiments.grids import TABLE1_METHODS
from sce_lib.experiments.ledger import RunRecord
from sce_lib.report.figures import style

# The rates of Table 1's symmetric noise; clean labels are rate 0.
RATES = {"clean": 0.0} | {f"symmetric-{rate}": rate for rate in (0.2, 0.4, 0.6, 0.8)}
_EASY, _HARD = style.LINE_COLORS[:2]
_NARROW = 6.2  # inches, so that letters are legible on a small screen
_WHOSE = {"paper": "the paper", "last": "these runs"}


def by_noise_rate(by_dataset: Mapping[str, pd.DataFrame], records: Sequence[RunRecord]) -> Figure:
    """Draw accuracy against the rate of symmetric noise: a row a data set, the paper beside our runs.

    Parameters
    ----------
    by_dataset : mapping of str to DataFrame
        From a data set's name to its cells. Lines join the rates that were run; a bar spans the seeds.
    """
    figure, axes = style.panels(2 * len(by_dataset))
    sides = [(name, table, column) for name, table in by_dataset.items() for column in _WHOSE]
    for axis, (dataset, cells, column) in zip(axes, sides, strict=True):
        table = cells[cells.index.isin(RATES, level="noise")].reset_index().dropna(subset=column)
        for method, of_method in table.groupby("method", sort=False):
            rates, look = of_method["noise"].map(RATES), _look(str(method), len(RATES))
            axis.plot(rates, of_method[column], **look)
            if column == "last":
                axis.vlines(rates, of_method["last_low"], of_method["last_high"], color=look["color"])
        axis.set_title(f"{dataset}, {_WHOSE[column]}")
    _label_rates(axes)
    _legend_below(figure, axes, columns=4)
    return style.finish(figure, records)


def method_curves(by_dataset: Mapping[str, Mapping[str, Sequence[RunRecord]]]) -> Figure:
    """Draw test accuracy over epochs, a panel a data set and a line a method: Fig. 9b.

    Parameters
    ----------
    by_dataset : mapping of str to mapping of str to sequence of RunRecord
        For each data set, for each method of Table 1, its runs under one noise.
    """
    figure, axes = style.panels(len(by_dataset), columns=1, one_scale=False)
    for axis, (dataset, methods) in zip(axes, by_dataset.items(), strict=True):
        for method, records in methods.items():
            epochs, values = style.over_epochs(records)
            style.line_with_range(axis, epochs, values, alpha=0.12, **_look(method, len(epochs)))
        axis.set(title=dataset, ylabel="test accuracy (%)")
    _label_epochs(axes[-1:])
    _legend_below(figure, axes, columns=4)
    return style.finish(figure, *(records for methods in by_dataset.values() for records in methods.values()))


def hard_and_easy_curves(
    methods: Mapping[str, Sequence[RunRecord]], hard: np.ndarray, easy: np.ndarray, reference: str = "sl"
) -> Figure:
    """Draw class-wise test accuracy over epochs, a panel a method, hard classes apart from easy ones.

    Parameters
    ----------
    methods : mapping of str to sequence of RunRecord
        For each method its runs under one noise; lines are means over seeds.
    hard, easy : array of int
        Classes of either group. A thin line is a class, a thick one the mean of its group.
    reference : str
        The method whose mean over the hard classes is shown dotted in the other panels.
    """
    figure, axes = style.panels(len(methods), height=1.9)
    groups = {"easy classes": (easy, _EASY, "-"), "hard classes": (hard, _HARD, "--")}
    curves = {method: style.over_epochs(runs, "classwise_accuracy") for method, runs in methods.items()}
    for axis, (method, (epochs, values)) in zip(axes, curves.items(), strict=True):
        for label, (group, colour, dashes) in groups.items():
            of_group = values.mean(axis=0)[:, group]
            axis.plot(epochs, of_group, color=colour, linewidth=0.6, alpha=0.5)
            thick = {"color": colour, "linestyle": dashes, "linewidth": 2.2}
            axis.plot(epochs, of_group.mean(axis=1), label=label, **thick)
        if method != reference and reference in methods:
            epochs, values = curves[reference]
            label = f"{method_title(reference)}'s hard classes"
            target = values.mean(axis=0)[:, hard].mean(axis=1)
            axis.plot(epochs, target, color="black", linestyle=":", label=label)
        axis.set_title(methods[method][0].config.method_setting)
    style.label_heights(axes, "test accuracy (%)")
    _label_epochs(axes[-2:])
    _legend_below(figure, axes, columns=3)
    return style.finish(figure, *methods.values())


def reported_elsewhere(others: pd.DataFrame, cells: pd.DataFrame, records: Sequence[RunRecord]) -> Figure:
    """Draw what is reported for CE and for SL by rate of symmetric noise, a line a source, ours among them.

    Parameters
    ----------
    others : DataFrame
        From `sce_lib.report.published.load_others`.
    cells : DataFrame
        Of the same data set: the paper's numbers, and ours.
    """
    figure, axes = style.panels(2, height=4.2)
    for axis, method in zip(axes, ("ce", "sl"), strict=True):
        for place, (label, table) in enumerate(_sources(others, cells).items()):
            found = table[(table["method"] == method) & table["noise"].isin(RATES)].dropna(subset="accuracy")
            look = style.line_style(place, len(RATES))
            axis.plot(found["noise"].map(RATES), found["accuracy"], label=label, **look)
        axis.set_title(method_title(method))
    _label_rates(axes)
    _legend_below(figure, axes, columns=1, fontsize="small")
    return style.finish(figure, records)


def _sources(others: pd.DataFrame, cells: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return a table of accuracies for each source, by the words of its legend."""
    flat = cells.reset_index()
    lines = {
        "the paper's Table 1: cnn8, last epoch": flat.assign(accuracy=flat["paper"]),
        "these runs, last epoch": flat.assign(accuracy=flat["last"]),
    }
    for (source, network, rule), table in others.groupby(["source", "network", "epoch_rule"], sort=False):
        epoch = "epoch rule unstated" if rule == "unstated" else f"{rule} epoch"
        lines[f"{source}: {network}, {epoch}"] = table
    return {label: table for label, table in lines.items() if table["accuracy"].notna().any()}


# --- What they share. --------------------------------------------------------------------------------
def _look(method: str, points: int) -> dict[str, Any]:
    """Return how a method of Table 1 is drawn, the same in every figure; SL, whom it is about, stands out."""
    look = style.line_style(TABLE1_METHODS.index(method), points) | {"label": method_title(method)}
    return look | {"color": style.OVERALL, "linestyle": "-", "linewidth": 2.2} if method == "sl" else look


def _label_epochs(lowest: Sequence[plt.Axes]) -> None:
    for axis in lowest:
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _label_rates(axes: Sequence[plt.Axes]) -> None:
    for axis in axes:
        axis.set(ylim=(0, 102), xlim=(-0.04, 0.84), xticks=list(RATES.values()))
        axis.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    for axis in axes[-2:]:
        axis.set_xlabel("rate of symmetric noise")
    style.label_heights(axes, "test accuracy (%)")


def _legend_below(figure: Figure, axes: Sequence[plt.Axes], columns: int, **options: Any) -> None:
    """Put the legend below the panels, and make the figure narrow."""
    figure.set_figwidth(_NARROW)
    style.legend(figure, axes, ncols=columns, handlelength=3.5, **options)
