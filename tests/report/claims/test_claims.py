"""Verdicts on records made by hand, where the answer is known."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.factors import change, is_changed
from sce_lib.experiments.config.parts import CE as CrossEntropy
from sce_lib.experiments.config.parts import SL
from sce_lib.experiments.config.presets import RELEASED_A
from sce_lib.experiments.ledger import Embedding, MissingRuns
from sce_lib.report.claims import (
    AGREES,
    DISAGREES,
    IN_DIRECTION,
    NOT_TESTED,
    QUANTITIES,
    Evidence,
    judge,
    load_claims,
    require,
    verdicts,
)

NOISY = "symmetric-0.4"
number = st.floats(-10, 10)


def test_every_claim_has_its_quantity_and_every_quantity_its_claim():
    assert set(load_claims()["quantity"]) == set(QUANTITIES)


def test_the_rules_are_whole():
    claims = load_claims()
    assert claims.index.is_unique
    assert set(claims["comparison"]) <= {"at_least", "at_most"}
    needed = ["chapter", "figure", "source", "noise", "claim", "threshold", "direction"]
    assert claims[needed].notna().all(axis=None)
    assert set(claims["source"]) == {"paper", "this book"}
    # The direction is the weaker demand.
    sign = np.where(claims["comparison"] == "at_least", 1, -1)
    assert (sign * claims["threshold"] > sign * claims["direction"]).all()
    assert set(load_claims(2)["chapter"]) == {2}


@given(number, number, number)
def test_judge(value, threshold, direction):
    assume(direction < threshold)
    expected = AGREES if value >= threshold else IN_DIRECTION if value > direction else DISAGREES
    assert judge(value, "at_least", threshold, direction) == expected
    assert judge(-value, "at_most", -threshold, -direction) == expected


def test_judge_at_the_thresholds():
    assert judge(0.2, "at_least", 0.2, 0.0) == judge(0.6, "at_most", 0.6, 0.8) == AGREES
    assert judge(0.0, "at_least", 0.2, 0.0) == judge(0.8, "at_most", 0.6, 0.8) == DISAGREES
    just_beyond = math.nextafter(0.0, 1.0), math.nextafter(0.8, 0.0)
    assert judge(just_beyond[0], "at_least", 0.2, 0.0) == IN_DIRECTION
    assert judge(just_beyond[1], "at_most", 0.6, 0.8) == IN_DIRECTION
    with pytest.raises(ValueError, match="about"):
        judge(0.1, "about", 0.2, 0.0)


CLEAN = [(0.3, 0.5, 0.7, 0.8, 0.9), (0.6, 0.7, 0.8, 0.85, 0.95), (0.8, 0.85, 0.9, 0.92, 0.95)]
CE = [(0.1, 0.3, 0.6, 0.7, 0.9), (0.4, 0.55, 0.7, 0.8, 0.95), (0.4, 0.5, 0.65, 0.75, 0.85)]
SL_STAGES = [(0.2, 0.3, 0.7, 0.7, 0.9), *CE[1:], (0.6, 0.7, 0.8, 0.85, 0.9)]
# Five classes: the hardest two are 0 and 1, the easiest two are 3 and 4.
CONFIDENCE = [[0.5, 0.1, 0.2, 0.1, 0.1], *(np.eye(5)[1:].tolist())]
SL_CONFIDENCE = [[0.9, 0.01, 0.06, 0.02, 0.01], *(np.eye(5)[1:].tolist())]


def clusters(strays):
    """Return five clusters of twelve points far apart, with some of class 0 put into the one of class 1."""
    labels = np.repeat(np.arange(5), 12)
    spread = np.random.default_rng(0).uniform(-1, 1, (60, 2))
    centres = 100.0 * np.array([(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)])
    places = np.where((labels == 0) & (np.arange(60) < strays), 1, labels)
    x, y = (centres[places] + spread).T
    return Embedding(labels=labels.tolist(), x=x.tolist(), y=y.tolist())


@pytest.fixture
def chapter(make_record):
    """Return a maker of one seed's records of CE, LSR and SL, each number of which is known."""

    def make(seed, shift=0.0, noise=NOISY):
        def up(values):
            return tuple(min(1.0, value + shift) for value in values)

        clean = make_record(
            "ce",
            "clean",
            seed,
            stages=[*CLEAN, up(CLEAN[2])],
            curve=[0.3, 0.7, 0.9],
            embedding=clusters(0),
        )
        ce = make_record(
            "ce",
            noise,
            seed,
            stages=[*CE, up(CE[2])],
            confidence=CONFIDENCE,
            correct=[40, 50, 60, 80, 90],
            curve=[0.2, 0.7, 0.6],
            last=0.61 + shift,
            clean_share=[0.1, 0.1, 0.1, 0.2, 0.1],
            flipped_fitted=[0.4, 0.5, 0.6, 0.5, 0.5],
            embedding=clusters(12),
        )
        sl = make_record(
            "sl",
            noise,
            seed,
            stages=SL_STAGES,
            confidence=SL_CONFIDENCE,
            correct=[70, 82, 90, 95, 95],
            last=0.77,
            clean_share=[0.2, 0.2, 0.1, 0.2, 0.1],
            flipped_fitted=[0.1, 0.1, 0.1, 0.1, 0.2],
            embedding=clusters(0),
        )
        lsr = make_record("lsr", noise, seed, stages=[*CE, up(CE[2])], curve=[0.2, 0.65, 0.62])
        return [clean, ce, sl, lsr]

    return make


