"""Theorem 1 line by line: every term of both halves of the proof, evaluated on a finite problem."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from sce_lib.theory import problems
from sce_lib.theory.problems import Array, FiniteProblem, expectation, minimisers, noisy_risks, risks

__all__ = ["Equation13", "Line", "Proof", "SymmetricConclusion", "affine_coefficients", "asymmetric_proof"]
__all__ += ["equation_13", "symmetric_conclusion", "symmetric_proof"]


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a proof: its TeX, and its signed terms, each of shape (n_f,)."""

    tex: str
    terms: Mapping[str, Array]

    @property
    def value(self) -> Array:
        """The sum of the terms, shape (n_f,)."""
        return sum(self.terms.values())  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Proof:
    """A chain of equalities: label → `Line`; every line should have the value of the first."""

    lines: Mapping[str, Line]

    def values(self) -> Array:
        """One row for each line, one column for each classifier."""
        return np.stack([line.value for line in self.lines.values()])

    def steps(self) -> dict[str, float]:
        """For each line but the first, the largest difference from the line before it."""
        return {
            f"{before} = {label}": float(np.max(np.abs(line.value - last.value)))
            for (before, last), (label, line) in pairwise(self.lines.items())
        }

    def gap(self) -> float:
        """Return the largest difference over all steps: exactly 0 on fractions where the proof holds."""
        return max(self.steps().values())


