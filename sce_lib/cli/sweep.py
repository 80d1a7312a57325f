"""`sce sweep`: the runs of a figure or table."""

from typing import TYPE_CHECKING, Annotated

import typer

from sce_lib.cli import common
from sce_lib.cli.common import said_plainly

if TYPE_CHECKING:
    from sce_lib.experiments.sweep import Outlook

# The exit status of a command that Ctrl-C has ended.
INTERRUPTED = 130


@said_plainly
def sweep_command(
    grid: Annotated[str, typer.Argument(help="figure1 to figure9, table1, table2, table3, fidelity, ...")],
    dataset: Annotated[
        str, typer.Option(help="data set; digits for smoke, else cifar10, if not given")
    ] = "auto",
    profile: common.ProfileOption = "laptop",
    protocol: common.ProtocolOption = "paper",
    n_train: common.NTrainOption = None,
    epochs: common.EpochsOption = None,
    width: common.WidthOption = None,
    seeds: common.SeedsOption = 1,
    jobs: Annotated[int, typer.Option(help="processes on this machine, one thread each")] = 1,
    device: common.DeviceOption = "auto",
    folder: common.LedgerOption = None,
    retries: Annotated[int, typer.Option(help="attempts after one that lost its worker, say")] = 1,
    dask: Annotated[
        str | None, typer.Option(help="address of a Dask scheduler, whose workers then train")
    ] = None,
    gpu_share: Annotated[
        float | None, typer.Option(help="with --dask: part of a worker's GPU resource that a run takes")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="list what is missing, what it takes, what cannot begin; train nothing"
        ),
    ] = False,
) -> None:
    """Train the runs of a figure or table that the ledger does not have.

    With --dry-run it exits with 1 if runs could not begin, and says why.
    """
    from sce_lib.experiments import grids
    from sce_lib.experiments.config import Scale
    from sce_lib.experiments.ledger import Ledger

    ledger = Ledger(folder)
    common.check_device(device)
    if jobs < 1:
        raise ValueError(f"--jobs is the number of processes, at least 1, not {jobs}")
    if gpu_share is not None and dask is None:
        raise ValueError("--gpu-share is about the workers of --dask; give the scheduler's address too")
    scale = Scale(n_train=n_train, epochs=epochs, width=width)
    wanted = grids.grid(grid, dataset, protocol, profile, seeds, scale)  # type: ignore[arg-type]
    if dask is None:  # whose workers have data of their own
        common.require_images(wanted, ledger, shifted=False)  # the outlook tells which runs it keeps
    from sce_lib.experiments import sweep  # torch takes seconds: a slip is answered before

    plan = sweep.plan(wanted, ledger, "auto" if dask else device)
    typer.echo(f"{grid}: {plan.summary(jobs)}")
    if dask is None:
        outlook = sweep.outlook(estimate.config for estimate in plan.missing)
        _say_outlook(outlook)
    if dry_run:
        for estimate in plan.missing:
            typer.echo(f"  {estimate}")
        if dask is None and outlook.obstacles:
            raise typer.Exit(1)
        return
    try:
        with sweep.Display(plan) as display:
            if dask is None:
                outcomes = sweep.run(wanted, ledger, None, jobs, device, retries, display)
            else:
                with sweep.dask_executor(dask, gpu_share) as cluster:
                    outcomes = sweep.run(wanted, ledger, cluster, jobs, device, retries, display)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on where it was, epochs included", err=True)
        raise typer.Exit(INTERRUPTED) from None
    failed = sum(failure is not None for failure in outcomes.values())
    typer.echo(f"{len(outcomes) - failed} trained, {failed} failed; records are in {ledger.root}")
    if failed:
        typer.echo(f"the reasons are kept in {ledger.root / 'failed'}; `sce ledger ls` lists them", err=True)
        raise typer.Exit(1)


def _say_outlook(outlook: "Outlook") -> None:
    for remark in outlook.remarks:
        typer.echo(remark)
    for reason, runs in outlook.obstacles.items():
        typer.echo(f"cannot begin: {runs} run{'s' if runs > 1 else ''}: {reason}")
