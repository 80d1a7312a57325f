"""The paper's claims, measured: a quantity for each, a rule fixed beforehand, a verdict.

The rules stand in ``data/paper/claims.csv``: a claim `agrees` where the mean of its quantity over the seeds
reaches the threshold, `agrees in direction` where it reaches the weaker direction alone, and else
`disagrees`; without records it is `not tested`. A quantity that compares runs pairs them by seed, and uses
the seeds alone that all of them have.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from sce_lib.ledger import MissingRuns, RunRecord, StageRecord, select
from sce_lib.paths import paper_root

AGREES, IN_DIRECTION, DISAGREES, NOT_TESTED = "agrees", "agrees in direction", "disagrees", "not tested"

# The paper names four of CIFAR-10's ten classes as hard (§5.1): two fifths, taken from each end.
GROUP_SHARE = 0.4


@dataclass(frozen=True)
class Evidence:
    """Records of one data set at one scale, looked up by method and noise.

    Hard and easy classes are found on clean labels, by class-wise test accuracy at the end of training
    with cross entropy, averaged over seeds: so that what noise does to them is not how they were chosen.
    """

    records: Sequence[RunRecord]
    noise: str = "symmetric-0.4"

    def of(self, method: str, noise: str | None = None) -> list[RunRecord]:
        """Return the records of a method under a noise (by default the chapter's), by seed.

        Raises
        ------
        MissingRuns
            If there is none.
        ValueError
            If two of them have one seed, and so are of configs that differ in something else.
        """
        found = select(self.records, method, noise or self.noise)
        if not found:
            raise MissingRuns(f"no record of {method} under {noise or self.noise}")
        if len({record.config.seed for record in found}) < len(found):
            names = ", ".join(f"{record.config.dataset}/{record.run_id}" for record in found)
            raise ValueError(f"evidence has one run a method, noise and seed, but here are {names}")
        return found

    @cached_property
    def ranking(self) -> np.ndarray:
        """Classes from the hardest to the easiest."""
        return np.argsort(_classwise(self.of("ce", "clean"), "end").mean().to_numpy(), kind="stable")

    @property
    def hardest(self) -> int:
        """The hardest class."""
        return int(self.ranking[0])

    @property
    def hard(self) -> np.ndarray:
        """The hardest two fifths of the classes."""
        return self.ranking[: max(1, int(GROUP_SHARE * len(self.ranking)))]

    @property
    def easy(self) -> np.ndarray:
        """The easiest two fifths of the classes."""
        return self.ranking[-max(1, int(GROUP_SHARE * len(self.ranking))) :]


# The paper's epochs 10, 50 and 100 of 120, and the last one; a short run may have fewer stages.
_STAGES = {"early": 0, "middle": -3, "late": -2, "end": -1}


def _by_seed(records: Sequence[RunRecord], stage: str, values: Callable[[StageRecord], Any]) -> pd.DataFrame:
    """Return per-class values of a stage: a row a seed, a column a class. Differences align by seed."""
    looks = {r.config.seed: r.stages[max(_STAGES[stage], -len(r.stages))] for r in records}
    return pd.DataFrame({seed: values(look) for seed, look in looks.items()}, dtype=float).T


def _classwise(records: Sequence[RunRecord], stage: str) -> pd.DataFrame:
    return _by_seed(records, stage, lambda look: look.classwise_accuracy)


def _spread(records: Sequence[RunRecord], stage: str) -> pd.Series:
    accuracy = _classwise(records, stage)
    return accuracy.max(axis=1) - accuracy.min(axis=1)


def _gap(evidence: Evidence) -> pd.DataFrame:
    """Return what noise costs each class late in training."""
    return _classwise(evidence.of("ce", "clean"), "late") - _classwise(evidence.of("ce"), "late")


def _easy_beyond_hard(values: pd.DataFrame, evidence: Evidence) -> pd.Series:
    return values[evidence.easy].mean(axis=1) - values[evidence.hard].mean(axis=1)


def _easy_drop(evidence: Evidence) -> pd.Series:
    drop = _classwise(evidence.of("ce"), "middle") - _classwise(evidence.of("ce"), "late")
    return drop[evidence.easy].mean(axis=1)


def _end_confidence(evidence: Evidence) -> pd.DataFrame:
    """Return the mean probabilities over the clean portion of the hardest class, at the end."""
    return _by_seed(evidence.of("ce"), "end", lambda look: look.confidence[evidence.hardest])


def _confidence_lead(evidence: Evidence) -> pd.Series:
    confidence = _end_confidence(evidence)
    return confidence[evidence.hardest] - confidence.drop(columns=evidence.hardest).max(axis=1)


def _true_positives_gap(evidence: Evidence) -> pd.Series:
    rate = _by_seed(
        evidence.of("ce"), "end", lambda look: look.correct / np.add(look.clean.count, look.flipped.count)
    )
    return _easy_beyond_hard(rate, evidence)


def _scores(records: Sequence[RunRecord], score: Callable[[RunRecord], float]) -> pd.Series:
    return pd.Series({record.config.seed: score(record) for record in records})


def _under_learning_beyond_overfitting(evidence: Evidence) -> pd.Series:
    clean = _scores(evidence.of("ce", "clean"), lambda record: record.epochs[-1].test_accuracy)
    best = _scores(evidence.of("ce"), lambda record: record.best_accuracy)
    last = _scores(evidence.of("ce"), lambda record: record.epochs[-1].test_accuracy)
    return (clean - best) - (best - last)


def _sl_gain_hard(evidence: Evidence) -> pd.Series:
    gain = _classwise(evidence.of("sl"), "end") - _classwise(evidence.of("ce"), "end")
    return gain[evidence.hard].mean(axis=1)


def _sl_gain(evidence: Evidence) -> pd.Series:
    sl, ce = (_scores(evidence.of(method), lambda r: r.last_accuracy) for method in ("sl", "ce"))
    return sl - ce


# From evidence to a value a seed; NaN for a seed that one of the compared settings lacks.
QUANTITIES: dict[str, Callable[[Evidence], pd.Series]] = {
    "early_spread_clean": lambda e: _spread(e.of("ce", "clean"), "early"),
    "early_spread_noisy": lambda e: _spread(e.of("ce"), "early"),
    "spread_shrinks_clean": lambda e: (
        _spread(e.of("ce", "clean"), "early") - _spread(e.of("ce", "clean"), "late")
    ),
    "spread_amplified": lambda e: _spread(e.of("ce"), "late") - _spread(e.of("ce", "clean"), "late"),
    "hardest_gap": lambda e: _gap(e)[e.hardest],
    "hard_gap_beyond_easy": lambda e: -_easy_beyond_hard(_gap(e), e),
    "easy_drop": _easy_drop,
    "under_learning_beyond_overfitting": _under_learning_beyond_overfitting,
    "hardest_confidence": lambda e: _end_confidence(e)[e.hardest],
    "hardest_confidence_lead": _confidence_lead,
    "true_positives_gap": _true_positives_gap,
    "sl_gain_hard": _sl_gain_hard,
    "sl_gain": _sl_gain,
}


def load_claims(chapter: int | None = None) -> pd.DataFrame:
    """Return the claims and their rules, indexed by id, of one chapter or of all.

    Examples
    --------
    >>> load_claims(2).loc["noise-amplifies", "threshold"]
    np.float64(0.05)
    """
    claims = pd.read_csv(paper_root() / "claims.csv", index_col="id")
    return claims if chapter is None else claims[claims["chapter"] == chapter]


def judge(value: float, comparison: str, threshold: float, direction: float) -> str:
    """Return the verdict on a measured quantity.

    Parameters
    ----------
    value : float
        The quantity, mean over the seeds.
    comparison : {"at_least", "at_most"}
        Which side of the threshold agrees.
    threshold, direction : float
        Where a claim agrees, and what it must be beyond (strictly) to agree in direction.

    Examples
    --------
    >>> judge(0.3, "at_least", 0.2, 0.0), judge(0.1, "at_least", 0.2, 0.0), judge(0.0, "at_least", 0.2, 0.0)
    ('agrees', 'agrees in direction', 'disagrees')
    """
    if comparison not in ("at_least", "at_most"):
        raise ValueError(f"comparison {comparison!r} is not known; give 'at_least' or 'at_most'")
    sign = 1.0 if comparison == "at_least" else -1.0
    if sign * value >= sign * threshold:
        return AGREES
    return IN_DIRECTION if sign * value > sign * direction else DISAGREES


def verdicts(records: Sequence[RunRecord], chapter: int, noise: str = "symmetric-0.4") -> pd.DataFrame:
    """Judge a chapter's claims on records of one data set.

    Returns
    -------
    DataFrame
        Indexed by claim id: figure, claim, measured (mean over seeds), lowest, highest, seeds, rule, paper
        (the paper's own value, where it gives one), verdict.
    """
    evidence = Evidence(records, noise)
    rows = {name: _verdict(claim, evidence) for name, claim in load_claims(chapter).iterrows()}
    return pd.DataFrame.from_dict(rows, orient="index")


def _verdict(claim: pd.Series, evidence: Evidence) -> dict[str, Any]:
    quantity = QUANTITIES[claim["quantity"]]
    try:
        values = quantity(evidence).dropna()
    except MissingRuns:
        values = pd.Series(dtype=float)
    rule = (claim["comparison"], claim["threshold"], claim["direction"])
    return {
        "figure": claim["figure"],
        "claim": claim["claim"],
        "measured": values.mean(),
        "lowest": values.min(),
        "highest": values.max(),
        "seeds": len(values),
        "rule": f"{'≥' if claim['comparison'] == 'at_least' else '≤'} {claim['threshold']:g}",
        "paper": claim["paper_value"],
        "verdict": judge(values.mean(), *rule) if len(values) else NOT_TESTED,
    }


def require(verdicts: pd.DataFrame, expected: Mapping[str, str]) -> None:
    """Raise unless each claim's verdict is the one that a text states.

    Parameters
    ----------
    verdicts : DataFrame
        From `verdicts`.
    expected : mapping of str to str
        From a claim's id to its verdict.

    Raises
    ------
    AssertionError
        Naming the claim, what was measured, its rule and its verdict.

    Examples
    --------
    >>> require(verdicts([], chapter=2), {"noise-amplifies": "not tested"})
    """
    for name, verdict in expected.items():
        row = verdicts.loc[name]
        if row["verdict"] != verdict:
            raise AssertionError(
                f"the text says that {name!r} {verdict}, but the records say {row['verdict']!r}: "
                f"measured {row['measured']:.4f}, rule {row['rule']}"
            )
