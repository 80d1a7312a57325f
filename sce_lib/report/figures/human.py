"""Labels that people gave: how often each class is mislabelled, and how methods end on each set of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from sce_lib.experiments.ledger import RunRecord, select
from sce_lib.noise import pattern
from sce_lib.report.escape import mathtext
from sce_lib.report.figures import style

_MARKERS = {"ce": "o", "gce": "^", "lsr": "s", "sl": "D"}
_MARKS_ALONE = {"linestyle": "none", "markersize": 7}
_APART = 0.16  # between two methods of one set of labels


def class_rates(matrices: Mapping[str, np.ndarray], classes: Sequence[str]) -> Figure:
    """Draw the portion of wrong labels in each true class, a mark a transition matrix.

    Parameters
    ----------
    matrices : mapping of str to ndarray (K, K)
        For each entry of the legend its matrix.
    classes : sequence of str
        K names.

    Examples
    --------
    >>> from sce_lib.noise import symmetric_matrix
    >>> axis = class_rates({"symmetric": symmetric_matrix(3, 0.3)}, ["cat", "deer", "dog"]).axes[0]
    >>> axis.lines[0].get_ydata().round(6).tolist()
    [30.0, 30.0, 30.0]
    """
    figure, (axis,) = style.panels(1)
    for place, (label, matrix) in enumerate(matrices.items()):
        rates = 100 * pattern(matrix).class_rates
        axis.plot(range(len(classes)), rates, label=label, **style.line_style(place, 1) | _MARKS_ALONE)
    names = [mathtext(name) for name in classes]
    axis.set_xticks(range(len(classes)), names, **style.SLANTED | {"rotation": 35})
    axis.set(ylim=(0, None), ylabel="wrong labels (% of the class)")
    style.legend(figure, [axis], "outside upper center", ncols=3)
    return style.finish(figure)


def accuracy_by_labels(
    records: Sequence[RunRecord], labels: Mapping[str, str], methods: Sequence[str]
) -> Figure:
    """Draw the last epoch's test accuracy of each method on each set of labels; what was not run is empty.

    Parameters
    ----------
    records : sequence of RunRecord
        Runs that differ in method, labels and seed. A mark is the mean over seeds, its bar spans them.
    labels : mapping of str to str
        From the short name of each noise, in the order of the axis, to what is written there.
    methods : sequence of str
        Methods from left to right.
    """
    figure, (axis,) = style.panels(1)
    for place, method in enumerate(methods):
        runs = [select(records, method=method, noise=noise) for noise in labels]
        found = {
            at + _APART * (place - (len(methods) - 1) / 2): 100 * np.array([run.last_accuracy for run in of])
            for at, of in enumerate(runs)
            if of
        }
        if not found:
            continue
        name = next(of[0].config.method_setting for of in runs if of)
        look = {"color": style.METHOD_COLORS[method], "marker": _MARKERS[method]} | _MARKS_ALONE
        low, mean, high = zip(*((v.min(), v.mean(), v.max()) for v in found.values()), strict=True)
        axis.plot(list(found), mean, label=name, **look)
        axis.vlines(list(found), low, high, color=style.METHOD_COLORS[method])
    axis.set_xticks(range(len(labels)), list(labels.values()))
    axis.set(xlim=(-0.5, len(labels) - 0.5), ylabel="test accuracy (%)")
    axis.margins(y=0.15)
    if axis.lines:
        style.legend(figure, [axis], "outside upper center", ncols=len(methods))
    return style.finish(figure, records)
