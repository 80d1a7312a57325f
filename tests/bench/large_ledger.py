"""Make a ledger as large as a group fills in years: records of drawn numbers that are as whole as real ones.

``python tests/bench/large_ledger.py FOLDER`` writes 20,000, runs of Table 1's cells on three data sets.
"""

import sys
from itertools import count, islice, product
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.grids import TABLE1_METHODS, TABLE1_NOISE
from sce_lib.experiments.ledger import (
    Embedding,
    EpochRecord,
    GroupRecord,
    Ledger,
    Provenance,
    RunRecord,
    StageRecord,
)

DATASETS = ("cifar10", "fashion_mnist", "mnist")
CLASSES, TRAIN_IMAGES, TEST_IMAGES, POINTS, RECORDS = 10, 10_000, 10_000, 1_000, 20_000


def configs():
    """Yield runs without end: every cell of Table 1 on every data set, seed by seed."""
    for seed in count():
        for dataset, method, noise in product(DATASETS, TABLE1_METHODS, TABLE1_NOISE):
            yield RunConfig.preset(dataset, method, noise, profile="laptop", seed=seed)


def _counts(rng, total):
    return rng.multinomial(total, np.full(CLASSES, 1 / CLASSES)).tolist()


def _rows(rng):
    rows = rng.dirichlet(np.ones(CLASSES), CLASSES).round(6)
    rows[:, 0] += 1 - rows.sum(axis=1)
    return np.abs(rows.round(6)).tolist()


def _shares(rng):
    return rng.random(CLASSES).round(6).tolist()


def _group(rng, total):
    shares = rng.dirichlet(np.ones(CLASSES)) / 2
    return GroupRecord(
        count=_counts(rng, total),
        accuracy=_shares(rng),
        fitted=_shares(rng),
        margin=_shares(rng),
        gradient_share=shares.round(6).tolist(),
    )


def _stage(rng, epoch, accuracy, classwise):
    predicted = _counts(rng, TRAIN_IMAGES)
    return StageRecord(
        epoch=epoch,
        test_accuracy=accuracy,
        classwise_accuracy=classwise,
        confidence=_rows(rng),
        predicted=predicted,
        correct=[guess // 2 for guess in predicted],
        clean=_group(rng, TRAIN_IMAGES // 2),
        flipped=_group(rng, TRAIN_IMAGES // 2),
    )


def _embedding(rng):
    x, y = rng.normal(0, 30, (2, POINTS)).round(3).tolist()
    return Embedding(labels=rng.integers(CLASSES, size=POINTS).tolist(), x=x, y=y)


def drawn_record(config, seed=0):
    """Return a record of a run that was never made: every number drawn, none against another."""
    rng = np.random.default_rng([seed, config.seed])
    confusion = np.array([_counts(rng, TEST_IMAGES // CLASSES) for _ in range(CLASSES)])
    last = float(np.trace(confusion) / TEST_IMAGES)
    ends = (np.diag(confusion) / confusion.sum(axis=1)).round(6).tolist()
    curve = rng.random(config.optimisation.epochs).round(6).tolist()
    stages = [_stage(rng, epoch, last, ends) for epoch in config.stages]
    epochs = [
        EpochRecord(
            epoch=epoch,
            learning_rate=0.01,
            train_loss=float(rng.random()),
            test_accuracy=accuracy,
            classwise_accuracy=_shares(rng),
        )
        for epoch, accuracy in enumerate(curve, start=1)
    ]
    provenance = Provenance(
        source="drawn at random",
        fingerprint=f"{DATASETS.index(config.dataset) + 1:064x}",
        train_images=TRAIN_IMAGES,
        test_images=TEST_IMAGES,
        requested_noise=_rows(rng),
        realised_noise=_rows(rng),
        noise_rate=0.5,
        versions={"torch": "2.9.1", "numpy": "2.3.4", "python": "3.11.13"},
        platform="Linux x86_64 AVX512",
        device="cpu",
        threads=1,
        seconds=float(rng.uniform(60, 600)),
        git_commit="0123456789ab",
        date="2025-01-01T00:00:00+00:00",
    )
    return RunRecord(
        config=config,
        classes=[f"class {label}" for label in range(CLASSES)],
        test_images_per_epoch=TEST_IMAGES,
        epochs=epochs,
        stages=stages,
        last_accuracy=last,
        best_accuracy=max(curve),
        best_epoch=1 + curve.index(max(curve)),
        confusion=confusion.tolist(),
        embedding=_embedding(rng),
        provenance=provenance,
    )


def fill(folder, records=RECORDS):
    """Put so many records into a ledger, as runs do, and return it."""
    ledger = Ledger(folder)
    for number, config in enumerate(tqdm(islice(configs(), records), "Filling", records, disable=None)):
        ledger.put(drawn_record(config, number))
    return ledger


if __name__ == "__main__":
    fill(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else RECORDS)
