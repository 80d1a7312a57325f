"""The quantities that claims are judged by: from evidence to a value for each seed.

Each stands for a sentence of the paper, in terms that a record holds. A difference between two settings is
NaN for a seed that one of them lacks.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sce_lib.experiments import grids
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.factors import FACTORS, change
from sce_lib.experiments.config.presets import PAPER_SECTIONS, RELEASED_A
from sce_lib.experiments.grids import sl_setting
from sce_lib.experiments.ledger import MissingRuns, RunRecord, StageRecord, select
from sce_lib.report.claims.evidence import Evidence

Measure = Callable[..., pd.Series]
Look = Callable[[StageRecord], Any]

# The paper's epochs 10, 50 and 100 of 120, and the last one; a short run may have fewer stages.
_STAGES = {"early": 0, "middle": -3, "late": -2, "end": -1}
# "Converges slowly" is about the first third of training, before the first drop of the learning rate.
EARLY_SHARE = 1 / 3
NEIGHBOURS = 10


# --- Of one run. -------------------------------------------------------------------------------------
def purity(record: RunRecord, label: int | None = None) -> float:
    """Return the portion of an embedded point's ten nearest that are of its class, averaged over points.

    Over those of one class where a label is given; NaN for a record whose embedding has too few points.
    """
    if record.embedding is None or len(record.embedding.labels) <= NEIGHBOURS:
        return float("nan")
    from sklearn.neighbors import NearestNeighbors  # a second, which few callers need to wait

    points, labels = record.embedding.points, np.array(record.embedding.labels)
    nearest = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(points).kneighbors(return_distance=False)
    same = (labels[nearest] == labels[:, None]).mean(axis=1)
    return float(same.mean() if label is None else same[labels == label].mean())


def silhouette(record: RunRecord) -> float:
    """Return how much nearer a record's embedded points are to their own class than to the next, -1 to 1.

    NaN for a record without an embedding, or with one of a single class.
    """
    if record.embedding is None or len(set(record.embedding.labels)) < 2:
        return float("nan")
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(record.embedding.points, record.embedding.labels))


def memorised(record: RunRecord) -> float:
    """Return the portion of flipped samples predicted as the label they were given, at the end.

    The mean over the classes that have such samples.
    """
    return float(np.nanmean(np.array(record.final_stage().flipped.fitted, dtype=float)))


def early_accuracy(record: RunRecord) -> float:
    """Return the mean test accuracy over the first third of training: what a slow start costs."""
    first = record.epochs[: max(1, round(EARLY_SHARE * len(record.epochs)))]
    return float(np.mean([epoch.test_accuracy for epoch in first]))


# --- Of a method's runs: a value or, by class, a row for each seed. Differences align by seed. ---------
def _scores(records: Sequence[RunRecord], score: Callable[[RunRecord], float]) -> pd.Series:
    return pd.Series({record.config.seed: score(record) for record in records}, dtype=float)


def _measure(score: Callable[[RunRecord], float]) -> Measure:
    """Return the function that scores the runs of a method under a noise, the evidence's unless given."""
    return lambda evidence, method, noise=None: _scores(evidence.of(method, noise), score)


last = _measure(lambda record: record.last_accuracy)
_overfitting = _measure(lambda record: record.oracle_gain)  # what the best epoch has and the last one lost
_early_accuracy = _measure(early_accuracy)
_memorised = _measure(memorised)
_purity = _measure(purity)
_silhouette = _measure(silhouette)


def _together(values: Iterable[pd.Series]) -> pd.DataFrame:
    """Return values of several settings, a column each, for the seeds that all of them have."""
    return pd.concat(list(values), axis=1).dropna()


def _highest(evidence: Evidence, measure: Measure, methods: Sequence[str]) -> pd.Series:
    """Return the highest of several methods' values, where all of them have a run."""
    return _together(measure(evidence, method) for method in methods).max(axis=1)


def _by_class(
    evidence: Evidence, method: str, stage: str, of: Look, noise: str | None = None
) -> pd.DataFrame:
    runs = evidence.of(method, noise)
    looks = {run.config.seed: run.stages[max(_STAGES[stage], -len(run.stages))] for run in runs}
    return pd.DataFrame({seed: of(look) for seed, look in looks.items()}, dtype=float).T


def _classwise(evidence: Evidence, method: str, stage: str, noise: str | None = None) -> pd.DataFrame:
    return _by_class(evidence, method, stage, lambda look: look.classwise_accuracy, noise)


