"""Options that commands share, and how an error is said."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from sce_lib.experiments.config.parts import explain

Command = TypeVar("Command", bound=Callable[..., None])
DatasetOption = Annotated[
    str, typer.Option(help="digits, mnist, fashion_mnist, cifar10, or a tree of your own")
]
NoiseOption = Annotated[str, typer.Option(help="clean, symmetric-0.4, asymmetric-0.3, human-worse_label")]
ProfileOption = Annotated[str, typer.Option(help="smoke, laptop or full: how much")]
ProtocolOption = Annotated[str, typer.Option(help="paper or released: whose details")]
SectionOption = Annotated[str | None, typer.Option(help="5.1, 5.2 or 5.3: which section's settings")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1")]
LedgerOption = Annotated[
    Path | None,
    typer.Option("--ledger", help="folder of records; `sce check-env` names the one meant if not given"),
]
SeedsOption = Annotated[int, typer.Option(help="runs of each cell, with seeds 0, 1, ...")]


def stop(error: Exception) -> typer.Exit:
    """Say what is wrong in a line or two, without a traceback, and end with status 2.

    A reader that went away (``sce ... | head``) is no error to tell of: the command line ends quietly then.
    """
    if isinstance(error, BrokenPipeError):
        raise error
    typer.echo(f"sce: {explain(error)}", err=True)
    return typer.Exit(2)


def said_plainly(command: Command) -> Command:
    """Make a command say what its user can mend by `stop`; what is a fault of ours keeps its traceback."""

    @functools.wraps(command)
    def wrapped(*arguments: object, **options: object) -> None:
        try:
            command(*arguments, **options)
        except (KeyError, IndexError):
            raise
        except (ValueError, LookupError, OSError, ArithmeticError, ImportError) as error:
            raise stop(error) from error

    return wrapped  # type: ignore[return-value]
