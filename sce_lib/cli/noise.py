"""`sce noise`: noisy labels as files that others can use, of a run or of labels of one's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sce_lib.cli import common
from sce_lib.cli.common import said_plainly

if TYPE_CHECKING:
    from sce_lib.noise import Classes, NoisyLabels

noise_app = typer.Typer(help="Noisy labels, as a run sees them.", no_args_is_help=True)


@noise_app.command("export")
@said_plainly
def noise_export(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="file to write: .csv or .npz")],
    dataset: common.DatasetOption = "digits",
    noise: Annotated[
        str,
        typer.Option(
            help="symmetric-0.4, asymmetric-0.3, instance-0.4, confidence-0.4, human-worse_label, none"
        ),
    ] = "symmetric-0.4",
    protocol: common.ProtocolOption = "paper",
    profile: common.ProfileOption = "full",
    seed: Annotated[int, typer.Option(help="the run's seed")] = 0,
    labels: Annotated[
        Path | None,
        typer.Option(help="clean labels of your own, in place of a data set: .csv with a header, .txt, .npz"),
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="column (.csv) or array (.npz) of the labels; `label` if not given")
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(help="column of the samples' names, kept as the column `index`")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="names of all classes, in order: cat,dog; else those that occur"),
    ] = None,
    pair: Annotated[
        list[str] | None,
        typer.Option(help="for asymmetric noise: who is taken for whom, cat=dog"),
    ] = None,
    matrix: Annotated[
        Path | None, typer.Option(help="K rows of K numbers, in place of --noise: .csv, .txt, .npy, .npz")
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="for instance and confidence noise: a row a label, .npy, .npz, .csv")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file if it is there")] = False,
) -> None:
    """Write labels, clean and noisy, to a file that others can use: a run's, or those of a file.

    Of a run: sce noise export cifar.npz --dataset cifar10 --noise instance-0.4 --seed 1

    Of a file: sce noise export noisy.csv --labels mine.csv --column species --noise symmetric-0.4
    """
    from sce_lib.noise import export, read_labels

    _check(out, {"labels": labels, "features": features, "matrix": matrix}, overwrite)
    own = {"column": column, "id-column": id_column, "classes": classes, "pair": pair, "matrix": matrix}
    if labels is None:
        for name in [name for name, value in (own | {"features": features}).items() if value]:
            raise ValueError(f"--{name} is about labels of your own: give their file as --labels")
        noisy, index = _of_a_run(dataset, noise, protocol, profile, seed), None
    else:
        for name in _given(context, "dataset", "protocol", "profile"):
            raise ValueError(f"--{name} is about a run's labels, and --labels are your own: give one of them")
        if matrix is not None and _given(context, "noise", "features"):
            raise ValueError("--matrix stands in place of --noise, and needs no --features: give one of them")
        given = read_labels(labels, column)
        index = None if id_column is None else read_labels(labels, id_column).tolist()
        noisy = _of_labels(given, noise, seed, classes, pair or [], matrix, features)
    export(noisy, out, index)
    count = f"{noisy.num_labels} labels, {int(noisy.flipped.sum())} flipped"
    typer.echo(f"{out}: {count}, rate {noisy.rate:.4f}, {noisy.num_classes} classes")


def _given(context: typer.Context, *names: str) -> list[str]:
    """Return which of the options the user wrote, of those that have a default too."""
    sources = ((name, context.get_parameter_source(name)) for name in names)
    return [name for name, source in sources if source is not None and source.name == "COMMANDLINE"]


def _check(out: Path, read: dict[str, Path | None], overwrite: bool) -> None:
    """Refuse to write over what is there, and in any case over what is read."""
    out = out.expanduser()
    if out.is_dir():
        raise ValueError(f"{out} is a folder; name a file in it")
    for name, path in read.items():
        if (
            path is not None
            and out.exists()
            and path.expanduser().exists()
            and out.samefile(path.expanduser())
        ):
            raise ValueError(f"{out} is the file of --{name}, which would be lost: give another to write")
    if out.exists() and not overwrite:
        raise ValueError(f"{out} is there already: give another, or --overwrite")


def _of_a_run(dataset: str, noise: str, protocol: str, profile: str, seed: int) -> "NoisyLabels":
    from sce_lib.experiments.config import RunConfig

    config = RunConfig.preset(dataset, "ce", noise, protocol, profile, seed=seed)  # type: ignore[arg-type]
    from sce_lib.experiments.training.task import choose_and_corrupt, load_images  # torch takes seconds

    return choose_and_corrupt(config, load_images(config))[2]


def _of_labels(
    given: Any,
    noise: str,
    seed: int,
    names: str | None,
    pairs: list[str],
    matrix: Path | None,
    features: Path | None,
) -> "NoisyLabels":
    """Return labels of a file with the noise that is asked for."""
    from sce_lib import noise as label_noise
    from sce_lib.experiments.config.presets import resolve_noise

    asked = resolve_noise(noise)
    whole = given.dtype.kind in "iu"
    listed = None if names is None else [_name(word, whole) for word in names.split(",")]
    classes = label_noise.Classes.of(given) if listed is None else label_noise.Classes(listed)
    if pairs and (matrix or asked.kind != "asymmetric"):
        raise ValueError("--pair is about asymmetric noise: give --noise asymmetric-RATE, and no --matrix")
    if matrix is not None:
        return label_noise.corrupt(given, label_noise.read_array(matrix), seed, classes=classes)
    if asked.kind == "human":
        raise ValueError("human noise is of CIFAR images alone, not of --labels")
    if asked.kind in ("instance", "confidence"):
        if features is None:
            raise ValueError(f"{asked.kind} noise looks at the samples: give their --features, a row a label")
        rows = label_noise.read_array(features)
        if asked.kind == "instance":
            return label_noise.instance_noise(rows, given, asked.rate, seed, classes=classes)
        reference = label_noise.reference_probabilities(rows, given, classes=classes)
        return label_noise.confidence_noise(reference, given, asked.rate, seed, classes=classes)
    if features is not None:
        raise ValueError("--features are about instance and confidence noise")
    return label_noise.corrupt(given, _matrix(asked, classes, pairs, whole), seed, classes=classes)


def _matrix(asked: Any, classes: "Classes", pairs: list[str], whole: bool) -> Any:
    from sce_lib.noise import pair_matrix, symmetric_matrix

    if asked.kind != "asymmetric":
        return symmetric_matrix(len(classes), asked.rate)
    if not pairs:
        raise ValueError("asymmetric noise of labels of your own: say who is taken for whom, --pair cat=dog")
    mapping: dict[Any, Any] = {}
    for pair in pairs:
        source, equals, target = pair.partition("=")
        if not equals or not source or not target:
            raise ValueError(f"--pair is written cat=dog, not {pair!r}")
        mapping[_name(source, whole)] = _name(target, whole)
    return pair_matrix(len(classes), mapping, asked.rate, list(classes))


def _name(word: str, whole: bool) -> Any:
    if not whole:
        return word
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"the labels are integers, and {word!r} is none") from None
