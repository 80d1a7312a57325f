"""Speed of training, from the file that `make bench` writes, and what the whole of Table 1 would cost."""

import json
import statistics
from collections.abc import Iterator
from typing import Any

from reference import markdown
from reference.markdown import ROOT
from sce_lib.experiments import cost, grids
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.training.task import epoch_test_size

FILE = ROOT / "data" / "benchmarks" / "training.json"
# What a loop cannot be faster than: its network's convolutions and dense layers alone, and nothing else.
CEILING = "layers alone"
TABLE1 = {"mnist": "MNIST", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
# float32 operations a second of an NVIDIA A100, by its data sheet, and shares of it that may be reached.
GPU, GPU_PEAK, GPU_SHARES = "NVIDIA A100", 19.5e12, (0.05, 0.2)

Measured = dict[str, Any]
Row = tuple[str, ...]


# --- From turns to numbers ---------------------------------------------------------------------------


def ratios(measured: Measured, slow: str, fast: str) -> list[float]:
    """Return how many times as long the one took as the other, turn by turn."""
    times = measured["seconds"]
    return [one / other for one, other in zip(times[slow], times[fast], strict=True)]


def rate(measured: Measured, name: str, images: str = "images") -> float:
    """Return the median of the images a second."""
    return measured[images] / statistics.median(measured["seconds"][name])


def speed(measured: Measured, name: str = "this loop") -> float:
    """Return the operations a second of training, forward and backward pass."""
    return rate(measured, name) * measured["flops"][1]


def epochs(measured: Measured, name: str, train: int, test: int) -> list[float]:
    """Return the seconds of an epoch of so many images, turn by turn."""
    times = measured["seconds"]
    return [
        one * train / measured["images"] + other * test / measured["test_images"]
        for one, other in zip(times[name], times[f"{name}, evaluation"], strict=True)
    ]


def spread(values: list[float]) -> str:
    """Return the median and the range of ratios.

    Examples
    --------
    >>> spread([1.0, 2.0, 1.5])
    '1.50 (1.00 to 2.00)'
    """
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def told(measured: Measured) -> Iterator[str]:
    """Yield a line for each contestant: its time, and how it compares with the first."""
    first, *_ = measured["seconds"]
    for name, times in measured["seconds"].items():
        yield f"{name}: {statistics.median(times):.4g} s, {spread(ratios(measured, name, first))} x {first}"


# --- Fragments ---------------------------------------------------------------------------------------


def fragments() -> dict[str, str]:
    """Return the tables of the page: machine, loop, parts, several runs, and the cost of Table 1."""
    kept = json.loads(FILE.read_text())
    tables = {
        "loop": ("loop", _loop),
        "epoch": ("loop", _epoch),
        "training": ("parts of training", _parts),
        "evaluation": ("parts of evaluation", _evaluation),
        "workers": ("workers", _workers),
    }
    made = {
        f"benchmarks/{name}.md": _written(table(dict(sorted(measured.items()))))
        if (measured := kept["measured"].get(part))
        else "*Not measured yet on this machine: `make bench` does.*"
        for name, (part, table) in tables.items()
    }
    table1 = _written(_table1(kept["measured"]["loop"], kept["machine"]["cores"]))
    return made | {"benchmarks/machine.md": _machine(kept), "benchmarks/table1.md": table1}


def _machine(kept: Measured) -> str:
    machine = kept["machine"]
    return (
        f"Measured on {kept['date']}, on {machine['processor']}, {machine['cores']} cores, "
        f"{machine['instructions']}, {machine['system']}; Python {machine['python']}, PyTorch "
        f"{machine['torch']}, torchvision {machine['torchvision']}; float32, batches of 128."
    )


def _written(cells: Iterator[Row]) -> str:
    """Return a table as the page has it, from its header and its rows; all but the names are numbers."""
    header, *rows = cells
    return "\n".join(markdown.table(header, rows, numbers=len(header) - 1))


def _usual(measured: Measured) -> list[str]:
    return [name for name in measured["seconds"] if name.startswith("usual") and "evaluation" not in name]


def _loop(settings: dict[str, Measured]) -> Iterator[Row]:
    yield (
        "network",
        "images/s",
        "× usual, no workers",
        "× usual, 2 workers",
        "GFLOP/s: this, usual",
        "layers alone: time, × this loop's",
    )
    for name, measured in settings.items():
        usual = _usual(measured)
        fastest = [max(speed(measured, one) for one in usual)] if usual else []
        speeds = [speed(measured), *fastest]
        alone = CEILING in measured["seconds"]
        yield (
            name,
            f"{rate(measured, 'this loop'):.0f}",
            *([spread(ratios(measured, one, "this loop")) for one in usual] or ["", ""]),
            ", ".join(f"{value / 1e9:.0f}" for value in speeds),
            spread(ratios(measured, CEILING, "this loop")) if alone else "not measured",
        )


def _sizes(network: str) -> tuple[str, int, int, int]:
    """Return a laptop run's data set, training images, test images, and those that an epoch looks at."""
    dataset = "mnist" if network.startswith("cnn4") else "cifar10"
    config = RunConfig.preset(dataset, "sl", profile="laptop")
    test, train = cost.SIZES[dataset].test, config.n_train or cost.SIZES[dataset].train
    return TABLE1[dataset], train, test, epoch_test_size(train, test)


def _epoch(settings: dict[str, Measured]) -> Iterator[Row]:
    yield (
        "network",
        "epoch: training + test images",
        "evaluation, × usual",
        "whole epoch, × usual",
        "as it is run here: test images",
        "× usual",
    )
    for name, measured in settings.items():
        if not (usual := _usual(measured)):
            continue
        dataset, train, test, looked_at = _sizes(name)
        fastest = min(usual, key=lambda one: statistics.median(epochs(measured, one, train, test)))
        theirs = epochs(measured, fastest, train, test)
        same, shorter = (epochs(measured, "this loop", train, count) for count in (test, looked_at))
        yield (
            name,
            f"{dataset}, {train:,} + {test:,}",
            spread(ratios(measured, f"{fastest}, evaluation", "this loop, evaluation")),
            spread([one / other for one, other in zip(theirs, same, strict=True)]),
            f"{looked_at:,}",
            spread([one / other for one, other in zip(theirs, shorter, strict=True)]),
        )


def _parts(settings: dict[str, Measured]) -> Iterator[Row]:
    (first, *others), *_ = (list(measured["seconds"]) for measured in settings.values())
    yield ("time of a step, × this loop's", *settings)
    for part in sorted(others):
        yield (part, *(spread(ratios(measured, part, first)) for measured in settings.values()))


def _evaluation(settings: dict[str, Measured]) -> Iterator[Row]:
    yield ("network", "images/s", "folded: time, × this loop's", "largest difference of a logit")
    for name, measured in settings.items():
        folded = spread(ratios(measured, "BatchNorm folded", "this loop"))
        yield (
            name,
            f"{rate(measured, 'this loop'):.0f}",
            folded,
            f"{measured['difference']:.0e}".replace("-", "−"),
        )


def _workers(settings: dict[str, Measured]) -> Iterator[Row]:
    yield ("network", "two runs one after the other, two threads each: time, × side by side")
    for name, measured in settings.items():
        yield (name, spread(ratios(measured, "one after the other, 2 threads", "side by side")))


def _table1(settings: dict[str, Measured], cores: int) -> Iterator[Row]:
    yield (
        "data set",
        "network",
        "runs",
        "FLOPs a run",
        "FLOPs",
        "hours a run, one thread",
        f"hours, {cores} cores",
        *(f"hours, GPU at {share * 100:.0f} %" for share in GPU_SHARES),
    )
    runs, operations, hours = 0, 0, 0.0
    for dataset, title in TABLE1.items():
        configs = grids.grid("table1", dataset, "paper", "full", seeds=5)
        model, one, every = configs[0].model, cost.flops(configs[0]), sum(map(cost.flops, configs))
        a_run = one / speed(settings[f"{model.name}, width {model.width:g}, 1 thread"]) / 3600
        here = a_run * every / one / cores
        runs, operations, hours = runs + len(configs), operations + every, hours + here
        told = (f"{one:.1e}", f"{every:.1e}", _hours(a_run), _hours(here), *_on_gpu(every))
        yield (title, f"`{model.name}`", str(len(configs)), *told)
    yield ("all", "", str(runs), "", f"{operations:.1e}", "", _hours(hours), *_on_gpu(operations))


def _on_gpu(operations: int) -> list[str]:
    return [_hours(operations / (GPU_PEAK * share) / 3600) for share in GPU_SHARES]


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}"