KNOWN = {
    "early_spread_clean": 0.6,
    "early_spread_noisy": 0.8,
    "spread_shrinks_clean": 0.6 - 0.15,
    "spread_amplified": 0.45 - 0.15,
    "hardest_gap": 0.4,
    "hard_gap_beyond_easy": (0.4 + 0.35) / 2 - (0.17 + 0.10) / 2,
    "easy_drop": (0.05 + 0.10) / 2,
    "under_learning_beyond_overfitting": (0.9 - 0.7) - (0.7 - 0.6),
    "hardest_confidence": 0.5,
    "hardest_confidence_lead": 0.3,
    "true_positives_gap": (0.8 + 0.9) / 2 - (0.4 + 0.5) / 2,
    "sl_gain_hard": (0.2 + 0.2) / 2,
    "sl_gain": 0.77 - 0.61,
    "lsr_hard_gap": (0.4 + 0.35) / 2,
    "lsr_eases": (0.7 - 0.6) - (0.65 - 0.62),
    "sl_smallest_gain": 0.05,
    "sl_gain_hard_beyond_easy": (0.2 + 0.2) / 2 - (0.1 + 0.05) / 2,
    "sl_confidence": 0.9,
    "sl_confidence_gain": 0.9 - 0.5,
    "sl_other_confidence": 0.06,
    "sl_true_positives": 0.7,
    "sl_true_positives_gain": 0.05,
    "sl_early_gain_hard": (0.1 + 0.0) / 2,
    "sl_hard_share": 0.4 / 0.8 - 0.2 / 0.6,
    "sl_clean_share": 0.8 - 0.6,
    "sl_memorises_less": 0.5 - 0.12,
}
OF_EMBEDDINGS = {"purity_lost", "hardest_purity", "sl_purity_gain", "sl_silhouette_gain"}
OF_ABLATIONS = set(load_claims(7)["quantity"])
OF_FACTORS = set(load_claims(11)["quantity"])
OF_METHODS = set(load_claims(8)["quantity"]) | set(load_claims(9)["quantity"])


def test_every_quantity_is_checked_on_records_made_by_hand():
    assert KNOWN.keys() | OF_EMBEDDINGS | OF_ABLATIONS | OF_METHODS | OF_FACTORS == QUANTITIES.keys()


@pytest.mark.parametrize("quantity", KNOWN)
def test_quantities_of_records_made_by_hand(chapter, quantity):
    evidence = Evidence([*chapter(0), *chapter(1)])
    values = QUANTITIES[quantity](evidence)
    assert list(values.index) == [0, 1]
    assert values.to_numpy() == pytest.approx(KNOWN[quantity])


