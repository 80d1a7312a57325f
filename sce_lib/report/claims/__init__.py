"""The paper's claims, measured: a quantity for each, a rule fixed beforehand, a verdict.

The rules stand in ``claims.csv`` beside this file: a claim `agrees` where the mean of its quantity over the
seeds reaches the threshold, `agrees in direction` where it reaches the weaker direction alone, and else
`disagrees`; without records it is `not tested`. A quantity that compares runs pairs them by seed, and uses
the seeds alone that all of them have.
"""

from sce_lib.report.claims.evidence import Evidence, hard_and_easy
from sce_lib.report.claims.quantities import QUANTITIES, purity, silhouette
from sce_lib.report.claims.verdicts import (
    AGREES,
    DISAGREES,
    IN_DIRECTION,
    NOT_TESTED,
    judge,
    load_claims,
    require,
    verdicts,
)

__all__ = [
    "AGREES",
    "DISAGREES",
    "IN_DIRECTION",
    "NOT_TESTED",
    "QUANTITIES",
    "Evidence",
    "hard_and_easy",
    "judge",
    "load_claims",
    "purity",
    "require",
    "silhouette",
    "verdicts",
]
