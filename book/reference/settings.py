"""The page of hyperparameters: what `RunConfig.preset` gives for a data set and protocol, and who says so."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from reference.markdown import table
from sce_lib.experiments.config import RunConfig, presets
from sce_lib.experiments.config.naming import SYMBOLS, value_in_words
from sce_lib.experiments.config.parts import Profile, Section

PAPER, CODE, OURS = "§", "‡", "∗"

DATASETS = {
    "digits": "digits",
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "tiny_imagenet100": "Tiny ImageNet, 100 classes",
    "clothing1m": "Clothing1M",
}
# Columns of each data set of the paper: section, or the released code.
SETTINGS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "mnist": [("§5.2", {"section": "5.2"}), ("released", {"protocol": "released"})],
    "cifar10": [
        ("§5.1", {"section": "5.1"}),
        ("§5.2", {"section": "5.2"}),
        ("released", {"protocol": "released"}),
    ],
    "cifar100": [("§5.2", {"section": "5.2"}), ("released", {"protocol": "released"})],
    "clothing1m": [("§5.3", {"section": "5.3"}), ("released", {"protocol": "released"})],
}


@dataclass(frozen=True)
class Row:
    """A line of the training tables: how to read it from a config, and who gives the value.

    `paper` and `released` are the marks under either protocol; `but` has a data set's own mark under
    ``paper``. A value that is not there has no mark.
    """

    label: str
    read: Callable[[RunConfig], Any]
    paper: str = PAPER
    released: str = CODE
    but: Mapping[str, str] = field(default_factory=dict)


def _drops(config: RunConfig) -> str:
    late = " + 1" if config.optimisation.milestones_late else ""
    return ", ".join(f"{milestone}{late}" for milestone in config.optimisation.milestones)


def _shift(config: RunConfig) -> str | None:
    shift = config.augmentation.shift
    if not shift:
        return None
    return f"{shift:.0%} of the side".replace("%", " %") if shift < 1 else f"{shift:g} pixels"


NORMALISATIONS = {
    "channel": "channels",
    "pixel_mean": "mean image",
    "scale": "÷ 255",
}
TRAINING = [
    Row("network", lambda c: f"`{c.model.name}`" + (", pretrained" if c.model.pretrained else "")),
    Row("epochs", lambda c: c.optimisation.epochs),
    Row("batch size", lambda c: c.optimisation.batch_size, paper=OURS, but={"clothing1m": PAPER}),
    Row("learning rate", lambda c: c.optimisation.lr),
    Row("learning rate, ÷ 10 after epoch", _drops),
    Row("learning rate, decay per step", lambda c: c.optimisation.lr_decay or None),
    Row("momentum", lambda c: c.optimisation.momentum),
    Row("weight decay", lambda c: c.optimisation.weight_decay),
    Row("weight decay of kernels only", lambda c: c.optimisation.decay_kernels_only or None),
    Row("weight decay of the first dense layer", lambda c: c.optimisation.fc1_weight_decay),
    Row("shift", _shift, paper=OURS),
    Row("horizontal flip", lambda c: c.augmentation.flip or None),
    Row("rotation", lambda c: f"{c.augmentation.rotation:g}°" if c.augmentation.rotation else None),
    Row("normalisation", lambda c: NORMALISATIONS[c.normalisation], paper=OURS),
]

# Who gives a method's hyperparameter, under the paper's text and under the released code.
METHOD_MARKS: dict[str, dict[str, tuple[str, str]]] = {
    "rce": {"A": (PAPER, CODE)},
    "sl": {"alpha": (PAPER, CODE), "beta": (PAPER, CODE), "A": (PAPER, CODE)},
    "gce": {"q": (OURS, CODE), "truncation": (OURS, CODE)},
    "lsr": {"epsilon": (OURS, CODE)},
    "bootstrap": {"beta": (OURS, CODE), "hard": (OURS, CODE)},
    "forward": {"matrix": (PAPER, CODE)},
    "d2l": {"window": (OURS, ""), "first_epoch": (OURS, "")},
    "d2l+sl": {
        "window": (OURS, ""),
        "first_epoch": (OURS, ""),
        "alpha": (PAPER, ""),
        "beta": (PAPER, ""),
        "A": (PAPER, ""),
    },
    "forward+sl": {"matrix": (PAPER, CODE), "beta": (PAPER, PAPER), "A": (PAPER, CODE)},
    "lsr+sl": {
        "epsilon": (OURS, CODE),
        "alpha": (PAPER, CODE),
        "beta": (PAPER, CODE),
        "A": (PAPER, CODE),
    },
    "nce+rce": {"alpha": (OURS, OURS), "beta": (OURS, OURS), "A": (PAPER, CODE)},
    "nce+mae": {"alpha": (OURS, OURS), "beta": (OURS, OURS)},
    "nfl+rce": {
        "gamma": (OURS, OURS),
        "alpha": (OURS, OURS),
        "beta": (OURS, OURS),
        "A": (PAPER, CODE),
    },
    "nfl+mae": {"gamma": (OURS, OURS), "alpha": (OURS, OURS), "beta": (OURS, OURS)},
    "agce": {"a": (OURS, OURS), "q": (OURS, OURS)},
    "aue": {"a": (OURS, OURS), "q": (OURS, OURS)},
    "ael": {"a": (OURS, OURS)},
    "elr": {"momentum": (OURS, OURS), "lambda_": (OURS, OURS)},
}
# §5.3 is silent on these.
UNSAID_IN_53 = {"alpha", "beta"}
TITLES = {
    "rce": "Reverse cross entropy",
    "sl": "Symmetric cross entropy, SL",
    "gce": "Generalized cross entropy, GCE",
    "lsr": "Label smoothing, LSR",
    "bootstrap": "Bootstrapping",
    "forward": "Forward correction",
    "d2l": "Dimensionality-driven learning, D2L",
    "d2l+sl": "D2L + SL",
    "forward+sl": "Forward + SL",
    "lsr+sl": "LSR + SL",
    "nce+rce": "NCE + RCE",
    "nce+mae": "NCE + MAE",
    "nfl+rce": "NFL + RCE",
    "nfl+mae": "NFL + MAE",
    "agce": "Asymmetric generalized cross entropy, AGCE",
    "aue": "Asymmetric unhinged loss, AUE",
    "ael": "Asymmetric exponential loss, AEL",
    "elr": "Early-learning regularization, ELR",
}
# Noises whose hyperparameters §5.2 tells apart; a line is shown where they differ from the one before.
NOISES = {"": "symmetric-0.4", "asymmetric": "asymmetric-0.2", "asymmetric, 40 %": "asymmetric-0.4"}


def fragments() -> dict[str, str]:
    """Return the tables of the page: training, methods, profiles, and what a profile changes."""
    return {
        "training.md": "\n".join(line for dataset in SETTINGS for line in _training(dataset)),
        "methods.md": "\n".join(line for method in METHOD_MARKS for line in _method(method)),
        "profiles.md": "\n".join(_profiles()),
    }


def _cell(value: Any, mark: str) -> str:
    return "–" if value is None else f"{value_in_words(value)}\N{NO-BREAK SPACE}{mark}".strip()


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield from table(header, rows)
    yield ""


def _preset(dataset: str, method: str, noise: str, setting: dict[str, Any]) -> RunConfig | ValueError:
    try:
        return RunConfig.preset(dataset, method, noise, **({"profile": "full"} | setting))
    except ValueError as error:
        return error


def _training(dataset: str) -> Iterator[str]:
    configs = {name: _preset(dataset, "ce", "none", setting) for name, setting in SETTINGS[dataset]}
    shown = {name: config for name, config in configs.items() if isinstance(config, RunConfig)}
    yield f"### {DATASETS[dataset]}\n"

    def cells(row: Row) -> Iterator[str]:
        for config in shown.values():
            mark = row.released if config.protocol == "released" else row.but.get(dataset, row.paper)
            yield _cell(row.read(config), mark)

    rows = [(row.label, *cells(row)) for row in TRAINING]
    yield from _table(("", *shown), [row for row in rows if set(row[1:]) != {"–"}])
    for name, config in configs.items():
        if isinstance(config, ValueError):
            yield f"{name}: none ({config}).\n"


def _method(method: str) -> Iterator[str]:
    """Yield a method's table: a line for data sets that share all values under a protocol."""
    yield f"### {TITLES[method]} (`{method}`)\n"
    marks = METHOD_MARKS[method]
    lines: dict[tuple[str, ...], list[str]] = {}
    for dataset, settings in SETTINGS.items():
        for name, setting in settings:
            for values, where in _values(method, dataset, setting):
                lines.setdefault((name, *values), []).append(where)
    header = ("protocol", "data set", *(SYMBOLS.get(key, key) for key in marks))
    rows = [(key[0], "; ".join(where), *key[1:]) for key, where in lines.items()]
    yield from _table(header, sorted(rows, key=lambda row: (row[0] == "released", row[0])))
    refused = _preset("cifar10", method, "none", {"protocol": "released"})
    if isinstance(refused, ValueError):
        yield f"released: none ({refused}).\n"


