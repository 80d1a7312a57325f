"""What was reproduced: how each claim stands on the ledger's runs, and which runs would settle the rest."""

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from reference import markdown
from reference.settings import DATASETS as TITLES
from sce_lib import claims, tables
from sce_lib.config import RunConfig
from sce_lib.ledger import Ledger, RunRecord, select
from sce_lib.paths import project_root

DATASETS = ("cifar10", "fashion_mnist")
_TITLES = [TITLES[dataset] for dataset in DATASETS]
# The section whose settings a chapter's claims are about, and the grids of all runs that they need.
SECTIONS = {2: "5.1", 6: "5.1", 7: "5.1", 8: "5.2", 9: "5.2", 10: "5.2"}
GRIDS = {
    2: ("figure1",),
    6: ("ce_and_sl",),
    7: ("figure8", "floor", "figure9a"),
    8: ("table1",),
    9: ("table1", "table2"),
}
CIFAR10_ALONE = {10}  # labels that people gave
FULL = "--dataset cifar10 --profile full --seeds 5"


def fragments() -> dict[str, str]:
    """Return the counts, the paper's claims and the book's own, a table a chapter."""
    table = claims.load_claims().join(pd.concat([_stands(dataset) for dataset in DATASETS], axis=1))
    paper, own = (table[table["source"] == source] for source in ("paper", "this book"))
    return {
        "counts.md": "\n".join(_counts(paper)),
        "standing.md": "\n".join(_chapters(paper)),
        "standing_own.md": "\n".join(_chapters(own)),
    }


def commands(chapter: int) -> list[str]:
    """Return the commands that make all runs which a chapter's claims need, on CIFAR-10 at full scale."""
    if chapter in GRIDS:
        return [f"sce sweep {grid} {FULL}" for grid in GRIDS[chapter]]
    noises = claims.load_claims(chapter)["noise"].unique()
    return [f"sce run --method {m} --noise {noise} {FULL}" for noise in noises for m in ("ce", "sl")]


def relevant(records: list[RunRecord], chapter: int) -> list[RunRecord]:
    """Return the records that a chapter's claims are about: by the paper's protocol, no setting changed."""
    return [
        record
        for record in select(records, protocol="paper", section=SECTIONS[chapter])
        if record.config == _as_preset(record.config)
    ]


def _as_preset(config: RunConfig) -> RunConfig:
    return RunConfig.preset(
        config.dataset,
        config.method,
        config.noise,
        config.protocol,
        config.profile,
        config.section,
        config.seed,
    )


def _stands(dataset: str) -> pd.Series:
    """Return a cell for each claim: how it stands on a data set, what was measured, on how many seeds."""
    records = select(list(Ledger()), dataset=dataset)
    cells: dict[str, str] = {}
    for chapter in SECTIONS:
        judged = {
            profile: claims.verdicts(relevant(select(records, profile=profile), chapter), chapter)
            for profile in tables.STANDINGS
        }
        told = [_cell(*row) for row in tables.standings(judged).itertuples(index=False)]
        absent = chapter in CIFAR10_ALONE and dataset != "cifar10"
        cells |= dict(zip(judged["full"].index, ["–"] * len(told) if absent else told, strict=True))
    return pd.Series(cells, name=dataset)


def _cell(measured: float, seeds: int, standing: str) -> str:
    if not seeds:
        return standing
    return f"{standing} ({measured:.3f}; {seeds} seed{'s' if seeds > 1 else ''})".replace("(-", "(−")


def _counts(table: pd.DataFrame) -> Iterator[str]:
    words = [*(word for scale in tables.STANDINGS.values() for word in scale.values()), claims.NOT_TESTED]
    counts = {dataset: Counter(table[dataset].str.split(" (", regex=False).str[0]) for dataset in DATASETS}
    told = [word for word in words if any(count[word] for count in counts.values())]
    rows = [[word, *(str(counts[dataset][word]) for dataset in DATASETS)] for word in told]
    yield from markdown.table([f"of {len(table)} claims", *_TITLES], rows, numbers=len(DATASETS))


def _chapters(table: pd.DataFrame) -> Iterator[str]:
    for chapter in sorted(set(table["chapter"].tolist())):
        yield f"### {_title(chapter)}\n"
        rows = table.loc[table["chapter"] == chapter, ["figure", "claim", *DATASETS]].values.tolist()
        yield from markdown.table(["where", "claim", *_TITLES], rows)
        yield from ("", "To settle them at the paper's scale:\n", "```bash", *commands(chapter), "```\n")


def _title(chapter: int) -> str:
    written = sorted((project_root() / "notebooks").glob(f"{chapter:02}_*.ipynb"))
    return f"{{doc}}`/notebooks/{written[0].stem}`" if written else f"Chapter {chapter}, to be written"
