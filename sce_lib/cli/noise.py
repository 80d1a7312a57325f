"""`sce noise`: noisy labels as files that others can use."""

from pathlib import Path
from typing import Annotated

import typer

from sce_lib.cli import common
from sce_lib.cli.common import said_plainly

noise_app = typer.Typer(help="Noisy labels, as a run sees them.", no_args_is_help=True)


@noise_app.command("export")
@said_plainly
def noise_export(
    out: Annotated[Path, typer.Argument(help="file to write: .csv or .npz")],
    dataset: common.DatasetOption = "digits",
    noise: common.NoiseOption = "symmetric-0.4",
    protocol: common.ProtocolOption = "paper",
    profile: common.ProfileOption = "full",
    seed: Annotated[int, typer.Option(help="the run's seed")] = 0,
) -> None:
    """Write a run's labels, clean and noisy, to a file that others can use."""
    import torch

    from sce_lib import noise as label_noise
    from sce_lib.experiments.config import RunConfig
    from sce_lib.experiments.training.task import prepare

    config = RunConfig.preset(dataset, "ce", noise, protocol, profile, seed=seed)  # type: ignore[arg-type]
    task = prepare(config, torch.device("cpu"))
    label_noise.export(task.noisy, out)
    flipped = int(task.flipped.sum())
    typer.echo(f"{out}: {len(task.labels)} labels, {flipped} flipped")
