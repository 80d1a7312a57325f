"""A search, from a seed, for problems on which a loss is not noise tolerant in the paper's sense (§4.2)."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from sce_lib.losses.functional import cross_entropy
from sce_lib.theory import problems
from sce_lib.theory.classes import Setting, optimal_classifier, random_problem
from sce_lib.theory.problems import Array, FiniteProblem

__all__ = ["Counterexample", "find_counterexample", "sl_table"]

Family = Literal["all", "linear", "random"]

# A seed's own stream of problems: attempt i of seed s never meets an attempt of another seed.
_STREAM = 1_000_003


def sl_table(probabilities: Array, alpha: float, beta: float, A: float = -4.0) -> Array:
    """SL of every prediction under every label (Eq. 7); α = 0 is RCE times β, β = 0 is CE times α.

    Examples
    --------
    >>> sl_table(np.array([0.5, 0.5]), alpha=0.0, beta=1.0, A=-4.0)
    array([2., 2.])
    """
    table = beta * problems.rce_table(probabilities, A)
    return table if alpha == 0 else table + alpha * problems.loss_table(probabilities, cross_entropy)


@dataclass(frozen=True, eq=False)
class Counterexample:
    """A problem whose minimiser of R and minimiser of R^η misclassify differently on clean labels.

    In family "all" the problem's two classifiers are the optima over all classifiers. The minimisers of R and
    R^η in ``problem.classifiers`` are `f_star` and `f_star_eta`, their misclassification on clean labels is
    `clean_error` and `noisy_error`. Each is unique by `margin`: by so much, in the smaller of the two cases
    and in units of α + β|A|, the runner-up's risk lies above. It is the last of `tries` problems drawn.
    """

    setting: str
    family: str
    problem: FiniteProblem
    f_star: int
    f_star_eta: int
    clean_error: float
    noisy_error: float
    margin: float
    tries: int


def find_counterexample(
    setting: Setting,
    family: Family = "all",
    alpha: float = 0.0,
    beta: float = 1.0,
    A: float = -4.0,
    num_classes: int = 3,
    num_points: int = 4,
    num_classifiers: int = 200,
    seed: int = 0,
    tries: int = 1000,
    margin: float = 1e-6,
) -> Counterexample | None:
    """Look for a problem in the stated setting on which SL (RCE, CE) is not noise tolerant.

    It is (§4.2) if the minimisers of noisy and clean risk in one class misclassify clean labels alike.

    Parameters
    ----------
    setting, num_classes, num_points, num_classifiers, seed
        See `random_problem`; the number of classifiers is for "linear" and "random".
    family : {"all", "linear", "random"}
        The class: all classifiers (the optimum is in closed form); softmax-linear ones with random weights;
        arbitrary random predictions.
    alpha, beta, A : float
        The loss: SL. The default α = 0 is RCE; β = 0 is CE.
    tries : int
        Problems to draw before giving up with None (which proves nothing).
    margin : float
        Minimisers must be unique by this much, in units of α + β|A|, and their errors differ by as much, so
        that no rounding can make a counterexample.

    Examples
    --------
    RCE meets its theorem; with one rate for each class it does not, even over all classifiers.

    >>> find_counterexample("symmetric", family="linear", tries=50) is None
    True
    >>> found = find_counterexample("class_dependent_rate", family="all")
    >>> found.clean_error < found.noisy_error
    True
    """
    if family not in ("all", "linear", "random"):
        raise ValueError(f"unknown family {family!r}; known: all, linear, random")
    if tries < 1:
        raise ValueError(f"tries must be at least 1, got {tries}")
    draw = partial(random_problem, setting, "random" if family == "all" else family, num_classes, num_points)
    for attempt in range(tries):
        problem = draw(1 if family == "all" else num_classifiers, seed=seed * _STREAM + attempt)
        if family == "all":  # of that class the two classifiers that matter: the clean and the noisy optimum
            optima = [optimal_classifier(P, alpha, beta, A) for P in (problem.joint, problem.noisy_joint)]
            problem = FiniteProblem(problem.joint, problem.transition, np.stack(optima))
        table, errors = sl_table(problem.classifiers, alpha, beta, A), problems.misclassification(problem)
        clean, noisy = problems.risks(problem, table), problems.noisy_risks(problem, table)
        star, star_eta = int(clean.argmin()), int(noisy.argmin())
        first, second = float(errors[star]), float(errors[star_eta])
        if abs(first - second) <= margin:
            continue
        size = alpha + beta * abs(A)  # of the loss: its unit does not matter
        distance = min(float(np.partition(values, 1)[1] - values.min()) for values in (clean, noisy)) / size
        if distance > margin:
            found = (problem, star, star_eta, first, second, distance, attempt + 1)
            return Counterexample(setting, family, *found)
    return None
