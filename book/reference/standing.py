"""What was reproduced: how each claim stands on the ledger's runs, and which runs would settle the rest."""

from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

import pandas as pd

from reference import markdown
from reference.markdown import ROOT
from reference.settings import DATASETS as TITLES
from sce_lib.experiments import grids
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.parts import Profile
from sce_lib.experiments.ledger import Ledger, RunRecord, Summary, select
from sce_lib.report import claims, tables
from sce_lib.report.numbers import number

Record = TypeVar("Record", RunRecord, Summary)

# The data sets that a chapter's claims are asked of, and the grids of all runs that they need there.
CIFAR10_AND_FASHION = ("cifar10", "fashion_mnist")
DATASETS = {
    **dict.fromkeys((2, 6, 7), CIFAR10_AND_FASHION),
    8: ("cifar10", "mnist"),
    9: ("cifar10",),
    10: ("cifar10",),  # labels that people gave
    11: ("cifar10", "mnist"),
}
GRIDS = {
    2: ("figure1",),
    6: ("ce_and_sl",),
    7: ("figure8", "floor", "figure9a"),
    8: ("table1",),
    9: ("table1", "table2"),
    10: ("cifar10n",),
    11: ("fidelity", "factors"),
}
# Claims about what other images alone have: classes that differ in size; CIFAR-100's alpha and beta, which
# its stand-in of a hundred classes has too. They need runs of their own where the chapter has none.
ASKED_OF = {"counts-hardly-matter": ("mnist",), "sl-is-6ce": ("cifar100", "tiny_imagenet100")}
GRIDS_ELSEWHERE = dict.fromkeys(ASKED_OF["sl-is-6ce"], ("six_ce",))


def fragments() -> dict[str, str]:
    """Return the counts, the paper's claims and the book's own, a table a chapter."""
    table, ledger = claims.load_claims(), Ledger()
    table["datasets"] = [asked_of(str(name), chapter) for name, chapter in table["chapter"].items()]
    names = dict.fromkeys(dataset for datasets in table["datasets"] for dataset in datasets)
    stands = {name: _stands(table, _records(ledger, table, name), name) for name in names}
    table = table.join(pd.DataFrame(stands))
    paper, own = (table[table["source"] == source] for source in ("paper", "this book"))
    return {
        "counts.md": "\n".join(_counts(paper)),
        "standing.md": "\n".join(_chapters(paper)),
        "standing_own.md": "\n".join(_chapters(own)),
    }


def asked_of(claim: str, chapter: int) -> tuple[str, ...]:
    """Return the data sets that a claim is asked of."""
    return ASKED_OF.get(claim, DATASETS[chapter])


def commands(chapter: int, dataset: str = "cifar10") -> list[str]:
    """Return the commands that make all runs which a chapter's claims need, on a data set at full scale."""
    full = f"--dataset {dataset} --profile full --seeds 5"
    return [f"sce sweep {grid} {full}" for grid in _grids(chapter, dataset)]


def wanted(chapter: int, dataset: str, profile: Profile) -> list[RunConfig]:
    """Return the runs that a chapter's claims need on a data set, with seed 0, each once."""
    parts = [grids.grid(name, dataset, profile=profile) for name in _grids(chapter, dataset)]
    return list(dict.fromkeys(config for part in parts for config in part))


def relevant(records: list[Record], chapter: int) -> list[Record]:
    """Return the records that a chapter's claims are about: the runs wanted for them, of any seed."""
    scales = {(record.config.dataset, record.config.profile) for record in records}
    asked = {config for scale in scales for config in wanted(chapter, *scale)}
    return [record for record in records if record.config.model_copy(update={"seed": 0}) in asked]


def _grids(chapter: int, dataset: str) -> tuple[str, ...]:
    return GRIDS_ELSEWHERE.get(dataset, GRIDS[chapter])


def _records(ledger: Ledger, table: pd.DataFrame, dataset: str) -> list[RunRecord]:
    """Return the records that the claims asked of a data set are about: of a large ledger they are few."""
    chapters = {of for of, datasets in table[["chapter", "datasets"]].to_numpy() if dataset in datasets}
    runs = [run for run in ledger.summaries(dataset) if run.config.profile in tables.STANDINGS]
    asked = {run.run_id for chapter in chapters for run in relevant(runs, chapter)}
    return [record for run in runs if run.run_id in asked and (record := ledger.get(run.config))]


def _stands(table: pd.DataFrame, records: list[RunRecord], dataset: str) -> pd.Series:
    """Return a cell for each claim asked of a data set: how it stands, what was measured, how many seeds."""
    cells: dict[str, str] = {}
    asked = table[[dataset in datasets for datasets in table["datasets"]]]
    for chapter in sorted(set(asked["chapter"].tolist())):
        names = asked.index[asked["chapter"] == chapter]
        judged = {
            profile: claims.verdicts(relevant(select(records, profile=profile), chapter), chapter).loc[names]
            for profile in tables.STANDINGS
        }
        told = [_cell(*row) for row in tables.standings(judged).itertuples(index=False)]
        cells |= dict(zip(names, told, strict=True))
    return pd.Series(cells, dtype=str)


def _cell(measured: float, seeds: int, standing: str) -> str:
    if not seeds:
        return standing
    return f"{standing} ({number(measured, digits=3)}; {seeds} seed{'s' if seeds > 1 else ''})"


def _counts(table: pd.DataFrame) -> Iterator[str]:
    datasets = list(dict.fromkeys(dataset for row in table["datasets"] for dataset in row))
    words = [*(word for scale in tables.STANDINGS.values() for word in scale.values()), claims.NOT_TESTED]
    counts = {name: Counter(table[name].dropna().str.split(" (", regex=False).str[0]) for name in datasets}
    told = [word for word in words if any(count[word] for count in counts.values())]
    rows = [[word, *(str(counts[name][word]) for name in datasets)] for word in told]
    asked = ["claims asked", *(str(counts[name].total()) for name in datasets)]
    header = [f"of {len(table)} claims", *(TITLES[name] for name in datasets)]
    yield from markdown.table(header, [*rows, asked], numbers=len(datasets))


def _chapters(table: pd.DataFrame) -> Iterator[str]:
    for chapter in sorted(set(table["chapter"].tolist())):
        yield f"### {_title(chapter)}\n"
        own = table[table["chapter"] == chapter]
        for datasets in dict.fromkeys(own["datasets"].tolist()):
            cells = own.loc[own["datasets"] == datasets, ["figure", "claim", *datasets]].values.tolist()
            yield from markdown.table(["where", "claim", *(TITLES[name] for name in datasets)], cells)
            told = commands(chapter, datasets[0])
            yield from ("", "To settle them at the paper's scale:\n", "```bash", *told, "```\n")


def _title(chapter: int) -> str:
    written = sorted((ROOT / "notebooks").glob(f"{chapter:02}_*.ipynb"))
    return f"{{doc}}`/notebooks/{written[0].stem}`" if written else f"Chapter {chapter}, to be written"
