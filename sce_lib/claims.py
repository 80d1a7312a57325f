"""The paper's claims, measured: a quantity for each, a rule fixed beforehand, a verdict.

The rules stand in ``data/paper/claims.csv``: a claim `agrees` where the mean of its quantity over the seeds
reaches the threshold, `agrees in direction` where it reaches the weaker direction alone, and else
`disagrees`; without records it is `not tested`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from sce_lib.ledger import RunRecord, StageRecord, select
from sce_lib.paths import paper_root

AGREES, IN_DIRECTION, DISAGREES, NOT_TESTED = "agrees", "agrees in direction", "disagrees", "not tested"

# The paper names four of CIFAR-10's ten classes as hard (§5.1): two fifths, taken from each end.
GROUP_SHARE = 0.4


@dataclass(frozen=True)
class Evidence:
    """Records of one data set, looked up by method and noise; quantities are arrays over the seeds.

    Hard and easy classes are found on clean labels, by class-wise test accuracy at the end of training
    with cross entropy, averaged over seeds: so that what noise does to them is not how they were chosen.
    """

    records: Sequence[RunRecord]
    noise: str = "symmetric-0.4"

    def of(self, method: str, noise: str | None = None) -> list[RunRecord]:
        """Return the records of a method under a noise (by default the chapter's), by seed."""
        found = select(self.records, method, noise or self.noise)
        if not found:
            raise LookupError(f"no record of {method} under {noise or self.noise}")
        return found

    @cached_property
    def ranking(self) -> np.ndarray:
        """Classes from the hardest to the easiest."""
        ends = [record.final_stage().classwise_accuracy for record in self.of("ce", "clean")]
        return np.argsort(np.mean(ends, axis=0), kind="stable")

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


def _at(records: Sequence[RunRecord], stage: str) -> list[StageRecord]:
    # The paper's epochs 10, 50 and 100 of 120, and the last one; a short run may have fewer stages.
    index = {"early": 0, "middle": -3, "late": -2, "end": -1}[stage]
    return [record.stages[max(index, -len(record.stages))] for record in records]


def _classwise(records: Sequence[RunRecord], stage: str) -> np.ndarray:
    return np.array([look.classwise_accuracy for look in _at(records, stage)])


def _spread(records: Sequence[RunRecord], stage: str) -> np.ndarray:
    return np.ptp(_classwise(records, stage), axis=1)


def _gap(evidence: Evidence) -> np.ndarray:
    """Return what noise costs each class late in training: (seeds, K)."""
    return _classwise(evidence.of("ce", "clean"), "late") - _classwise(evidence.of("ce"), "late")


def _end_confidence(evidence: Evidence) -> np.ndarray:
    """Return the mean probabilities over the clean portion of the hardest class, at the end: (seeds, K)."""
    return np.array([look.confidence[evidence.hardest] for look in _at(evidence.of("ce"), "end")])


def _confidence_lead(evidence: Evidence) -> np.ndarray:
    confidence = _end_confidence(evidence)
    others = np.delete(confidence, evidence.hardest, axis=1)
    return confidence[:, evidence.hardest] - others.max(axis=1)


def _true_positives_gap(evidence: Evidence) -> np.ndarray:
    looks = _at(evidence.of("ce"), "end")
    sizes = np.array([np.add(look.clean.count, look.flipped.count) for look in looks])
    rate = np.array([look.correct for look in looks]) / sizes
    return rate[:, evidence.easy].mean(axis=1) - rate[:, evidence.hard].mean(axis=1)


def _under_learning_beyond_overfitting(evidence: Evidence) -> np.ndarray:
    clean = np.array([record.epochs[-1].test_accuracy for record in evidence.of("ce", "clean")])
    best = np.array([record.best_accuracy for record in evidence.of("ce")])
    last = np.array([record.epochs[-1].test_accuracy for record in evidence.of("ce")])
    return (clean - best) - (best - last)


def _sl_gain_hard(evidence: Evidence) -> np.ndarray:
    gain = _classwise(evidence.of("sl"), "end") - _classwise(evidence.of("ce"), "end")
    return gain[:, evidence.hard].mean(axis=1)


QUANTITIES: dict[str, Callable[[Evidence], np.ndarray]] = {
    "early_spread_clean": lambda e: _spread(e.of("ce", "clean"), "early"),
    "early_spread_noisy": lambda e: _spread(e.of("ce"), "early"),
    "spread_shrinks_clean": lambda e: (
        _spread(e.of("ce", "clean"), "early") - _spread(e.of("ce", "clean"), "late")
    ),
    "spread_amplified": lambda e: _spread(e.of("ce"), "late") - _spread(e.of("ce", "clean"), "late"),
    "hardest_gap": lambda e: _gap(e)[:, e.hardest],
    "hard_gap_beyond_easy": lambda e: _gap(e)[:, e.hard].mean(axis=1) - _gap(e)[:, e.easy].mean(axis=1),
    "easy_drop": lambda e: (
        _classwise(e.of("ce"), "middle")[:, e.easy].mean(axis=1)
        - _classwise(e.of("ce"), "late")[:, e.easy].mean(axis=1)
    ),
    "under_learning_beyond_overfitting": _under_learning_beyond_overfitting,
    "hardest_confidence": lambda e: _end_confidence(e)[:, e.hardest],
    "hardest_confidence_lead": _confidence_lead,
    "true_positives_gap": _true_positives_gap,
    "sl_gain_hard": _sl_gain_hard,
    "sl_gain": lambda e: (
        np.array([r.last_accuracy for r in e.of("sl")]) - np.array([r.last_accuracy for r in e.of("ce")])
    ),
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
    rows = {}
    for name, claim in load_claims(chapter).iterrows():
        try:
            values = QUANTITIES[claim["quantity"]](evidence)
        except LookupError:
            values = np.array([])
        rows[name] = {
            "figure": claim["figure"],
            "claim": claim["claim"],
            "measured": values.mean() if len(values) else np.nan,
            "lowest": values.min(initial=np.inf) if len(values) else np.nan,
            "highest": values.max(initial=-np.inf) if len(values) else np.nan,
            "seeds": len(values),
            "rule": f"{'≥' if claim['comparison'] == 'at_least' else '≤'} {claim['threshold']:g}",
            "paper": claim["paper_value"],
            "verdict": (
                judge(values.mean(), claim["comparison"], claim["threshold"], claim["direction"])
                if len(values)
                else NOT_TESTED
            ),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


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
