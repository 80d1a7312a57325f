"""The tables of hyperparameters: the paper's, its released code's, and what the project fills in.

Every value stands here once; the book's page of hyperparameters is made from these tables. Sources: the
paper's §5.1 to §5.3 with footnotes; the released Keras code (github.com/YisenWang/
symmetric_cross_entropy_for_noisy_labels at ec778df).
"""

import math
import re
from typing import Annotated, Any, get_args

from pydantic import Field, ValidationError

from sce_lib import nearest, quoted
from sce_lib.experiments.config import parts
from sce_lib.experiments.config.base import did_you_mean, explain
from sce_lib.experiments.config.parts import BY_IMAGE, Noise, Part, Profile, Protocol, Section

# --- What the paper leaves unsaid; both protocols share it. -----------------------------------------
FILLED_IN: dict[str, Any] = {
    "batch_size": 128,  # the released code's; the paper gives 64 for Clothing1M alone
    "shift": 4,  # pixels, under `paper`: the text says "width/height shift" and no more
    "normalisation": "channel",  # mean and deviation of each channel, under `paper`
    "gce_q": 0.7,  # as published with GCE, not truncated
    "lsr_epsilon": 0.1,
    "bootstrap_beta": 0.8,  # hard bootstrap, as published
    "clothing1m_alpha": 0.1,  # §5.3 gives no alpha and beta: those of CIFAR-10
    "clothing1m_beta": 1.0,
    "nce_alpha": 1.0,  # NCE + RCE on CIFAR-10, as published with it
    "nce_beta": 1.0,
}

# --- Schedules, networks, augmentation: by data set. -------------------------------------------------
# train_size is that of the full training split: it converts a per-step decay to another length of run.
DATASETS: dict[str, dict[str, Any]] = {
    "mnist": {"model": "cnn4", "epochs": 50, "milestones": (10, 30), "train_size": 60_000},
    "cifar10": {"model": "cnn8", "epochs": 120, "milestones": (40, 80), "train_size": 50_000},
    "cifar100": {"model": "resnet44", "epochs": 150, "milestones": (80, 120), "train_size": 50_000},
    "clothing1m": {"model": "resnet50", "epochs": 10, "milestones": (5,), "train_size": 1_000_000},
}
AUGMENTED = ("cifar10", "cifar100")
# Data sets that the paper does not use, and the one whose settings they take.
LIKE = {"digits": "mnist", "fashion_mnist": "mnist", "tiny_imagenet100": "cifar100"}
OTHERWISE = "cifar10"

# --- Optimisation: by protocol and section, or data set. ---------------------------------------------
PAPER_SECTIONS: dict[str, dict[str, Any]] = {
    "5.1": {"lr": 0.01, "weight_decay": 1e-4, "A": -6.0},
    "5.2": {"lr": 0.1, "weight_decay": 5e-3, "A": -4.0},
    "5.3": {"lr": 1e-3, "weight_decay": 1e-3, "A": -4.0, "batch_size": 64},
}
# Keras' L2 of 0.01 adds 0.01 w² to the loss, which is torch's weight decay of 0.02.
RELEASED: dict[str, dict[str, Any]] = {
    "mnist": {"lr": 0.1, "lr_decay": 1e-4},
    "cifar10": {"lr": 0.01, "lr_decay": 1e-4, "fc1_weight_decay": 0.02},
    "cifar100": {"lr": 0.1, "lr_decay": 5e-3, "weight_decay": 0.02, "decay_kernels_only": True},
}
RELEASED_ROTATION = {"cifar100": 20.0}
RELEASED_A = math.log(1e-4)
RELEASED_SHIFT = 0.2
RELEASED_NOISE_SEED = 0  # one cached label file for all runs

