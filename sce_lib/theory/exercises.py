"""Exercises that check themselves: a name and an answer in, a verdict out.

Answers are judged by what they must satisfy, with the library's own functions, so that every right answer
passes, not only the one we had in mind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sce_lib.theory.classes import optimal_classifier, uniform_flips
from sce_lib.theory.gradients import gradient_peak, sl_gradient, sl_of_ce
from sce_lib.theory.learning import learning_time

# Some (α, β, A), drawn with a fixed seed, so that a verdict does not depend on chance.
_rng = np.random.default_rng(0)
_SETTINGS = [(_rng.uniform(0, 6), _rng.uniform(0, 5), -_rng.uniform(0.5, 10)) for _ in range(20)]


@dataclass(frozen=True)
class Verdict:
    """What `check` says of an answer; true if it is right, and shown in words."""

    correct: bool
    message: str

    def __bool__(self) -> bool:
        return self.correct

    def __repr__(self) -> str:
        return self.message


class _Wrong(Exception):
    """Why an answer is not right, in words that help."""


def _require(condition: Any, complaint: str) -> None:
    if not bool(condition):
        raise _Wrong(complaint)


def _numbers(answer: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    try:
        array = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        raise _Wrong(f"expected {what}, got {answer!r}") from None
    _require(array.shape == shape, f"expected {what}, got something of shape {array.shape}")
    _require(np.isfinite(array).all(), f"expected finite numbers, got {answer!r}")
    return array


def _call(function: Any, *arguments: Any) -> Any:
    _require(callable(function), f"expected a function, got {function!r}")
    try:
        return function(*arguments)
    except Exception as error:
        raise _Wrong(f"it raised {type(error).__name__}: {error}") from error


def _sl_from_ce(function: Any) -> None:
    ce = np.linspace(0, 5, 11)
    for alpha, beta, A in _SETTINGS:
        answers = [_call(function, value, alpha, beta, A) for value in ce]
        values, expected = _numbers(answers, (11,), "one number for each loss"), sl_of_ce(ce, alpha, beta, A)
        for at in np.flatnonzero(np.abs(values - expected) > 1e-9)[:1]:
            raise _Wrong(
                f"at CE {ce[at]:.1f}, alpha {alpha:.2f}, beta {beta:.2f}, A {A:.2f} "
                f"it gives {values[at]:.4f}, but SL is {expected[at]:.4f}"
            )


def _same_knob(answer: Any) -> None:
    beta = float(_numbers(answer, (), "one number"))
    _require(beta >= 0, "beta cannot be negative")
    ce = np.linspace(0, 5, 11)
    same = np.allclose(sl_of_ce(ce, 0.1, beta, -6.0), sl_of_ce(ce, 0.1, 1.0, -4.0), rtol=0, atol=1e-9)
    _require(same, f"beta = {beta:g} at A = -6 is another loss than beta = 1 at A = -4")


def _not_dominant(answer: Any) -> None:
    matrix = _numbers(answer, (3, 3), "a 3 × 3 matrix")
    _require((matrix >= 0).all(), "a probability is negative")
    _require(np.allclose(matrix.sum(axis=1), 1), f"the rows sum to {matrix.sum(axis=1).tolist()}, not to 1")
    diagonal, off = np.diagonal(matrix), matrix[~np.eye(3, dtype=bool)].reshape(3, 2)
    dominant = (off.max(axis=1) < diagonal - 1e-9).all()
    _require(dominant, "some eta_yk is not below 1 − eta_y: the theorem is silent")
    _require((diagonal < off.sum(axis=1) - 1e-9).all(), "some row is diagonally dominant")


def _class_rates_flip(answer: Any) -> None:
    try:
        posterior, rates = answer
    except (TypeError, ValueError):
        raise _Wrong("expected a pair: the posterior, and the two rates") from None
    posterior = _numbers(posterior, (2,), "two posterior probabilities")
    rates = _numbers(rates, (2,), "two noise rates")
    _require((posterior >= 0).all() and np.isclose(posterior.sum(), 1), "the posterior is no distribution")
    _require(((rates >= 0) & (rates < 0.5)).all(), "both rates must lie in [0, 1/2): below 1 − 1/K")
    _require(abs(posterior[0] - posterior[1]) > 1e-9, "a tied posterior decides nothing")
    noisy = posterior @ uniform_flips(rates, 2)
    _require(
        (noisy[0] - noisy[1]) * (posterior[0] - posterior[1]) < -1e-12,
        f"the noisy posterior is {noisy.round(4).tolist()}: it decides as the clean one does",
    )


def _sl_gradient(function: Any) -> None:
    rng = np.random.default_rng(1)
    for alpha, beta, A in _SETTINGS:
        classes = int(rng.integers(2, 11))
        p, y = rng.dirichlet(np.ones(classes)), int(rng.integers(classes))
        answer = _call(function, p, y, alpha, beta, A)
        gradient = _numbers(answer, (classes,), f"{classes} numbers for {classes} classes")
        _require(
            np.allclose(gradient, sl_gradient(p, y, alpha, beta, A), rtol=0, atol=1e-9),
            f"at p = {p.round(3).tolist()}, y = {y}, alpha {alpha:.2f}, beta {beta:.2f}, A {A:.2f} "
            f"it gives {gradient.round(4).tolist()}",
        )


def _peak(answer: Any) -> None:
    A = float(_numbers(answer, (), "one number"))
    _require(A < 0, "A stands for log 0 and is negative")
    peak = gradient_peak(alpha=0.1, beta=1.0, A=A)
    _require(abs(peak - 0.45) < 1e-6, f"with A = {A:g} the peak is at {peak:.4f}, not at 0.45")


def _learning_time(answer: Any) -> None:
    time = float(_numbers(answer, (), "one number"))
    expected = float(learning_time(3, alpha=0.0, beta=1.0, A=-4.0))
    _require(abs(time - expected) < 5e-3, f"{time:g} is too {'long' if time > expected else 'short'}")


def _calibrate(function: Any) -> None:
    rng = np.random.default_rng(2)
    for alpha, beta, A in _SETTINGS:
        posterior = rng.dirichlet(np.ones(int(rng.integers(2, 8))))
        p = optimal_classifier(posterior[None], alpha, beta, A)[0]
        answer = _numbers(_call(function, p, alpha, beta, A), p.shape, f"{len(p)} numbers, one a class")
        _require(
            np.allclose(answer, posterior, rtol=0, atol=1e-6),
            f"at p = {p.round(3).tolist()}, alpha {alpha:.2f}, beta {beta:.2f}, A {A:.2f} it gives "
            f"{answer.round(4).tolist()}, but the posterior was {posterior.round(4).tolist()}",
        )


_CHECKS: dict[str, Callable[[Any], None]] = {
    "sl-from-ce": _sl_from_ce,
    "same-knob": _same_knob,
    "not-dominant": _not_dominant,
    "class-rates-flip": _class_rates_flip,
    "sl-gradient": _sl_gradient,
    "peak": _peak,
    "learning-time": _learning_time,
    "calibrate": _calibrate,
}


def check(name: str, answer: Any) -> Verdict:
    """Judge an answer to one of the book's exercises.

    Parameters
    ----------
    name : str
        The exercise, as named beside it; an unknown one is a `KeyError`.
    answer : object
        A number, an array or a function, as the exercise asks; ``...`` stands for no answer yet.

    Examples
    --------
    >>> check("same-knob", ...)
    No answer yet: put yours in the place of the dots.
    >>> check("same-knob", 1.5)
    Not yet: beta = 1.5 at A = -6 is another loss than beta = 1 at A = -4.
    """
    if name not in _CHECKS:
        raise KeyError(f"no exercise {name!r}; there are {', '.join(_CHECKS)}")
    if answer is ...:
        return Verdict(False, "No answer yet: put yours in the place of the dots.")
    try:
        _CHECKS[name](answer)
    except _Wrong as wrong:
        return Verdict(False, f"Not yet: {wrong}.")
    return Verdict(True, "Right.")
