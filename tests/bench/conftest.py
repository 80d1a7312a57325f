"""Where the measurements of training are kept: a file that the book's page of benchmarks is made from."""

import json
import os
import platform
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
import torchvision
from reference.benchmarks import FILE

from sce_lib.files import write_atomically


def _processor():
    """Return the processor's name, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _machine():
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
    }


@pytest.fixture(autouse=True, scope="session")
def one_arena():
    """Warn where memory is given back between tensors: page faults are then timed as well."""
    if "MALLOC_MMAP_MAX_" not in os.environ and platform.system() == "Linux":
        warnings.warn("the allocator is not set as `make bench` sets it", stacklevel=1)


@pytest.fixture
def report():
    """Return what adds a measurement to the file; those of another machine are dropped."""

    def add(part, name, measured):
        kept = json.loads(FILE.read_text()) if FILE.exists() else {}
        if kept.get("machine") != _machine():
            kept = {"machine": _machine(), "measured": {}}
        kept["date"] = datetime.now(UTC).date().isoformat()
        kept["measured"].setdefault(part, {})[name] = measured
        write_atomically(FILE, (json.dumps(kept, indent=1) + "\n").encode())

    return add


@pytest.fixture
def threads():
    """Return what sets torch's threads, until the test has ended."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def one_thread(threads):
    threads(1)