# --- Chapter 2: what cross entropy learns of each class. ---------------------------------------------
def _spread(evidence: Evidence, stage: str, noise: str | None = None) -> pd.Series:
    accuracy = _classwise(evidence, "ce", stage, noise)
    return accuracy.max(axis=1) - accuracy.min(axis=1)


def _gap(evidence: Evidence, method: str = "ce") -> pd.DataFrame:
    """Return what noise costs each class late in training, against CE on clean labels."""
    return _classwise(evidence, "ce", "late", "clean") - _classwise(evidence, method, "late")


def _easy_beyond_hard(values: pd.DataFrame, evidence: Evidence) -> pd.Series:
    return values[evidence.easy].mean(axis=1) - values[evidence.hard].mean(axis=1)


def _end_confidence(evidence: Evidence, method: str = "ce") -> pd.DataFrame:
    """Return the mean probabilities over the clean portion of the hardest class, at the end."""
    return _by_class(evidence, method, "end", lambda look: look.confidence[evidence.hardest])


def _other_confidence(evidence: Evidence, method: str) -> pd.Series:
    """Return the largest of those probabilities at another class."""
    return _end_confidence(evidence, method).drop(columns=evidence.hardest).max(axis=1)


def _true_positives(evidence: Evidence, method: str = "ce") -> pd.DataFrame:
    """Return the portion of each class's training samples that is predicted rightly at the end."""
    return _by_class(
        evidence, method, "end", lambda look: look.correct / np.add(look.clean.count, look.flipped.count)
    )


def _under_learning_beyond_overfitting(evidence: Evidence) -> pd.Series:
    clean = _scores(evidence.of("ce", "clean"), lambda record: record.epochs[-1].test_accuracy)
    best = _scores(evidence.of("ce"), lambda record: record.best_accuracy)
    return (clean - best) - _overfitting(evidence, "ce")


# --- Chapter 6: what symmetric cross entropy changes. ------------------------------------------------
def _sl_gain(evidence: Evidence, stage: str = "end") -> pd.DataFrame:
    """Return what SL adds to each class's test accuracy at a stage."""
    return _classwise(evidence, "sl", stage) - _classwise(evidence, "ce", stage)


def _clean_share(evidence: Evidence, method: str, stage: str) -> pd.DataFrame:
    """Return the share of the training set's gradient that each class's clean samples get."""
    return _by_class(evidence, method, stage, lambda look: look.clean.gradient_share)


def _hard_of_clean_share(evidence: Evidence, method: str) -> pd.Series:
    """Return the hard classes' part of what clean samples get early in training."""
    share = _clean_share(evidence, method, "early")
    return share[evidence.hard].sum(axis=1) / share.sum(axis=1)


# --- Chapter 7: which part of it does the work. ------------------------------------------------------
_OVER_ALPHAS = [sl_setting(alpha, grids.FIGURE8_FLOOR) for alpha in grids.FIGURE8_ALPHAS]  # the largest first
_, _, _USUAL_SL, _TINY_ALPHA = _OVER_ALPHAS


def _large_alpha_overfits(evidence: Evidence) -> pd.Series:
    large_1, large_2, small_1, small_2 = (_overfitting(evidence, setting) for setting in _OVER_ALPHAS)
    return (large_1 + large_2) / 2 - (small_1 + small_2) / 2


def _range_over_floors(evidence: Evidence, alpha: float) -> pd.Series:
    """Return the range of the last accuracies over A, where all of the paper's values have a run."""
    ends = _together(last(evidence, sl_setting(alpha, floor)) for floor in grids.FIGURE8_FLOORS)
    return ends.max(axis=1) - ends.min(axis=1)


def _released_floor(evidence: Evidence) -> pd.Series:
    """Return how far the released code's A ends from those of §5.1 and §5.2, the larger of the two."""
    released = last(evidence, sl_setting(0.1, RELEASED_A))
    floors = [PAPER_SECTIONS[section]["A"] for section in ("5.1", "5.2")]
    return _together((released - last(evidence, sl_setting(0.1, A))).abs() for A in floors).max(axis=1)


# --- Chapters 8 and 9: beside the other methods, and together with them. -----------------------------
BASELINES = tuple(method for method in grids.TABLE1_METHODS if method != "sl")


def _hard_at_end(evidence: Evidence, method: str) -> pd.Series:
    return _classwise(evidence, method, "end")[evidence.hard].mean(axis=1)