# --- SL's alpha and beta. ----------------------------------------------------------------------------
SL_WEIGHTS: dict[str, tuple[float, float]] = {
    "mnist": (0.01, 1.0),
    "fashion_mnist": (0.1, 1.0),  # ours: nearer to CIFAR-10 in difficulty
    "cifar10": (0.1, 1.0),
    "cifar100": (6.0, 0.1),
    "clothing1m": (FILLED_IN["clothing1m_alpha"], FILLED_IN["clothing1m_beta"]),
}
SL_WEIGHTS_51 = (0.1, 1.0)
# Footnote of §5.2: what changes at 40 % asymmetric noise.
ASYMMETRIC_40: dict[str, dict[str, float]] = {"cifar10": {"beta": 5.0}, "cifar100": {"alpha": 2.0}}
FORWARD_SL_BETA = {"asymmetric": 0.1}  # 1.0 otherwise, §5.2

# --- Profiles: how much. -----------------------------------------------------------------------------
# laptop: minutes on one CPU core; floors as the book states them. The learning rate of §5.1 is raised since
# a run has a fifteenth or fewer of the paper's steps, and at 0.01 it ends long before it has fitted anything.
SCALES: dict[str, dict[str, dict[str, Any]]] = {
    "laptop": {
        "digits": {"n_train": None, "width": 1.0, "epochs": 30},
        "mnist": {"n_train": 20_000, "width": 1.0, "epochs": 20},
        "fashion_mnist": {"n_train": 20_000, "width": 1.0, "epochs": 20},
        "cifar10": {"n_train": 10_000, "width": 0.25, "epochs": 30},
        "cifar100": {"n_train": 10_000, "width": 0.5, "epochs": 30},
        "tiny_imagenet100": {"n_train": 10_000, "width": 0.5, "epochs": 20},
        "clothing1m": {"n_train": 10_000, "width": 1.0, "epochs": 10},
    },
    # smoke: seconds; shows that everything runs, and proves nothing.
    "smoke": {
        "digits": {"n_train": None, "width": 0.5, "epochs": 12},
        "clothing1m": {"n_train": 28, "width": 0.25, "epochs": 1},
        OTHERWISE: {"n_train": 1_000, "width": 0.25, "epochs": 4},
    },
}
SHORT_RUN_LR = {"5.1": 0.05}
# Test images that get an embedding. Figures 2 and 7, of §5.1, alone draw them, and t-SNE of so many takes as
# long as some epochs on a GPU. Where records of other sections had them before, runs keep them and their
# names: smaller ones, and MNIST's at full scale.
EMBEDDED = {"smoke": 200, "laptop": 1_000, "full": 2_000}


class Scale(Part):
    """How much is trained, in place of a profile's own; milestones and decay follow, as a profile's do.

    Parameters
    ----------
    n_train, epochs : int, optional
        Training images, at least 2, and epochs; the profile's own where they are not given.
    width : float, optional
        Of the network; 1 is the paper's.

    Examples
    --------
    >>> Scale(epochs=3).options
    ' --epochs 3'
    """

    n_train: Annotated[int, Field(ge=2)] | None = None
    epochs: Annotated[int, Field(ge=1)] | None = None
    width: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None

    @classmethod
    def of(cls, n_train: int = 0, epochs: int = 0, width: float = 0.0) -> "Scale":
        """Return the scale that numbers mean of which 0 is the profile's own, as chapters have them.

        Raises
        ------
        ValueError
            With a line for each number that cannot be, which is all that a chapter's reader needs.
        """
        try:
            return cls(n_train=n_train or None, epochs=epochs or None, width=width or None)
        except ValidationError as error:
            raise ValueError(f"{explain(error)}; 0 is the profile's own") from None

    @property
    def options(self) -> str:
        """The options of `sce run` and `sce sweep` that say the same; empty for the profile's own."""
        given = self.model_dump(exclude_none=True).items()
        return "".join(f" --{name.replace('_', '-')} {value}" for name, value in given)

    @property
    def parameters(self) -> str:
        """The same for papermill."""
        given = self.model_dump(exclude_none=True).items()
        return "".join(f" -p {name} {value}" for name, value in given)


def _like(dataset: str) -> str:
    return dataset if dataset in DATASETS else LIKE.get(dataset, OTHERWISE)


