"""What a person sees of a sweep: a live table on a terminal, a line now and then elsewhere."""

import time

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.parts import in_a_line
from sce_lib.experiments.sweep.engine import Status
from sce_lib.experiments.sweep.planning import Plan, readable_time
from sce_lib.experiments.training import Progress as RunProgress
from sce_lib.experiments.training import progress_of
from sce_lib.experiments.training.randomness import random_state_kept

with random_state_kept():  # rich draws from it
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

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
        # Of each run the part that is done; what earlier sweeps have left is not of this one's pace.
        self._shares = {config: self._share(config, progress_of(config)) for config in self._flops}
        self._before, self._began = self._done(), time.monotonic()
        self._said: float | None = None
        self._ended: set[RunConfig] = set()
        self._retried = 0
        columns = TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self._bar = Progress(*columns, console=self.console)
        self._task = self._bar.add_task("runs", total=len(plan.missing))
        self._live = Live(console=self.console, auto_refresh=False)

    def __enter__(self) -> "Display":
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @staticmethod
    def _share(config: RunConfig, far: RunProgress | None) -> float:
        """Return the part of a run that is done, as far as it can be seen from here."""
        return 0.0 if far is None else far.epoch / config.optimisation.epochs

    def _done(self) -> float:
        return sum(self._shares[config] * flops for config, flops in self._flops.items())

    def _left(self) -> float | None:
        """Return the seconds left at the pace so far, in FLOPs; None before anything is done."""
        done = self._done()
        here, left = done - self._before, sum(self._flops.values()) - done
        return (time.monotonic() - self._began) * left / here if here > 0 else None

    def _summary(self, status: Status) -> str:
        failed = sum(error is not None for error in status.ended.values())
        return (
            f"{len(status.ended) - failed} done, {failed} failed, {len(status.running)} handed out, "
            f"{status.waiting} waiting; left: {readable_time(self._left())}"
        )

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _say(self, what: str, config: RunConfig, error: BaseException) -> None:
        self._print(f"{what}: {config.dataset}/{config.run_id}: {in_a_line(error)}")

    def __call__(self, status: Status) -> None:
        """Show where the sweep stands."""
        for config, error in status.retried[self._retried :]:
            self._say("tried again", config, error)
        for config in status.ended.keys() - self._ended:
            if (failure := status.ended[config]) is not None:
                self._say("failed", config, failure)
        self._retried, self._ended = len(status.retried), set(status.ended)
        silent = self._said is not None and time.monotonic() - self._said < LINE_EVERY
        if silent and status.running and not self.console.is_terminal:
            return
        self._said = time.monotonic()
        running = {config: progress_of(config) for config in status.running}
        self._shares |= {config: self._share(config, far) for config, far in running.items()}
        self._shares |= dict.fromkeys(status.ended, 1.0)
        if self.console.is_terminal:
            self._bar.update(self._task, completed=len(status.ended))
            lines = [
                Text(
                    f"{config.dataset}/{config.run_id}  epoch {far.epoch} of {config.optimisation.epochs}, "
                    f"test accuracy {far.accuracy:.3f}"
                )
                for config, far in running.items()
                if far is not None
            ]
            self._live.update(Group(self._bar, Text(self._summary(status)), *lines), refresh=True)
        else:
            self._print(self._summary(status))
