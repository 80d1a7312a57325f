"""Figures 1 and 3 to 6: what a network learns of each class. Records in, a figure out."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from sce_lib.experiments.ledger import RunRecord
from sce_lib.report.claims import Evidence
from sce_lib.report.figures.style import OVERALL, STAGE_COLORS, finish, line_with_range, panels


def _percent(values: Sequence | np.ndarray) -> np.ndarray:
    return 100 * np.asarray(values, dtype=float)


def classwise_curves(settings: Sequence[Sequence[RunRecord]], evidence: Evidence) -> Figure:
    """Draw class-wise test accuracy over epochs, a panel a setting: Figs. 1 and 5.

    Parameters
    ----------
    settings : sequence of sequences of RunRecord
        For each panel its runs, which differ in seed alone; lines are means over seeds, the band around
        the overall accuracy spans them.
    evidence : Evidence
        Which classes are hard: lines go from dark (hardest) to light (easiest).
    """
    figure, axes = panels(len(settings))
    colours = plt.get_cmap("viridis")(np.linspace(0.0, 0.92, len(evidence.ranking)))
    for axis, records in zip(axes, settings, strict=True):
        epochs = [epoch.epoch for epoch in records[0].epochs]
        by_class = _percent([[epoch.classwise_accuracy for epoch in r.epochs] for r in records]).mean(axis=0)
        overall = _percent([[epoch.test_accuracy for epoch in r.epochs] for r in records])
        for colour, label in zip(colours, evidence.ranking, strict=True):
            axis.plot(
                epochs, by_class[:, label], color=colour, linewidth=1.2, label=records[0].classes[label]
            )
        line_with_range(axis, epochs, overall, color=OVERALL, linewidth=2.5, linestyle="--", label="overall")
        axis.set(title=records[0].config.setting, xlabel="epoch", ylim=(0, 100))
    for axis in axes[:: min(2, len(axes))]:
        axis.set_ylabel("test accuracy (%)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside right center", frameon=False, fontsize="small", title="hardest first"
    )
    return finish(figure, [record for records in settings for record in records])


def stage_accuracy(settings: Sequence[Sequence[RunRecord]], evidence: Evidence) -> Figure:
    """Draw class-wise test accuracy at the early, middle and late stage, a panel a setting: Fig. 3.

    Arguments are those of `classwise_curves`; a bar's whisker spans the seeds.
    """
    figure, axes = panels(len(settings))
    places = np.arange(len(evidence.ranking))
    for axis, records in zip(axes, settings, strict=True):
        for stage, colour in enumerate(STAGE_COLORS[: len(records[0].stages[:3])]):
            values = _percent([record.stages[stage].classwise_accuracy for record in records])[
                :, evidence.ranking
            ]
            label = f"epoch {records[0].stages[stage].epoch}"
            line_with_range(axis, places, values, color=colour, marker="os^"[stage], label=label)
        names = [records[0].classes[label] for label in evidence.ranking]
        axis.set_xticks(places, names, rotation=60, ha="right", rotation_mode="anchor")
        axis.set(title=records[0].config.setting, ylim=(0, 100), xlabel="class, hardest first")
        axis.legend(frameon=False, fontsize="small", loc="lower right")
    axes[0].set_ylabel("test accuracy (%)")
    return finish(figure, [record for records in settings for record in records])


def clean_confidence(settings: Sequence[Sequence[RunRecord]], evidence: Evidence) -> Figure:
    """Draw the mean confidence over the clean portion of the hardest class, at every class: Figs. 4a, 6a."""
    figure, axes = panels(len(settings))
    places = np.arange(len(evidence.ranking))
    for axis, records in zip(axes, settings, strict=True):
        stages = records[0].stages[:3]
        for number, colour in enumerate(STAGE_COLORS[: len(stages)]):
            rows = np.array(
                [record.stages[number].confidence[evidence.hardest] for record in records], dtype=float
            )
            width = 0.8 / len(stages)
            offset = (number - (len(stages) - 1) / 2) * width
            axis.bar(
                places + offset, rows.mean(axis=0), width, color=colour, label=f"epoch {stages[number].epoch}"
            )
        axis.set_xticks(places, records[0].classes, rotation=60, ha="right", rotation_mode="anchor")
        axis.set(title=records[0].config.setting, ylim=(0, 1), xlabel="class")
        axis.legend(frameon=False, fontsize="small")
    name = settings[0][0].classes[evidence.hardest]
    axes[0].set_ylabel(f"mean confidence on clean “{name}”")
    return finish(figure, [record for records in settings for record in records])


def prediction_counts(settings: Sequence[Sequence[RunRecord]], evidence: Evidence) -> Figure:
    """Draw training samples predicted as each class, and those rightly, at the end: Figs. 4b and 6b."""
    figure, axes = panels(len(settings))
    places = np.arange(len(evidence.ranking))
    parts: Mapping[str, str] = {"predicted": "0.75", "correct": STAGE_COLORS[0]}
    for axis, records in zip(axes, settings, strict=True):
        looks = [record.final_stage() for record in records]
        for part, colour in parts.items():
            values = np.array([getattr(look, part) for look in looks])[:, evidence.ranking]
            axis.bar(places, values.mean(axis=0), 0.8, color=colour, label=part)
        sizes = np.add(looks[0].clean.count, looks[0].flipped.count)[evidence.ranking]
        axis.step(places, sizes, where="mid", color="black", linestyle=":", label="samples of the class")
        names = [records[0].classes[label] for label in evidence.ranking]
        axis.set_xticks(places, names, rotation=60, ha="right", rotation_mode="anchor")
        axis.set(title=records[0].config.setting, xlabel="class, hardest first")
    axes[0].set_ylabel("training samples")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False, fontsize="small")
    return finish(figure, [record for records in settings for record in records])