def resolve_noise(noise: "str | tuple[str, float] | Noise", protocol: Protocol = "paper") -> Noise:
    """Return the noise that a short name means.

    Examples
    --------
    >>> resolve_noise("symmetric-0.4") == resolve_noise(("symmetric", 0.4))
    True
    >>> resolve_noise("human-worse_label").label_set
    'worse_label'
    >>> resolve_noise("symmetric")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: noise 'symmetric' is not known: give none, symmetric-RATE, asymmetric-RATE, ...
    """
    if isinstance(noise, Noise):
        return noise
    kinds = ("symmetric", "asymmetric", *BY_IMAGE)
    known = ", ".join(f"{kind}-RATE" for kind in kinds)
    unknown = f"noise {quoted(noise)} is not known: give none, {known} or human-LABELS"
    if not isinstance(noise, str) and not (isinstance(noise, tuple | list) and len(noise) == 2):
        raise ValueError(unknown)
    kind, _, detail = noise.partition("-") if isinstance(noise, str) else (noise[0], "", str(noise[1]))
    unknown += _meant(str(kind), detail, kinds)
    if kind in ("none", "clean"):
        return Noise()
    if kind == "human" and detail:
        return Noise(kind="human", label_set=detail)
    try:
        rate = float(detail)
    except ValueError:
        raise ValueError(unknown) from None
    if kind not in kinds:
        raise ValueError(unknown)
    released: dict[str, Any] = {"noise_seed": RELEASED_NOISE_SEED} if protocol == "released" else {}
    if protocol == "released" and kind not in BY_IMAGE:
        released["variant"] = "released"
    return Noise.model_validate({"kind": kind, "rate": rate} | released)


def _meant(kind: str, detail: str, kinds: tuple[str, ...]) -> str:
    """Return a question after the name of noise that is like a misspelt one, where there is such."""
    rate = re.fullmatch(r"[0-9]*\.?[0-9]+", detail)
    known = ["human", *(kinds if rate else ())] if detail else ["none", "clean"]
    near = nearest(kind[:40].lower(), known)
    return f"; did you mean {quoted('-'.join(filter(None, (near, detail))))}?" if near else ""


def _sl_parameters(dataset: str, noise: Noise, protocol: Protocol, section: Section) -> dict[str, Any]:
    like = _like(dataset)
    alpha, beta = SL_WEIGHTS_51 if section == "5.1" else SL_WEIGHTS.get(dataset, SL_WEIGHTS[like])
    floor = RELEASED_A if protocol == "released" else PAPER_SECTIONS[section]["A"]
    asymmetric_40 = noise.kind == "asymmetric" and math.isclose(noise.rate, 0.4)
    footnote = asymmetric_40 and (protocol, section) == ("paper", "5.2")
    return {"alpha": alpha, "beta": beta, "A": floor} | (ASYMMETRIC_40.get(like, {}) if footnote else {})


# D2L's window and first epoch, in epochs of the full schedule, as its authors' public code has them (the
# earlier of its two versions); Clothing1M's are ours, since a window of 5 does not fit into its 10 epochs.
D2L_SCHEDULE = {"mnist": (5, 5), "cifar10": (5, 40), "cifar100": (5, 60), "clothing1m": (2, 2)}

# Later methods, as their authors' public code has them for MNIST, CIFAR-10 and CIFAR-100; where it has none,
# and on data that are like none of these, CIFAR-10's. The code's MAE is 1 - p_y, half of ours, hence half its
# weight here. NCE + RCE is above, with CIFAR-10's for all: runs are named by them.
LATER: dict[str, dict[str, dict[str, Any]]] = {
    "nce+mae": {
        "mnist": {"alpha": 1.0, "beta": 5.0},
        "cifar10": {"alpha": 1.0, "beta": 0.5},
        "cifar100": {"alpha": 10.0, "beta": 0.5},
    },
    "nfl+rce": {
        "mnist": {"gamma": 0.5, "alpha": 1.0, "beta": 10.0},
        "cifar10": {"gamma": 0.5, "alpha": 1.0, "beta": 1.0},
        "cifar100": {"gamma": 0.5, "alpha": 10.0, "beta": 0.1},
    },
    "nfl+mae": {
        "mnist": {"gamma": 0.5, "alpha": 1.0, "beta": 5.0},
        "cifar10": {"gamma": 0.5, "alpha": 1.0, "beta": 0.5},
        "cifar100": {"gamma": 0.5, "alpha": 10.0, "beta": 0.5},
    },
    "agce": {"mnist": {"a": 4.0, "q": 0.2}, "cifar10": {"a": 0.6, "q": 0.6}},
    "aue": {"mnist": {"a": 3.0, "q": 0.1}, "cifar10": {"a": 5.5, "q": 3.0}},
    "ael": {"mnist": {"a": 3.5}, "cifar10": {"a": 2.5}},
    "elr": {"cifar10": {"momentum": 0.7, "lambda_": 3.0}, "cifar100": {"momentum": 0.9, "lambda_": 7.0}},
}

