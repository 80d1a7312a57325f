"""What type checkers say of a call: a tensor, and nothing left open."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SNIPPET = """
import torch
from sce_lib import losses

logits, target = torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64)
for_sl = losses.SymmetricCrossEntropy(0.1, 1.0, A=-4.0, weight=torch.ones(3), reduction="sum")
reveal_type(for_sl(logits, target))
reveal_type(for_sl(input=logits, target=target))
reveal_type(losses.Sum([(1.0, for_sl)])(logits, target))
reveal_type(losses.get("gce", q=0.7)(logits, target))
reveal_type(losses.symmetric_cross_entropy(logits, target, reduction="mean"))
criterion: torch.nn.CrossEntropyLoss = for_sl
"""
WRONG = """
from sce_lib import losses

losses.SymmetricCrossEntropy(reduction="average")
"""


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, **options)


@pytest.mark.slow
def test_mypy_knows_that_a_call_is_a_tensor(tmp_path):
    paths = []
    for name, text in (("right", SNIPPET), ("wrong", WRONG)):
        paths.append(tmp_path / f"{name}.py")
        paths[-1].write_text(text)
    lines = run(sys.executable, "-m", "mypy", "--follow-imports=silent", *map(str, paths)).stdout.splitlines()
    right = [line for line in lines if "right.py" in line]
    assert len(right) == 5, lines
    assert all(line.endswith('note: Revealed type is "torch._tensor.Tensor"') for line in right), right
    assert any("wrong.py:4: error" in line and "reduction" in line for line in lines), lines


@pytest.mark.slow
def test_pyright_knows_that_a_call_is_a_tensor(tmp_path):
    pytest.importorskip("pyright", reason="pyright is not installed, so nothing was asked of it")
    path = tmp_path / "right.py"
    path.write_text(SNIPPET)
    done = run(sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(path))
    messages = [said["message"] for said in json.loads(done.stdout)["generalDiagnostics"]]
    assert [message for message in messages if "is" in message and "Tensor" in message] == messages
    assert len(messages) == 5, messages