def test_quantities_of_embeddings(chapter, make_record):
    """Class 0 lies within class 1's cluster with CE under noise, and every class apart from all else."""
    evidence = Evidence(chapter(0))
    values = {name: QUANTITIES[name](evidence)[0] for name in OF_EMBEDDINGS}
    # In a cluster of 12 and 12, about half of the ten nearest are of one's own class.
    assert 0.2 < values["hardest_purity"] < 0.8
    assert values["purity_lost"] == pytest.approx(values["sl_purity_gain"])
    assert 0.1 < values["purity_lost"] < 0.4  # two classes of five lose about a half
    assert 0.2 < values["sl_silhouette_gain"] < 0.8
    bare = Evidence([make_record(), make_record("ce", NOISY), make_record("sl", NOISY)])
    assert all(QUANTITIES[name](bare).isna().all() for name in OF_EMBEDDINGS)


@pytest.fixture
def ablations(make_record):
    """Return records of Figs. 8 and 9a with known accuracies: a curve over three epochs, and the last one."""

    def make(seed=0):
        def of(method, curve, last):
            return make_record(method, "symmetric-0.6", seed, curve=curve, last=last, section="5.1")

        sl = {(0.1, -6.0): 0.70, (0.1, -8.0): 0.71, (0.1, -4.0): 0.69, (0.1, -2.0): 0.68}
        sl |= {(1.0, -6.0): 0.55, (1.0, -8.0): 0.60, (1.0, -4.0): 0.50, (1.0, -2.0): 0.40}
        sl |= {(0.5, -6.0): 0.60, (0.01, -6.0): 0.65, (0.1, RELEASED_A): 0.72}
        lost = {1.0: 0.2, 0.5: 0.1, 0.1: 0.02, 0.01: 0.0}
        start = {1.0: 0.5, 0.5: 0.5, 0.1: 0.4, 0.01: 0.15}
        return [
            *(
                of(SL(alpha=a, beta=1.0, A=A), [start[a], last + lost[a], last], last)
                for (a, A), last in sl.items()
            ),
            of(SL(alpha=0.1, beta=1.5, A=-4.0), [0.4, 0.7], 0.703),
            *(of(name, [0.3, 0.6, 0.5], 0.5) for name in ("ce", "2ce")),
            of("5ce", [0.3, 0.7, 0.45], 0.45),
            of("rce", [0.1, 0.5, 0.5], 0.52),
            of("2rce", [0.1, 0.5, 0.47], 0.47),
            of("5rce", [0.1, 0.5, 0.49], 0.49),
        ]

    return make


KNOWN_ABLATIONS = {
    "large_alpha_overfits": 0.15 - 0.01,
    "tiny_alpha_slow": 0.4 - 0.15,
    "floor_range": 0.03,
    "floor_range_growth": 0.20 - 0.03,
    "same_product": 0.003,
    "released_floor": 0.72 - 0.69,
    "ce_scaled_gain": -0.05,
    "ce_scaled_overfits": 0.25 - 0.1,
    "rce_overfitting": 0.03,
    "rce_slow": 0.4 - 0.1,
    "sl_beyond_its_parts": 0.70 - 0.52,
}


@pytest.mark.parametrize("quantity", sorted(OF_ABLATIONS))
def test_quantities_of_the_ablations(ablations, quantity):
    values = QUANTITIES[quantity](Evidence([*ablations(0), *ablations(3)], noise="symmetric-0.6"))
    assert list(values.index) == [0, 3]
    assert values.to_numpy() == pytest.approx(KNOWN_ABLATIONS[quantity])


def test_an_ablation_with_a_setting_missing_is_not_tested(ablations):
    whole = ablations()
    assert (verdicts(whole, chapter=7)["verdict"] != NOT_TESTED).all()
    for absent in whole:
        table = verdicts([record for record in whole if record is not absent], chapter=7)
        needed = absent.config.method != CrossEntropy(scale=2.0)  # 2CE is shown, and judged by no claim
        assert (table["verdict"] == NOT_TESTED).any() == needed


