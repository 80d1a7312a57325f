"""Figures 8 and 9a: overall test accuracy of one method at several settings. Records in, a figure out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from sce_lib.figures.style import finish, line_with_range, panels
from sce_lib.ledger import RunRecord

Settings = Mapping[str, Sequence[RunRecord]]

# A line's colour, dashes and marker change together, so that any one of them tells lines apart.
_COLOURS = [sns.color_palette("colorblind")[place] for place in (0, 1, 2, 3, 4, 5, 7, 9)]
_DASHES: list[Any] = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)), (0, (3, 1))]
_MARKERS = "os^Dv*PX"


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
        if len(settings) > len(_MARKERS):
            raise ValueError(
                f"a panel holds up to {len(_MARKERS)} settings, but {title!r} has {len(settings)}: "
                "draw them in several panels"
            )
        for place, (label, records) in enumerate(settings.items()):
            epochs = [epoch.epoch for epoch in records[0].epochs]
            values = 100 * np.array([[epoch.test_accuracy for epoch in r.epochs] for r in records])
            line_with_range(
                axis,
                epochs,
                values,
                color=_COLOURS[place],
                linestyle=_DASHES[place],
                marker=_MARKERS[place],
                markersize=4,
                markevery=(place % 4, max(1, len(epochs) // 7)),
                linewidth=1.4,
                label=label,
            )
        axis.set(title=title, xlabel="epoch", ylim=(0, None))
        axis.legend(frameon=False, fontsize="small", loc="lower right", ncols=2 if len(settings) > 4 else 1)
    for axis in axes[:: min(2, len(axes))]:
        axis.set_ylabel("test accuracy (%)")
    shown = [settings[label] for settings in by_panel.values() for label in settings]
    return finish(figure, [record for records in shown for record in records])
