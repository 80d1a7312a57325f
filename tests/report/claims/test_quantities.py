"""Every quantity of every claim, on records made by hand where its value is known."""

import pytest

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.factors import change, is_changed
from sce_lib.experiments.ledger import MissingRuns
from sce_lib.report.claims import QUANTITIES, Evidence, load_claims

NOISY = "symmetric-0.4"


def test_every_claim_has_its_quantity_and_every_quantity_its_claim():
    assert set(load_claims()["quantity"]) == set(QUANTITIES)


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