def _values(method: str, dataset: str, setting: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    marks, before = METHOD_MARKS[method], None
    # §5.1 has symmetric noise alone, Clothing1M what its labels came with.
    one = {"5.1": "symmetric-0.4", "5.3": "none"}.get(setting.get("section", ""))
    for where, noise in {"": one}.items() if one else NOISES.items():
        config = _preset(dataset, method, noise, setting)
        if isinstance(config, ValueError):
            return
        released = config.protocol == "released"
        values = tuple(
            _cell(
                getattr(config.method, key),
                OURS if config.section == "5.3" and key in UNSAID_IN_53 else marks[key][released],
            )
            for key in marks
        )
        if values != before:
            yield values, ", ".join(filter(None, (DATASETS[dataset], where)))
        before = values


def _profiles() -> Iterator[str]:
    rows = []
    for dataset, title in DATASETS.items():
        for profile in reversed(get_args(Profile)):
            config = RunConfig.preset(dataset, "ce", profile=profile)
            images = "all" if config.n_train is None else f"{config.n_train:,}"
            epochs = "; ".join(filter(None, (f"{config.optimisation.epochs}", _drops(config))))
            rows.append((title, profile, images, f"{config.model.name} × {config.model.width:g}", epochs))
            title = ""
    yield from _table(("data set", "profile", "training images", "network × width", "epochs; drops"), rows)
    for section in get_args(Section):
        if section in presets.SHORT_RUN_LR:
            full, small = (
                RunConfig.preset("cifar10", "ce", profile=profile, section=section).optimisation.lr
                for profile in ("full", "laptop")
            )
            yield f"The learning rate of §{section} is {small:g} in both smaller profiles, not {full:g}.\n"
