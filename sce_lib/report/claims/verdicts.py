"""Rules fixed beforehand, and the verdicts that they give."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sce_lib.experiments.config.naming import value_in_words
from sce_lib.experiments.ledger import RunRecord
from sce_lib.report.claims.evidence import Evidence, where_run
from sce_lib.report.claims.quantities import QUANTITIES

_RULES = Path(__file__).with_name("claims.csv")
AGREES, IN_DIRECTION, DISAGREES, NOT_TESTED = "agrees", "agrees in direction", "disagrees", "not tested"


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