@pytest.fixture
def methods(make_record):
    """Return records of every method of Tables 1 and 2 under two noises, with known accuracies."""
    last = {"ce": 0.5, "lsr": 0.52, "bootstrap": 0.51, "forward": 0.6, "d2l": 0.55, "gce": 0.65, "sl": 0.7}
    last |= {"forward+sl": 0.66, "lsr+sl": 0.69, "d2l+sl": 0.9}

    def stages(method):
        ends = np.full(5, last[method])
        ends[0] = {"sl": 0.6, "gce": 0.5}.get(method, 0.2)
        return [tuple(ends)] * 4

    return [
        make_record("ce", "clean", stages=[*CLEAN, CLEAN[2]]),
        *(make_record(name, "symmetric-0.8", last=last[name], stages=stages(name)) for name in last),
        *(make_record(name, "symmetric-0.2", last=0.8) for name in ("sl", "gce")),
    ]


KNOWN_METHODS = {
    "sl_gain": 0.2,
    "sl_lead": 0.7 - 0.65,
    "sl_hard_lead": ((0.6 + 0.7) - (0.5 + 0.65)) / 2,
    "sl_above_gce": 0.05,
    "sl_above_gce_growth": 0.05,
    "forward_sl_gain": 0.06,
    "lsr_sl_gain": 0.17,
}


@pytest.mark.parametrize("quantity", sorted(OF_METHODS))
def test_quantities_of_the_methods(methods, quantity):
    evidence = Evidence(methods, noise="symmetric-0.8")
    assert QUANTITIES[quantity](evidence).to_list() == pytest.approx([KNOWN_METHODS[quantity]])
    assert [record.last_accuracy for name in ("d2l", "d2l+sl") for record in evidence.of(name)] == [0.55, 0.9]
    without = [r for r in methods if r.config.method.name != "d2l" or r.config.method.A is not None]
    if quantity in ("sl_lead", "sl_hard_lead"):  # the best of five is no best of six
        with pytest.raises(MissingRuns, match="d2l"):
            QUANTITIES[quantity](Evidence(without, noise="symmetric-0.8"))


@pytest.fixture
def factors(make_record):
    """Return records of CE and SL at 80 % with each detail changed in turn, on MNIST, and with none."""
    ends = {
        None: (0.5, 0.7),
        "no-l2": (0.3, 0.32),
        "decay-for-l2": (0.33, 0.4),
        "released-floor": (None, 0.73),
        "low-lr": (0.52, 0.6),
        "equal-counts": (0.51, 0.68),
        "one-draw": (0.1, 0.9),  # no part of any claim
        "twice-the-epochs": (0.4, 0.65),
        "released": (0.25, 0.2),
    }

    def record(method, factor, last, seed):
        start = RunConfig.preset("mnist", method, "symmetric-0.8", seed=seed)
        config = start if factor is None else change(start, factor)
        best = {None: 0.05, "no-l2": 0.3}.get(factor, 0.0) if method == "ce" else 0.02
        made = make_record(method, "symmetric-0.8", seed, curve=[0.1, last + best, last], last=last)
        return made.model_copy(update={"config": config})

    return [
        record(method, factor, last, seed)
        for seed in (0, 4)
        for factor, pair in ends.items()
        for method, last in zip(("ce", "sl"), pair, strict=True)
        if last is not None
    ]


KNOWN_FACTORS = {
    "l2_lifts_ce": 0.2,
    "detail_beyond_sl": 0.2 - 0.2,
    "least_sl_gain": 0.02,
    "floor_effect": 0.03,
    "decay_beside_no_l2": 0.03,
    "counts_effect": 0.02,
    "protocols_apart": 0.25,
    "longer_is_worse": 0.1,
    "best_epoch_lifts_ce": 0.05 - 0.02,
    "best_epoch_lifts_ce_without_l2": 0.3 - 0.02,
}


