"""Runs on different images have one name and are two experiments: nothing puts them together."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from sce_lib.data import load_dataset
from sce_lib.experiments import sweep
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.ledger import Ledger, MixedImages, require_same_images
from sce_lib.report import claims, effects, figures, table1, tables
from sce_lib.report.claims import Evidence
from sce_lib.report.claims.evidence import rank_classes
from sce_lib.report.leaderboard import leaderboard

NOISY = "symmetric-0.4"


def of_images(record, source, fingerprint):
    made = record.provenance.model_copy(update={"source": source, "fingerprint": fingerprint * 64})
    return record.model_copy(update={"provenance": made})


@pytest.fixture
def mixed(make_record):
    """Return runs of CE from JPEG files, and of SL from the lossless ones."""
    jpeg = [of_images(make_record("ce", NOISY, seed=k), "image tree (JPEG)", "a") for k in range(3)]
    lossless = [of_images(make_record("sl", NOISY, seed=k), "torchvision CIFAR10", "b") for k in range(2)]
    return [*jpeg, *lossless]


@pytest.fixture
def one_name(make_record):
    """Return runs of two trees that call themselves the same."""
    return [of_images(make_record("sl", NOISY, seed=k), "image tree (JPEG)", "ab"[k]) for k in range(2)]


TOGETHER = {
    "cells": lambda records: table1.cells(records, "digits"),
    "paired": table1.paired,
    "evidence": Evidence,
    "verdicts": lambda records: claims.verdicts(records, 2),
    "effects": effects.effects,
    "leads": effects.leads,
    "provenance": lambda records: tables.provenance(records, "sce sweep"),
    "ablations": lambda records: tables.ablations({"all": records}),
    "groups": lambda records: table1.class_groups({"sl": records}, np.array([0]), np.array([1])),
    "ranking": rank_classes,
    "spread": effects.pooled_deviation,
    "spreads": effects.spreads,
    "curves": lambda records: figures.accuracy_curves({"all": {"all": records}}),
    "combinations": lambda records: tables.combinations(records, "digits"),
}


@pytest.mark.parametrize("compare", TOGETHER.values(), ids=list(TOGETHER))
@pytest.mark.parametrize("runs", ["mixed", "one_name"])
def test_what_compares_them_refuses(compare, runs, request):
    records = request.getfixturevalue(runs)
    with pytest.raises(MixedImages, match="digits are of different images"):
        compare(records)
    for alone in (records[:1], records[-1:]):
        compare(alone)


def test_accuracies_of_several_settings_are_of_the_same_images(mixed, make_record):
    ranked = Evidence([make_record("ce", "clean")])
    with pytest.raises(MixedImages):
        tables.accuracies([mixed[:3], mixed[3:]], ranked)
    assert len(tables.accuracies([mixed[:3]], ranked)) == 1


def test_the_message_has_the_data_set_the_counts_and_the_way_out(mixed):
    with pytest.raises(MixedImages) as caught:
        require_same_images(mixed)
    for piece in ("3 of image tree (JPEG) (aaaaaaaa)", "2 of torchvision CIFAR10 (bbbbbbbb)", "--ledger"):
        assert piece in str(caught.value)


def test_data_sets_need_not_have_the_same_images(mixed, make_record):
    require_same_images([*mixed[:3], of_images(make_record(dataset="mnist"), "torchvision MNIST", "c")])


@pytest.mark.parametrize("runs", ["mixed", "one_name"])
def test_the_ledger_keeps_them_and_does_not_give_them_out_together(runs, request, tmp_path):
    records, ledger = request.getfixturevalue(runs), Ledger(tmp_path)
    for record in records:
        ledger.put(record)
    configs = [record.config for record in records]
    for look in (sweep.present, sweep.present_with_any_seed, sweep.collect):
        with pytest.raises(MixedImages):
            look(configs, ledger)
    for look in (sweep.present, sweep.collect):
        assert look(configs[:1], ledger) == records[:1]
    assert list(ledger) == sorted(records, key=lambda record: record.run_id)


def test_the_leaderboard_has_a_row_for_each(one_name):
    board = leaderboard(one_name)
    assert board["seeds"].tolist() == [1, 1]
    assert board["source"].nunique() == 1
    pd.testing.assert_series_equal(
        board["fingerprint"], pd.Series(["a" * 64, "b" * 64], name="fingerprint"), check_dtype=False
    )


# --- Before anything is trained. -----------------------------------------------------------------------
def tiny(method, seed=0):
    fields = {"n_train": 200, "embedding": 0, "optimisation": {"lr": 0.05, "epochs": 2}}
    return RunConfig.preset("digits", method, NOISY, profile="smoke", seed=seed, **fields)


@pytest.fixture
def elsewhere(folders, make_record):
    """Return a ledger with a run of CE on digits that are not scikit-learn's."""
    ledger = Ledger(folders / "ledger")
    ledger.put(of_images(make_record(config=tiny("ce"), stages=[(0.5,) * 5] * 2), "drawn by a test", "d"))
    return ledger