def affine_coefficients(rate: Any, num_classes: int, A: Any = -4.0) -> tuple[Any, Any]:
    """Slope 1 − ηK/(K−1) and intercept −Aη of RCE's R^η over R; symmetric noise η in [0, 1], K at least 2.

    Examples
    --------
    >>> affine_coefficients(0.45, num_classes=10, A=-4.0)
    (0.5, 1.8)
    >>> affine_coefficients(0.9, num_classes=10)[0]
    0.0
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must lie in [0, 1], got {rate}")
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    return _affine(rate, num_classes, A)


def _affine(rate: Any, classes: int, A: Any) -> tuple[Any, Any]:
    return 1 - rate * classes / (classes - 1), -A * rate


def _table(problem: FiniteProblem, A: Any, table: Array | None) -> Array:
    if table is None:
        return problems.rce_table(problem.classifiers, A)
    if table.shape != problem.classifiers.shape:
        raise ValueError(f"table has shape {table.shape}; expected {problem.classifiers.shape}")
    return table


def _opening(problem: FiniteProblem, table: Array) -> dict[str, Line]:
    """Both halves begin alike: the noisy risk, then the same in three nested expectations."""
    p_x = problem.joint.sum(axis=1)
    conditional = problem.joint / np.where(p_x == 0, 1, p_x)[:, None]
    over_noise = (problem.transition_at * table[:, :, None, :]).sum(axis=-1)
    nested = (p_x * (conditional * over_noise).sum(axis=-1)).sum(axis=-1)
    expected = r"\mathbb{E}_{\mathbf{x}}\mathbb{E}_{y|\mathbf{x}}\mathbb{E}_{\hat y|\mathbf{x},y}"
    loss = r"\,\ell(f(\mathbf{x}),\hat y)"
    return {
        "1": Line(r"\mathbb{E}_{\mathbf{x},\hat y}" + loss, {"noisy risk": noisy_risks(problem, table)}),
        "2": Line(expected + loss, {"nested expectation": nested}),
    }


def symmetric_proof(problem: FiniteProblem, A: Any = -4.0, table: Array | None = None) -> Proof:
    """Every line of the first half of Theorem 1's proof (§4.2 and Appendix A).

    The lines use the overall rate η = E[η_y(x)] of ``problem.transition``. Where that is symmetric noise,
    all agree; where it is not, line 3 breaks away from line 2. Line 5 uses Σ_k ℓ_rce = −(K−1)A, so with the
    table of a loss that lacks the property, line 5 breaks away from line 4.

    Parameters are as in `sce_lib.theory`; the table is RCE's if none is given. Lines "1" to "5": noisy risk;
    nested; noise written out; in terms of R; closed form.

    Examples
    --------
    >>> from sce_lib.theory.classes import random_problem
    >>> proof = symmetric_proof(random_problem("symmetric", exact=True, seed=3), A=-4)
    >>> proof.gap()
    0.0
    >>> list(proof.lines["5"].terms)
    ['R(f) (1 - eta K/(K-1))', '-A eta']
    """
    A = problems.in_kind(problem, A)
    losses = _table(problem, A, table)
    joint, eta, classes = problem.joint, problem.noise_rate, problem.num_classes
    clean = risks(problem, losses)
    total = losses.sum(axis=-1, keepdims=True)
    share = eta / (classes - 1)
    all_labels = expectation(joint, np.broadcast_to(total, losses.shape))
    slope, intercept = _affine(eta, classes, A)
    return Proof(
        {
            **_opening(problem, losses),
            "3": Line(
                r"\mathbb{E}_{\mathbf{x},y}\Big[(1-\eta)\,\ell(f(\mathbf{x}),y)"
                r"+\tfrac{\eta}{K-1}\sum_{k\neq y}\ell(f(\mathbf{x}),k)\Big]",
                {
                    "(1 - eta) E l(f, y)": expectation(joint, (1 - eta) * losses),
                    "eta/(K-1) E sum_{k != y} l(f, k)": expectation(joint, share * (total - losses)),
                },
            ),
            "4": Line(
                r"(1-\eta)R(f)+\tfrac{\eta}{K-1}\Big(\mathbb{E}_{\mathbf{x},y}"
                r"\sum_{k}\ell(f(\mathbf{x}),k)-R(f)\Big)",
                {
                    "(1 - eta) R(f)": (1 - eta) * clean,
                    "eta/(K-1) E sum_k l(f, k)": share * all_labels,
                    "-eta/(K-1) R(f)": -share * clean,
                },
            ),
            "5": Line(
                r"R(f)\Big(1-\tfrac{\eta K}{K-1}\Big)-A\eta",
                {"R(f) (1 - eta K/(K-1))": slope * clean, "-A eta": intercept + 0 * clean},
            ),
        }
    )


@dataclass(frozen=True, eq=False)
class SymmetricConclusion:
    """What the first half concludes: ``left == right <= 0`` for every f when η < 1 − 1/K.

    The (first) minimiser f* of R has the index `f_star`; `slope` is 1 − ηK/(K−1), `left` and `right`, (n_f,),
    are R^η(f*) − R^η(f) and slope · (R(f*) − R(f)).
    """

    f_star: int
    slope: Any
    left: Array
    right: Array


def symmetric_conclusion(
    problem: FiniteProblem, A: Any = -4.0, table: Array | None = None
) -> SymmetricConclusion:
    """Both sides of R^η(f*) − R^η(f) = (1 − ηK/(K−1))(R(f*) − R(f)); arguments as `symmetric_proof`.

    Examples
    --------
    >>> from sce_lib.theory.classes import random_problem
    >>> end = symmetric_conclusion(random_problem("symmetric", exact=True, seed=3), A=-4)
    >>> bool((end.left == end.right).all() and (end.left <= 0).all())
    True
    """
    A = problems.in_kind(problem, A)
    losses = _table(problem, A, table)
    clean, noisy = risks(problem, losses), noisy_risks(problem, losses)
    best = int(minimisers(clean)[0])
    slope, _ = _affine(problem.noise_rate, problem.num_classes, A)
    return SymmetricConclusion(best, slope, noisy[best] - noisy, slope * (clean[best] - clean))


def _off_label(values: Array) -> Array:
    """Zero the entries k = y of an array whose last two axes are (y, k)."""
    return np.where(np.eye(values.shape[-1], dtype=bool), 0 * values, values)


def asymmetric_proof(problem: FiniteProblem, A: Any = -4.0, table: Array | None = None) -> Proof:
    """Every line of Eq. 12, the second half of Theorem 1's proof (Appendix A).

    Lines 1 to 4 hold for any loss and any noise, also noise that depends on x; line 5 uses
    Σ_k ℓ_rce = −(K−1)A. Arguments as `symmetric_proof`. Lines "1" to "6": noisy risk; nested; noise written
    out; ℓ(f, y) as the sum over all labels less the others; that sum replaced by −(K−1)A; terms collected,
    Eq. 12's last line.

    Examples
    --------
    >>> from sce_lib.theory.classes import random_problem
    >>> asymmetric_proof(random_problem("asymmetric", exact=True, seed=3), A=-4).gap()
    0.0
    """
    A = problems.in_kind(problem, A)
    losses = _table(problem, A, table)
    joint, classes = problem.joint, problem.num_classes
    keep = 1 - problem.noise_rates
    total = losses.sum(axis=-1, keepdims=True)
    others = _off_label(np.broadcast_to(losses[:, :, None, :], (*losses.shape, classes))).sum(axis=-1)
    flips = _off_label(problem.transition_at * losses[:, :, None, :]).sum(axis=-1)
    constant = expectation(joint, -(classes - 1) * A * keep) + 0 * risks(problem, losses)
    # The bracket of Eq. 13 as well: (1 − η_y − η_yk) ℓ(f, k), summed over k ≠ y.
    weighted = _off_label(off_diagonal_weights(problem) * losses[:, :, None, :]).sum(axis=-1)
    flipped = {"E sum_{k != y} eta_yk l(f, k)": expectation(joint, flips)}
    rest = {"-E (1 - eta_y) sum_{k != y} l(f, k)": -expectation(joint, keep * others)}
    return Proof(
        {
            **_opening(problem, losses),
            "3": Line(
                r"\mathbb{E}_{\mathbf{x},y}\Big[(1-\eta_y)\,\ell(f(\mathbf{x}),y)"
                r"+\sum_{k\neq y}\eta_{yk}\,\ell(f(\mathbf{x}),k)\Big]",
                {"E (1 - eta_y) l(f, y)": expectation(joint, keep * losses), **flipped},
            ),
            "4": Line(
                r"\mathbb{E}_{\mathbf{x},y}\Big[(1-\eta_y)\Big(\sum_{k}\ell(f(\mathbf{x}),k)"
                r"-\sum_{k\neq y}\ell(f(\mathbf{x}),k)\Big)\Big]"
                r"+\mathbb{E}_{\mathbf{x},y}\Big[\sum_{k\neq y}\eta_{yk}\,\ell(f(\mathbf{x}),k)\Big]",
                {"E (1 - eta_y) sum_k l(f, k)": expectation(joint, keep * total), **rest, **flipped},
            ),
            "5": Line(
                r"\mathbb{E}_{\mathbf{x},y}\Big[(1-\eta_y)\Big(-(K-1)A"
                r"-\sum_{k\neq y}\ell(f(\mathbf{x}),k)\Big)\Big]"
                r"+\mathbb{E}_{\mathbf{x},y}\Big[\sum_{k\neq y}\eta_{yk}\,\ell(f(\mathbf{x}),k)\Big]",
                {"-(K-1) A E (1 - eta_y)": constant, **rest, **flipped},
            ),
            "6": Line(
                r"-(K-1)A\,\mathbb{E}_{\mathbf{x},y}(1-\eta_y)"
                r"-\mathbb{E}_{\mathbf{x},y}\Big[\sum_{k\neq y}(1-\eta_y-\eta_{yk})"
                r"\,\ell(f(\mathbf{x}),k)\Big]",
                {
                    "-(K-1) A E (1 - eta_y)": constant,
                    "-E sum_{k != y} (1 - eta_y - eta_yk) l(f, k)": -expectation(joint, weighted),
                },
            ),
        }
    )


def off_diagonal_weights(problem: FiniteProblem) -> Array:
    """1 − η_y − η_yk, shape (n_x, K, K), with y before k."""
    return (1 - problem.noise_rates)[..., None] - problem.transition_at


@dataclass(frozen=True, eq=False)
class Equation13:
    """Eq. 13 term by term, for f* and f*_η, the (first) minimisers of R and R^η in the class.

    Attributes
    ----------
    f_star, f_star_eta : int
        Their indices.
    weights, terms : ndarray (n_x, K, K)
        At [x, y, k], 1 − η_y − η_yk, or 0 at k = y, which the sum leaves out; P(x, y) · weight · (ℓ* − ℓ^η*).
    rce_star, rce_eta : ndarray (n_x, K)
        ℓ_rce(f*(x), k) and ℓ_rce(f*_η(x), k).
    left, risk_difference : float or Fraction
        The sum of the terms, Eq. 13's left side, and R^η(f*_η) − R^η(f*), by Eq. 12 the same; never positive.
    """

    f_star: int
    f_star_eta: int
    weights: Array
    rce_star: Array
    rce_eta: Array
    terms: Array
    left: Any
    risk_difference: Any


def equation_13(problem: FiniteProblem, A: Any = -4.0) -> Equation13:
    """Evaluate Eq. 13, from which the second half of Theorem 1 draws f*_η = f*.

    With R(f*) = 0 in the class and η_yk < 1 − η_y every term is ≥ 0; a sum ≤ 0 makes all of them 0.

    Examples
    --------
    >>> from sce_lib.theory.classes import random_problem
    >>> eq13 = equation_13(random_problem("asymmetric_realisable", exact=True, seed=3), A=-4)
    >>> eq13.f_star == eq13.f_star_eta, int(eq13.left)
    (True, 0)
    """
    A = problems.in_kind(problem, A)
    table = problems.rce_table(problem.classifiers, A)
    noisy = noisy_risks(problem, table)
    star, star_eta = (int(minimisers(values)[0]) for values in (risks(problem, table), noisy))
    rce_star, rce_eta, weights = table[star], table[star_eta], _off_label(off_diagonal_weights(problem))
    terms = problem.joint[..., None] * weights * (rce_star - rce_eta)[:, None, :]
    difference = noisy[star_eta] - noisy[star]
    return Equation13(star, star_eta, weights, rce_star, rce_eta, terms, terms.sum(), difference)