METHODS = (
    *("ce", "2ce", "5ce", "6ce", "rce", "2rce", "5rce", "sl", "mae", "gce", "lsr", "bootstrap", "forward"),
    *("backward", "d2l", "forward+sl", "lsr+sl", "d2l+sl", "nce+rce", *LATER),
)


def resolve_method(
    name: str, dataset: str, noise: Noise, protocol: Protocol, section: Section, stretch: float = 1.0
) -> Part:
    """Return a method with the hyperparameters that belong to a data set, a noise and a protocol.

    `stretch` is the length of the run relative to the paper's; D2L's window and first epoch follow it.

    Raises
    ------
    ValueError
        For a name that is not in `METHODS`, and for D2L under ``released``, which has none.
    """
    sl = _sl_parameters(dataset, noise, protocol, section)
    matrix: Any = "identity" if protocol == "released" else "true"
    scaled = re.fullmatch(r"(\d+(?:\.\d+)?)(ce|rce)", name)  # 2CE and the like, whatever the factor
    multiple, base = (float(scaled[1]), scaled[2]) if scaled else (1.0, name)
    if base not in METHODS or multiple == 0:
        meant = did_you_mean(name, METHODS)
        raise ValueError(f"method {quoted(name)} is not known; known are {', '.join(METHODS)}{meant}")
    if base in ("d2l", "d2l+sl"):
        if protocol == "released":
            raise ValueError("D2L has no counterpart in the released code; use protocol='paper'")
        window, first = D2L_SCHEDULE[_like(dataset)]
        window, first = max(2, round(window * stretch)), max(1, round(first * stretch))
        return parts.D2L(window=window, first_epoch=first, **(sl if base == "d2l+sl" else {}))
    later = {name: row.get(_like(dataset), row["cifar10"]) for name, row in LATER.items()}
    makers: dict[str, Part] = {
        "ce": parts.CE(scale=multiple),
        "rce": parts.RCE(scale=multiple, A=sl["A"]),
        "sl": parts.SL(**sl),
        "mae": parts.MAE(),
        "gce": parts.GCE(q=FILLED_IN["gce_q"]),
        "lsr": parts.LSR(epsilon=FILLED_IN["lsr_epsilon"]),
        "bootstrap": parts.Bootstrap(beta=FILLED_IN["bootstrap_beta"], hard=True),
        "forward": parts.Forward(matrix=matrix),
        "backward": parts.Backward(),
        "forward+sl": parts.ForwardSL(matrix=matrix, beta=FORWARD_SL_BETA.get(noise.kind, 1.0), A=sl["A"]),
        "lsr+sl": parts.LSRSL(epsilon=FILLED_IN["lsr_epsilon"], **sl),
        "nce+rce": parts.NCERCE(alpha=FILLED_IN["nce_alpha"], beta=FILLED_IN["nce_beta"], A=sl["A"]),
        "nce+mae": parts.NCEMAE(**later["nce+mae"]),
        "nfl+rce": parts.NFLRCE(**later["nfl+rce"], A=sl["A"]),
        "nfl+mae": parts.NFLMAE(**later["nfl+mae"]),
        "agce": parts.AGCE(**later["agce"]),
        "aue": parts.AUE(**later["aue"]),
        "ael": parts.AEL(**later["ael"]),
        "elr": parts.ELR(**later["elr"]),
    }
    return makers[base]


