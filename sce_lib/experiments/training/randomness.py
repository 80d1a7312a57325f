"""Python's global random state, left as it is by libraries that draw from it when they are imported."""

import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Set `random`'s global state back, at the end of a block, to what it was at its beginning.

    Examples
    --------
    >>> random.seed(1)
    >>> with random_state_kept():
    ...     first = random.random()
    >>> random.random() == first
    True
    """
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)
