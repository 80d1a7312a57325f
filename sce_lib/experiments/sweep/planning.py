"""What a sweep will take, before it is begun."""

from collections.abc import Sequence
from dataclasses import dataclass

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.cost import Pace, flops
from sce_lib.experiments.ledger import Ledger
from sce_lib.experiments.sweep.runs import missing
from sce_lib.experiments.training import resolve_device


@dataclass(frozen=True)
class Estimate:
    """What one run takes: floating-point operations, and seconds on one thread, as far as they are known."""

    config: RunConfig
    flops: int
    seconds: float | None

    def __str__(self) -> str:
        name = f"{self.config.dataset}/{self.config.run_id}"
        return f"{name}  {self.flops:.2g} FLOPs, {readable_time(self.seconds)}"


@dataclass(frozen=True)
class Plan:
    """The runs of a sweep that are wanted, and what those take that are missing.

    `wanted` counts the runs in all, each once, `missing` those that the ledger lacks.
    """

    wanted: int
    missing: tuple[Estimate, ...]

    @property
    def flops(self) -> int:
        """Floating-point operations of all missing runs."""
        return sum(estimate.flops for estimate in self.missing)

    def seconds(self, jobs: int = 1) -> float | None:
        """Return the time that all missing runs take, `jobs` side by side; None if that is not known."""
        if jobs < 1:
            raise ValueError(f"jobs is the number of processes, at least 1, not {jobs}")
        known = [estimate.seconds for estimate in self.missing if estimate.seconds is not None]
        return sum(known) / min(jobs, max(1, len(known))) if len(known) == len(self.missing) else None

    def summary(self, jobs: int = 1) -> str:
        """Return the plan in a line."""
        there = self.wanted - len(self.missing)
        counts = f"{self.wanted} runs, {there} in the ledger, {len(self.missing)} missing"
        if not self.missing:
            return counts
        beside = f" with {jobs} jobs" if jobs > 1 else ""
        return f"{counts}: {self.flops:.2g} FLOPs, {readable_time(self.seconds(jobs))}{beside}"


def plan(configs: Sequence[RunConfig], ledger: Ledger | None = None, device: str = "auto") -> Plan:
    """Return what the missing runs take: FLOPs counted, time from runs in the ledger made on such a device.

    Examples
    --------
    >>> plan([]).summary()
    '0 runs, 0 in the ledger, 0 missing'
    """
    ledger = Ledger() if ledger is None else ledger
    where = resolve_device(device).type
    lacking, pace = missing(configs, ledger), Pace(ledger, where)
    wanted = {(config.dataset, config.run_id) for config in configs}
    return Plan(len(wanted), tuple(Estimate(c, flops(c), pace.seconds(c)) for c in lacking))


def readable_time(seconds: float | None) -> str:
    """Return a time as one says it.

    Examples
    --------
    >>> [readable_time(t) for t in (None, 42, 150, 8000)]
    ['time not known', 'about 42 s', 'about 2.5 min', 'about 2.2 h']
    """
    if seconds is None:
        return "time not known"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"about {seconds / size:.1f} {unit}"
    return f"about {seconds:.0f} s"
