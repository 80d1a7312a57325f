"""Figures: records (or formulas) in, a matplotlib figure out; nothing is trained, no file is written."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Where each function lies; it is imported when asked for: matplotlib takes a second, for which the first cell
# of a chapter need not wait.
_FILES = {
    "ablations": ("accuracy_curves",),
    "classes": ("classwise_curves", "clean_confidence", "prediction_counts", "stage_accuracy"),
    "dynamics": ("evolution", "fitted_share", "memorisation"),
    "human": ("accuracy_by_labels", "class_rates"),
    "representations": ("embeddings",),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}
_MODULES = ("effects", "gradients", "losses", "noise", "table1", "theory")

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


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
