"""Options that commands share, and how an error is said."""

import functools
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sce_lib import quoted
from sce_lib.experiments.config.parts import explain

if TYPE_CHECKING:
    from sce_lib.experiments.config import RunConfig
    from sce_lib.experiments.ledger import Ledger

Command = TypeVar("Command", bound=Callable[..., None])
DatasetOption = Annotated[
    str, typer.Option(help="digits, mnist, fashion_mnist, cifar10, or a tree of your own")
]
NoiseOption = Annotated[
    str, typer.Option(help="clean, symmetric-0.4, asymmetric-0.3, instance-0.4, human-worse_label")
]
ProfileOption = Annotated[str, typer.Option(help="smoke, laptop or full: how much")]
ProtocolOption = Annotated[str, typer.Option(help="paper or released: whose details")]
SectionOption = Annotated[str | None, typer.Option(help="5.1, 5.2 or 5.3: which section's settings")]
NTrainOption = Annotated[
    int | None, typer.Option("--n-train", help="training images of a run; the profile's own if not given")
]
EpochsOption = Annotated[int | None, typer.Option(help="epochs of a run; the profile's own if not given")]
WidthOption = Annotated[
    float | None, typer.Option(help="of the network, 1 is the paper's; the profile's own if not given")
]


DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1")]
LedgerOption = Annotated[
    Path | None,
    typer.Option("--ledger", help="folder of records; `sce check-env` names the one meant if not given"),
]
SeedsOption = Annotated[int, typer.Option(help="runs of each cell, with seeds 0, 1, ...")]


def require_images(runs: "Sequence[RunConfig]", ledger: "Ledger", shifted: bool = True) -> None:
    """Refuse runs of which the images cannot be had, before torch is imported, which takes seconds.

    Runs that the ledger has need no images. Images too small to be `shifted` as a run asks are refused, too.
    """
    from sce_lib.data.at_hand import require_at_hand

    shifts: dict[str, float] = {}
    for run in runs:
        if not ledger.path(run).exists():
            shift = run.augmentation.shift if shifted else 0
            shifts[run.dataset] = max(shift, shifts.get(run.dataset, 0))
    for dataset, shift in sorted(shifts.items()):
        require_at_hand(dataset, shift=shift)


def check_device(name: str) -> None:
    """Refuse what is no device's name, before torch is there to say so, whose import takes seconds."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise ValueError(f"device {quoted(name)} is not known; give auto, cpu, cuda or cuda:1")


# What torch says where memory ends, of a GPU and of the machine; its own error is a RuntimeError, too.
_FULL = re.compile(r"out of memory|can't allocate memory|ALLOC_FAILED|Cannot allocate memory", re.IGNORECASE)


def _memory_ended(error: Exception) -> bool:
    return isinstance(error, MemoryError) or bool(_FULL.search(str(error)))


def stop(error: Exception) -> typer.Exit:
    """Say what is wrong in a line or two, without a traceback, and end with status 2.

    A reader that went away (``sce ... | head``) is no error to tell of: the command line ends quietly then.
    """
    if isinstance(error, BrokenPipeError):
        raise error
    said = explain(error)
    if _memory_ended(error):
        first = (said.splitlines() or ["no more is to be had"])[0]
        said = f"out of memory ({first}): give a smaller --width or --n-train, or another --device"
    typer.echo(f"sce: {printable(said)}", err=True)
    return typer.Exit(2)


def _tell(message: Warning | str, *_: object, **__: object) -> None:
    """Show a warning as a line of the command, without the place in the code that it comes from."""
    typer.echo(f"sce: {printable(str(message))}", err=True)


def printable(text: str) -> str:
    """Return a text with what is not to reach a terminal written out, as in names of files from others."""
    return "".join(sign if sign.isprintable() or sign == "\n" else repr(sign)[1:-1] for sign in text)


def said_plainly(command: Command) -> Command:
    """Make a command say what its user can mend by `stop`; what is a fault of ours keeps its traceback.

    Warnings are lines of the command, too.
    """

    @functools.wraps(command)
    def wrapped(*arguments: object, **options: object) -> None:
        with warnings.catch_warnings():
            warnings.showwarning = _tell
            try:
                command(*arguments, **options)
            except (KeyError, IndexError):
                raise
            except (ValueError, LookupError, OSError, ArithmeticError, ImportError, MemoryError) as error:
                raise stop(error) from error
            except RuntimeError as error:  # torch's of a full device is one
                if not _memory_ended(error):
                    raise
                raise stop(error) from error

    return wrapped  # type: ignore[return-value]
