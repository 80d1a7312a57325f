"""What a person calls the settings of a run: values in words, one table for all that can differ."""

from collections.abc import Callable, Mapping
from typing import Any

# How parameters of methods are written; others keep their names.
SYMBOLS = {"alpha": "α", "beta": "β", "gamma": "γ", "lambda_": "λ", "epsilon": "ε"}
SYMBOLS |= {"first_epoch": "first epoch"}

_WORDS: dict[str, Callable[[Any], str]] = {
    "noise.variant": lambda value: f"flips of the {'text' if value == 'paper' else 'released code'}",
    "noise.noise_seed": lambda value: "noise by seed" if value is None else f"noise seed {value}",
    "noise.exact": lambda value: "exact counts" if value else "independent draws",
    "model.name": str,
    "model.width": lambda value: f"width {value:g}",
    "model.pretrained": lambda value: "pretrained" if value else "not pretrained",
    "optimisation.lr": lambda value: f"lr {value:g}",
    "optimisation.momentum": lambda value: f"momentum {value:g}",
    "optimisation.weight_decay": lambda value: f"L2 {value:g}" if value else "no L2",
    "optimisation.fc1_weight_decay": lambda value: (
        "no L2 of its own on fc1" if value is None else f"L2 {value:g} on fc1"
    ),
    "optimisation.decay_kernels_only": lambda value: "L2 on kernels alone" if value else "L2 on all weights",
    "optimisation.lr_decay": lambda value: f"lr decay {value:.2g}" if value else "no lr decay",
    "optimisation.milestones": lambda value: f"drops at {'/'.join(map(str, value))}" if value else "no drops",
    "optimisation.milestones_late": lambda value: "late drops" if value else "drops in time",
    "optimisation.epochs": lambda value: f"{value} epochs",
    "optimisation.batch_size": lambda value: f"batch {value}",
    "optimisation.last_batch": lambda value: "last batch dropped" if value == "drop" else "last batch kept",
    "augmentation.shift": lambda value: f"shift {value:g}" if value else "no shift",
    "augmentation.flip": lambda value: "flip" if value else "no flip",
    "augmentation.rotation": lambda value: f"rotation {value:g}°" if value else "no rotation",
    "protocol": lambda value: f"protocol {value}",
    "normalisation": lambda value: f"{value.replace('_', ' ')} normalisation",
    "n_train": lambda value: "all images" if value is None else f"{value:,} images",
    "subset_seed": lambda value: f"subset {value}",
    "precision": str,
    "compile": lambda value: "compiled" if value else "not compiled",
    "compile_mode": lambda value: f"compile mode {value}",
    "cudnn_benchmark": lambda value: "cuDNN's fastest" if value else "cuDNN repeatable",
    "jpeg_draft": lambda value: "JPEGs in draft" if value else "JPEGs in full",
    "embedding": lambda value: f"{value} embedded" if value else "no embedding",
}


def parameters_in_words(parameters: Mapping[str, Any]) -> str:
    """Return a method's parameters as a person writes them, empty for none.

    Examples
    --------
    >>> parameters_in_words({"alpha": 0.1, "A": -6.0})
    'α 0.1, A −6'
    """
    return ", ".join(
        f"{SYMBOLS.get(name, name)} {value_in_words(value)}" for name, value in parameters.items()
    )


def details_in_words(details: Mapping[str, Any]) -> str:
    """Return details of training in words, by their place in the config; empty for none.

    Examples
    --------
    >>> details_in_words({"optimisation.weight_decay": 0.0, "n_train": 500})
    'no L2, 500 images'
    """
    return ", ".join(
        _WORDS[place](value) if place in _WORDS else f"{place} {value_in_words(value)}"
        for place, value in details.items()
    )


def value_in_words(value: Any) -> str:
    """Return a value with four digits at the most, a true minus sign, and yes or no for a truth.

    Examples
    --------
    >>> value_in_words(-9.21034), value_in_words(0.1), value_in_words(True)
    ('−9.21', '0.1', 'yes')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    return shown.replace("-", "−") if isinstance(value, int | float) else shown
