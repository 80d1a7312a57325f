"""Right answers pass, wrong ones are told why, and no answer is no answer."""

import numpy as np
import pytest

from sce_lib import theory
from sce_lib.theory import exercises

RIGHT = [
    ("sl-from-ce", lambda ce, alpha, beta, A: alpha * ce - beta * A * (1 - np.exp(-ce))),
    ("same-knob", 2 / 3),
    ("not-dominant", [[0.40, 0.35, 0.25], [0.25, 0.40, 0.35], [0.3, 0.3, 0.4]]),
    ("class-rates-flip", ([0.6, 0.4], [0.4, 0.0])),
    ("class-rates-flip", (np.array([0.45, 0.55]), (0.0, 0.3))),
    ("sl-gradient", lambda p, y, a, b, A: theory.sl_weight(p[y], a, b, A) * (p - np.eye(len(p))[y])),
    ("peak", -1.0),
    ("learning-time", (3 - 1.5 + 2 * np.log(2)) / 6),
    ("calibrate", lambda p, a, b, A: p / (a - b * A * p) / (p / (a - b * A * p)).sum()),
]

WRONG = [
    ("sl-from-ce", lambda ce, alpha, beta, A: alpha * ce + beta * A * (1 - np.exp(-ce)), "but SL is"),
    ("sl-from-ce", lambda ce: ce, "raised TypeError"),
    ("sl-from-ce", 3.0, "expected a function"),
    ("sl-from-ce", lambda *_: "a", "expected one number"),
    ("same-knob", 1.5, "another loss"),
    ("same-knob", -1.0, "negative"),
    ("same-knob", [1, 2], r"shape \(2,\)"),
    ("same-knob", "two thirds", "expected one number"),
    ("same-knob", float("nan"), "finite"),
    ("not-dominant", np.eye(3), "diagonally dominant"),
    ("not-dominant", np.full((3, 3), 1 / 3), "not below"),
    ("not-dominant", np.full((3, 3), 1 / 2), "not to 1"),
    ("not-dominant", np.eye(2), "3 × 3"),
    ("not-dominant", [[1.2, -0.1, -0.1]] * 3, "negative"),
    ("class-rates-flip", ([0.9, 0.1], [0.1, 0.1]), "decides as the clean one"),
    ("class-rates-flip", ([0.6, 0.4], [0.6, 0.0]), "1/2"),
    ("class-rates-flip", ([0.5, 0.5], [0.1, 0.0]), "tied"),
    ("class-rates-flip", ([0.6, 0.6], [0.1, 0.0]), "no distribution"),
    ("class-rates-flip", 3, "a pair"),
    ("sl-gradient", lambda p, y, a, b, A: a * (p - np.eye(len(p))[y]), "it gives"),
    ("sl-gradient", lambda p, y, a, b, A: p[:1], "numbers for"),
    ("peak", 4.0, "negative"),
    ("peak", -4.0, "0.4875"),
    ("learning-time", 2.0, "too long"),
    ("learning-time", 0.1, "too short"),
    ("calibrate", lambda p, a, b, A: p, "but the posterior was"),
    ("calibrate", lambda p, a, b, A: p[0], "one a class"),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers(name, answer):
    verdict = exercises.check(name, answer)
    assert verdict, repr(verdict)
    assert repr(verdict) == "Right."


@pytest.mark.parametrize(("name", "answer", "complaint"), WRONG)
def test_wrong_answers_are_told_why(name, answer, complaint):
    verdict = exercises.check(name, answer)
    assert not verdict
    assert complaint.replace("\\", "") in repr(verdict)


def test_every_exercise_is_tested_both_ways_and_takes_dots():
    names = set(exercises._CHECKS)
    assert names == {name for name, _ in RIGHT} == {name for name, *_ in WRONG}
    for name in names:
        assert not exercises.check(name, ...)


def test_unknown_exercise():
    with pytest.raises(KeyError, match="no exercise 'x'"):
        exercises.check("x", 1)
