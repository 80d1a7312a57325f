"""The application, and the commands that are no group's: runs, the check of an installation."""

import platform
from pathlib import Path
from typing import Annotated

import typer

import sce_lib
from sce_lib.cli import common
from sce_lib.cli.common import said_plainly
from sce_lib.cli.data import data_app
from sce_lib.cli.installation import installed
from sce_lib.cli.ledger import ledger_app
from sce_lib.cli.noise import noise_app
from sce_lib.cli.suspects import suspects_command
from sce_lib.cli.sweep import sweep_command
from sce_lib.experiments.config.parts import in_a_line

app = typer.Typer(help="Symmetric cross entropy: train runs, look at the ledger.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(ledger_app, name="ledger")
app.add_typer(noise_app, name="noise")
app.command("sweep")(sweep_command)
app.command("suspects")(suspects_command)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"sce-lib {sce_lib.__version__}")
        raise typer.Exit


@app.callback()
def sce(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="say which, and end")
    ] = False,
) -> None:
    """Symmetric cross entropy: train runs, look at the ledger."""


@app.command("run")
@said_plainly
def run_command(
    dataset: common.DatasetOption = "digits",
    method: Annotated[
        str, typer.Option(help="ce, sl, rce, mae, gce, lsr, bootstrap, forward, 5ce, ...")
    ] = "sl",
    noise: common.NoiseOption = "symmetric-0.4",
    profile: common.ProfileOption = "smoke",
    protocol: common.ProtocolOption = "paper",
    section: common.SectionOption = None,
    n_train: common.NTrainOption = None,
    epochs: common.EpochsOption = None,
    width: common.WidthOption = None,
    seeds: common.SeedsOption = 1,
    device: common.DeviceOption = "auto",
    threads: Annotated[int, typer.Option(help="threads of torch on the CPU")] = 1,
    folder: common.LedgerOption = None,
    config: Annotated[
        Path | None, typer.Option(help="a RunConfig as JSON, in place of the options above")
    ] = None,
) -> None:
    """Train one run (or one a seed) and put its record in the ledger; a run that is there is left alone."""
    from sce_lib.experiments.config import RunConfig, Scale
    from sce_lib.experiments.ledger import Ledger

    ledger = Ledger(folder)
    common.check_device(device)
    if threads < 1:
        raise ValueError(f"--threads is how many threads torch has, at least 1, not {threads}")
    if seeds < 1:
        raise ValueError(f"--seeds is how many runs to make, at least 1, not {seeds}")
    scale = Scale(n_train=n_train, epochs=epochs, width=width)
    if config is not None and scale.options:
        raise ValueError(f"--config says how much is trained: change it there, and leave out{scale.options}")
    if config is not None:
        runs = [RunConfig.model_validate_json(config.read_text())]
    else:
        runs = [
            RunConfig.preset(dataset, method, noise, protocol, profile, section, seed, scale)  # type: ignore[arg-type]
            for seed in range(seeds)
        ]
    common.require_images(runs, ledger)
    from sce_lib.experiments import sweep  # torch takes seconds: a slip is answered before

    sweep.require_images_at_hand(runs, ledger)
    for one in runs:
        try:
            record = sweep.ensure(one, ledger, device, threads)
        except RuntimeError as error:
            raise ValueError(f"{one.run_id}: {in_a_line(error)}") from error
        typer.echo(
            f"{one.run_id}: last {record.last_accuracy:.4f}, best {record.best_accuracy:.4f} "
            f"(epoch {record.best_epoch}), {record.provenance.seconds:.0f} s\n{ledger.path(one)}"
        )


@app.command("check-env")
@said_plainly
def check_env(
    device: common.DeviceOption = "auto",
    compiling: Annotated[
        bool,
        typer.Option("--compile/--no-compile", help="whether torch.compile is tried too, a minute or two"),
    ] = True,
) -> None:
    """Say what is installed, what an extra would add, where things lie, and whether training is right here.

    Exits with 1 if a check of the device fails; what is not installed is no failure.
    """
    common.check_device(device)
    import tempfile

    import torch

    from sce_lib.experiments.config import RunConfig
    from sce_lib.experiments.selfcheck import self_check
    from sce_lib.experiments.training import resolve_device, train
    from sce_lib.files import data_root, ledger_root

    typer.echo(f"OK   python {platform.python_version()}, sce-lib {sce_lib.__version__}")
    for line in installed():
        typer.echo(line)
    typer.echo(f"     data sets in {data_root()}\n     records in {ledger_root()}")
    complete = True
    try:
        where = resolve_device(device)
        with tempfile.TemporaryDirectory() as folder:
            config = RunConfig.preset("digits", "sl", "symmetric-0.4", profile="smoke")
            record = train(config, where, checkpoints=folder, progress=False)
    except (ValueError, RuntimeError) as error:
        raise common.stop(error) from error
    typer.echo(
        f"OK   trained on {torch.device(where)}: SL on digits, 40 % symmetric noise, "
        f"test accuracy {record.last_accuracy:.3f} in {record.provenance.seconds:.1f} s"
    )
    for check in self_check(where, compiling):
        complete &= check.passed
        typer.echo(f"{'OK  ' if check.passed else 'FAIL'} {check.name}: {check.numbers}")
    if not torch.cuda.is_available():
        typer.echo("     torch sees no CUDA device here: nothing above was checked on one")
    if not complete:
        raise typer.Exit(1)