TRAIN = {
    "run": lambda runs, ledger: sweep.run(runs, ledger, device="cpu"),
    "executor": lambda runs, ledger: sweep.run(runs, ledger, ThreadPoolExecutor(1), device="cpu"),
    "generator": lambda runs, ledger: sweep.run(
        (run for run in runs), ledger, ThreadPoolExecutor(1), device="cpu"
    ),
    "other seed": lambda runs, ledger: sweep.run(
        [run.model_copy(update={"seed": 5}) for run in runs], ledger, ThreadPoolExecutor(1), device="cpu"
    ),
    "collect": lambda runs, ledger: sweep.collect(runs, ledger, train_missing=True, device="cpu"),
}


@pytest.mark.parametrize("how", TRAIN)
def test_runs_on_other_images_are_not_begun(elsewhere, folders, how):
    here = load_dataset("digits").fingerprint
    with pytest.raises(MixedImages) as caught:
        TRAIN[how]([tiny("ce"), tiny("sl")], elsewhere)
    for piece in ("drawn by a test (dddddddd)", f"scikit-learn digits ({here[:8]})", "--ledger"):
        assert piece in str(caught.value)
    assert len(elsewhere) == 1
    assert elsewhere.failures() == {}
    if how != "run":  # whose processes take seconds to start
        TRAIN[how]([tiny("ce"), tiny("sl")], other := Ledger(folders / "own"))
        assert len(other) == 2


def test_a_run_that_nothing_is_set_beside_is_no_matter(elsewhere):
    """Its settings are asked for alone; the ledger may hold both."""
    with ThreadPoolExecutor(1) as executor:
        assert sweep.run([tiny("sl")], elsewhere, executor, device="cpu") == {tiny("sl").run_id: None}
    assert len(elsewhere) == 2


def test_data_that_are_not_here_are_left_to_the_runs_to_report(folders, make_record, monkeypatch):
    monkeypatch.setenv("SCE_DATA", str(folders / "data"))
    ledger = Ledger(folders / "ledger")
    ce, sl = (
        RunConfig.preset("flowers", method, profile="smoke", n_train=300, model={"name": "cnn4"})
        for method in ("ce", "sl")
    )
    ledger.put(make_record(config=ce))
    with ThreadPoolExecutor(1) as executor:
        (failure,) = sweep.run([ce, sl], ledger, executor, device="cpu").values()
    assert isinstance(failure, FileNotFoundError)


def test_all_seeds_of_the_settings_that_are_asked_for(make_record, tmp_path):
    ledger = Ledger(tmp_path)
    wanted = [make_record("ce", NOISY, seed=seed) for seed in (0, 7, 1_000_003)]
    for record in (*wanted, make_record("sl", NOISY), make_record("ce", "symmetric-0.2")):
        ledger.put(record)
    assert sweep.present_with_any_seed([wanted[1].config], ledger) == wanted
    assert sweep.present_with_any_seed([], ledger) == []
