"""Figures: records (or formulas) in, a matplotlib figure out; nothing is trained, no file is written."""

from sce_lib.figures import benchmark, effects, gradients, losses, noise, theory
from sce_lib.figures.ablations import accuracy_curves
from sce_lib.figures.classes import classwise_curves, clean_confidence, prediction_counts, stage_accuracy
from sce_lib.figures.dynamics import evolution
from sce_lib.figures.fitting import fitted_share, memorisation
from sce_lib.figures.human import accuracy_by_labels, class_rates
from sce_lib.figures.representations import embeddings

__all__ = [
    "accuracy_by_labels",
    "accuracy_curves",
    "benchmark",
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
    "theory",
]
