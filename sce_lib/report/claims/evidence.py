"""Where a claim's quantity is looked up: records of one data set, by method and noise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from sce_lib.experiments.config.factors import is_changed
from sce_lib.experiments.config.parts import D2L, Part
from sce_lib.experiments.config.presets import resolve_method
from sce_lib.experiments.ledger import MissingRuns, RunRecord, require_same_images, select

# The paper names four of CIFAR-10's ten classes as hard (§5.1): two fifths, taken from each end.
GROUP_SHARE = 0.4


@dataclass(frozen=True)
class Evidence:
    """Records, looked up by method and noise.

    Hard and easy classes are found on clean labels, by class-wise test accuracy at the end of training
    with cross entropy, averaged over seeds: so that what noise does to them is not how they were chosen.

    Parameters
    ----------
    records : sequence of RunRecord
        Of one data set at one scale.
    noise : str
        Short name of the noise that is meant where none is named.

    Raises
    ------
    MixedImages
        If the records were made from different images.
    """

    records: Sequence[RunRecord]
    noise: str = "symmetric-0.4"

    def __post_init__(self) -> None:
        require_same_images(self.records)

    def at(self, noise: str) -> "Evidence":
        """Return the same records, looked up under another noise."""
        return replace(self, noise=noise)

    def under(self, factor: str | None) -> "Evidence":
        """Return the evidence of the paper's presets with one detail changed, or with none for None.

        `factor` is a key of `sce_lib.experiments.config.factors.FACTORS`.
        """
        return replace(self, records=[r for r in self.records if is_changed(r.config, factor)])

    def of(self, method: str | Part, noise: str | None = None) -> list[RunRecord]:
        """Return the records of a method under a noise (by default the evidence's own), by seed.

        A name means the method as the paper sets it, ``"5ce"`` five times cross entropy; for other
        hyperparameters give the method itself, ``SL(alpha=1.0, beta=1.0, A=-6.0)``.

        Raises
        ------
        MissingRuns
            If there is none.
        ValueError
            If two of them have one seed, and so are of configs that differ in something else; if they are of
            several precisions, which are several settings.
        """
        noise = noise or self.noise
        found = [record for record in select(self.records, noise=noise) if is_of(record, method)]
        if not found:
            raise MissingRuns(f"no record of {method} under {noise}")
        if len({record.config.seed for record in found}) < len(found):
            names = ", ".join(f"{record.config.dataset}/{record.run_id}" for record in found)
            raise ValueError(f"evidence has one run a method, noise and seed, but here are {names}")
        if len(precisions := {record.config.precision for record in found}) > 1:
            raise ValueError(
                f"runs of {method} under {noise} are of {' and '.join(sorted(precisions))}, which are not "
                "one setting; choose with select(records, precision=...)"
            )
        return found

    @cached_property
    def ranking(self) -> np.ndarray:
        """Classes from the hardest to the easiest."""
        return rank_classes(self.of("ce", "clean"))

    @property
    def hardest(self) -> int:
        """The hardest class."""
        return int(self.ranking[0])

    @property
    def hard(self) -> np.ndarray:
        """The hardest two fifths of the classes."""
        return hard_and_easy(self.ranking)[0]

    @property
    def easy(self) -> np.ndarray:
        """The easiest two fifths of the classes."""
        return hard_and_easy(self.ranking)[1]


def where_run(values: Callable[..., pd.Series], *arguments: object) -> pd.Series:
    """Return ``values(*arguments)`` by seed, without NaN; empty where a run that they need is missing."""
    try:
        return values(*arguments).dropna()
    except MissingRuns:
        return pd.Series(dtype=float)


def rank_classes(records: Sequence[RunRecord]) -> np.ndarray:
    """Return the classes from the hardest to the easiest, by accuracy at the end, averaged over runs."""
    require_same_images(records)
    ends = [record.final_stage().classwise_accuracy for record in records]
    return np.argsort(np.array(ends, dtype=float).mean(axis=0), kind="stable")


def hard_and_easy(ranking: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hardest and the easiest two fifths of the classes.

    Examples
    --------
    >>> [group.tolist() for group in hard_and_easy(np.array([3, 1, 4, 0, 2]))]
    [[3, 1], [0, 2]]
    """
    count = max(1, int(GROUP_SHARE * len(ranking)))
    return ranking[:count], ranking[-count:]


def is_of(record: RunRecord, method: str | Part) -> bool:
    """Return whether a record is of a method, or of the one that a name means for its config."""
    config = record.config
    if isinstance(method, Part):
        return config.method == method
    if isinstance(config.method, D2L):
        # D2L's schedule follows the length of the run; no two of its settings are compared.
        return method == config.method.slug
    where = (config.dataset, config.noise, config.protocol, config.section)
    return config.method.slug == method and config.method == resolve_method(method, *where)
