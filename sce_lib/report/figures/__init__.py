"""Figures: records (or formulas) in, a matplotlib figure out; nothing is trained, no file is written."""

from sce_lib.report.figures import effects, gradients, losses, noise, table1, theory
from sce_lib.report.figures.ablations import accuracy_curves
from sce_lib.report.figures.classes import (
    classwise_curves,
    clean_confidence,
    prediction_counts,
    stage_accuracy,
)
from sce_lib.report.figures.dynamics import evolution, fitted_share, memorisation
from sce_lib.report.figures.human import accuracy_by_labels, class_rates
from sce_lib.report.figures.representations import embeddings

__all__ = [
    "accuracy_by_labels",
    "accuracy_curves",
    "class_rates",
    "classwise_curves",
    "clean_confidence",
    "effects",
    "embeddings",
    "evolution",
    "fitted_share",
    "gradients",
    "losses",
    "memorisation",
    "noise",
    "prediction_counts",
    "stage_accuracy",
    "table1",
    "theory",
]