@pytest.mark.parametrize("quantity", sorted(KNOWN_FACTORS))
def test_quantities_of_the_factors(factors, quantity):
    values = QUANTITIES[quantity](Evidence(factors, noise="symmetric-0.8"))
    assert list(values.index) == [0, 4]
    assert values.to_numpy() == pytest.approx(KNOWN_FACTORS[quantity])
    with pytest.raises(MissingRuns):
        QUANTITIES[quantity](Evidence(factors, noise="symmetric-0.4"))


@pytest.mark.parametrize("quantity", ["detail_beyond_sl", "least_sl_gain"])
def test_the_extreme_of_all_details_needs_all_of_them(factors, quantity):
    without = [r for r in factors if not is_changed(r.config, "low-lr")]
    with pytest.raises(MissingRuns, match="low-lr changed"):
        QUANTITIES[quantity](Evidence(without, noise="symmetric-0.8"))


def test_six_times_cross_entropy_is_set_beside_the_setting_of_cifar100_alone(make_record):
    def evidence(dataset):
        cells = {"6ce": 0.41, "sl": 0.43}
        made = [
            make_record(method, NOISY, last=last).model_copy(
                update={"config": RunConfig.preset(dataset, method, NOISY)}
            )
            for method, last in cells.items()
        ]
        return Evidence(made)

    assert QUANTITIES["sl_beside_6ce"](evidence("tiny_imagenet100")).tolist() == pytest.approx([0.02])
    with pytest.raises(MissingRuns, match=r"alpha=6\.0"):
        QUANTITIES["sl_beside_6ce"](evidence("cifar10"))
    assert KNOWN_FACTORS.keys() | {"sl_beside_6ce"} == OF_FACTORS


def test_each_claim_is_judged_under_its_own_noise_unless_another_is_named(chapter):
    table = verdicts(chapter(0, noise="symmetric-0.6"), chapter=6)
    rates = load_claims(6)["noise"]
    assert (table.loc[rates == "symmetric-0.6", "seeds"] == 1).all()
    assert (table.loc[rates == NOISY, "seeds"] == 0).all()
    assert (verdicts(chapter(0, noise="symmetric-0.6"), 6, noise="symmetric-0.6")["seeds"] == 1).all()


def test_verdicts_of_records_made_by_hand(chapter):
    table = verdicts(chapter(0), chapter=2)
    assert (table["seeds"] == 1).all()
    assert (table["verdict"] == AGREES).all()
    assert table.loc["sl-lifts-all", "measured"] == pytest.approx(0.16)
    assert table.loc["hardest-unsure", "rule"] == "≤ 0.6"
    assert table.loc["noise-amplifies", "rule"] == "≥ 0.05"
    assert table.loc["sl-lifts-all", "paper"] == pytest.approx(0.0664)


def test_the_mean_over_seeds_is_judged_and_the_range_shown(chapter):
    table = verdicts([*chapter(0), *chapter(1, shift=0.1), *chapter(5, shift=0.3)], chapter=2)
    row = table.loc["sl-lifts-all"]
    measured = [0.16, 0.06, -0.14]
    assert (row["lowest"], row["highest"], row["seeds"]) == (pytest.approx(-0.14), pytest.approx(0.16), 3)
    assert row["measured"] == pytest.approx(np.mean(measured))
    assert row["verdict"] == IN_DIRECTION


def test_runs_are_compared_seed_by_seed_and_seeds_without_a_partner_are_left_out(chapter):
    records = [*chapter(0), *chapter(1, shift=0.1)]
    whole = verdicts(records, chapter=2)
    alone = verdicts(chapter(1, shift=0.1), chapter=2)
    without = [r for r in records if not (r.config.method.name == "sl" and r.config.seed == 0)]
    table = verdicts(without, chapter=2)
    assert table.loc["sl-lifts-all", "seeds"] == 1
    assert table.loc["sl-lifts-all", "measured"] == pytest.approx(alone.loc["sl-lifts-all", "measured"])
    others = [name for name in table.index if not name.startswith("sl-")]
    pd.testing.assert_frame_equal(table.loc[others], whole.loc[others])
    # Seeds 0 of one and 1 of the other have nothing to compare.
    apart = [chapter(0)[1], chapter(1)[2], chapter(2)[0]]
    assert (verdicts(apart, chapter=2).loc[["sl-lifts-all", "hardest-loses"], "verdict"] == NOT_TESTED).all()


