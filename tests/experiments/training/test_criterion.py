"""Each method of a config becomes the loss that its name and hyperparameters say."""

import numpy as np
import pytest
import torch

from sce_lib.experiments.config import METHODS, RunConfig
from sce_lib.experiments.config.parts import Backward, Part
from sce_lib.experiments.training import build_criterion, train
from sce_lib.experiments.training.criterion import of_samples
from sce_lib.losses import D2L
from sce_lib.noise import asymmetric_matrix, symmetric_matrix

K = 10


def by_hand(method, T, p, y):
    """Return the mean loss of probabilities p and labels y, written from the papers' formulas."""
    q = np.eye(K)[y]
    log_p = np.log(p)

    def ce(target):
        return -(target * log_p).sum(1)

    def rce(target, A):
        floored = np.maximum(np.log(np.maximum(target, 1e-300)), A)
        return -(p * floored).sum(1)

    def normalized(of_labels):
        return of_labels[np.arange(len(y)), y] / of_labels.sum(1)

    p_y = p[np.arange(len(y)), y]
    T = np.eye(K) if getattr(method, "matrix", "true") == "identity" else T
    smooth = (1 - getattr(method, "epsilon", 0)) * q + getattr(method, "epsilon", 0) / K
    losses = {
        "ce": lambda m: m.scale * ce(q),
        "rce": lambda m: m.scale * rce(q, m.A),
        "sl": lambda m: m.alpha * ce(q) + m.beta * rce(q, m.A),
        "mae": lambda m: np.abs(p - q).sum(1),
        "gce": lambda m: (1 - p_y**m.q) / m.q,
        "lsr": lambda m: ce(smooth),
        "bootstrap": lambda m: ce(m.beta * q + (1 - m.beta) * np.eye(K)[p.argmax(1)]),
        "forward": lambda m: -np.log((p @ T)[np.arange(len(y)), y]),
        "backward": lambda m: (np.linalg.inv(T)[y] * -log_p).sum(1),
        "d2l": lambda m: ce(q) if m.A is None else m.alpha * ce(q) + m.beta * rce(q, m.A),
        "forward+sl": lambda m: -np.log((p @ T)[np.arange(len(y)), y]) + m.beta * rce(q, m.A),
        "lsr+sl": lambda m: m.alpha * ce(smooth) + m.beta * rce(smooth, m.A),
        "nce+rce": lambda m: m.alpha * normalized(log_p) + m.beta * rce(q, m.A),
        "nce+mae": lambda m: m.alpha * normalized(log_p) + m.beta * 2 * (1 - p_y),
        "nfl+rce": lambda m: m.alpha * normalized((1 - p) ** m.gamma * log_p) + m.beta * rce(q, m.A),
        "nfl+mae": lambda m: m.alpha * normalized((1 - p) ** m.gamma * log_p) + m.beta * 2 * (1 - p_y),
        "agce": lambda m: ((m.a + 1) ** m.q - (m.a + p_y) ** m.q) / m.q,
        "aue": lambda m: ((m.a - p_y) ** m.q - (m.a - 1) ** m.q) / m.q,
        "ael": lambda m: np.exp(-p_y / m.a),
        # Before anything is remembered, the present prediction alone is.
        "elr": lambda m: ce(q) + m.lambda_ * np.log(1 - (1 - m.momentum) * (p**2).sum(1)),
    }
    return losses[method.name](method).mean()


@pytest.mark.parametrize("noise", ["none", "symmetric-0.4", "asymmetric-0.4"])
@pytest.mark.parametrize(
    ("name", "protocol"),
    [(name, "paper") for name in METHODS]
    + [(name, "released") for name in METHODS if not name.startswith("d2l")],
)
def test_every_method_is_the_loss_it_names(name, noise, protocol):
    method = RunConfig.preset("cifar10", name, noise, protocol).method
    rate = float(noise.split("-")[1]) if "-" in noise else 0.0
    T = asymmetric_matrix("cifar10", rate) if noise.startswith("asym") else symmetric_matrix(K, rate)
    rng = np.random.default_rng(len(name))
    logits, y = rng.normal(0, 1.5, (20, K)), rng.integers(0, K, 20)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 1e-5)):
        criterion = build_criterion(method, T, epochs=30, num_samples=20)
        leaf = torch.from_numpy(logits).to(dtype).requires_grad_()
        loss = of_samples(criterion, torch.arange(20))(leaf, torch.from_numpy(y))
        assert loss.item() == pytest.approx(by_hand(method, T, p, y), rel=tolerance)
        loss.backward()
        assert leaf.grad.isfinite().all()


@pytest.mark.parametrize("profile", ["smoke", "laptop", "full"])
def test_d2l_gets_the_length_of_the_training(profile):
    config = RunConfig.preset("cifar10", "d2l+sl", profile=profile)
    criterion = build_criterion(config.method, np.eye(K), config.optimisation.epochs)
    assert isinstance(criterion, D2L)
    assert criterion.epochs == config.optimisation.epochs
    assert (criterion.window, criterion.first_epoch) == (config.method.window, config.method.first_epoch)


def test_elr_gets_the_number_of_samples():
    method = RunConfig.preset("cifar100", "elr").method
    criterion = build_criterion(method, np.eye(K), epochs=1, num_samples=30)
    assert criterion.hyperparameters() == {
        "num_samples": 30,
        "num_classes": K,
        "momentum": 0.9,
        "lambda_": 7.0,
    }
    with pytest.raises(ValueError, match="num_samples=0"):
        build_criterion(method, np.eye(K), epochs=1)


def test_a_matrix_that_cannot_be_inverted_is_an_error():
    with pytest.raises(ValueError, match=r"singular|invert"):
        build_criterion(Backward(), symmetric_matrix(K, 0.9), epochs=1)


def test_a_part_that_is_no_method_is_an_error():
    with pytest.raises(ValueError, match="no loss is known"):
        build_criterion(Part(), np.eye(K), epochs=1)


def test_twice_the_loss_is_twice_the_rate_at_half_the_decay(make_images, tiny_config, tmp_path):
    """Scaling a loss is a change of learning rate and weight decay, to the last bit for a factor of 2."""
    images, rate, decay = make_images(), 0.05, 1e-2

    def run(method, rate, decay):
        sgd = {"lr": rate, "weight_decay": decay, "milestones": (1,)}
        return train(tiny_config(method, sgd=sgd), "cpu", data=images, checkpoints=tmp_path)

    doubled, faster = run("2ce", rate, decay), run("ce", 2 * rate, decay / 2)
    assert [e.train_loss for e in doubled.epochs] == [2 * e.train_loss for e in faster.epochs]
    assert doubled.stages == faster.stages
    # It is this very rate and this very decay.
    for other in (run("ce", rate, decay), run("ce", 2 * rate, decay)):
        assert [e.train_loss for e in doubled.epochs] != [2 * e.train_loss for e in other.epochs]
