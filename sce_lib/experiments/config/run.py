"""`RunConfig`: everything that decides a run's result, and nothing else."""

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from sce_lib.data.names import check_name
from sce_lib.experiments.config import parts
from sce_lib.experiments.config.naming import details_in_words, parameters_in_words
from sce_lib.experiments.config.parts import Noise, Part, Profile, Protocol, Section
from sce_lib.experiments.config.presets import Scale, preset_fields

# The paper looks at epochs 10, 50 and 100 of 120 (§3.2); the last epoch is kept as well.
STAGES = (10 / 120, 50 / 120, 100 / 120, 1.0)
_OWN_SCALE = Scale()


class RunConfig(Part):
    """One run, described so that the description decides its result.

    Device, threads and workers are not part of it: they may move the result by rounding only.

    Parameters
    ----------
    dataset : str
        A name that `sce_lib.data.load_dataset` knows or finds: letters, digits, ``.``, ``_``, ``-``.
    noise, method, model, optimisation, augmentation
        The parts, each a model of its own.
    normalisation : {"channel", "pixel_mean", "scale"}
        Channel mean and standard deviation; mean image, no deviation; or division by 255 alone.
    n_train, subset_seed : int
        Size of the stratified training subset, all images where it is None; and its seed, apart from `seed`
        so that runs with other seeds see the same images.
    precision, compile : {"float32", "bfloat16"}, bool
        bfloat16 is autocast, parameters stay float32; whether `torch.compile` is used.
    compile_mode : {"default", "reduce-overhead", "max-autotune"}
        How, see `torch.compile`. ``"reduce-overhead"`` launches the kernels of a step on a GPU as one graph;
        with ``last_batch="drop"`` batches have one shape, and so there is one graph.
    cudnn_benchmark : bool
        Whether cuDNN tries algorithms on a GPU and takes the fastest: a repetition may then differ in its
        last bits. On a CPU it does nothing.
    jpeg_draft : bool
        Whether JPEGs on disk are decoded at the smallest of the sizes that JPEG offers (1, ½, ¼, ⅛) that is
        not below the one they are resized to: faster, and pixels differ a little. Clothing1M alone.
    embedding : int
        How many test images get a 2-D embedding in the record; 0 for none.
    seed : int
        Seed of initial weights, order, augmentation and, by default, noise.
    protocol, profile, section
        Whose details, how much, and which section's settings (the labels that presets were made from).

    Examples
    --------
    >>> config = RunConfig.preset("digits", "sl", "symmetric-0.4", profile="smoke")
    >>> RunConfig.model_validate_json(config.model_dump_json()) == config
    True
    >>> config.run_id.startswith("sl-symmetric-0.4-smoke-s0-")
    True
    """

    later: ClassVar[tuple[str, ...]] = ("compile_mode", "cudnn_benchmark", "jpeg_draft")

    dataset: Annotated[str, AfterValidator(check_name)]
    noise: Noise = Noise()
    method: parts.Method
    model: parts.Model
    optimisation: parts.Optimisation
    augmentation: parts.Augmentation = parts.Augmentation()
    normalisation: Literal["channel", "pixel_mean", "scale"] = "channel"
    n_train: Annotated[int, Field(ge=2)] | None = None
    subset_seed: parts.Seed = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    compile_mode: Literal["default", "reduce-overhead", "max-autotune"] = "default"
    cudnn_benchmark: bool = False
    jpeg_draft: bool = False
    embedding: Annotated[int, Field(ge=0)] = 0
    seed: parts.Seed = 0
    protocol: Protocol = "paper"
    profile: Profile = "laptop"
    section: Section = "5.2"

    @model_validator(mode="after")
    def _modes_are_of_something(self) -> "RunConfig":
        if self.compile_mode != "default" and not self.compile:
            raise ValueError(f"compile_mode {self.compile_mode!r} is of a compiled run: set compile to true")
        if self.jpeg_draft and self.dataset != "clothing1m":
            raise ValueError(f"jpeg_draft is for clothing1m, whose images stay on disk, not {self.dataset}")
        return self

    @property
    def noise_seed(self) -> int:
        """Seed of the label flips."""
        return self.seed if self.noise.noise_seed is None else self.noise.noise_seed

    @property
    def stages(self) -> tuple[int, ...]:
        """Epochs, counted from 1, after which the training images are looked at.

        Examples
        --------
        >>> RunConfig.preset("cifar10", "ce", "none", profile="full").stages
        (10, 50, 100, 120)
        """
        epochs = self.optimisation.epochs
        return tuple(sorted({max(1, int(share * epochs + 0.5)) for share in STAGES}))

    @property
    def run_id(self) -> str:
        """A readable slug and a hash of the canonical JSON: the name of the run's record.

        Fields at their default do not enter the hash, so that a field added later leaves earlier names alone.
        """
        canonical = json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
        # A method's parameters are told apart by its name, which is a default and must not be lost.
        digest = hashlib.sha256(f"{self.method.name}{canonical}".encode()).hexdigest()[:12]
        return f"{self.method.name}-{self.noise.slug}-{self.profile}-s{self.seed}-{digest}"

    @property
    def changes(self) -> str:
        """What differs from the preset of this method and noise, in words; empty for a preset.

        Examples
        --------
        >>> RunConfig.preset("mnist", "sl", "symmetric-0.4", n_train=500).changes
        '500 images'
        """
        return ", ".join(filter(None, self._changes_in_words()))

    @property
    def method_setting(self) -> str:
        """What a person calls the method of this run, with all that differs from its preset.

        Examples
        --------
        >>> RunConfig.preset("digits", parts.SL(alpha=1.0, beta=1.0, A=-6.0)).method_setting
        'SL(α 1, A −6)'
        """
        parameters, details = self._changes_in_words()
        return ", ".join(filter(None, [self.method.title + (parameters and f"({parameters})"), details]))

    @property
    def setting(self) -> str:
        """What a person calls this run without its seed: method, what differs from its preset, and noise.

        Examples
        --------
        >>> RunConfig.preset("mnist", "2ce", "symmetric-0.4").setting
        '2CE, 40 % symmetric noise'
        """
        return f"{self.method_setting}, {self.noise.title}"

    def _changes_in_words(self) -> tuple[str, str]:
        """Return what differs from the preset: the method's parameters, and all other details."""
        cell, scale = (self.dataset, self.method.slug, self.noise.slug), (self.profile, self.section)
        # Where a protocol has no such preset, as the released code has no D2L, the text's is the nearest.
        preset = _preset_leaves(*cell, self.protocol, *scale) or _preset_leaves(*cell, "paper", *scale)
        changed = {place: value for place, value in _leaves(self) if preset.get(place) != value}
        names = [place for place in changed if place.startswith("method.")]
        of_method = {name.removeprefix("method."): changed.pop(name) for name in names}
        return parameters_in_words(of_method), details_in_words(changed)

    @classmethod
    def preset(
        cls,
        dataset: str,
        method: "str | Part",
        noise: "str | tuple[str, float] | Noise" = "none",
        protocol: Protocol = "paper",
        profile: Profile = "laptop",
        section: Section | None = None,
        seed: int = 0,
        scale: Scale = _OWN_SCALE,
        **changes: Any,
    ) -> "RunConfig":
        """Return the run that the paper (or its released code) describes, at a profile's scale.

        Parameters
        ----------
        dataset : str
            Name of the data set; one that the tables do not know is treated as CIFAR-10.
        method : str or method
            A name of `METHODS` (``"sl"``, ``"5ce"``), another multiple of CE or RCE, or a method object.
        noise : str, (kind, rate) or Noise
            ``"none"``, ``"symmetric-0.4"``, ``("asymmetric", 0.3)``, ``"human-worse_label"``.
        protocol, profile, section, seed
            See the class. Without a section: 5.3 for Clothing1M, else 5.2.
        scale : Scale
            Images, epochs and width, where they are not the profile's own.
        **changes
            Fields of the config to set otherwise.

        Raises
        ------
        ValueError
            For a name that is not known, or a method that the protocol does not have.

        Examples
        --------
        >>> RunConfig.preset("cifar10", "sl", "asymmetric-0.4", profile="full").method
        SL(name='sl', alpha=0.1, beta=5.0, A=-4.0)
        """
        fields = preset_fields(dataset, method, noise, protocol, profile, section, scale)
        return cls.model_validate(fields | {"seed": seed} | changes)


def _leaves(config: Part, place: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config:
        if isinstance(value, Part):
            yield from _leaves(value, f"{place}{name}.")
        elif name != "seed":
            yield f"{place}{name}", value


@cache
def _preset_leaves(*cell: Any) -> dict[str, Any]:
    """Return all fields of a preset but its seed, by their place; none where there is no such preset."""
    try:
        return dict(_leaves(RunConfig.preset(*cell)))
    except ValueError:
        return {}
