"""Rules fixed beforehand, and the verdicts that they give."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sce_lib.experiments.config.naming import value_in_words
from sce_lib.experiments.ledger import RunRecord
from sce_lib.report.claims.evidence import Evidence, where_run
from sce_lib.report.claims.quantities import QUANTITIES

_RULES = Path(__file__).with_name("claims.csv")
AGREES, IN_DIRECTION, DISAGREES, NOT_TESTED = "agrees", "agrees in direction", "disagrees", "not tested"
UNDECIDED, PREMISE_NOT_MET = "undecided", "premise not met"
CONFIDENCE = 0.95


def load_claims(chapter: int | None = None) -> pd.DataFrame:
    """Return the claims and their rules, indexed by id, of one chapter or of all.

    Examples
    --------
    >>> load_claims(2).loc["noise-amplifies", "threshold"]
    np.float64(0.05)
    """
    claims = pd.read_csv(_RULES, index_col="id")
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
    >>> [judge(value, "at_least", 0.2, 0.0) for value in (0.3, 0.1, 0.0)]
    ['agrees', 'agrees in direction', 'disagrees']
    """
    if comparison not in ("at_least", "at_most"):
        raise ValueError(f"comparison {comparison!r} is not known; give 'at_least' or 'at_most'")
    sign = 1.0 if comparison == "at_least" else -1.0
    if sign * value >= sign * threshold:
        return AGREES
    return IN_DIRECTION if sign * value > sign * direction else DISAGREES


class Decision(NamedTuple):
    """A verdict, with the mean that was measured and its 95 % interval; NaN for what is not known."""

    verdict: str
    mean: float
    low: float
    high: float


def decide(values: Sequence[float], comparison: str, threshold: float, direction: float) -> Decision:
    """Return the verdict that the interval of a mean allows.

    The interval is Student's, from the spread of the values themselves. A claim *agrees* where the whole of
    it is beyond the threshold, *agrees in direction* where it is beyond the weaker direction, *disagrees*
    where none of it is, and is *undecided* where it holds both sides. One value has no interval: it can be in
    direction, and else leaves the claim undecided. No value leaves it not tested.

    Parameters
    ----------
    values : sequence of float
        The quantity, one a seed (or one a cell); NaN counts as absent.
    comparison : {"at_least", "at_most", "within"}
        Which side of the threshold agrees; ``"within"`` asks that the quantity lies between minus the
        threshold and plus the threshold.
    threshold, direction : float
        Where a claim agrees, and the weaker demand.

    Examples
    --------
    >>> decide([0.30, 0.32, 0.31], "at_least", 0.2, 0.0).verdict
    'agrees'
    >>> decide([0.30, -0.20, 0.31], "at_least", 0.2, 0.0).verdict
    'undecided'
    >>> decide([0.01, 0.012, 0.011], "within", 0.02, 0.04).verdict
    'agrees'
    """
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    mean = float(known.mean()) if known.size else float("nan")
    low, high = student_interval(known)
    if not known.size:
        return Decision(NOT_TESTED, mean, low, high)
    ends = (mean, mean) if known.size == 1 else (low, high)
    if known.size > 1 and _beyond(ends, comparison, threshold):
        return Decision(AGREES, mean, low, high)
    if _beyond(ends, comparison, direction):
        return Decision(IN_DIRECTION, mean, low, high)
    wrong = known.size > 1 and _nowhere(ends, comparison, direction)
    return Decision(DISAGREES if wrong else UNDECIDED, mean, low, high)


def student_interval(
    values: np.ndarray, deviation: float | None = None, degrees: int | None = None
) -> tuple[float, float]:
    """Return Student's 95 % interval of a mean; (NaN, NaN) where nothing tells how wide it is.

    From a standard deviation and its degrees of freedom; where they are not given, from the spread of the
    values themselves, of which it takes two.
    """
    if deviation is None or degrees is None:
        if values.size < 2:
            return float("nan"), float("nan")
        deviation, degrees = values.std(ddof=1), values.size - 1
    from scipy import stats  # most of a second, which who imports this need not wait for

    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees) * (deviation / np.sqrt(values.size)))
    return float(values.mean()) - half, float(values.mean()) + half


def _beyond(ends: tuple[float, float], comparison: str, bound: float) -> bool:
    """Return whether the whole of an interval is on the side of a bound that agrees."""
    low, high = ends
    sides = {"at_least": low >= bound, "at_most": high <= bound, "within": -bound <= low and high <= bound}
    if comparison not in sides:
        raise ValueError(f"comparison {comparison!r} is not known; give one of {', '.join(sides)}")
    return sides[comparison]


def _nowhere(ends: tuple[float, float], comparison: str, bound: float) -> bool:
    """Return whether none of an interval is on the side of a bound that agrees."""
    low, high = ends
    return {"at_least": high < bound, "at_most": low > bound, "within": high < -bound or low > bound}[
        comparison
    ]


def verdicts(records: Sequence[RunRecord], chapter: int, noise: str | None = None) -> pd.DataFrame:
    """Judge a chapter's claims on records of one data set.

    Indexed by claim id: figure, claim, measured (mean over seeds), lowest, highest, seeds, rule, paper
    (the paper's own value, where it gives one), verdict.

    Parameters
    ----------
    records : sequence of RunRecord
        Of one data set at one scale.
    chapter : int
        Whose claims.
    noise : str, optional
        Short name of a noise to judge them under, in place of the one that each claim is about.
    """
    evidence = Evidence(records)
    claims = load_claims(chapter).iterrows()
    rows = {name: _verdict(claim, evidence.at(noise or claim["noise"])) for name, claim in claims}
    return pd.DataFrame.from_dict(rows, orient="index")


def _verdict(claim: pd.Series, evidence: Evidence) -> dict[str, Any]:
    values = where_run(QUANTITIES[claim["quantity"]], evidence)
    rule = (claim["comparison"], claim["threshold"], claim["direction"])
    return {
        **claim[["figure", "claim"]],
        **{"measured": values.mean(), "lowest": values.min(), "highest": values.max(), "seeds": len(values)},
        "rule": f"{'≥' if claim['comparison'] == 'at_least' else '≤'} {value_in_words(claim['threshold'])}",
        "paper": claim["paper_value"],
        "verdict": judge(values.mean(), *rule) if len(values) else NOT_TESTED,
    }


def require(verdicts: pd.DataFrame, expected: Mapping[str, str]) -> None:
    """Raise unless each claim's verdict, from `verdicts`, is the one that a text states, by the claim's id.

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
