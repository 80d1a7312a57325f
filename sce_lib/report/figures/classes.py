"""Figures 1 and 3 to 6: what a network learns of each class. Records in, a figure out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sce_lib.experiments.ledger import RunRecord
from sce_lib.report.claims import Evidence
from sce_lib.report.escape import mathtext
from sce_lib.report.figures import style

_STAGES = list(zip(style.STAGE_COLORS, "os^", strict=False))  # the paper's three: early, middle and late


def classwise_curves(settings: Sequence[Sequence[RunRecord]], evidence: Evidence) -> Figure:
    """Draw class-wise test accuracy over epochs, a panel a setting: Figs. 1 and 5.

    Parameters
    ----------
    settings : sequence of sequences of RunRecord
        For each panel its runs, which differ in seed alone; lines are means over seeds, the band around the
        overall accuracy spans them.
    evidence : Evidence
        Which classes are hard: lines go from dark (hardest) to light (easiest).
    """
    figure, axes = style.panels(len(settings))
    colours = style.hard_to_easy(len(evidence.ranking))
    for axis, records in zip(axes, settings, strict=True):
        epochs, by_class = style.over_epochs(records, "classwise_accuracy")
        names = _ranked_names(records, evidence)
        for colour, name, label in zip(colours, names, evidence.ranking, strict=True):
            axis.plot(epochs, by_class.mean(axis=0)[:, label], color=colour, linewidth=1.2, label=name)
        look: dict[str, Any] = {"color": style.OVERALL, "linewidth": 2.5, "linestyle": "--"}
        style.line_with_range(axis, *style.over_epochs(records), label="overall", **look)
        axis.set(title=records[0].config.setting, xlabel="epoch", ylim=(0, 100))
    style.label_heights(axes, "test accuracy (%)")
    style.legend(figure, axes, "outside right center", fontsize="small", title="hardest first")
    return style.finish(figure, *settings)


def stage_accuracy(settings: Sequence[Sequence[RunRecord]], evidence: Evidence) -> Figure:
    """Draw class-wise test accuracy at the early, middle and late stage: Fig. 3. See `classwise_curves`."""
    figure, axes = style.panels(len(settings))
    places = np.arange(len(evidence.ranking))
    for axis, records in zip(axes, settings, strict=True):
        for number, (stage, (colour, marker)) in enumerate(zip(records[0].stages, _STAGES, strict=False)):
            values = style.per_cent([record.stages[number].classwise_accuracy for record in records])
            look = {"color": colour, "marker": marker, "label": f"epoch {stage.epoch}"}
            style.line_with_range(axis, places, values[:, evidence.ranking], **look)
        axis.set_xticks(places, _ranked_names(records, evidence), **style.SLANTED)
        axis.set(title=records[0].config.setting, ylim=(0, 100), xlabel="class, hardest first")
        axis.legend(**style.SMALL, loc="lower right")
    axes[0].set_ylabel("test accuracy (%)")
    return style.finish(figure, *settings)


def clean_confidence(settings: Sequence[Sequence[RunRecord]], evidence: Evidence) -> Figure:
    """Draw the mean confidence over the clean portion of the hardest class, at every class: Figs. 4a, 6a."""
    figure, axes = style.panels(len(settings))
    places = np.arange(len(evidence.ranking))
    for axis, records in zip(axes, settings, strict=True):
        shown = list(zip(records[0].stages, _STAGES, strict=False))
        width = 0.8 / len(shown)
        for number, (stage, (colour, _)) in enumerate(shown):
            rows = [record.stages[number].confidence[evidence.hardest] for record in records]
            x = places + (number - (len(shown) - 1) / 2) * width
            heights = np.array(rows, dtype=float).mean(axis=0)
            axis.bar(x, heights, width, color=colour, label=f"epoch {stage.epoch}")
        axis.set_xticks(places, [mathtext(name) for name in records[0].classes], **style.SLANTED)
        axis.set(title=records[0].config.setting, ylim=(0, 1), xlabel="class")
        axis.legend(**style.SMALL)
    hardest = mathtext(settings[0][0].classes[evidence.hardest])
    axes[0].set_ylabel(f"mean confidence on clean “{hardest}”")
    return style.finish(figure, *settings)


def prediction_counts(settings: Sequence[Sequence[RunRecord]], evidence: Evidence) -> Figure:
    """Draw training samples predicted as each class, and those rightly, at the end: Figs. 4b and 6b."""
    figure, axes = style.panels(len(settings))
    places = np.arange(len(evidence.ranking))
    for axis, records in zip(axes, settings, strict=True):
        looks = [record.final_stage() for record in records]
        for part, colour in {"predicted": "0.75", "correct": style.STAGE_COLORS[0]}.items():
            values = np.array([getattr(look, part) for look in looks])[:, evidence.ranking]
            axis.bar(places, values.mean(axis=0), 0.8, color=colour, label=part)
        sizes = np.add(looks[0].clean.count, looks[0].flipped.count)[evidence.ranking]
        axis.step(places, sizes, where="mid", color="black", linestyle=":", label="samples of the class")
        axis.set_xticks(places, _ranked_names(records, evidence), **style.SLANTED)
        axis.set(title=records[0].config.setting, xlabel="class, hardest first")
    axes[0].set_ylabel("training samples")
    style.legend(figure, axes, "outside upper right", ncols=3, fontsize="small")
    return style.finish(figure, *settings)


def _ranked_names(records: Sequence[RunRecord], evidence: Evidence) -> list[str]:
    return [mathtext(records[0].classes[label]) for label in evidence.ranking]