def test_the_order_of_records_does_not_matter(chapter):
    records = [*chapter(0), *chapter(1, shift=0.1)]
    pd.testing.assert_frame_equal(verdicts(records, 2), verdicts(records[::-1], 2))


def test_without_records_nothing_is_tested(chapter):
    table = verdicts([], chapter=2)
    assert (table["verdict"] == NOT_TESTED).all()
    assert (table["seeds"] == 0).all()
    only_ce = verdicts(chapter(0)[1:2], chapter=2)
    assert only_ce.loc["noisy-starts-biased", "verdict"] == AGREES
    assert only_ce.loc["easy-overfit", "verdict"] == NOT_TESTED  # the easy classes are those of clean labels


def test_the_hardest_class_is_found_at_the_end_of_training_on_clean_labels(make_record):
    """Whatever the order of classes, and not by an early stage, another seed alone, or the noisy runs."""
    for order in itertools.islice(itertools.permutations(range(5)), 0, 120, 7):
        ends = np.array([0.5, 0.6, 0.7, 0.8, 0.9])[list(order)]
        early = ends[::-1]
        records = [
            make_record("ce", "clean", 0, stages=[early, early, early, ends]),
            make_record("ce", "clean", 1, stages=[early, early, early, ends + 0.01 * early]),
            make_record("ce", NOISY, 0, stages=[early] * 4),
        ]
        evidence = Evidence(records)
        assert evidence.ranking.tolist() == np.argsort(ends).tolist()
        assert evidence.hardest == order.index(0)
        assert set(evidence.hard) == {order.index(0), order.index(1)}
        assert set(evidence.easy) == {order.index(3), order.index(4)}


def test_two_fifths_of_ten_classes_are_four(make_record):
    evidence = Evidence([make_record(stages=[np.linspace(0.1, 1, 10)] * 4)])
    assert evidence.hard.tolist() == [0, 1, 2, 3]
    assert evidence.easy.tolist() == [6, 7, 8, 9]


def test_a_class_without_test_images_is_not_the_hardest(make_record):
    evidence = Evidence([make_record(stages=[(0.9, None, 0.3)] * 4)])
    assert evidence.hardest == 2
    assert QUANTITIES["early_spread_clean"](evidence)[0] == pytest.approx(0.6)


def test_evidence_that_is_missing_or_doubled_is_named(make_record):
    with pytest.raises(MissingRuns, match=r"sl under symmetric-0\.6"):
        Evidence([make_record()], noise="symmetric-0.6").of("sl")
    twice = [make_record("ce", "clean"), make_record("ce", "clean", embedding=None, n_train=500)]
    with pytest.raises(ValueError, match=twice[1].run_id):
        Evidence(twice).of("ce", "clean")


def test_a_name_means_the_method_as_the_paper_sets_it(make_record):
    ours = SL(alpha=1.0, beta=1.0, A=-8.0)
    records = [make_record(method, NOISY) for method in ("ce", "5ce", "sl", ours)]
    evidence = Evidence(records)
    for method, record in zip(("ce", "5ce", "sl", ours), records, strict=True):
        assert evidence.of(method) == [record]
    with pytest.raises(MissingRuns, match="2ce"):
        evidence.of("2ce")


def test_require_names_what_differs(chapter):
    table = verdicts(chapter(0), chapter=2)
    require(table, dict.fromkeys(table.index, AGREES))
    with pytest.raises(AssertionError, match=r"sl-lifts-all.*disagrees.*agrees.*0\.1600.*≥ 0\.03"):
        require(table, {"noise-amplifies": AGREES, "sl-lifts-all": DISAGREES})
    with pytest.raises(KeyError, match="no-such-claim"):
        require(table, {"no-such-claim": AGREES})
