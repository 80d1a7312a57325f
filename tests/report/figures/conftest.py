"""Figures are drawn without a screen, and closed."""

import matplotlib
import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def no_screen():
    """Draw without a screen, and see that every figure is closed for pyplot."""
    with matplotlib.rc_context({"backend": "agg"}):
        yield
    assert plt.get_fignums() == []
