import numpy as np
import pytest

from sce_lib.report.numbers import number, over_seeds, signed, spread, with_range


def test_spread():
    assert spread(np.array([0.25])) == "25.0"
    assert spread([0.2, 0.3, 0.7], digits=2) == "40.00 [20.00, 70.00]"


@pytest.mark.parametrize("value", [-0.04, 0.0, 0.04])
def test_what_rounds_to_zero_has_no_minus_sign(value):
    assert (number(value), signed(value)) == ("0.0", "+0.0")


def test_every_minus_is_the_true_one():
    texts = [number(-1.5), signed(-1.5), with_range(-2.0, -3.0, -1.0), over_seeds([-1, -2], difference=True)]
    assert not any("-" in text for text in texts)
    assert texts[2] == "−2.0 [−3.0, −1.0]"


def test_what_is_not_there_is_not_written():
    assert (number(np.nan), signed(np.nan), over_seeds([])) == ("", "", "")
    assert with_range(1.0, np.nan, np.nan, difference=True) == "+1.0"
