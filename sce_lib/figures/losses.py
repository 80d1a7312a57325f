"""What each loss makes of cross entropy's gradient, computed from the losses themselves."""

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from torch import Tensor

from sce_lib.figures.style import OVERALL, finish
from sce_lib.theory import loss_of_probability

# From where half of a softmax's logits can hardly reach to where hardly any gradient is left.
_RANGE = (0.002, 0.998)
_DASHES: list[Any] = ["-", (0, (4, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (1, 1))]


def gradient_weights(
    losses: Mapping[str, Callable[[Tensor, Tensor], Tensor]], num_classes: int = 10
) -> Figure:
    """Draw the weight of each loss's gradient over the probability of the label; that of CE is 1 throughout.

    Parameters
    ----------
    losses : mapping
        From a curve's name to a loss, (logits (N, K), labels (N,)) → (N,); four at most, told apart by dashes
        as well as by colour.
    num_classes : int
        K. The classes beside the label share the rest of the probability evenly, which matters to losses
        that look at more than the label's own.

    Returns
    -------
    Figure
        Small: half of the book's text column.

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
    if not 1 <= len(losses) <= len(_DASHES):
        raise ValueError(f"one to {len(_DASHES)} losses can be told apart in a figure, not {len(losses)}")
    figure, axis = plt.subplots(figsize=(4.5, 2.7), layout="constrained")
    p_y = np.linspace(*_RANGE, 250)
    for (name, loss), dashes, colour in zip(
        losses.items(), _DASHES, sns.color_palette("colorblind"), strict=False
    ):
        _, weight = loss_of_probability(loss, p_y, num_classes)
        axis.plot(p_y, weight, linestyle=dashes, color=colour, label=name)
    axis.axhline(1, color=OVERALL, linewidth=0.8, label="CE")
    axis.set(xlabel="$p_y$", ylabel="gradient weight $w$", xlim=(0, 1))
    axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize="small")
    return finish(figure, [])
