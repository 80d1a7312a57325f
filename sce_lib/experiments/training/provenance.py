"""Where a run is made, by which code, on which machine: its record says so, its checkpoint is bound to it."""

import contextlib
import hashlib
import importlib.metadata
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import torch

import sce_lib
from sce_lib.files import checkout

# What of the package decides a run's numbers: not how runs are kept, handed out and shown.
_ROOMS = ("losses", "noise", "models", "metrics", "data", "experiments/config", "experiments/training")
# Instructions that libraries of linear algebra choose their kernels by, beside those that torch names.
_INSTRUCTIONS = (
    *("avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16", "amx_fp16"),
    *("sve", "sve2", "bf16", "i8mm"),
)
_NUMBERS = {"family": "cpu family", "model": "model", "stepping": "stepping"}


@cache
def code_digest() -> str:
    """Return the digest of the code that training runs: its source and the tables beside it, 12 digits.

    Examples
    --------
    >>> len(code_digest())
    12
    """
    package = Path(sce_lib.__file__).parent
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((package / room).rglob("*")):
            if path.suffix in (".py", ".csv"):
                digest.update(repr((path.relative_to(package).as_posix(), path.read_bytes())).encode())
    return digest.hexdigest()[:12]


@cache
def _cpuinfo() -> dict[str, str]:
    """Return what Linux says of the first processor; nothing where it is not Linux."""
    path = Path("/proc/cpuinfo")
    first = path.read_text().partition("\n\n")[0].splitlines() if path.exists() else []
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first)}


def instructions() -> list[str]:
    """Return those instruction sets of this processor that libraries of linear algebra choose kernels by."""
    info = _cpuinfo()
    here = set(info.get("flags", info.get("Features", "")).split())
    return [name for name in _INSTRUCTIONS if name in here]


@cache
def processor() -> str:
    """Return the processor's name and model, as far as the system tells them."""
    info = _cpuinfo()
    if "model name" in info:
        numbers = ", ".join(f"{name} {info[key]}" for name, key in _NUMBERS.items() if key in info)
        return info["model name"] + (numbers and f" ({numbers})")
    if "CPU part" in info:
        return f"implementer {info.get('CPU implementer')}, part {info['CPU part']}"
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return platform.processor() or "processor not known"


@cache
def machine() -> str:
    """Return the type of machine that equal bits are promised on: system, instructions, processor."""
    kernels = " ".join([torch.backends.cpu.get_cpu_capability(), *instructions()])
    return f"{platform.system()} {platform.machine()} {kernels}, {processor()}"


def device_name(device: torch.device) -> str:
    """Return what a record calls a device: ``cpu``, or the GPU's name."""
    return "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device)


def versions() -> dict[str, str]:
    """Return the versions of what a run rests on."""
    found = {"sce_lib": sce_lib.__version__, "torch": torch.__version__}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # it is looked up and not imported
        found["torchvision"] = importlib.metadata.version("torchvision")
    return found | {"python": platform.python_version()}


def git_commit() -> str | None:
    """Return the commit of the checkout that this package lies in; None where it lies in none."""
    if (folder := checkout()) is None:
        return None
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def now() -> str:
    """Return the date and time, in UTC, as records have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


code_digest()  # of what is imported now: files may change under a process that trains for days
