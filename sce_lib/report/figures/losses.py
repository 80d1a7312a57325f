"""What each loss makes of cross entropy's gradient, computed from the losses themselves."""

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from sce_lib.report.figures import style
from sce_lib.theory import loss_of_probability

Losses = Mapping[str, Callable[[Tensor, Tensor], Tensor]]

# From where half of a softmax's logits can hardly reach to where hardly any gradient is left.
_RANGE = (0.002, 0.998)
_DASHES: list[Any] = ["-", (0, (4, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (1, 1))]


def gradient_weights(losses: Losses, num_classes: int = 10) -> Figure:
    """Draw the weight of each loss's gradient over the probability of the label; that of CE is 1 throughout.

    Small: half of the book's text column. As high as the weights up to p = 0.95 are.

    Parameters
    ----------
    losses : mapping
        From a curve's name to a loss, (logits (N, K), labels (N,)) → (N,); four at most, told apart by dashes
        as well as by colour.
    num_classes : int
        K. The classes beside the label share the rest of the probability evenly, which matters to losses that
        look at more than the label's own.

    Raises
    ------
    ValueError
        If there is no loss, or more than four.

    Examples
    --------
    >>> from sce_lib.losses import functional as L
    >>> figure = gradient_weights({"MAE": L.mean_absolute_error})
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['MAE', 'CE']
    """
    figure, [[axis]] = style.rows_of_panels(1, 1, height=2.7)
    figure.set_figwidth(4.5)
    _draw(axis, losses, np.linspace(*_RANGE, 250), num_classes)
    axis.set(xlabel="$p_y$", ylabel="gradient weight $w$", xlim=(0, 1))
    # Near p = 1 some weights run off by powers of ten (label smoothing, Backward) and would flatten the rest.
    points = np.concatenate([np.asarray(line.get_xydata()) for line in axis.lines])
    seen = points[points[:, 0] < 0.95, 1]
    axis.set_ylim(1.05 * min(0.0, seen.min()), 1.05 * seen.max())
    axis.legend(**style.SMALL)
    return style.finish(figure)


def doubtful_labels(by_panel: Mapping[str, Losses], num_classes: int = 10) -> Figure:
    """Draw the weights of `gradient_weights` on logarithmic axes, which show labels of small probability.

    Parameters
    ----------
    by_panel : mapping of str to mapping
        For each panel, by its title, its losses: as in `gradient_weights`, four at most. Where a weight is
        not above 0 its line ends.
    num_classes : int
        K, as in `gradient_weights`.

    Examples
    --------
    >>> from sce_lib.losses import functional as L
    >>> figure = doubtful_labels({"bounded": {"MAE": L.mean_absolute_error}})
    >>> figure.axes[0].get_xscale(), figure.axes[0].get_yscale()
    ('log', 'log')
    """
    figure, axes = style.panels(len(by_panel))
    figure.set_size_inches(3.1 * len(axes), 3)  # narrow, for small screens
    for axis, (title, losses) in zip(axes, by_panel.items(), strict=True):
        _draw(axis, losses, np.geomspace(*_RANGE, 250), num_classes)
        axis.set(title=title, xlabel="$p_y$", xscale="log", yscale="log")
        axis.axvline(1 / num_classes, color=style.OVERALL, linewidth=0.8, linestyle=":")
        opaque = {"framealpha": 1, "edgecolor": "none"}
        axis.legend(fontsize="small", loc="lower right", bbox_to_anchor=(0.95, 0), **opaque)
    axes[0].set_ylabel("gradient weight $w$")
    return style.finish(figure)


def _draw(axis: plt.Axes, losses: Losses, p_y: np.ndarray, num_classes: int) -> None:
    """Draw the weight of each loss, and CE's, which is 1."""
    if not 1 <= len(losses) <= len(_DASHES):
        raise ValueError(f"one to {len(_DASHES)} losses can be told apart in a figure, not {len(losses)}")
    for (name, loss), dashes, colour in zip(losses.items(), _DASHES, style.PALETTE, strict=False):
        _, weight = loss_of_probability(loss, p_y, num_classes)
        axis.plot(p_y, weight, linestyle=dashes, color=colour, label=name)
    axis.axhline(1, color=style.OVERALL, linewidth=0.8, label="CE")
