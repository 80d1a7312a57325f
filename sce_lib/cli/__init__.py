"""The command `sce`: thin, every line of it calls the library."""

import sys

from sce_lib import require_extra


def main() -> None:
    """Run the command line; where what it needs is not installed, say so in a line and exit with 2."""
    try:
        require_extra("experiments", "typer", "rich")
        import sce_lib.experiments  # noqa: F401
    except ImportError as error:
        print(f"sce: {error}", file=sys.stderr)
        sys.exit(2)
    from sce_lib.cli.app import app

    app()
