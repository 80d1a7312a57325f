"""Details of a run that can be changed one at a time, from `paper` towards `released` and beyond.

Each factor is one difference between the text, its released code and what others do with both; the values
come from the tables of hyperparameters. All of them start at the protocol ``paper``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sce_lib.experiments.config.presets import PAPER_SECTIONS, RELEASED_A
from sce_lib.experiments.config.run import RunConfig

Changes = dict[str, Any]


@dataclass(frozen=True)
class Factor:
    """One detail and what becomes of it.

    Parameters
    ----------
    title : str
        In words, for tables and plots.
    change : callable
        From a config to the fields that change, nested as in the config; none where the factor says nothing
        of such a run (A of cross entropy, the augmentation of MNIST).
    """

    title: str
    change: Callable[[RunConfig], Changes]


def _without_l2(config: RunConfig) -> Changes:
    return {"optimisation": {"weight_decay": 0.0}}


def _decay_for_l2(config: RunConfig) -> Changes:
    decay = _released(config).optimisation.lr_decay
    return {"optimisation": {"weight_decay": 0.0, "lr_decay": decay}}


def _fc1_l2(config: RunConfig) -> Changes:
    decay = _released(config).optimisation.fc1_weight_decay
    return {"optimisation": {"fc1_weight_decay": decay}} if decay else {}


def _low_lr(config: RunConfig) -> Changes:
    return {"optimisation": {"lr": PAPER_SECTIONS["5.1"]["lr"]}}


def _twice_the_epochs(config: RunConfig) -> Changes:
    sgd = config.optimisation
    return {"optimisation": {"epochs": 2 * sgd.epochs, "milestones": tuple(2 * m for m in sgd.milestones)}}


def _released_floor(config: RunConfig) -> Changes:
    return {"method": {"A": RELEASED_A}} if "A" in type(config.method).model_fields else {}


def _equal_counts(config: RunConfig) -> Changes:
    # Where classes are as large as one another, as CIFAR-10's are, the two are one.
    balanced = config.dataset not in ("mnist", "digits")
    return {} if balanced or config.noise.kind != "symmetric" else {"noise": {"variant": "released"}}


def _one_draw(config: RunConfig) -> Changes:
    return {} if config.noise.kind in ("none", "human") else {"noise": {"noise_seed": 0}}


def _no_augmentation(config: RunConfig) -> Changes:
    augmented = config.augmentation.shift or config.augmentation.flip
    return {"augmentation": {"shift": 0.0, "flip": False}} if augmented else {}


def _wide_shift(config: RunConfig) -> Changes:
    shift = _released(config).augmentation.shift
    return {"augmentation": {"shift": shift}} if shift else {}


def _all_released(config: RunConfig) -> Changes:
    # The code has no D2L, and what it would do with other settings (5CE, another alpha) nobody can say.
    known = config.method.name != "d2l" and is_changed(config, None)
    return _released(config, config.method.name).model_dump() if known else {}


FACTORS: dict[str, Factor] = {
    "no-l2": Factor("no L2", _without_l2),
    "decay-for-l2": Factor("learning-rate decay in the place of L2", _decay_for_l2),
    "released-floor": Factor("A of the released code", _released_floor),
    "fc1-l2": Factor("L2 of the released code on the first dense layer", _fc1_l2),
    "low-lr": Factor("initial learning rate of §5.1", _low_lr),
    "no-augmentation": Factor("no augmentation", _no_augmentation),
    "wide-shift": Factor("shift of the released code", _wide_shift),
    "equal-counts": Factor("as many flips in each class, whatever its size", _equal_counts),
    "one-draw": Factor("one draw of the noise for all seeds", _one_draw),
    "twice-the-epochs": Factor("twice the epochs", _twice_the_epochs),
    "released": Factor("all details of the released code", _all_released),
}


def change(config: RunConfig, factor: str) -> RunConfig | None:
    """Return a run with one detail changed, or None where the factor says nothing of such a run.

    Parameters
    ----------
    config : RunConfig
        A run under the protocol ``paper``.
    factor : str
        A key of `FACTORS`.

    Raises
    ------
    ValueError
        For a factor that is not known, and one that asks for the released code's value where it has none.

    Examples
    --------
    >>> start = RunConfig.preset("cifar10", "sl", "symmetric-0.6")
    >>> round(change(start, "released-floor").method.A, 2)
    -9.21
    >>> change(start, "equal-counts") is None
    True
    """
    if factor not in FACTORS:
        raise ValueError(f"factor {factor!r} is not known; known are {', '.join(FACTORS)}")
    changes = FACTORS[factor].change(config)
    if not changes:
        return None
    fields = config.model_dump()
    for name, value in changes.items():
        fields[name] = fields[name] | value if isinstance(value, dict) else value
    return RunConfig.model_validate(fields)


def is_changed(config: RunConfig, factor: str | None) -> bool:
    """Return whether a run is the paper's preset with this detail changed and no other.

    With None, whether it is that preset itself.

    Examples
    --------
    >>> start = RunConfig.preset("mnist", "ce", "symmetric-0.4")
    >>> is_changed(change(start, "no-l2"), "no-l2"), is_changed(start, None), is_changed(start, "no-l2")
    (True, True, False)
    """
    start = RunConfig.preset(
        config.dataset,
        config.method.name,
        config.noise.slug,
        profile=config.profile,
        section=config.section,
        seed=config.seed,
    )
    return config == (start if factor is None else change(start, factor))


def _released(config: RunConfig, method: str = "ce") -> RunConfig:
    """Return the released code's run of the same cell; its training is the same for every method."""
    return RunConfig.preset(
        config.dataset,
        method,
        config.noise.slug,
        "released",
        config.profile,
        config.section,
        config.seed,
    )
