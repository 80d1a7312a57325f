"""What a person sees of a sweep, on a terminal and off it, by a clock that is set by hand."""

import io
import re
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import pytest
from rich.console import Console

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.sweep import Display, Estimate, Plan, Status, display
from sce_lib.experiments.training.checkpoint import Checkpoint

pytestmark = pytest.mark.usefixtures("folders")
FOUR = [
    RunConfig.preset("digits", "ce", profile="smoke", seed=seed, optimisation={"lr": 0.05, "epochs": 4})
    for seed in range(4)
]


def planned(flops=(100, 100, 100, 100)):
    return Plan(4, tuple(Estimate(config, size, None) for config, size in zip(FOUR, flops, strict=True)))


def name(config):
    return f"digits/{config.run_id}"


@pytest.fixture
def clock(monkeypatch):
    """Return the clock that a display goes by, at 1000 seconds."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(display, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def file():
    """Return a console's output where there is no terminal."""
    return Console(file=io.StringIO(), force_terminal=False, width=40)


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    return Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)


def written(console):
    """Return the lines written since the last look, without what moves the cursor."""
    said = re.sub(r"\x1b\[[?\d;]*[A-Za-z]|\r", "", console.file.getvalue())
    console.file.seek(0)
    console.file.truncate()
    return said.splitlines()


def test_off_a_terminal_a_line_is_said_at_once_each_minute_and_at_the_end(clock, file):
    with Display(planned(), file) as watch:
        watch(Status(2, FOUR[:2]))
        assert written(file) == ["0 done, 0 failed, 2 handed out, 2 waiting; left: time not known"]
        clock.now += 59
        watch(Status(2, FOUR[:2]))
        assert written(file) == []
        clock.now += 1
        watch(Status(1, FOUR[1:3], {FOUR[0]: None}))
        assert written(file) == ["1 done, 0 failed, 2 handed out, 1 waiting; left: about 3.0 min"]
        clock.now += 10
        watch(Status(0, [], dict.fromkeys(FOUR)))
        assert written(file) == ["4 done, 0 failed, 0 handed out, 0 waiting; left: about 0 s"]
    assert written(file) == []


def test_failures_and_attempts_are_said_when_they_come_and_once(clock, file):
    status = Status(3, FOUR[:1])
    with Display(planned(), file) as watch:
        watch(status)
        written(file)
        clock.now += 1
        status.retried.append((FOUR[0], BrokenProcessPool("it was [red]killed[/nothing]")))
        watch(status)
        assert written(file) == [
            f"tried again: {name(FOUR[0])}: BrokenProcessPool: it was [red]killed[/nothing]"
        ]
        status.ended[FOUR[0]] = ValueError("a reason that is much longer than the console is wide")
        watch(status)
        assert written(file) == [
            f"failed: {name(FOUR[0])}: ValueError: a reason that is much longer than the console is wide"
        ]
        status.ended[FOUR[1]] = None
        watch(status)
        assert written(file) == []
        clock.now += 60
        watch(status)
        assert written(file)[0].startswith("1 done, 1 failed, 1 handed out, 3 waiting")


def test_time_left_goes_by_operations_not_by_runs(clock, file):
    with Display(planned((100, 100, 100, 300)), file) as watch:
        clock.now += 50
        watch(Status(0, FOUR[:3], {FOUR[3]: None}))
        assert written(file)[0].endswith("left: about 50 s")


def test_epochs_of_an_earlier_sweep_are_done_but_not_of_this_ones_pace(clock, file):
    checkpoint = Checkpoint(FOUR[0], "fingerprint")
    checkpoint.note(3, 0.5)  # 3 of 16 epochs, in no time of this sweep's
    with Display(planned(), file) as watch:
        clock.now += 10
        watch(Status(3, FOUR[:1]))
        assert written(file)[0].endswith("left: time not known")
        checkpoint.note(4, 0.5)
        clock.now += 60
        watch(Status(3, FOUR[:1]))
        assert written(file)[0].endswith("left: about 14.0 min")  # 12 epochs more, 70 s each


def test_a_terminal_shows_bar_summary_and_each_run_that_has_begun(clock, terminal):
    Checkpoint(FOUR[1], "fingerprint").note(3, 0.625)
    with Display(planned(), terminal) as watch:
        clock.now += 60
        watch(Status(1, FOUR[1:3], {FOUR[0]: None}))
        bar, summary, line, *_ = [line for line in written(terminal) if line.strip()]
        assert bar.startswith("runs")
        assert "1/4" in bar
        assert summary.strip() == "1 done, 0 failed, 2 handed out, 1 waiting; left: about 2.2 min"
        assert line.strip() == f"{name(FOUR[1])}  epoch 3 of 4, test accuracy 0.625"
        watch(Status(1, FOUR[2:3], {FOUR[0]: None, FOUR[1]: MemoryError("40 GB")}))
        said = written(terminal)
        assert f"failed: {name(FOUR[1])}: MemoryError: 40 GB" in [line.strip() for line in said]
        drawn = "\n".join(said).rpartition("runs")[2]  # the last bar and what is under it
        assert "2/4" in drawn
        assert "1 done, 1 failed, 1 handed out, 1 waiting" in drawn
        assert "epoch" not in drawn  # nothing is known of the third yet
    assert "\x1b[?25h" in terminal.file.getvalue()  # the cursor is back


def test_without_a_console_it_is_said_on_standard_error():
    assert Display(planned()).console.stderr


def test_an_error_of_many_lines_or_none_is_one_line(clock, file):
    errors = [
        RuntimeError("too large\nframe #0: c10::Error"),
        MemoryError(),
        OSError(28, "No space", "/disk"),
    ]
    with Display(planned(), file) as watch:
        watch(Status(0, [], dict(zip(FOUR, errors, strict=False))))
    assert {line.split(": ", 2)[2] for line in written(file) if line.startswith("failed")} == {
        "RuntimeError: too large",
        "MemoryError: no memory was left",
        "OSError: [Errno 28] No space: '/disk'",
    }
