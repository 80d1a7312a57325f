"""Figures 8 and 9a: overall test accuracy of one method at several settings. Records in, a figure out."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from sce_lib.experiments.ledger import RunRecord
from sce_lib.report.figures import style

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
    figure, axes = style.panels(len(by_panel))
    most = len(style.LINE_MARKERS)
    for axis, (title, settings) in zip(axes, by_panel.items(), strict=True):
        if len(settings) > most:
            told = f"a panel holds up to {most} settings, but {title!r} has {len(settings)}"
            raise ValueError(f"{told}: draw them in several panels")
        for place, (label, records) in enumerate(settings.items()):
            epochs, values = style.over_epochs(records)
            style.line_with_range(axis, epochs, values, label=label, **style.line_style(place, len(epochs)))
        axis.set(title=title, xlabel="epoch", ylim=(0, None))
        axis.legend(**style.SMALL, loc="best", ncols=2 if len(settings) > 4 else 1)
    style.label_heights(axes, "test accuracy (%)")
    return style.finish(figure, *(records for settings in by_panel.values() for records in settings.values()))
