"""What an import costs and leaves behind: nothing is loaded before it is used, no random state moves."""

import json
import subprocess
import sys

import pytest

# After importing each of these, one by one in a fresh process, nothing of the list may be there.
TRAINING = ["sce_lib.data", "sce_lib.experiments", "sce_lib.data.load", "sce_lib.experiments.config"]
TRAINING += ["sce_lib.experiments.grids", "sce_lib.experiments.ledger", "sce_lib.experiments.training"]
TRAINING += ["sce_lib.experiments.sweep", "sce_lib.experiments.selfcheck", "sce_lib.models"]
CHAPTERS = [
    "sce_lib.experiments.sweep",
    "sce_lib.report.claims",
    "sce_lib.report.figures",
    "sce_lib.report.tables",
]
CHAPTERS += ["sce_lib.report.numbers", "sce_lib.report.table1", "sce_lib.theory", "sce_lib.noise"]
LATER = ["torchvision", "sklearn", "scipy", "matplotlib", "seaborn", "sympy", "distributed"]

LOADED = """
import importlib, json, sys
loaded = {}
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
    loaded[name] = sorted({module.partition(".")[0] for module in sys.modules})
print(json.dumps(loaded))
"""

STATES = """
import importlib, json, random, sys
from pathlib import Path
import numpy as np, torch
import sce_lib
root = Path(sce_lib.__file__).parent
random.seed(1); np.random.seed(1); torch.manual_seed(1)
def states():
    kind, keys, *rest = np.random.get_state()
    return random.getstate(), (kind, keys.tolist(), *rest), torch.random.get_rng_state().tolist()
moved, seen, before = [], [], states()
names = [path.relative_to(root.parent).with_suffix("").parts for path in sorted(root.rglob("*.py"))]
for parts in sorted(names, reverse=sys.argv[1] == "backwards"):
    if parts[-1] != "__main__":
        name = ".".join(parts).removesuffix(".__init__")
        importlib.import_module(name)
        seen.append(name)
        if states() != before:
            moved.append(name)
            before = states()
print(json.dumps([seen, moved]))
"""


def told(script, *arguments):
    command = [sys.executable, "-c", script, *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize(
    ("modules", "absent"), [(TRAINING, [*LATER, "pandas"]), (CHAPTERS, LATER)], ids=["training", "chapters"]
)
def test_what_is_loaded_is_used(modules, absent):
    for module, loaded in told(LOADED, json.dumps(modules)).items():
        assert set(absent).isdisjoint(loaded), module


@pytest.mark.parametrize("order", ["forwards", "backwards"])
def test_no_import_moves_a_random_state(order):
    """What is imported first brings the others: the one that moves it is another in another order."""
    seen, moved = told(STATES, order)
    assert len(seen) > 80
    assert moved == []
