"""Options that commands share, and how an error is said."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

DatasetOption = Annotated[
    str, typer.Option(help="digits, mnist, fashion_mnist, cifar10, or a tree of your own")
]
NoiseOption = Annotated[str, typer.Option(help="none, symmetric-0.4, asymmetric-0.3, human-worse_label")]
ProfileOption = Annotated[str, typer.Option(help="smoke, laptop or full: how much")]
ProtocolOption = Annotated[str, typer.Option(help="paper or released: whose details")]
SectionOption = Annotated[str | None, typer.Option(help="5.1, 5.2 or 5.3: which section's settings")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1")]
LedgerOption = Annotated[Path | None, typer.Option(help="folder of records; data/ledger if not given")]
SeedsOption = Annotated[int, typer.Option(help="runs of each cell, with seeds 0, 1, ...")]


def stop(error: Exception) -> typer.Exit:
    """Say what is wrong in a line or two, without a traceback, and end with status 2."""
    typer.echo(f"sce: {explain(error)}", err=True)
    return typer.Exit(2)


def explain(error: Exception) -> str:
    """Return an error's message, pydantic's as a line for each value that is wrong."""
    if not isinstance(error, ValidationError):
        return str(error)
    lines = []
    for problem in error.errors(include_url=False):
        place = ".".join(map(str, problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        own = problem["type"] in ("value_error", "json_invalid")  # these say themselves what was given
        lines.append(f"{place}: {message}" + ("" if own else f", not {problem['input']!r}"))
    return "\n     ".join(line.removeprefix(": ") for line in lines)