def _above_gce(evidence: Evidence) -> pd.Series:
    return last(evidence, "sl") - last(evidence, "gce")


# --- Chapter 11: which detail moves the number. ------------------------------------------------------
# One at a time; what a single draw of the noise does is about the spread of seeds, and asked apart.
SINGLE_FACTORS = tuple(factor for factor in FACTORS if factor not in ("released", "one-draw"))
CIFAR100_SL = RunConfig.preset("cifar100", "sl", "symmetric-0.4").method


def last_under(evidence: Evidence, factor: str | None, method: str) -> pd.Series:
    """Return the last accuracies of a method with one detail changed, or with none for None, by seed.

    Raises
    ------
    MissingRuns
        If there is no such run under the evidence's noise.
    """
    found = select(evidence.under(factor).records, method=method, noise=evidence.noise)
    if not found:
        raise MissingRuns(f"no record of {method} under {evidence.noise} with {factor or 'nothing'} changed")
    return _scores(found, lambda record: record.last_accuracy)


def effect(evidence: Evidence, factor: str, method: str) -> pd.Series:
    """Return what a changed detail adds to a method's last accuracy, seed by seed.

    Raises
    ------
    MissingRuns
        If the method has no run with this detail changed, or none without.
    """
    return last_under(evidence, factor, method) - last_under(evidence, None, method)


def applicable(evidence: Evidence, method: str) -> list[str]:
    """Return the single factors that say something of the evidence's runs of a method.

    Raises
    ------
    MissingRuns
        If the method has no run with nothing changed.
    """
    runs = [r.config for r in evidence.under(None).records if r.config.method.name == method]
    if not runs:
        raise MissingRuns(f"no record of {method} with nothing changed")
    return [factor for factor in SINGLE_FACTORS if change(runs[0], factor) is not None]


def _detail_beyond_sl(evidence: Evidence) -> pd.Series:
    """Return how much farther the farthest detail moves CE than SL does, where each detail has a run."""
    details = _together(effect(evidence, factor, "ce").abs() for factor in applicable(evidence, "ce"))
    plain = evidence.under(None)
    return details.max(axis=1) - last(plain, "sl") + last(plain, "ce")


def _least_sl_gain(evidence: Evidence) -> pd.Series:
    """Return SL's lead on CE where it is smallest, over all details, each changed for both."""
    details = (None, *applicable(evidence, "ce"))
    gains = (last_under(evidence, name, "sl") - last_under(evidence, name, "ce") for name in details)
    return _together(gains).min(axis=1)


def _best_epoch_lifts_ce(evidence: Evidence, factor: str | None) -> pd.Series:
    changed = evidence.under(factor)
    return _overfitting(changed, "ce") - _overfitting(changed, "sl")


