"""Records made by hand for the claims of a chapter, each number of which is known."""

import numpy as np
import pytest

from sce_lib.experiments.config.parts import SL
from sce_lib.experiments.config.presets import RELEASED_A
from sce_lib.experiments.ledger import Embedding

NOISY = "symmetric-0.4"
CLEAN = [(0.3, 0.5, 0.7, 0.8, 0.9), (0.6, 0.7, 0.8, 0.85, 0.95), (0.8, 0.85, 0.9, 0.92, 0.95)]
CE = [(0.1, 0.3, 0.6, 0.7, 0.9), (0.4, 0.55, 0.7, 0.8, 0.95), (0.4, 0.5, 0.65, 0.75, 0.85)]
SL_STAGES = [(0.2, 0.3, 0.7, 0.7, 0.9), *CE[1:], (0.6, 0.7, 0.8, 0.85, 0.9)]


# Five classes: the hardest two are 0 and 1, the easiest two are 3 and 4.
CONFIDENCE = [[0.5, 0.1, 0.2, 0.1, 0.1], *(np.eye(5)[1:].tolist())]
SL_CONFIDENCE = [[0.9, 0.01, 0.06, 0.02, 0.01], *(np.eye(5)[1:].tolist())]


def clusters(strays):
    """Return five clusters of twelve points far apart, with some of class 0 put into the one of class 1."""
    labels = np.repeat(np.arange(5), 12)
    spread = np.random.default_rng(0).uniform(-1, 1, (60, 2))
    centres = 100.0 * np.array([(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)])
    places = np.where((labels == 0) & (np.arange(60) < strays), 1, labels)
    x, y = (centres[places] + spread).T
    return Embedding(labels=labels.tolist(), x=x.tolist(), y=y.tolist())


@pytest.fixture
def chapter(make_record):
    """Return a maker of one seed's records of CE, LSR and SL, each number of which is known."""

    def make(seed, shift=0.0, noise=NOISY):
        def up(values):
            return tuple(min(1.0, value + shift) for value in values)

        clean = make_record(
            "ce",
            "clean",
            seed,
            stages=[*CLEAN, up(CLEAN[2])],
            curve=[0.3, 0.7, 0.9],
            embedding=clusters(0),
        )
        ce = make_record(
            "ce",
            noise,
            seed,
            stages=[*CE, up(CE[2])],
            confidence=CONFIDENCE,
            correct=[40, 50, 60, 80, 90],
            curve=[0.2, 0.7, 0.6],
            last=0.61 + shift,
            clean_share=[0.1, 0.1, 0.1, 0.2, 0.1],
            flipped_fitted=[0.4, 0.5, 0.6, 0.5, 0.5],
            embedding=clusters(12),
        )
        sl = make_record(
            "sl",
            noise,
            seed,
            stages=SL_STAGES,
            confidence=SL_CONFIDENCE,
            correct=[70, 82, 90, 95, 95],
            last=0.77,
            clean_share=[0.2, 0.2, 0.1, 0.2, 0.1],
            flipped_fitted=[0.1, 0.1, 0.1, 0.1, 0.2],
            embedding=clusters(0),
        )
        lsr = make_record("lsr", noise, seed, stages=[*CE, up(CE[2])], curve=[0.2, 0.65, 0.62])
        return [clean, ce, sl, lsr]

    return make


@pytest.fixture
def ablations(make_record):
    """Return records of Figs. 8 and 9a with known accuracies: a curve over three epochs, and the last one."""

    def make(seed=0):
        def of(method, curve, last):
            return make_record(method, "symmetric-0.6", seed, curve=curve, last=last, section="5.1")

        sl = {(0.1, -6.0): 0.70, (0.1, -8.0): 0.71, (0.1, -4.0): 0.69, (0.1, -2.0): 0.68}
        sl |= {(1.0, -6.0): 0.55, (1.0, -8.0): 0.60, (1.0, -4.0): 0.50, (1.0, -2.0): 0.40}
        sl |= {(0.5, -6.0): 0.60, (0.01, -6.0): 0.65, (0.1, RELEASED_A): 0.72}
        lost = {1.0: 0.2, 0.5: 0.1, 0.1: 0.02, 0.01: 0.0}
        start = {1.0: 0.5, 0.5: 0.5, 0.1: 0.4, 0.01: 0.15}
        return [
            *(
                of(SL(alpha=a, beta=1.0, A=A), [start[a], last + lost[a], last], last)
                for (a, A), last in sl.items()
            ),
            of(SL(alpha=0.1, beta=1.5, A=-4.0), [0.4, 0.7], 0.703),
            *(of(name, [0.3, 0.6, 0.5], 0.5) for name in ("ce", "2ce")),
            of("5ce", [0.3, 0.7, 0.45], 0.45),
            of("rce", [0.1, 0.5, 0.5], 0.52),
            of("2rce", [0.1, 0.5, 0.47], 0.47),
            of("5rce", [0.1, 0.5, 0.49], 0.49),
        ]

    return make


@pytest.fixture
def methods(make_record):
    """Return records of every method of Tables 1 and 2 under two noises, with known accuracies."""
    last = {"ce": 0.5, "lsr": 0.52, "bootstrap": 0.51, "forward": 0.6, "d2l": 0.55, "gce": 0.65, "sl": 0.7}
    last |= {"forward+sl": 0.66, "lsr+sl": 0.69, "d2l+sl": 0.9}

    def stages(method):
        ends = np.full(5, last[method])
        ends[0] = {"sl": 0.6, "gce": 0.5}.get(method, 0.2)
        return [tuple(ends)] * 4

    return [
        make_record("ce", "clean", stages=[*CLEAN, CLEAN[2]]),
        *(make_record(name, "symmetric-0.8", last=last[name], stages=stages(name)) for name in last),
        *(make_record(name, "symmetric-0.2", last=0.8) for name in ("sl", "gce")),
    ]
