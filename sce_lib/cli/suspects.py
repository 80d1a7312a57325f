"""`sce suspects`: the labels of a data set that are most likely wrong."""

import os
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sce_lib.cli import common
from sce_lib.cli.sweep import INTERRUPTED

if TYPE_CHECKING:
    from sce_lib.data import ImageData, LazyImageData
    from sce_lib.experiments.config import RunConfig
    from sce_lib.experiments.out_of_fold import TrainingPredictions


class By(StrEnum):
    """What labels are ranked by; `sce_lib.metrics.suspects` explains each."""

    loss = "loss"
    margin = "margin"
    self_confidence = "self_confidence"


@common.said_plainly
def suspects_command(
    dataset: Annotated[
        str, typer.Argument(help="an image tree (folder or zip), or a data set's name: digits, mnist, ...")
    ],
    out: Annotated[Path, typer.Option(help="the CSV file to write")] = Path("suspects.csv"),
    by: Annotated[By, typer.Option(help="what images are ranked by")] = By.loss,
    adjusted: Annotated[
        bool, typer.Option("--adjusted", help="give each class its own scale, as confident learning does")
    ] = False,
    method: Annotated[str, typer.Option(help="the loss to train with: sl, ce, gce, mae, ...")] = "sl",
    folds: Annotated[
        int, typer.Option(help="networks, each predicting images it has not seen; 1: one that has seen all")
    ] = 5,
    profile: common.ProfileOption = "laptop",
    epochs: common.EpochsOption = None,
    width: common.WidthOption = None,
    top: Annotated[int | None, typer.Option(help="rows to write; one for each image if not given")] = None,
    noise: Annotated[str, typer.Option(help="noise to add first, to see how well it is found")] = "clean",
    seed: Annotated[int, typer.Option(help="of folds, networks and noise")] = 0,
    device: common.DeviceOption = "auto",
    threads: Annotated[int, typer.Option(help="threads of torch on the CPU")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file if it is there")] = False,
) -> None:
    """Rank the training images by how much networks trained on the others speak against their labels.

    Writes a row for each image, the most suspicious first: rank, path, given and predicted class, score (the
    higher, the more suspicious), loss, margin and self-confidence. The data stay as they are. Predictions are
    kept in the cache: an interrupted command goes on where it was, and another --by or --top takes seconds.
    """
    name, root = _located(dataset)
    _check(out, top, folds, threads, overwrite)
    common.check_device(device)
    from sce_lib.data.at_hand import require_at_hand
    from sce_lib.experiments.config import RunConfig, Scale

    changes = {"seed": seed, "scale": Scale(epochs=epochs, width=width), "n_train": None, "embedding": 0}
    config = RunConfig.preset(name, method, noise, profile=profile, **changes)  # type: ignore[arg-type]
    require_at_hand(name, root, config.augmentation.shift)
    # Torch takes seconds: a slip is answered before.
    from sce_lib import metrics
    from sce_lib.data import image_paths
    from sce_lib.experiments.training.task import load_images
    from sce_lib.files import write_atomically

    data = load_images(config, root)
    paths = image_paths(data, root)
    found = _predictions(config, folds, device, threads, root, data)
    table = found.table(by.value, adjusted, paths)
    content = table.head(top or len(table)).to_csv(index=False, float_format="%.6g")
    write_atomically(out, content.encode("utf-8", "surrogateescape"))
    unlike = int((table["given"] != table["predicted"]).sum())
    typer.echo(
        f"{out}: {min(len(table), top or len(table))} of {len(table)} images, ranked by {by.value}; "
        f"{unlike} are predicted as another class than the given one"
    )
    if found.flipped is not None:
        quality = metrics.detection(table["score"], table["flipped"])
        typer.echo(
            f"{quality.flipped} labels were flipped: AUROC {quality.auroc:.3f}, average precision "
            f"{quality.average_precision:.3f}, precision in as many {quality.precision:.3f}"
        )


def _located(dataset: str) -> tuple[str, Path | None]:
    """Return the name of a data set and the folder it lies in, None for the usual one."""
    path = Path(dataset).expanduser()
    if path.suffix == ".zip" and path.is_file():
        return path.stem, path.resolve().parent
    if (path / "train").is_dir():
        return path.resolve().name, path.resolve().parent
    if len(path.parts) > 1 or path.suffix == ".zip":
        raise ValueError(f"{dataset} is no image tree: {{train,test}}/<class>/<file> in a folder or a zip")
    return dataset, None


def _check(out: Path, top: int | None, folds: int, threads: int, overwrite: bool) -> None:
    """Refuse what would only fail when all has been trained."""
    if out.suffix != ".csv":
        raise ValueError(f"--out is the .csv file to write, not {str(out)!r}")
    if out.is_dir():
        raise ValueError(f"--out {out} is a folder; name a file in it")
    if out.exists() and not overwrite:
        raise ValueError(f"{out} is there already: give another --out, or --overwrite")
    if top is not None and top < 1:
        raise ValueError(f"--top is how many rows to write, at least 1, not {top}")
    if folds < 1:
        raise ValueError(f"--folds is how many networks to train, at least 1, not {folds}")
    if threads < 1:
        raise ValueError(f"--threads is how many threads torch has, at least 1, not {threads}")
    out.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(out.parent, os.W_OK):
        raise ValueError(f"--out {out}: nothing can be written into the folder {out.parent}")


def _predictions(
    config: "RunConfig",
    folds: int,
    device: str,
    threads: int,
    root: Path | None,
    data: "ImageData | LazyImageData",
) -> "TrainingPredictions":
    from sce_lib.experiments.out_of_fold import in_sample, out_of_fold
    from sce_lib.experiments.training.task import CappedWarning, num_training_images, shortfalls

    images = num_training_images(data)
    for said in shortfalls(config, images if folds == 1 else images - -(-images // folds)):
        typer.echo(f"sce: {common.printable(said)}", err=True)
    try:
        with warnings.catch_warnings():
            # Said above, of the images of a network: what is said of a run is of all.
            warnings.simplefilter("ignore", CappedWarning)
            if folds == 1:
                return in_sample(config, device, threads=threads, root=root, data=data)
            return out_of_fold(config, folds, device, threads=threads, root=root, data=data)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on where it was, epochs included", err=True)
        raise typer.Exit(INTERRUPTED) from None
