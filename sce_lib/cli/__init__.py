"""The command `sce`: thin, every line of it calls the library."""

import importlib.metadata
import platform
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

app = typer.Typer(help="Symmetric cross entropy: train runs, look at the ledger.", no_args_is_help=True)
ledger_app = typer.Typer(help="Look at the ledger of run records.", no_args_is_help=True)
noise_app = typer.Typer(help="Noisy labels, as a run sees them.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")
app.add_typer(noise_app, name="noise")

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


def _stop(error: Exception) -> typer.Exit:
    """Say what is wrong in a line or two, without a traceback, and end with status 2."""
    typer.echo(f"sce: {_explain(error)}", err=True)
    return typer.Exit(2)


def _explain(error: Exception) -> str:
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
        from sce_lib.sweep import ensure  # torch takes seconds: a slip is answered before

        for one in runs:
            record = ensure(one, book, device, threads)
            typer.echo(
                f"{one.run_id}: last {record.last_accuracy:.4f}, best {record.best_accuracy:.4f} "
                f"(epoch {record.best_epoch}), {record.provenance.seconds:.0f} s\n{book.path(one)}"
            )
    except (ValueError, OSError, ArithmeticError) as error:
        raise _stop(error) from error


@app.command("sweep")
def sweep_command(
    grid: Annotated[str, typer.Argument(help="figure1 to figure9b, table1, table2, table3")],
    dataset: Annotated[
        str, typer.Option(help="data set; digits for smoke, else cifar10, if not given")
    ] = "auto",
    profile: ProfileOption = "laptop",
    protocol: ProtocolOption = "paper",
    seeds: SeedsOption = 1,
    jobs: Annotated[int, typer.Option(help="processes, one thread each")] = 1,
    device: DeviceOption = "auto",
    ledger: LedgerOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="list what is missing and train nothing")
    ] = False,
) -> None:
    """Train the runs of a figure or table that the ledger does not have."""
    from sce_lib import grids
    from sce_lib.ledger import Ledger

    book = Ledger(ledger)
    try:
        wanted = grids.grid(grid, dataset, profile, protocol, seeds)  # type: ignore[arg-type]
        from sce_lib import sweep

        absent = sweep.missing(wanted, book)
        typer.echo(f"{grid}: {len(wanted)} runs, {len(absent)} missing from {book.root}")
        if dry_run:
            for config in absent:
                typer.echo(f"  {config.dataset}/{config.run_id}")
            return
        outcomes = sweep.run(wanted, book, jobs=jobs, device=device)
    except (ValueError, OSError) as error:
        raise _stop(error) from error
    failures = {name: failure for name, failure in outcomes.items() if failure is not None}
    for name, failure in failures.items():
        typer.echo(f"failed: {name}: {type(failure).__name__}: {failure}", err=True)
    typer.echo(f"{len(outcomes) - len(failures)} trained, {len(failures)} failed")
    if failures:
        raise typer.Exit(1)


@ledger_app.command("ls")
def ledger_ls(
    ledger: LedgerOption = None,
    dataset: Annotated[str | None, typer.Option(help="only this data set")] = None,
) -> None:
    """List the records: what was run, and its accuracy on all test images after the last epoch."""
    from sce_lib.ledger import Ledger

    lines = [
        f"{record.last_accuracy:.4f}  {record.best_accuracy:.4f}  {record.provenance.seconds / 60:7.1f}  "
        f"{record.config.protocol:8} {record.config.section}      {record.config.dataset}/{record.run_id}"
        for record in Ledger(ledger)
        if dataset in (None, record.config.dataset)
    ]
    header = "last    best    minutes  protocol section  run"
    typer.echo("\n".join([header, *lines]) if lines else "the ledger is empty")


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
        raise _stop(error) from error
    flipped = int(task.flipped.sum())
    typer.echo(f"{out}: {len(task.labels)} labels, {flipped} flipped")


@app.command("check-env")
def check_env(device: DeviceOption = "auto") -> None:
    """Say what is installed, where data are looked for, and whether one training run works here."""
    import tempfile

    import torch

    from sce_lib import paths
    from sce_lib.config import RunConfig
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
        raise _stop(error) from error
    typer.echo(
        f"OK   trained on {torch.device(where)}: SL on digits, 40 % symmetric noise, "
        f"test accuracy {record.last_accuracy:.3f} in {record.provenance.seconds:.1f} s"
    )
    if not complete:
        raise typer.Exit(1)
