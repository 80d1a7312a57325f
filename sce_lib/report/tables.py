"""Records in, a table or a line of text out; nothing is trained and no file is written.

Runs of one setting differ in seed alone; verdicts are from `sce_lib.report.claims.verdicts`.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, product

import numpy as np
import pandas as pd

from sce_lib.experiments.config.naming import value_in_words
from sce_lib.experiments.config.parts import method_title
from sce_lib.experiments.grids import TABLE2_METHODS, TABLE2_NOISE
from sce_lib.experiments.ledger import RunRecord, require_same_images
from sce_lib.report import published
from sce_lib.report.claims import AGREES, DISAGREES, IN_DIRECTION, NOT_TESTED, Evidence
from sce_lib.report.claims.evidence import where_run
from sce_lib.report.claims.quantities import early_accuracy, last, memorised
from sce_lib.report.escape import markdown
from sce_lib.report.numbers import number, over_seeds, spread, with_range


def accuracies(settings: Sequence[Sequence[RunRecord]], evidence: Evidence) -> pd.DataFrame:
    """Return a row a setting: accuracy in per cent, mean over seeds and [lowest, highest].

    `last` is of all test images after the last epoch; `oracle gain` is what the best epoch would add to the
    last one, both on the images looked at each epoch; `hardest` and `easiest` are those classes' accuracies
    at the end.
    """
    require_same_images(chain.from_iterable(settings))
    rows = []
    for records in settings:
        ends = np.array([record.final_stage().classwise_accuracy for record in records])
        classes = {"hardest": evidence.ranking[0], "easiest": evidence.ranking[-1]}
        rows.append(
            {
                "method": records[0].config.method_setting,
                "labels": records[0].config.noise.slug,
                "last": spread([record.last_accuracy for record in records]),
                "oracle gain": spread([record.oracle_gain for record in records]),
                **{f"{end} ({records[0].classes[k]})": spread(ends[:, k]) for end, k in classes.items()},
                "seeds": len(records),
            }
        )
    return pd.DataFrame(rows).set_index(["method", "labels"])


def ablations(settings: Mapping[str, Sequence[RunRecord]]) -> pd.DataFrame:
    """Return a row a setting: how it starts, how it ends and what of the noise it takes, in per cent.

    Mean over seeds and [lowest, highest] of `first third`, the test accuracy averaged over that part of
    training; `last` and `oracle gain`, as in `accuracies`; `flipped fitted`, the flipped samples predicted at
    the end as the label they were given, averaged over classes; `flipped share`, their part of the training
    set's gradient then; and `seeds`. A setting's key is its label.
    """
    require_same_images(chain.from_iterable(settings.values()))
    rows = {
        label: {
            "first third": spread([early_accuracy(r) for r in records]),
            "last": spread([r.last_accuracy for r in records]),
            "oracle gain": spread([r.oracle_gain for r in records]),
            "flipped fitted": spread([memorised(r) for r in records]),
            "flipped share": spread([sum(r.final_stage().flipped.gradient_share) for r in records]),
            "seeds": len(records),
        }
        for label, records in settings.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def detection(settings: Mapping[str, Sequence[RunRecord]]) -> pd.DataFrame:
    """Return a row a setting: how well its final loss finds the flipped labels, in per cent.

    Mean over seeds and [lowest, highest] of the area under the ROC curve (`AUROC`, 50 by chance) and of its
    lowest value of a true class; `average precision`, and `precision` in as many samples as are flipped, both
    the noise rate by chance. `seeds` are the records that keep it; older ones do not.
    """
    require_same_images(chain.from_iterable(settings.values()))
    rows = {}
    for label, records in settings.items():
        found = [record.detection for record in records if record.detection is not None]
        by_class = [[share for share in each.classwise_auroc if share is not None] for each in found]
        rows[label] = {
            "AUROC": spread([each.auroc for each in found]),
            "lowest class": spread([min(shares) for shares in by_class if shares]),
            "average precision": spread([each.average_precision for each in found]),
            "precision": spread([each.precision for each in found]),
            "seeds": len(found),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def combinations(records: Sequence[RunRecord], dataset: str) -> pd.DataFrame:
    """Return what each combination of Table 2 adds to its base, and to SL alone, in points.

    A row a noise and combination, of text: the paper's means compared, and last accuracies of ours, compared
    seed by seed: mean and [lowest, highest]. Empty where one of the two was not run, or is not in the paper.
    `seeds` have both it and its base.

    Parameters
    ----------
    records : sequence of RunRecord
        Runs of one data set, protocol, section and scale.
    dataset : str
        Whose numbers of the paper stand beside ours.

    Examples
    --------
    >>> combinations([], "cifar10").loc[("symmetric-0.4", "LSR+SL"), "over base, paper"]
    '+6.79'
    """
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for noise, method in product(TABLE2_NOISE, TABLE2_METHODS):
        row = rows.setdefault((noise, method_title(method)), {})
        base = method.removesuffix("+sl")
        for words, other in {"base": base, "SL": "sl"}.items():
            printed = _reported_gain(dataset, method, other, noise)
            row[f"over {words}, paper"] = over_seeds(printed, digits=2, difference=True)
            ours = gains(records, method, other, noise).to_numpy()
            row[f"over {words}, ours"] = over_seeds(ours, difference=True)
        row["seeds"] = len(gains(records, method, base, noise))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["labels", ""])


def _reported_gain(dataset: str, method: str, other: str, noise: str) -> np.ndarray:
    """Return by how much the paper's mean is above another's; nothing where it lacks one of them."""
    pair = [published.reported(dataset, name, noise) for name in (method, other)]
    return np.array([pair[0].mean - pair[1].mean] if pair[0] and pair[1] else [])


def last_by_seed(records: Sequence[RunRecord], method: str, noise: str) -> pd.Series:
    """Return the last accuracies of a method under a noise, by seed; none where there are no runs."""
    return where_run(last, Evidence(records), method, noise)


def gains(records: Sequence[RunRecord], method: str, other: str, noise: str) -> pd.Series:
    """Return by how much last accuracies are above another method's, in points, for the seeds of both."""
    return 100 * (last_by_seed(records, method, noise) - last_by_seed(records, other, noise)).dropna()


