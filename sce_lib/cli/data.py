"""`sce data`: images of one's own, looked over before a run is made of them."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sce_lib.cli.common import said_plainly

if TYPE_CHECKING:
    from sce_lib.data.checking import Conversion, Survey

data_app = typer.Typer(help="Images of your own.", no_args_is_help=True)


@data_app.callback()
def data() -> None:
    """Images of your own."""


@data_app.command("check")
@said_plainly
def data_check(
    tree: Annotated[str, typer.Argument(help="a folder or zip, or the name of one below SCE_DATA")],
    convert: Annotated[
        Path | None,
        typer.Option(help="folder to write a clean copy to: PNG files, RGB or gray, all of one size"),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="with --convert: 32, or 48x32 (width x height); the size of most if not given"),
    ] = None,
) -> None:
    """List all that is wrong with an image tree; exits with 1 if something is.

    With --convert a clean copy is written, and what it had to leave out is listed: 0 is a copy that was made.
    """
    if size is not None and convert is None:
        raise ValueError("--size is that of the images of --convert; give the folder to write too")
    from sce_lib.data import checking

    if convert is not None:
        _say_converted(checking.convert(tree, convert, None if size is None else _sides(size)))
        return
    found = checking.survey(tree)
    _say_found(found)
    if found.problems:
        raise typer.Exit(1)


def _sides(size: str) -> tuple[int, int]:
    """Return the width and height that were typed."""
    if (match := re.fullmatch(r"(\d+)(?:x(\d+))?", size)) is None:
        raise ValueError(f"--size {size} is neither a side, 32, nor width and height, 48x32")
    return int(match[1]), int(match[2] or match[1])


def _say_found(found: "Survey") -> None:
    from sce_lib.data.trees import describe

    alike = f", most of them {describe(found.shape)}" if found.shape else ""
    typer.echo(f"{found.tree}: {found.images} images{alike}")
    for split, classes in found.counts.items():
        typer.echo(f"  {split}: " + ", ".join(f"{name} {count}" for name, count in classes.items()))
    if found.tiny:
        typer.echo(
            "these are tiny: runs shift images by up to 4 pixels, and networks halve them up to three times; "
            "--convert DIR --size 32 writes larger ones"
        )
    if found.passed_over:
        typer.echo(f"passed over, no images by their names: {', '.join(found.passed_over)}")
    for file, reason in found.problems:
        typer.echo(f"{file}: {reason}" if file else reason)
    if found.problems:
        mendable = found.shape and len(found.counts["train"]) > 1
        mend = "; --convert DIR writes a copy of all that can be mended" if mendable else ""
        typer.echo(f"{len(found.problems)} problem{'s' if len(found.problems) > 1 else ''}{mend}")
    else:
        typer.echo("nothing is wrong with it")


def _say_converted(made: "Conversion") -> None:
    kind = "gray" if made.mode == "L" else "RGB"
    width, height = made.size
    for file, reason in made.left_out:
        typer.echo(f"left out: {file}: {reason}" if file else f"left out: {reason}")
    typer.echo(
        f"{made.out}: {made.images} images, {width}x{height} (width x height) {kind}; {made.resized} were "
        f"scaled and cropped to that, {len(made.left_out)} left out"
    )
