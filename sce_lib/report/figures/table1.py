"""Table 1 and Fig. 9b: all methods, by noise rate, by epoch and by class, and what others report."""

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
from sce_lib.report.figures.style import OVERALL, finish, line_style, line_with_range, panels

# The rates of Table 1's symmetric noise; clean labels are rate 0.
RATES = {"clean": 0.0} | {f"symmetric-{rate}": rate for rate in (0.2, 0.4, 0.6, 0.8)}
_EASY, _HARD = (line_style(place, 1)["color"] for place in (0, 1))
_NARROW = 6.2  # inches, so that letters are legible on a small screen
_WHOSE = {"paper": "the paper", "last": "these runs"}


def by_noise_rate(by_dataset: Mapping[str, pd.DataFrame], records: Sequence[RunRecord]) -> Figure:
    """Draw accuracy against the rate of symmetric noise: a row a data set, the paper beside our runs.

    Parameters
    ----------
    by_dataset : mapping of str to DataFrame
        From a data set's name to its cells, from `sce_lib.report.table1.cells`. Lines join the rates that
        were run; a bar spans the seeds.
    records : sequence of RunRecord
        What the cells rest on.
    """
    figure, axes = panels(2 * len(by_dataset))
    sides = [(name, table, column) for name, table in by_dataset.items() for column in _WHOSE]
    for axis, (dataset, cells, column) in zip(axes, sides, strict=True):
        table = cells[cells.index.isin(RATES, level="noise")].reset_index().dropna(subset=column)
        for method, of_method in table.groupby("method", sort=False):
            rates, style = of_method["noise"].map(RATES), _style(str(method), len(RATES))
            axis.plot(rates, of_method[column], label=method_title(str(method)), **style)
            if column == "last":
                axis.vlines(rates, of_method["last_low"], of_method["last_high"], color=style["color"])
        axis.set(title=f"{dataset}, {_WHOSE[column]}", ylim=(0, 102), xlim=(-0.04, 0.84))
        axis.set_xticks(list(RATES.values()))
    _label_rates(axes)
    _legend_below(figure, axes, columns=4)
    return finish(figure, records)


def method_curves(by_dataset: Mapping[str, Mapping[str, Sequence[RunRecord]]]) -> Figure:
    """Draw test accuracy over epochs, a panel a data set and a line a method: Fig. 9b.

    Parameters
    ----------
    by_dataset : mapping of str to mapping of str to sequence of RunRecord
        For each data set, for each method of Table 1, its runs under one noise, which differ in seed alone.
    """
    figure, axes = panels(len(by_dataset), columns=1, one_scale=False)
    for axis, (dataset, methods) in zip(axes, by_dataset.items(), strict=True):
        for method, records in methods.items():
            epochs = _epochs(records)
            values = 100 * np.array([[epoch.test_accuracy for epoch in r.epochs] for r in records])
            style = _style(method, len(epochs))
            line_with_range(axis, epochs, values, label=method_title(method), alpha=0.12, **style)
        axis.set(title=dataset, ylabel="test accuracy (%)")
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend_below(figure, axes, columns=4)
    return finish(figure, [r for methods in by_dataset.values() for runs in methods.values() for r in runs])


def hard_and_easy_curves(
    methods: Mapping[str, Sequence[RunRecord]], hard: np.ndarray, easy: np.ndarray, reference: str = "sl"
) -> Figure:
    """Draw class-wise test accuracy over epochs, a panel a method, hard classes apart from easy ones.

    Parameters
    ----------
    methods : mapping of str to sequence of RunRecord
        For each method its runs under one noise, which differ in seed alone; lines are means over seeds.
    hard, easy : array of int
        Classes of either group. A thin line is a class, a thick one the mean of its group.
    reference : str
        The method whose mean over the hard classes is shown dotted in the other panels.
    """
    figure, axes = panels(len(methods), height=1.9)
    groups = {"easy classes": (easy, _EASY, "-"), "hard classes": (hard, _HARD, "--")}
    for axis, (method, records) in zip(axes, methods.items(), strict=True):
        epochs, values = _epochs(records), _classwise(records)
        for label, (group, colour, dashes) in groups.items():
            axis.plot(epochs, values[:, group], color=colour, linewidth=0.6, alpha=0.5)
            mean = values[:, group].mean(axis=1)
            axis.plot(epochs, mean, color=colour, linestyle=dashes, linewidth=2.2, label=label)
        if method != reference and reference in methods:
            target = _classwise(methods[reference])[:, hard].mean(axis=1)
            label = f"{method_title(reference)}'s hard classes"
            axis.plot(_epochs(methods[reference]), target, color="black", linestyle=":", label=label)
        axis.set_title(records[0].config.method_setting)
    for axis in axes[::2]:
        axis.set_ylabel("test accuracy (%)")
    for axis in axes[-2:]:
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend_below(figure, axes, columns=3)
    return finish(figure, [record for records in methods.values() for record in records])


def reported_elsewhere(others: pd.DataFrame, cells: pd.DataFrame, records: Sequence[RunRecord]) -> Figure:
    """Draw what is reported for CE and for SL by rate of symmetric noise, a line a source, ours among them.

    Parameters
    ----------
    others : DataFrame
        From `sce_lib.report.published.load_others`.
    cells : DataFrame
        Cells of the same data set, from `sce_lib.report.table1.cells`: the paper's numbers, and ours.
    records : sequence of RunRecord
        What our cells rest on.
    """
    figure, axes = panels(2, height=4.2)
    lines = _sources(others, cells)
    for axis, method in zip(axes, ("ce", "sl"), strict=True):
        for place, (label, table) in enumerate(lines.items()):
            found = table[(table["method"] == method) & table["noise"].isin(RATES)].dropna(subset="accuracy")
            rates, style = found["noise"].map(RATES), line_style(place, len(RATES))
            axis.plot(rates, found["accuracy"], label=label, **style)
        axis.set(title=method_title(method), ylim=(0, 102), xlim=(-0.04, 0.84))
        axis.set_xticks(list(RATES.values()))
    _label_rates(axes)
    _legend_below(figure, axes, columns=1)
    return finish(figure, records)


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
def _style(method: str, points: int) -> dict[str, Any]:
    """Return how a method of Table 1 is drawn, the same in every figure; SL, whom it is about, stands out."""
    style = line_style(TABLE1_METHODS.index(method), points)
    return style | {"color": OVERALL, "linestyle": "-", "linewidth": 2.2} if method == "sl" else style


def _epochs(records: Sequence[RunRecord]) -> list[int]:
    return [epoch.epoch for epoch in records[0].epochs]


def _classwise(records: Sequence[RunRecord]) -> np.ndarray:
    """Return accuracy in per cent, a row an epoch and a column a class, averaged over seeds."""
    return 100 * np.array(
        [[epoch.classwise_accuracy for epoch in record.epochs] for record in records], dtype=float
    ).mean(axis=0)


def _label_rates(axes: Sequence[plt.Axes]) -> None:
    for axis in axes:
        axis.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    for axis in axes[-2:]:
        axis.set_xlabel("rate of symmetric noise")
    for axis in axes[::2]:
        axis.set_ylabel("test accuracy (%)")


def _legend_below(figure: Figure, axes: Sequence[plt.Axes], columns: int) -> None:
    """Put one legend of all panels' lines below them, each label once, and make the figure narrow."""
    figure.set_figwidth(_NARROW)
    found: dict[str, Any] = {}
    for axis in axes:
        found |= {label: line for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(
        list(found.values()),
        list(found),
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        handlelength=3.5,
        fontsize="small" if columns == 1 else None,
    )