def verdict_table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return verdicts as a reader wants them: numbers rounded, with their range over several seeds."""
    numbers = verdicts[["measured", "lowest", "highest"]].to_numpy(dtype=float)
    measured = [
        with_range(mean, low, high, digits=3) if seeds > 1 else number(mean, digits=3) or "–"
        for (mean, low, high), seeds in zip(numbers, verdicts["seeds"], strict=True)
    ]
    paper = ["–" if pd.isna(value) else value_in_words(value) for value in verdicts["paper"]]
    shown = verdicts[["figure", "claim"]].assign(measured=measured, rule=verdicts["rule"], paper=paper)
    return shown.assign(verdict=verdicts["verdict"])


def compare_verdicts(by_dataset: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row a claim and a column a data set: what was measured there, and the verdict on it."""
    table = next(iter(by_dataset.values()))[["claim", "rule"]].copy()
    for dataset, verdicts in by_dataset.items():
        table[dataset] = [
            verdict if seeds == 0 else f"{number(measured, digits=3)}: {verdict}"
            for measured, seeds, verdict in verdicts[["measured", "seeds", "verdict"]].to_numpy()
        ]
    return table


def provenance(records: Sequence[RunRecord], command: str) -> str:
    """Return the line under a figure, in Markdown: how many runs, of what scale and images, made how.

    Parameters
    ----------
    records : sequence of RunRecord
        What the figure rests on.
    command : str
        What trains these runs.

    Raises
    ------
    MixedImages
        If they were made from different images, of which one line cannot speak.
    """
    require_same_images(records)
    config, made = records[0].config, records[0].provenance
    seeds = len({record.config.seed for record in records})
    minutes = sum(record.provenance.seconds for record in records) / 60
    per_epoch = records[0].test_images_per_epoch
    tested = "" if per_epoch == made.test_images else f" (curves: a fixed {per_epoch:,} of them)"
    precision = " and ".join(sorted({record.config.precision for record in records}))
    images = f"{config.dataset}, {markdown(made.source)}"
    return (
        f"{_count(len(records), 'run')}, {_count(seeds, 'seed')} · {images} · "
        f"profile {config.profile}, protocol {config.protocol} §{config.section}: "
        f"{made.train_images:,} training images, {config.model.name} at width {config.model.width:g}, "
        f"{config.optimisation.epochs} epochs, {precision} · {made.test_images:,} test images{tested} · "
        f"{minutes:.1f} minutes on {markdown(made.device)} · `{command}`"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}"


# What a verdict amounts to at each scale, the largest scale first; smoke proves nothing.
STANDINGS = {
    "full": {AGREES: "shown", IN_DIRECTION: "shown in direction", DISAGREES: "not shown"},
    "laptop": {
        AGREES: "shown at reduced scale",
        IN_DIRECTION: "in direction at reduced scale",
        DISAGREES: "not shown at reduced scale",
    },
}


def standings(by_profile: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return how each claim stands on a data set, by the largest scale that tests it.

    A row a claim, by its id: `standing`, one of the words of `STANDINGS` or ``not tested``, and `measured`
    (mean over seeds) and `seeds` at that scale.

    Raises
    ------
    KeyError
        If the verdicts of a profile of `STANDINGS` are not given.

    Examples
    --------
    >>> from sce_lib.report.claims import verdicts
    >>> set(standings(dict.fromkeys(STANDINGS, verdicts([], chapter=7)))["standing"])
    {'not tested'}
    """
    judged = [by_profile[profile].assign(profile=profile) for profile in STANDINGS]
    stood = judged[-1]
    for larger in judged[-2::-1]:
        stood = larger.where(larger["seeds"] > 0, stood)
    words = [
        NOT_TESTED if verdict == NOT_TESTED else STANDINGS[profile][verdict]
        for profile, verdict in stood[["profile", "verdict"]].to_numpy()
    ]
    return stood[["measured", "seeds"]].assign(standing=words)
