"""The page of results: the ledger's runs as tables that sort, beside the paper's numbers, and as CSV."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd

from reference.settings import DATASETS
from sce_lib.experiments.config import METHODS
from sce_lib.experiments.config.parts import method_title
from sce_lib.experiments.grids import TABLE1_NOISE
from sce_lib.experiments.ledger import Ledger, RunRecord, Summary, described_images, to_frame
from sce_lib.report.escape import html
from sce_lib.report.leaderboard import leaderboard
from sce_lib.report.numbers import signed, with_range

# Columns of every table of a section that has them in the paper, run or not.
PAPER_NOISE = {"5.2": list(TABLE1_NOISE)}
SCALE = ["profile", "train_images", "model", "width", "epochs", "images"]
ORDER = {"full": 0, "laptop": 1}


def fragments(records: Iterable[RunRecord | Summary] | None = None) -> dict[str, str]:
    """Return the page's tables and the files that it offers, from the ledger where no records are given.

    Smoke runs prove nothing and are left out.
    """
    every = Ledger().summaries() if records is None else records
    chosen = [record for record in every if record.config.profile != "smoke"]
    board = leaderboard(chosen)
    return {
        "results.md": "\n".join(_page(_with_images(board))),
        "results.csv": board.to_csv(index=False),
        "runs.csv": to_frame(chosen).to_csv(index=False),
    }


def _with_images(board: pd.DataFrame) -> pd.DataFrame:
    """Add what the images are called: their source, and the fingerprint where several have the same."""
    if board.empty:
        return board
    told = [described_images(*pair) for pair in zip(board["source"], board["fingerprint"], strict=True)]
    several = board.groupby(["dataset", "source"])["fingerprint"].transform("nunique") > 1
    return board.assign(images=board["source"].mask(several, pd.Series(told, board.index)))


def _page(board: pd.DataFrame) -> Iterator[str]:
    if board.empty:
        yield "The ledger has no runs yet."
        return
    known = [*DATASETS, *sorted(set(board["dataset"]) - set(DATASETS))]
    for dataset in (name for name in known if name in set(board["dataset"])):
        yield f"## {DATASETS.get(dataset, dataset)}\n"
        of_dataset = board[board["dataset"] == dataset]
        for (section, protocol), rows in of_dataset.groupby(["section", "protocol"]):
            yield f"### {DATASETS.get(dataset, dataset)}, §{section}, protocol `{protocol}`\n"
            yield from _tabs(rows[rows["changes"] == ""], section, f"{dataset}, §{section}, {protocol}")
            changed = rows[rows["changes"] != ""]
            if not changed.empty:
                yield "With settings other than the section's, as the second column says:\n"
                yield from _tabs(changed, section, f"{dataset}, §{section}, {protocol}, other settings")


def _tabs(rows: pd.DataFrame, section: str, caption: str) -> Iterator[str]:
    if rows.empty:
        return
    yield "::::{tab-set}"
    for title, cell in (("Last epoch", _last), ("Best epoch, an oracle", _best)):
        yield from (f":::{{tab-item}} {title}", "```{raw} html")
        yield from _table(rows, section, f"{caption}: {title.lower()}, test accuracy in %", cell)
        yield from ("```", ":::")
    yield "::::\n"


def _table(rows: pd.DataFrame, section: str, caption: str, cell: Callable[[pd.Series], str]) -> Iterator[str]:
    """Yield a table of a row a method and scale, a column a noise; a cell that was not run is empty."""
    fixed = PAPER_NOISE.get(section, [])
    noises = [*fixed, *sorted(set(rows["noise"]) - set(fixed), key=lambda n: (n != "clean", n))]
    with_changes = bool((rows["changes"] != "").any())
    heads = ["method", *(["changed"] if with_changes else []), *(_noise(n, section) for n in noises), "scale"]
    yield f'<div class="results" role="region" aria-label="{html(caption)}" tabindex="0">'
    yield f'<table class="sortable"><caption>{html(caption)}</caption>'
    yield "<thead><tr>" + "".join(f'<th scope="col">{html(head)}</th>' for head in heads) + "</tr></thead>"
    yield "<tbody>"
    # Settings that the words do not tell apart, as rates that agree to six digits, have rows of their own.
    alike = ["method", "changes", *SCALE]
    rows = rows.assign(twin=rows.groupby([*alike, "noise"]).cumcount())
    groups = rows.groupby([*alike, "twin"], sort=False)
    for _, group in sorted(groups, key=lambda pair: _place(pair[1].iloc[0])):
        row = group.iloc[0]
        yield f'<tr><th scope="row" data-value="{_rank(row)}">{html(method_title(row["method"]))}</th>'
        if with_changes:
            yield f"<td>{html(row['changes'])}</td>"
        by_noise = {found["noise"]: found for _, found in group.iterrows()}
        yield from (cell(by_noise[noise]) if noise in by_noise else "<td></td>" for noise in noises)
        yield f"<td>{html(_scale(row))}</td></tr>"
    yield "</tbody></table></div>"


def _place(row: pd.Series) -> tuple:
    return ORDER.get(row["profile"], len(ORDER)), _rank(row), row["changes"], *row[[*SCALE, "twin"]]


def _rank(row: pd.Series) -> int:
    """Return the place of a method among the presets; another multiple of CE or RCE comes last."""
    return METHODS.index(row["method"]) if row["method"] in METHODS else len(METHODS)


def _noise(slug: str, section: str) -> str:
    if slug == "clean":
        return "labels as they come" if section == "5.3" else "clean labels"
    kind, _, detail = slug.partition("-")
    return f"human, {detail}" if kind == "human" else f"{kind} {100 * float(detail):g} %"


def _scale(row: pd.Series) -> str:
    size = f"{row['train_images']:,} images, {row['model']} × {row['width']:g}, {row['epochs']} epochs"
    return f"{row['profile']}: {size}; {row['images']}"


def _spread(row: pd.Series, which: str) -> str:
    """Return mean, range where there is one, and number of seeds."""
    ends = (row[f"{which}_low"], row[f"{which}_high"]) if row["seeds"] > 1 else (np.nan, np.nan)
    mean, bracket, span = with_range(row[which], *ends).partition(" [")
    seeds = f"{row['seeds']} seed{'s' if row['seeds'] > 1 else ''}"
    return f"<strong>{mean}</strong>{bracket}{span}<br><small>{seeds}</small>"


def _last(row: pd.Series) -> str:
    return _cell(row, "last", _beside(row))


def _best(row: pd.Series) -> str:
    return _cell(row, "best", "")


def _cell(row: pd.Series, which: str, beside: str) -> str:
    runs = html(row["runs"])
    return f'<td data-value="{row[which]:.4f}" data-runs="{runs}">{_spread(row, which)}{beside}</td>'


def _beside(row: pd.Series) -> str:
    """Return the paper's number and how far ours is from it; nothing where the paper has none."""
    if pd.isna(row["paper"]):
        return ""
    deviation = "" if pd.isna(row["paper_std"]) else f" ± {row['paper_std']:.2f}"
    return f"<br><small>paper {row['paper']:.2f}{deviation}, {signed(row['difference'])}</small>"
