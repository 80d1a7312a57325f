"""Details of a run that can be changed one at a time, from `paper` towards `released` and beyond.

Each factor is one difference between the text, its released code and what others do with both; the values
come from the tables of hyperparameters. All of them start at the protocol ``paper``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sce_lib.experiments.config.parts import Protocol
from sce_lib.experiments.config.presets import PAPER_SECTIONS, RELEASED_A
from sce_lib.experiments.config.run import RunConfig

Changes = dict[str, Any]


@dataclass(frozen=True)
class Factor:
    """One detail and what becomes of it.

    `title` says it in words, for tables and plots. `change` gives the fields of a config that change, nested
    as there: none where the factor says nothing of such a run (A of cross entropy, MNIST's augmentation).
    """

    title: str
    change: Callable[[RunConfig], Changes]


def _fc1_l2(run: RunConfig) -> Changes:
    decay = _preset("released", run).optimisation.fc1_weight_decay
    return {"optimisation": {"fc1_weight_decay": decay}} if decay else {}


def _wide_shift(run: RunConfig) -> Changes:
    shift = _preset("released", run).augmentation.shift
    return {"augmentation": {"shift": shift}} if shift else {}


def _equal_counts(run: RunConfig) -> Changes:
    # Where classes are as large as one another, as CIFAR-10's are, the two are one.
    balanced = run.dataset not in ("mnist", "digits")
    return {} if balanced or run.noise.kind != "symmetric" else {"noise": {"variant": "released"}}


def _twice_the_epochs(run: RunConfig) -> Changes:
    sgd = run.optimisation
    return {"optimisation": {"epochs": 2 * sgd.epochs, "milestones": tuple(2 * m for m in sgd.milestones)}}


def _all_released(run: RunConfig) -> Changes:
    # The code has no D2L, and what it would do with other settings (5CE, another alpha) nobody can say.
    known = run.method.name != "d2l" and is_changed(run, None)
    return _preset("released", run, run.method.name).model_dump() if known else {}


FACTORS: dict[str, Factor] = {
    "no-l2": Factor("no L2", lambda run: {"optimisation": {"weight_decay": 0.0}}),
    "decay-for-l2": Factor(
        "learning-rate decay in the place of L2",
        lambda run: {
            "optimisation": {"weight_decay": 0.0, "lr_decay": _preset("released", run).optimisation.lr_decay}
        },
    ),
    "released-floor": Factor(
        "A of the released code",
        lambda run: {"method": {"A": RELEASED_A}} if "A" in type(run.method).model_fields else {},
    ),
    "fc1-l2": Factor("L2 of the released code on the first dense layer", _fc1_l2),
    "low-lr": Factor(
        "initial learning rate of §5.1", lambda run: {"optimisation": {"lr": PAPER_SECTIONS["5.1"]["lr"]}}
    ),
    "no-augmentation": Factor(
        "no augmentation",
        lambda run: (
            {"augmentation": {"shift": 0.0, "flip": False}}
            if run.augmentation.shift or run.augmentation.flip
            else {}
        ),
    ),
    "wide-shift": Factor("shift of the released code", _wide_shift),
    "equal-counts": Factor("as many flips in each class, whatever its size", _equal_counts),
    "one-draw": Factor(
        "one draw of the noise for all seeds",
        lambda run: {} if run.noise.kind in ("none", "human") else {"noise": {"noise_seed": 0}},
    ),
    "twice-the-epochs": Factor("twice the epochs", _twice_the_epochs),
    "released": Factor("all details of the released code", _all_released),
}


def change(config: RunConfig, factor: str) -> RunConfig | None:
    """Return a run with one detail changed, or None where the factor says nothing of such a run.

    The run is one under the protocol ``paper``, the factor a key of `FACTORS`.

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
    return changed(config, changes)


def changed(config: RunConfig, changes: Changes) -> RunConfig:
    """Return a run with some of its fields set otherwise, those of its parts as a dict of their own.

    Examples
    --------
    >>> start = RunConfig.preset("cifar10", "ce", "symmetric-0.6")
    >>> changed(start, {"precision": "bfloat16", "model": {"width": 0.5}}).changes
    'width 0.5, bfloat16'
    """
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
    start = _preset("paper", config, config.method.name)
    return config == (start if factor is None else change(start, factor))


def _preset(protocol: Protocol, config: RunConfig, method: str = "ce") -> RunConfig:
    """Return a protocol's run of the same cell; its training is the same for every method."""
    scale = config.profile, config.section, config.seed
    return RunConfig.preset(config.dataset, method, config.noise.slug, protocol, *scale)
