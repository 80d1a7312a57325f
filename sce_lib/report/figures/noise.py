"""Noise in pictures: transition matrices, flipped samples, and what was asked for beside what came of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from sce_lib.data import ImageData
from sce_lib.noise import NoiseReport, NoisyLabels, report
from sce_lib.report.escape import mathtext
from sce_lib.report.figures import style

# More entries than these are too small to read.
_LARGEST_TABLE = 12


def noise_report(noisy: NoisyLabels, classes: Sequence[str] | None = None) -> Figure:
    """Draw the requested and the realised transition matrix and each class's rate; numbers and hash above.

    The hash is that of the noisy labels: two sets of labels are the same where it is.
    The row of a class without a sample is grey in the realised matrix, and its rate is absent.

    Parameters
    ----------
    noisy : NoisyLabels
        From `sce_lib.noise.corrupt`, or labels that people gave.
    classes : sequence of str, optional
        Names of the K classes; those that the labels came with where they are not given.

    Raises
    ------
    ValueError
        If there are not as many names as classes.

    Examples
    --------
    >>> from sce_lib.noise import corrupt, symmetric_matrix
    >>> noisy = corrupt(np.repeat([0, 1, 2], 10), symmetric_matrix(3, 0.4), seed=0)
    >>> print(noise_report(noisy, ["cat", "deer", "dog"]).get_suptitle().splitlines()[0])
    30 labels, 12 flipped: 40.0 %, by class 40.0 to 40.0 %; largest |realised − requested| 0.0000
    """
    page = report(noisy)
    names = [str(name) for name in (noisy.classes if classes is None else classes)]
    if len(names) != noisy.num_classes:
        raise ValueError(f"{len(names)} class names for labels of {noisy.num_classes} classes")
    height = style.PANEL_HEIGHT + 0.1 * min(noisy.num_classes, _LARGEST_TABLE)
    figure, [axes] = style.bare_panels(1, 3, height, width_ratios=(3, 3, 1), sharey=True)
    for axis, title in zip(axes, ("requested", "realised"), strict=False):
        image = _heat_map(axis, getattr(page, title), title)
    figure.colorbar(image, ax=axes[1], label="share of the true class", shrink=0.8)
    _name_classes(axes, names)
    _rates(axes[2], page)
    figure.suptitle(_headline(page), fontsize="small")
    return style.finish(figure)


def transition_matrices(matrices: Mapping[str, tuple[np.ndarray, Sequence[str]]]) -> Figure:
    """Draw transition matrices side by side on one scale, the true class in the rows.

    Errors as of `noise_report`.

    Parameters
    ----------
    matrices : mapping of str to (ndarray (K, K), sequence of str)
        For each panel's title the matrix and the names of its K classes.

    Examples
    --------
    >>> from sce_lib.noise import symmetric_matrix
    >>> page = transition_matrices({"symmetric": (symmetric_matrix(2, 0.4), ["cat", "dog"])})
    >>> [text.get_text() for text in page.axes[0].texts]
    ['.60', '.40', '.40', '.60']
    """
    for title, (matrix, names) in matrices.items():
        if len(names) != len(matrix):
            raise ValueError(f"{title}: {len(names)} class names for a matrix of {len(matrix)} classes")
    figure, [axes] = style.bare_panels(1, len(matrices), dpi=style.DPI)
    for axis, (title, (matrix, names)) in zip(axes, matrices.items(), strict=True):
        image = _heat_map(axis, matrix, title)
        axis.set_title(title, fontsize="medium")
        _name_classes([axis], names)
    for axis in axes[1:]:
        axis.set_ylabel("")
    figure.colorbar(image, ax=list(axes), label="share of the true class", shrink=0.8)
    return style.finish(figure)


def flipped_samples(data: ImageData, noises: Mapping[str, NoisyLabels]) -> Figure:
    """Show of each true class the first training image whose label was flipped, a row a noise.

    Above an image stands its true class, and below it, after an arrow, the label that it was given. A class
    whose labels the noise leaves alone has no image.

    Parameters
    ----------
    noises : mapping of str to NoisyLabels
        For each row's name the labels of all training images of `data`.

    Raises
    ------
    ValueError
        If there is not a label for every training image.
    """
    for name, noisy in noises.items():
        if len(noisy) != len(data.train_images):
            raise ValueError(f"{name}: {len(noisy)} labels for {len(data.train_images)} training images")
    figure, axes = style.bare_panels(len(noises), data.num_classes, 1.3, dpi=style.DPI)
    for row, (name, noisy) in zip(axes, noises.items(), strict=True):
        clean, flipped = np.asarray(noisy.clean), np.asarray(noisy.flipped)
        for label, axis in enumerate(row):
            axis.set(xticks=[], yticks=[], box_aspect=1)  # empty places are as large as those with an image
            axis.set_title(mathtext(data.classes[label]), fontsize="x-small")
            places = np.flatnonzero(flipped & (clean == label))
            if not places.size:
                axis.spines[:].set_visible(False)
                continue
            axis.imshow(data.train_images[places[0]].squeeze(-1).numpy(), cmap="gray_r")
            given = mathtext(data.classes[int(noisy.labels[places[0]])])
            axis.set_xlabel(f"→ {given}", fontsize="x-small")
        row[0].set_ylabel(name, fontsize="small")
    return style.finish(figure)


def _headline(page: NoiseReport) -> str:
    digest = f"SHA-256 {page.sha256}"
    if not page.num_labels:
        return f"no labels\n{digest}"
    low, high = 100 * np.nanmin(page.class_rates), 100 * np.nanmax(page.class_rates)
    counts = f"{page.num_labels:,} labels, {page.num_flipped:,} flipped: {100 * page.rate:.1f} %"
    deviation = f"largest |realised − requested| {page.largest_deviation:.4f}"
    return f"{counts}, by class {low:.1f} to {high:.1f} %; {deviation}\n{digest}"


def _heat_map(axis: plt.Axes, matrix: np.ndarray, title: str) -> Any:
    """Draw a matrix, its shares written in where there is room; middles are one half off."""
    import seaborn as sns  # a second or two, which other figures need not wait for

    few = len(matrix) <= _LARGEST_TABLE
    written = np.array([[_share(share) for share in row] for row in matrix.tolist()]) if few else False
    options = {"annot_kws": {"fontsize": "x-small"}, "cbar": False, "fmt": "", "annot": written}
    sns.heatmap(matrix, vmin=0, vmax=1, cmap="cividis", ax=axis, xticklabels=[], yticklabels=[], **options)
    axis.set_facecolor("lightgrey")  # where a class has no sample
    axis.set(title=title, xlabel="noisy label")
    return axis.collections[0]


def _share(share: float) -> str:
    """Return a share as it is written into a cell; nothing for what cannot happen, or is not known."""
    if not share > 0:
        return ""
    return "1" if share == 1 else f"{share:.2f}".removeprefix("0")


def _name_classes(axes: Any, names: Sequence[str]) -> None:
    # Each name where there is room for all; every tenth class otherwise.
    shown = range(0, len(names), 1 if len(names) <= 2 * _LARGEST_TABLE else 10)
    labels, middles = [mathtext(names[place]) for place in shown], [place + 0.5 for place in shown]
    axes[0].set_yticks(middles, labels, fontsize="x-small", rotation=0)
    axes[0].set_ylabel("true class")
    for axis in axes[:2]:
        axis.set_xticks(middles, labels, fontsize="x-small", **style.SLANTED)


def _rates(axis: plt.Axes, page: NoiseReport) -> None:
    rates = 100 * page.class_rates
    few = len(rates) <= _LARGEST_TABLE
    axis.barh(np.arange(len(rates)) + 0.5, np.nan_to_num(rates), height=0.8 if few else 1.0, color="grey")
    axis.set(title="wrong labels", xlabel="% of the class", xlim=(0, 100))
    axis.spines[["top", "right"]].set_visible(False)
    for place, rate in enumerate(rates if few else []):
        ha, color = ("right", "white") if rate > 60 else ("left", "black")
        x = rate - 3 if rate > 60 else np.nan_to_num(rate) + 3
        text = "no sample" if np.isnan(rate) else f"{rate:.1f}"
        axis.text(x, place + 0.5, text, ha=ha, va="center", color=color, fontsize="x-small")
