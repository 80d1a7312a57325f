"""Where the gradient goes while real networks train: shares of clean and flipped, hard and easy samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sce_lib.experiments.ledger import RunRecord, StageRecord
from sce_lib.report.claims import Evidence
from sce_lib.report.figures import style

# Darker is harder; what noise has touched stands apart in colour.
PARTS = {
    "clean, hard classes": style.PALETTE[0],
    "clean, other classes": style.PALETTE[9],
    "clean, easy classes": style.PALETTE[2],
    "flipped": style.PALETTE[3],
}


def _by_part(clean: Any, flipped: Any, evidence: Evidence) -> dict[str, float]:
    """Add up shares by class into the parts of a bar."""
    own = np.asarray(clean, dtype=float)
    hard, easy = own[evidence.hard].sum(), own[evidence.easy].sum()
    return dict(zip(PARTS, (hard, own.sum() - hard - easy, easy, float(np.sum(flipped))), strict=True))


def _samples(look: StageRecord, evidence: Evidence) -> dict[str, float]:
    counts = np.array([look.clean.count, look.flipped.count], dtype=float)
    clean, flipped = counts / counts.sum()
    return _by_part(clean, flipped, evidence)


def gradient_shares(evidence: Evidence, methods: Sequence[str] = ("ce", "rce", "sl")) -> pd.DataFrame:
    """Return who gets the gradient: a row for each method and stage, and one for the samples themselves.

    Index (method, epoch); columns `PARTS`; each row sums to 1. Values are means over seeds of the share
    of Σ|∂ℓ/∂z| over the training set, in evaluation mode. The first row, ("samples", 0), holds the shares
    of the samples: what each part would get if all gradients were of one size.

    Parameters
    ----------
    evidence : Evidence
        Records of the methods under ``evidence.noise``, and of CE on clean labels, which rank the classes.

    Raises
    ------
    LookupError
        If a method has no record.
    """
    looks = [record.final_stage() for record in evidence.of(methods[0])]
    rows = {("samples", 0): pd.DataFrame([_samples(look, evidence) for look in looks]).mean()}
    for method in methods:
        records = evidence.of(method)
        for stages in zip(*(record.stages for record in records), strict=True):
            shares = [_by_part(s.clean.gradient_share, s.flipped.gradient_share, evidence) for s in stages]
            rows[records[0].config.method_setting, stages[0].epoch] = pd.DataFrame(shares).mean()
    return pd.DataFrame(rows).T.rename_axis(["method", "epoch"])


def gradient_split(shares: pd.DataFrame, records: Sequence[RunRecord]) -> Figure:
    """Draw `gradient_shares` as stacked bars, a panel a method and a bar a stage.

    Parameters
    ----------
    shares : DataFrame
        From `gradient_shares`.
    records : sequence of RunRecord
        The runs behind it.
    """
    portion_clean = 1 - shares["flipped"].loc[("samples", 0)]
    methods = [name for name in shares.index.unique("method") if name != "samples"]
    figure, axes = style.panels(len(methods), columns=3)
    for axis, method in zip(axes, methods, strict=True):
        rows = shares.loc[method]
        bottom = np.zeros(len(rows))
        for part, colour in PARTS.items():
            axis.bar(range(len(rows)), rows[part], 0.8, bottom=bottom, color=colour, label=part)
            bottom += rows[part].to_numpy()
        axis.axhline(portion_clean, color="black", linestyle="--", linewidth=1, label="clean samples")
        axis.set(title=method, xlabel="epoch", ylim=(0, 1))
        axis.set_xticks(range(len(rows)), [str(epoch) for epoch in rows.index])
    axes[0].set_ylabel("share of the total gradient")
    style.legend(figure, axes, ncols=3, fontsize="small")
    return style.finish(figure, records)
