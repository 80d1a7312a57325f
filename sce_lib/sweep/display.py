"""What a person sees of a sweep: a live table on a terminal, a line now and then elsewhere."""

import time

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from sce_lib.config import RunConfig
from sce_lib.sweep.engine import Status
from sce_lib.sweep.planning import Plan, readable_time
from sce_lib.training import progress_of

# Seconds between two lines where there is no terminal to draw on.
LINE_EVERY = 60.0


class Display:
    """Shows a sweep's `Status`; to be entered, and given to `run` as its ``watch``.

    Parameters
    ----------
    plan : Plan
        What was missing when the sweep began: the time left is told from its FLOPs.
    console : rich.console.Console, optional
        Where to; standard error if not given.
    """

    def __init__(self, plan: Plan, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._flops = {estimate.config: estimate.flops for estimate in plan.missing}
        self._before = sum(self._share(config) * flops for config, flops in self._flops.items())
        self._began = time.monotonic()
        self._said: float | None = None
        self._ended: set[RunConfig] = set()
        self._retried = 0
        self._bar = Progress(
            TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=self.console
        )
        self._task = self._bar.add_task("runs", total=len(plan.missing))
        self._live = Live(console=self.console, auto_refresh=False)

    def __enter__(self) -> "Display":
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _share(self, config: RunConfig) -> float:
        """Return the part of a run that is done, as far as it can be seen from here."""
        far = progress_of(config)
        return 0.0 if far is None else far.epoch / config.optimisation.epochs

    def _left(self, status: Status) -> float | None:
        """Return the seconds left at the pace so far, in FLOPs; None before anything is done.

        What earlier sweeps have left in checkpoints is not of this one's pace.
        """
        shares = {config: config in status.ended or self._share(config) for config in self._flops}
        done = sum(share * self._flops[config] for config, share in shares.items())
        here, left = done - self._before, sum(self._flops.values()) - done
        return (time.monotonic() - self._began) * left / here if here > 0 else None

    def _line(self, config: RunConfig) -> str:
        far = progress_of(config)
        name = f"{config.dataset}/{config.run_id}"
        if far is None:
            return f"{name}  begins"
        return f"{name}  epoch {far.epoch} of {config.optimisation.epochs}, test accuracy {far.accuracy:.3f}"

    def _summary(self, status: Status) -> str:
        failed = sum(error is not None for error in status.ended.values())
        return (
            f"{len(status.ended) - failed} done, {failed} failed, {len(status.running)} handed out, "
            f"{status.waiting} waiting; left: {readable_time(self._left(status))}"
        )

    def _say(self, what: str, config: RunConfig, error: BaseException) -> None:
        self.console.print(
            f"{what}: {config.dataset}/{config.run_id}: {type(error).__name__}: {error}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def __call__(self, status: Status) -> None:
        """Show where the sweep stands."""
        for config, error in status.retried[self._retried :]:
            self._say("tried again", config, error)
        self._retried = len(status.retried)
        for config in status.ended.keys() - self._ended:
            if (failure := status.ended[config]) is not None:
                self._say("failed", config, failure)
        self._ended = set(status.ended)
        if self.console.is_terminal:
            self._bar.update(self._task, completed=len(status.ended))
            lines = [Text(self._line(config)) for config in status.running if progress_of(config)]
            self._live.update(Group(self._bar, Text(self._summary(status)), *lines), refresh=True)
        elif self._said is None or time.monotonic() - self._said >= LINE_EVERY or not status.running:
            self._said = time.monotonic()
            self.console.print(self._summary(status), markup=False, highlight=False, soft_wrap=True)