QUANTITIES: dict[str, Callable[[Evidence], pd.Series]] = {
    "early_spread_clean": lambda e: _spread(e, "early", "clean"),
    "early_spread_noisy": lambda e: _spread(e, "early"),
    "spread_shrinks_clean": lambda e: _spread(e, "early", "clean") - _spread(e, "late", "clean"),
    "spread_amplified": lambda e: _spread(e, "late") - _spread(e, "late", "clean"),
    "hardest_gap": lambda e: _gap(e)[e.hardest],
    "hard_gap_beyond_easy": lambda e: -_easy_beyond_hard(_gap(e), e),
    "easy_drop": lambda e: (_classwise(e, "ce", "middle") - _classwise(e, "ce", "late"))[e.easy].mean(axis=1),
    "under_learning_beyond_overfitting": _under_learning_beyond_overfitting,
    "hardest_confidence": lambda e: _end_confidence(e)[e.hardest],
    "hardest_confidence_lead": lambda e: _end_confidence(e)[e.hardest] - _other_confidence(e, "ce"),
    "true_positives_gap": lambda e: _easy_beyond_hard(_true_positives(e), e),
    "sl_gain_hard": lambda e: _sl_gain(e)[e.hard].mean(axis=1),
    "sl_gain": lambda e: last(e, "sl") - last(e, "ce"),
    "purity_lost": lambda e: _purity(e, "ce", "clean") - _purity(e, "ce"),
    "hardest_purity": lambda e: _scores(e.of("ce"), lambda r: purity(r, e.hardest)),
    "lsr_hard_gap": lambda e: _gap(e, "lsr")[e.hard].mean(axis=1),
    "lsr_eases": lambda e: _overfitting(e, "ce") - _overfitting(e, "lsr"),
    "sl_smallest_gain": lambda e: _sl_gain(e).min(axis=1),
    "sl_gain_hard_beyond_easy": lambda e: -_easy_beyond_hard(_sl_gain(e), e),
    "sl_confidence": lambda e: _end_confidence(e, "sl")[e.hardest],
    "sl_confidence_gain": lambda e: _end_confidence(e, "sl")[e.hardest] - _end_confidence(e)[e.hardest],
    "sl_other_confidence": lambda e: _other_confidence(e, "sl"),
    "sl_true_positives": lambda e: _true_positives(e, "sl").min(axis=1),
    "sl_true_positives_gain": lambda e: (_true_positives(e, "sl") - _true_positives(e)).min(axis=1),
    "sl_purity_gain": lambda e: _purity(e, "sl") - _purity(e, "ce"),
    "sl_silhouette_gain": lambda e: _silhouette(e, "sl") - _silhouette(e, "ce"),
    "sl_early_gain_hard": lambda e: _sl_gain(e, "early")[e.hard].mean(axis=1),
    "sl_hard_share": lambda e: _hard_of_clean_share(e, "sl") - _hard_of_clean_share(e, "ce"),
    "sl_clean_share": lambda e: (
        _clean_share(e, "sl", "end").sum(axis=1) - _clean_share(e, "ce", "end").sum(axis=1)
    ),
    "sl_memorises_less": lambda e: _memorised(e, "ce") - _memorised(e, "sl"),
    "large_alpha_overfits": _large_alpha_overfits,
    "tiny_alpha_slow": lambda e: _early_accuracy(e, _USUAL_SL) - _early_accuracy(e, _TINY_ALPHA),
    "floor_range": lambda e: _range_over_floors(e, alpha=0.1),
    "floor_range_growth": lambda e: _range_over_floors(e, alpha=1.0) - _range_over_floors(e, alpha=0.1),
    # How far apart two pairs of beta and A end that have one product, beta * A = -6.
    "same_product": lambda e: (last(e, grids.SAME_PRODUCT) - last(e, _USUAL_SL)).abs(),
    "released_floor": _released_floor,
    "ce_scaled_gain": lambda e: last(e, "5ce") - last(e, "ce"),
    "ce_scaled_overfits": lambda e: _overfitting(e, "5ce") - _overfitting(e, "ce"),
    "rce_overfitting": lambda e: _highest(e, _overfitting, ("rce", "2rce", "5rce")),
    "rce_slow": lambda e: _early_accuracy(e, "sl") - _early_accuracy(e, "rce"),
    "sl_beyond_its_parts": lambda e: last(e, "sl") - _highest(e, last, ("ce", "rce")),
    "sl_lead": lambda e: last(e, "sl") - _highest(e, last, BASELINES),
    "sl_hard_lead": lambda e: _hard_at_end(e, "sl") - _highest(e, _hard_at_end, BASELINES),
    "sl_above_gce": _above_gce,
    "sl_above_gce_growth": lambda e: _above_gce(e) - _above_gce(e.at("symmetric-0.2")),
    "forward_sl_gain": lambda e: last(e, "forward+sl") - last(e, "forward"),
    "lsr_sl_gain": lambda e: last(e, "lsr+sl") - last(e, "lsr"),
    "l2_lifts_ce": lambda e: -effect(e, "no-l2", "ce"),
    "detail_beyond_sl": _detail_beyond_sl,
    "least_sl_gain": _least_sl_gain,
    "floor_effect": lambda e: effect(e, "released-floor", "sl").abs(),
    "decay_beside_no_l2": lambda e: (effect(e, "decay-for-l2", "ce") - effect(e, "no-l2", "ce")).abs(),
    "counts_effect": lambda e: _highest(e, lambda e, m: effect(e, "equal-counts", m).abs(), ("ce", "sl")),
    "protocols_apart": lambda e: effect(e, "released", "ce").abs(),
    "longer_is_worse": lambda e: -effect(e, "twice-the-epochs", "ce"),
    "best_epoch_lifts_ce": lambda e: _best_epoch_lifts_ce(e, None),
    "best_epoch_lifts_ce_without_l2": lambda e: _best_epoch_lifts_ce(e, "no-l2"),
    "sl_beside_6ce": lambda e: (last(e, CIFAR100_SL) - last(e, "6ce")).abs(),
}
