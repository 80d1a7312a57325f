"""The command `sce`: thin, every line of it calls the library."""

import importlib.metadata
import platform
from pathlib import Path
from typing import Annotated

import typer

from sce_lib.cli.common import (
    DatasetOption,
    DeviceOption,
    LedgerOption,
    NoiseOption,
    ProfileOption,
    ProtocolOption,
    SectionOption,
    SeedsOption,
    stop,
)
from sce_lib.cli.ledger import ledger_app
from sce_lib.cli.sweep import sweep_command

app = typer.Typer(help="Symmetric cross entropy: train runs, look at the ledger.", no_args_is_help=True)
noise_app = typer.Typer(help="Noisy labels, as a run sees them.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")
app.add_typer(noise_app, name="noise")
app.command("sweep")(sweep_command)


@app.command("run")
def run_command(
    dataset: DatasetOption = "digits",
    method: Annotated[
        str, typer.Option(help="ce, sl, rce, mae, gce, lsr, bootstrap, forward, 5ce, ...")
    ] = "sl",
    noise: NoiseOption = "symmetric-0.4",
    profile: ProfileOption = "smoke",
    protocol: ProtocolOption = "paper",
    section: SectionOption = None,
    seeds: SeedsOption = 1,
    device: DeviceOption = "auto",
    threads: Annotated[int, typer.Option(help="threads of torch on the CPU")] = 1,
    ledger: LedgerOption = None,
    config: Annotated[
        Path | None, typer.Option(help="a RunConfig as JSON, in place of the options above")
    ] = None,
) -> None:
    """Train one run (or one a seed) and put its record in the ledger; a run that is there is left alone."""
    from sce_lib.config import RunConfig
    from sce_lib.ledger import Ledger

    book = Ledger(ledger)
    try:
        if seeds < 1:
            raise ValueError(f"--seeds is how many runs to make, at least 1, not {seeds}")
        if config is not None:
            runs = [RunConfig.model_validate_json(config.read_text())]
        else:
            runs = [
                RunConfig.preset(dataset, method, noise, protocol, profile, section, seed)  # type: ignore[arg-type]
                for seed in range(seeds)
            ]
        from sce_lib import sweep  # torch takes seconds: a slip is answered before

        sweep.require_images_at_hand(runs, book)
        for one in runs:
            record = sweep.ensure(one, book, device, threads)
            typer.echo(
                f"{one.run_id}: last {record.last_accuracy:.4f}, best {record.best_accuracy:.4f} "
                f"(epoch {record.best_epoch}), {record.provenance.seconds:.0f} s\n{book.path(one)}"
            )
    except (ValueError, OSError, ArithmeticError) as error:
        raise stop(error) from error


@noise_app.command("export")
def noise_export(
    out: Annotated[Path, typer.Argument(help="file to write: .csv or .npz")],
    dataset: DatasetOption = "digits",
    noise: NoiseOption = "symmetric-0.4",
    protocol: ProtocolOption = "paper",
    profile: ProfileOption = "full",
    seed: Annotated[int, typer.Option(help="the run's seed")] = 0,
) -> None:
    """Write a run's labels, clean and noisy, to a file that others can use."""
    import torch

    from sce_lib import noise as label_noise
    from sce_lib.config import RunConfig
    from sce_lib.training.task import prepare

    try:
        config = RunConfig.preset(dataset, "ce", noise, protocol, profile, seed=seed)  # type: ignore[arg-type]
        task = prepare(config, torch.device("cpu"))
        label_noise.export(task.noisy, out)
    except (ValueError, OSError) as error:
        raise stop(error) from error
    flipped = int(task.flipped.sum())
    typer.echo(f"{out}: {len(task.labels)} labels, {flipped} flipped")


@app.command("check-env")
def check_env(
    device: DeviceOption = "auto",
    compiling: Annotated[
        bool,
        typer.Option("--compile/--no-compile", help="whether torch.compile is tried too, a minute or two"),
    ] = True,
) -> None:
    """Say what is installed, where data are looked for, and whether training is right on this device."""
    import tempfile

    import torch

    from sce_lib import paths
    from sce_lib.config import RunConfig
    from sce_lib.selfcheck import self_check
    from sce_lib.training import resolve_device, train

    packages = (
        "torch",
        "torchvision",
        "scikit-learn",
        "matplotlib",
        "seaborn",
        "papermill",
        "jupyter-book",
        "nbval",
    )
    typer.echo(f"OK   python {platform.python_version()}")
    complete = True
    for package in packages:
        try:
            typer.echo(f"OK   {package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            complete = False
            typer.echo(f"FAIL {package} is not installed: pip install -e '.[book,test]'")
    typer.echo(f"     data sets in {paths.data_root()}, records in {paths.ledger_root()}")
    try:
        where = resolve_device(device)
        with tempfile.TemporaryDirectory() as folder:
            config = RunConfig.preset("digits", "sl", "symmetric-0.4", profile="smoke")
            record = train(config, where, checkpoints=folder, progress=False)
    except (ValueError, RuntimeError) as error:
        raise stop(error) from error
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