def _scale(dataset: str, profile: Profile) -> dict[str, Any]:
    if profile == "full":
        return {"n_train": None, "width": 1.0, "epochs": DATASETS[_like(dataset)]["epochs"]}
    table = SCALES[profile]
    return table.get(dataset, table.get(_like(dataset), table[OTHERWISE]))


def _optimisation(
    dataset: str, protocol: Protocol, section: Section, profile: Profile, scale: dict[str, Any]
) -> dict[str, Any]:
    row = DATASETS[_like(dataset)]
    stretch = scale["epochs"] / row["epochs"]
    drops = {max(1, round(milestone * stretch)) for milestone in row["milestones"]}
    milestones = tuple(sorted(drop for drop in drops if drop < scale["epochs"]))
    fields = {"epochs": scale["epochs"], "batch_size": FILLED_IN["batch_size"], "milestones": milestones}
    if protocol == "paper":
        settings = PAPER_SECTIONS[section]
        fields |= {key: settings[key] for key in ("lr", "weight_decay", "batch_size") if key in settings}
        if profile != "full":
            fields["lr"] = SHORT_RUN_LR.get(section, fields["lr"])
        return fields
    if _like(dataset) not in RELEASED:
        raise ValueError(f"the released code has nothing for {dataset!r}; use protocol='paper'")
    settings = RELEASED[_like(dataset)]
    # The decay counts steps: over a shorter run it is raised so that the rate falls by the same factor.
    steps = stretch * (scale["n_train"] or row["train_size"]) / row["train_size"]
    return fields | settings | {"milestones_late": True, "lr_decay": settings["lr_decay"] / steps}


def _augmentation(dataset: str, protocol: Protocol) -> dict[str, Any]:
    if _like(dataset) not in AUGMENTED:
        return {}
    if protocol == "paper":
        return {"shift": FILLED_IN["shift"], "flip": True}
    rotation = RELEASED_ROTATION.get(_like(dataset), 0.0)
    return {"shift": RELEASED_SHIFT, "flip": True, "rotation": rotation}


def preset_fields(
    dataset: str,
    method: "str | Part",
    noise: "str | tuple[str, float] | Noise",
    protocol: Protocol,
    profile: Profile,
    section: Section | None,
    scale: Scale,
) -> dict[str, Any]:
    """Return the fields of `RunConfig` for a cell of the paper; `RunConfig.preset` explains the arguments."""
    for what, value, known in (
        ("protocol", protocol, get_args(Protocol)),
        ("profile", profile, get_args(Profile)),
        ("section", section, (None, *get_args(Section))),
    ):
        if value not in known:
            raise ValueError(f"{what} {quoted(value)} is not known; known are {', '.join(map(str, known))}")
    section = section or ("5.3" if dataset == "clothing1m" else "5.2")
    resolved, like = resolve_noise(noise, protocol), _like(dataset)
    amount = _scale(dataset, profile) | scale.model_dump(exclude_none=True)
    normalisation = FILLED_IN["normalisation"]
    if protocol == "released":
        normalisation = "scale" if like == "mnist" else "pixel_mean"
    pretrained = dataset == "clothing1m" and profile != "smoke"
    if isinstance(method, str):
        stretch = amount["epochs"] / DATASETS[like]["epochs"]
        method = resolve_method(method.lower(), dataset, resolved, protocol, section, stretch)
    return {
        "dataset": dataset,
        "noise": resolved,
        "method": method,
        "model": {"name": DATASETS[like]["model"], "width": amount["width"], "pretrained": pretrained},
        "optimisation": _optimisation(dataset, protocol, section, profile, amount),
        "augmentation": _augmentation(dataset, protocol),
        "normalisation": normalisation,
        "n_train": amount["n_train"],
        "embedding": EMBEDDED[profile] if section == "5.1" or profile != "full" or dataset == "mnist" else 0,
        "protocol": protocol,
        "profile": profile,
        "section": section,
    }
