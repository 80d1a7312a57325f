"""`sce ledger`: look at the records, check them, bring them out and in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sce_lib.experiments.ledger import Ledger

from sce_lib.cli.common import DeviceOption, LedgerOption, check_device, printable, said_plainly

ledger_app = typer.Typer(help="Look at the ledger of run records.", no_args_is_help=True)
RunArgument = Annotated[str, typer.Argument(help="run id, dataset/run id, or how one of them begins")]


def _nothing(ledger: "Ledger", dataset: str | None) -> str:
    """Say why there is no record to show."""
    if not ledger.root.is_dir():
        return f"there is no ledger {ledger.root}"
    kept = sorted({path.parent.name for path in ledger.paths()})
    if not kept:
        return f"the ledger {ledger.root} is empty"
    return f"no run of {dataset} in {ledger.root}; it has runs of {', '.join(kept)}"


@ledger_app.command("ls")
@said_plainly
def ledger_ls(
    folder: LedgerOption = None,
    dataset: Annotated[str | None, typer.Option(help="only this data set")] = None,
) -> None:
    """List the records: what was run, its accuracies, how long it took.

    `best` is an oracle's choice, on the test images that are looked at each epoch: some runs look at a part.
    """
    from sce_lib.experiments.ledger import Ledger

    ledger = Ledger(folder)
    rows = [  # of text: so many records would take ten times the memory
        (
            f"{record.last_accuracy:.4f} {record.best_accuracy:.4f} {record.test_images_per_epoch:6,} "
            f"{record.provenance.seconds / 60:7.1f}",
            record.setting,
            f"{record.config.protocol:8} §{record.config.section}  {record.config.dataset}/{record.run_id}",
        )
        for record in ledger.summaries(dataset)
    ]
    width = max((len(setting) for _, setting, _ in rows), default=0)
    lines = [f"{numbers}  {setting:{width}}  {run}" for numbers, setting, run in rows]
    header = f"last   best       of minutes  {'setting':{width}}  protocol       run"
    legend = "last: after the last epoch, on all test images; best: of the best epoch, on `of` test images"
    typer.echo("\n".join([header, *lines, legend]) if lines else _nothing(ledger, dataset))
    for name, reason in ledger.failures().items():
        if dataset in (None, name.partition("/")[0]):
            first = next(iter(reason.splitlines()), "")
            typer.echo(printable(f"failed: {name}: {first}"), err=True)


@ledger_app.command("show")
@said_plainly
def ledger_show(
    run: RunArgument,
    folder: LedgerOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="the whole record as JSON")] = False,
) -> None:
    """Show a record: its config, its results, where it comes from."""
    from sce_lib.experiments.ledger import Ledger

    record = Ledger(folder).find(run)
    if as_json:
        typer.echo(record.model_dump_json(indent=1))
        return
    made = record.provenance
    typer.echo(f"{record.config.dataset}/{record.run_id}\n{record.config.setting}")
    typer.echo(
        f"last {record.last_accuracy:.4f} on {made.test_images:,} test images; "
        f"best {record.best_accuracy:.4f} after epoch {record.best_epoch}, "
        f"on {record.test_images_per_epoch:,} of them"
    )
    for name, accuracy in zip(record.classes, record.final_stage().classwise_accuracy, strict=True):
        typer.echo(f"  {name:16} {'–' if accuracy is None else format(accuracy, '.3f')}")
    flipped = "an unknown part" if made.noise_rate is None else f"{100 * made.noise_rate:.1f} %"
    typer.echo(
        f"{made.train_images:,} training images of {made.source}, {flipped} of the labels flipped\n"
        f"{made.seconds:.0f} s on {made.device} ({made.platform}, {made.threads} thread(s)), torch "
        f"{made.versions.get('torch')}, commit {made.git_commit}, {made.date}"
    )
    typer.echo(record.config.model_dump_json(indent=1))


@ledger_app.command("verify")
@said_plainly
def ledger_verify(
    runs: Annotated[list[str], typer.Argument(help="run ids, or how they begin")],
    folder: LedgerOption = None,
    device: DeviceOption = "cpu",
) -> None:
    """Train runs again and compare with their records; the ledger is left alone."""
    from sce_lib.experiments.ledger import Ledger

    check_device(device)
    passed = True
    records = [Ledger(folder).find(run) for run in runs]
    from sce_lib.experiments.sweep import verify

    for record in records:
        found = verify(record, device)
        name = f"{record.config.dataset}/{record.run_id}"
        passed &= found.passed
        if not found.differing:
            typer.echo(f"OK   {name}: equal to the last bit")
            continue
        first, values = next(iter(found.differing.items()))
        typer.echo(
            f"{'OK  ' if found.passed else 'FAIL'} {name}: {len(found.differing)} values differ, {first} "
            f"first ({values[0]} and {values[1]}); last accuracies {found.drift:.4f} apart"
        )
        typer.echo("     made elsewhere: " + ("; ".join(found.elsewhere) or "no, equal bits are promised"))
    if not passed:
        raise typer.Exit(1)


@ledger_app.command("diff")
@said_plainly
def ledger_diff(
    one: Annotated[Path, typer.Argument(help="a ledger's folder, or a record's file")],
    other: Annotated[Path, typer.Argument(help="another of the same kind")],
) -> None:
    """Say in what results two ledgers, or two records, differ; exit 1 if they do."""
    from sce_lib.experiments import ledger

    for path in (one, other):
        if not path.exists():
            raise FileNotFoundError(f"{path} is not there: give two ledgers' folders, or two record files")
    if one.is_file() != other.is_file():
        raise ValueError(f"{one} and {other} are a file and a folder: give two of one kind")
    if one.is_file():
        found = ledger.differences(ledger.Ledger.read(one), ledger.Ledger.read(other))
        for place, values in found.items():
            typer.echo(f"{place}: {values[0]} and {values[1]}")
        typer.echo(f"{len(found)} values differ")
        same = not found
    else:
        for path in (one, other):
            if not ledger.Ledger(path).paths():
                raise ValueError(f"{path} holds no record: give a ledger's folder, or a record's file")
        difference = ledger.compare(ledger.Ledger(one), ledger.Ledger(other))
        for name in difference.only_one:
            typer.echo(f"only in {one}: {name}")
        for name in difference.only_other:
            typer.echo(f"only in {other}: {name}")
        for name, places in difference.differing.items():
            typer.echo(f"differ: {name}, in {len(places)} values, {next(iter(places))} first")
        typer.echo(f"{difference.equal} runs have the same results in both")
        same = not (difference.only_one or difference.only_other or difference.differing)
    if not same:
        raise typer.Exit(1)


@ledger_app.command("export")
@said_plainly
def ledger_export(
    out: Annotated[Path, typer.Argument(help="file to write: .csv or .parquet")],
    folder: LedgerOption = None,
    dataset: Annotated[str | None, typer.Option(help="only this data set")] = None,
) -> None:
    """Write one table of all records: a row a run."""
    from sce_lib.experiments.ledger import Ledger, export

    ledger = Ledger(folder)
    if next(ledger.summaries(dataset), None) is None:
        raise ValueError(_nothing(ledger, dataset))
    rows = export(ledger.summaries(dataset), out)
    typer.echo(f"{out}: {rows} runs")


@ledger_app.command("import")
@said_plainly
def ledger_import(
    sources: Annotated[list[Path], typer.Argument(help="folders of other ledgers, or record files")],
    folder: LedgerOption = None,
) -> None:
    """Take records from other ledgers, each checked; nothing is overwritten."""
    from sce_lib.experiments.ledger import Ledger, import_records

    ledger = Ledger(folder)
    outcome = import_records(sources, ledger)
    for path, reason in outcome.refused.items():
        typer.echo(printable(f"refused: {path}: {reason}"), err=True)
    typer.echo(
        f"{len(outcome.added)} added, {len(outcome.present)} there already, {len(outcome.refused)} refused; "
        f"the ledger is {ledger.root}"
    )
    if outcome.refused:
        raise typer.Exit(1)
