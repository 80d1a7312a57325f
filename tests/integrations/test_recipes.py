"""The recipes of the page on using the losses, in the frameworks themselves, on digits with wrong labels."""

import random

import numpy as np
import pytest
import torch
from page_code import USING, WITH_MORE, blocks, run, run_page, section, skip_without_packages
from sklearn.datasets import load_digits

from sce_lib.losses import SymmetricCrossEntropy
from sce_lib.noise import corrupt, symmetric_matrix

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default::FutureWarning")]


@pytest.fixture(autouse=True)
def _aside(tmp_path, monkeypatch):
    """Work in an empty folder, and leave the random states as they were, which some frameworks set."""
    monkeypatch.chdir(tmp_path)
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002


@pytest.fixture
def digits():
    """Return what the recipes find: a network, a loss, and digits of which four labels in ten are wrong."""
    images, clean = load_digits(return_X_y=True)
    inputs, clean = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(clean)
    noisy = corrupt(clean, symmetric_matrix(10, 0.4), seed=0)
    given = {"inputs": inputs, "labels": torch.as_tensor(noisy.labels), "clean": clean}
    given["flipped"] = torch.as_tensor(noisy.flipped).numpy()
    return run(blocks(section("Plain PyTorch"))[:1], {}) | given


def follow(heading, names):
    """Run a recipe of the page with these names, or skip the test where its package is not installed."""
    found = blocks(section(heading))
    for _, source in found:
        skip_without_packages(source)
    return run(found, names)


def accuracy(predictions, clean):
    return float((torch.as_tensor(predictions) == clean).float().mean())


def test_the_page_runs_from_its_first_line_to_its_last():
    for _, source in blocks(USING, WITH_MORE):
        skip_without_packages(source)
    run_page(USING)


def test_lightning_trains_and_torchmetrics_measures(digits):
    names = follow("Lightning and torchmetrics", digits)
    probabilities = names["model"](names["inputs"]).softmax(1)
    measured = names["trainer"].callback_metrics
    agrees = accuracy(probabilities.argmax(1), names["labels"])
    assert float(measured["MulticlassAccuracy"]) == pytest.approx(agrees, abs=1e-6)
    assert 0 <= float(measured["MulticlassCalibrationError"]) <= 1
    assert accuracy(probabilities.argmax(1), names["clean"]) > 0.85


def test_skorch_gives_probabilities(digits):
    names = follow("skorch", digits)
    net, inputs = names["net"], names["inputs"].numpy()
    probabilities = net.predict_proba(inputs)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(probabilities, net.forward(inputs).softmax(1).numpy(), atol=1e-6)
    assert probabilities.min() >= 0
    assert accuracy(net.predict(inputs), names["clean"]) > 0.85


def test_cleanlab_finds_the_wrong_labels(digits):
    names = follow("cleanlab", follow("skorch", digits))
    flipped, issues = names["flipped"], names["issues"]
    np.testing.assert_allclose(names["probabilities"].sum(1), 1, atol=1e-5)
    assert flipped[issues].mean() > 0.85
    assert flipped[issues].sum() > 0.8 * flipped.sum()
    assert flipped[issues[:100]].mean() > 0.98


def test_trainer_of_transformers_trains_with_the_loss(digits):
    names = follow("Hugging Face Trainer", digits)
    network = names["trainer"].model.cpu().eval()
    with torch.no_grad():
        logits = network(pixel_values=names["images"]).logits
    assert accuracy(logits.argmax(1), names["clean"]) > 0.4  # of which chance is 0.1
    (loss,) = (entry["train_loss"] for entry in names["trainer"].state.log_history if "train_loss" in entry)
    assert 0 < loss < 0.1 * np.log(10) + 4
    evaluated = names["trainer"].evaluate(names["trainer"].train_dataset)["eval_loss"]
    expected = SymmetricCrossEntropy(alpha=0.1, beta=1.0)(logits, names["labels"])
    assert evaluated == pytest.approx(
        float(expected), rel=1e-2
    )  # a mean of batches, of which the last is less


def test_trainer_accumulates_gradients_of_the_mean(digits):
    """A step of four batches is that of one batch of all their samples."""
    names = follow(
        "Hugging Face Trainer", digits | {"inputs": digits["inputs"][:64], "labels": digits["labels"][:64]}
    )
    start = {name: value.cpu().clone() for name, value in names["trainer"].model.state_dict().items()}

    def after_a_step(batch_size, batches):
        network = names["ViTForImageClassification"](names["config"])
        network.load_state_dict(start)
        arguments = names["TrainingArguments"](
            "step",
            max_steps=1,
            per_device_train_batch_size=batch_size,
            gradient_accumulation_steps=batches,
            max_grad_norm=0.0,
            learning_rate=0.1,
            optim="sgd",
            report_to="none",
            save_strategy="no",
            seed=0,
        )
        dataset = names["trainer"].train_dataset
        names["Trainer"](
            network, arguments, train_dataset=dataset, compute_loss_func=names["robust_loss"]
        ).train()
        return network.cpu().state_dict()

    whole, parts = after_a_step(64, 1), after_a_step(16, 4)
    moved = max(float((whole[name] - start[name]).abs().max()) for name in start)
    assert moved > 1e-4
    for name in start:
        torch.testing.assert_close(parts[name], whole[name], rtol=0, atol=1e-2 * moved)


def test_timm_mixes_images_and_labels(digits):
    digits["inputs"], digits["labels"] = digits["inputs"][:1796], digits["labels"][:1796]  # an even number
    names = follow("timm, with Mixup", digits)
    network, mixup, criterion = names["network"], names["mixup"], names["criterion"]
    logits = torch.randn(4, 10, generator=torch.Generator().manual_seed(0))
    targets = torch.eye(10)[:4] * 0.7 + torch.eye(10)[:4].flip(0) * 0.3
    p = logits.softmax(1)
    log_targets = torch.where(targets > 0, targets.clamp(min=1e-9).log(), -4.0)
    by_hand = -(0.1 * targets * p.log() + p * log_targets).sum(1)
    torch.testing.assert_close(criterion(logits, targets), by_hand.mean())

    torch.testing.assert_close(names["targets"].sum(1), torch.ones(len(names["targets"])))
    assert ((names["targets"] > 0) & (names["targets"] < 1)).any()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    images = names["inputs"].view(-1, 1, 8, 8)
    for _ in range(8):
        for batch in torch.randperm(len(images)).split(64):
            batch = batch[: len(batch) // 2 * 2]
            mixed, targets = mixup(images[batch].clone(), names["labels"][batch])
            optimizer.zero_grad()
            criterion(network(mixed), targets).backward()
            optimizer.step()
    network.eval()
    with torch.no_grad():
        assert accuracy(network(images).argmax(1), names["clean"][:1796]) > 0.6
