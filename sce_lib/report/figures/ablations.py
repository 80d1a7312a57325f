"""Figures 8 and 9a: overall test accuracy of one method at several settings. Records in, a figure out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from sce_lib.experiments.ledger import RunRecord
from sce_lib.report.figures.style import LINE_MARKERS, finish, line_style, line_with_range, panels

Settings = Mapping[str, Sequence[RunRecord]]


def accuracy_curves(by_panel: Mapping[str, Settings]) -> Figure:
    """Draw overall test accuracy over epochs, a panel a comparison and a line a setting: Figs. 8 and 9a.

    Parameters
    ----------
    by_panel : mapping of str to mapping of str to sequence of RunRecord
        For each panel, by its title, its settings; for each setting, by its label, its runs, which differ in
        seed alone. A line is the mean over seeds, the band around it spans them.

    Raises
    ------
    ValueError
        For a panel of more settings than there are line styles.
    """
    figure, axes = panels(len(by_panel))
    for axis, (title, settings) in zip(axes, by_panel.items(), strict=True):
        if len(settings) > len(LINE_MARKERS):
            raise ValueError(
                f"a panel holds up to {len(LINE_MARKERS)} settings, but {title!r} has {len(settings)}: "
                "draw them in several panels"
            )
        for place, (label, records) in enumerate(settings.items()):
            epochs = [epoch.epoch for epoch in records[0].epochs]
            values = 100 * np.array([[epoch.test_accuracy for epoch in r.epochs] for r in records])
            line_with_range(
                axis,
                epochs,
                values,
                label=label,
                **line_style(place, len(epochs)),
            )
        axis.set(title=title, xlabel="epoch", ylim=(0, None))
        axis.legend(frameon=False, fontsize="small", loc="best", ncols=2 if len(settings) > 4 else 1)
    for axis in axes[:: min(2, len(axes))]:
        axis.set_ylabel("test accuracy (%)")
    shown = [settings[label] for settings in by_panel.values() for label in settings]
    return finish(figure, [record for records in shown for record in records])
