"""The tables of other people's losses are right: formulas and values here are theirs, not this library's."""

import math
import re

import numpy as np
import pytest
import torch
from small_book import ROOT

from sce_lib import losses

PAGE = (ROOT / "book" / "coming_from_elsewhere.md").read_text()
K, LOG_CLIP = 10, math.log(1e-4)
P = np.full((K, K), 0.4 / 9) + np.diag(np.full(K, 0.6 - 0.4 / 9))  # 40 % symmetric noise


def at(p, y):
    """Return the probability of the label."""
    return p[np.arange(len(y)), y]


def with_targets(label, others):
    """Return the cross entropy with what the label gets and what each other class gets."""
    return lambda p, y: -(others * np.log(p).sum(1) + (label - others) * np.log(at(p, y)))


def plus(first, second, alpha=1.0, beta=1.0):
    return lambda p, y: alpha * first(p, y) + beta * second(p, y)


def cross_entropy(p, y):
    return -np.log(at(p, y))


def unscaled_mae(p, y):
    return 1 - at(p, y)


def rce(num_classes=K, scale=1.0):
    return lambda p, y: scale * LOG_CLIP * (at(p, y) - 1)


def nce(num_classes=K, scale=1.0):
    return lambda p, y: scale * np.log(at(p, y)) / np.log(p).sum(1)


def gce(num_classes=K, q=0.7):
    return lambda p, y: (1 - at(p, y) ** q) / q


def agce(num_classes=K, a=1, q=2):
    return lambda p, y: ((a + 1) ** q - (a + at(p, y)) ** q) / q


def nfl(gamma=0.0):
    def loss(p, y):
        of_labels = -((1 - p) ** gamma) * np.log(p)
        return at(of_labels, y) / of_labels.sum(1)

    return loss


def divergence(p, q):
    """Return KL(q, p) of each row, 0 log 0 being 0."""
    return (np.where(q > 0, q, 0) * (np.log(np.where(q > 0, q, 1)) - np.log(p))).sum(1)


def jensen_shannon(weights, scaled):
    w = [float(weight) for weight in weights.split()]

    def loss(p, y):
        one_hot = np.eye(p.shape[1])[y]
        middle = w[0] * one_hot + w[1] * p
        value = w[0] * divergence(middle, one_hot) + w[1] * divergence(middle, p)
        return value / (-(1 - w[0]) * math.log(1 - w[0])) if scaled else value

    return loss


def own_opinion(share, opinion):
    def loss(p, y):
        target = (1 - share) * np.eye(p.shape[1])[y] + share * opinion(p)
        return -(target * np.log(p)).sum(1)

    return loss


def smoothed_divergence(num_classes, t):
    def loss(p, y):
        target = (1 - t) * np.eye(num_classes)[y] + t / num_classes
        return divergence(p, target)

    return loss


def truncated(q, k, trainset_size):
    """With the weights that `update_weight` has just set: 1 where the label's probability is above k."""
    return lambda p, y: (gce(q=q)(p, y) - (1 - k**q) / q) * (at(p, y) > k)


def elr(num_examp, num_classes=K, beta=0.3):
    """At the first step, before which the memory is empty, with the configuration's lambda of 3."""

    def loss(p, y):
        clipped = p.clip(1e-4, 1 - 1e-4)
        remembered = (1 - beta) * clipped / clipped.sum(1, keepdims=True)
        return cross_entropy(p, y) + 3 * np.log(1 - (remembered * clipped).sum(1))

    return loss


def sce(alpha, beta, num_classes=K):
    return plus(cross_entropy, rce(), alpha, beta)


# What each name means there, by the page's headings: a call gives a function of probabilities and labels.
PUBLIC = {
    "SCELoss-Reproduce": {"SCELoss": sce},
    "The paper's authors": {
        "symmetric_cross_entropy": lambda alpha, beta: plus(
            lambda p, y: -np.log(at(p, y).clip(1e-7)), rce(), alpha, beta
        ),
        "generalized_cross_entropy": gce(),
        "lsr": with_targets(0.9, 0.01),
        "boot_soft": own_opinion(0.05, lambda p: p),
        "boot_hard": own_opinion(0.2, lambda p: np.eye(K)[p.argmax(1)]),
        "forward": lambda T: lambda p, y: -np.log(at(p @ T, y)),
        "backward": lambda T: lambda p, y: -(np.linalg.inv(T)[y] * np.log(p)).sum(1),
        "P": P,
    },
    "Active-Passive-Losses": {
        "ReverseCrossEntropy": rce,
        "MeanAbsoluteError": lambda num_classes: unscaled_mae,
        "NormalizedCrossEntropy": nce,
        "GeneralizedCrossEntropy": gce,
        "FocalLoss": lambda gamma=0.0: lambda p, y: (1 - at(p, y)) ** gamma * cross_entropy(p, y),
        "NormalizedFocalLoss": nfl,
        "NCEandRCE": lambda alpha, beta, num_classes: plus(nce(), rce(), alpha, beta),
        "NCEandMAE": lambda alpha, beta, num_classes: plus(nce(), unscaled_mae, alpha, beta),
        "NFLandRCE": lambda alpha, beta, num_classes, gamma=0.5: plus(nfl(gamma), rce(), alpha, beta),
    },
    "ALFs": {
        "AGCELoss": agce,
        "AUELoss": lambda num_classes, a=1.5, q=0.9: lambda p, y: ((a - at(p, y)) ** q - (a - 1) ** q) / q,
        "AExpLoss": lambda num_classes, a=3: lambda p, y: np.exp(-at(p, y) / a),
        "MAELoss": lambda num_classes, scale=2.0: lambda p, y: scale * unscaled_mae(p, y),
        "NCEandMAE": lambda num_classes, alpha=1.0, beta=1.0: plus(nce(), unscaled_mae, alpha, beta),
        "NCEandAGCE": lambda alpha, beta, num_classes, a=3, q=1.5: plus(nce(), agce(a=a, q=q), alpha, beta),
        "SCELoss": lambda num_classes, a=1, b=1: sce(a, b),
    },
    "GJS": {
        "JensenShannonDivergenceWeightedScaled": lambda num_classes, weights: jensen_shannon(weights, True),
        "JensenShannonDivergenceWeightedCustom": lambda num_classes, weights: jensen_shannon(weights, False),
        "LabelSmoothing": smoothed_divergence,
        "Bootstrapping": lambda num_classes, t: own_opinion(t, lambda p: p),
    },
    "Truncated-Loss": {"TruncatedLoss": truncated},
    "ELR": {"elr_loss": elr},
    "Keras": {
        "CategoricalCrossentropy": lambda label_smoothing=0.0: with_targets(
            1 - 0.9 * label_smoothing, label_smoothing / K
        ),
        "CategoricalFocalCrossentropy": lambda alpha=0.25, gamma=2.0: (
            lambda p, y: alpha * (1 - at(p, y)) ** gamma * cross_entropy(p, y)
        ),
        "MeanAbsoluteError": lambda: lambda p, y: np.abs(p - np.eye(K)[y]).mean(1),
    },
}
# What the formulas give for an untrained network, where all ten probabilities are 0.1, and for one that gives
# the label 0.91 and every other class 0.01.
VALUES = {
    ("SCELoss-Reproduce", "SCELoss(alpha=0.1, beta=1.0, num_classes=10)"): (8.519565, 0.838362),
    ("The paper's authors", "symmetric_cross_entropy(alpha=0.1, beta=1.0)"): (8.519565, 0.838362),
    ("The paper's authors", "generalized_cross_entropy"): (1.143534, 0.091265),
    ("The paper's authors", "lsr"): (2.279559, 0.499345),
    ("The paper's authors", "boot_soft"): (2.302585, 0.114610),
    ("The paper's authors", "boot_hard"): (2.302585, 0.094311),
    ("The paper's authors", "forward(P)"): (2.302585, 0.597837),
    ("The paper's authors", "backward(P)"): (2.302585, -3.153508),
    ("Active-Passive-Losses", "ReverseCrossEntropy(num_classes=10)"): (8.289306, 0.828931),
    ("Active-Passive-Losses", "MeanAbsoluteError(num_classes=10)"): (0.9, 0.09),
    ("Active-Passive-Losses", "NormalizedCrossEntropy(num_classes=10)"): (0.1, 0.002270),
    ("Active-Passive-Losses", "GeneralizedCrossEntropy(num_classes=10)"): (1.143534, 0.091265),
    ("Active-Passive-Losses", "FocalLoss(gamma=0.5)"): (2.184424, 0.028293),
    ("Active-Passive-Losses", "NormalizedFocalLoss(gamma=0.5)"): (0.1, 0.000686),
    ("Active-Passive-Losses", "NCEandRCE(alpha=1.0, beta=1.0, num_classes=10)"): (8.389306, 0.831201),
    ("Active-Passive-Losses", "NCEandMAE(alpha=1.0, beta=1.0, num_classes=10)"): (1.0, 0.092270),
    ("Active-Passive-Losses", "NFLandRCE(alpha=1.0, beta=1.0, num_classes=10)"): (8.389306, 0.829616),
    ("ALFs", "AGCELoss(num_classes=10)"): (1.395, 0.175950),
    ("ALFs", "AUELoss(num_classes=10)"): (0.908656, 0.095644),
    ("ALFs", "AExpLoss(num_classes=10)"): (0.967216, 0.738353),
    ("ALFs", "MAELoss(num_classes=10)"): (1.8, 0.18),
    ("ALFs", "NCEandMAE(num_classes=10)"): (1.0, 0.092270),
    ("ALFs", "NCEandAGCE(alpha=1.0, beta=4.0, num_classes=10, a=6, q=1.5)"): (9.311655, 0.951673),
    ("ALFs", "SCELoss(num_classes=10, a=1, b=1)"): (10.591891, 0.923241),
    ("GJS", 'JensenShannonDivergenceWeightedScaled(num_classes=10, weights="0.5 0.5")'): (1.516553, 0.093060),
    ("GJS", 'JensenShannonDivergenceWeightedCustom(num_classes=10, weights="0.5 0.5")'): (0.525597, 0.032252),
    ("GJS", "LabelSmoothing(num_classes=10, t=0.1)"): (1.802297, 0.0),
    ("GJS", "Bootstrapping(num_classes=10, t=0.05)"): (2.302585, 0.114610),
    ("Truncated-Loss", "TruncatedLoss(q=0.7, k=0.5, trainset_size=50000)"): (0.0, -0.457918),
    ("ELR", "elr_loss(num_examp=50000, num_classes=10, beta=0.3)"): (2.084873, -2.510335),
    ("Keras", "CategoricalCrossentropy()"): (2.302585, 0.094311),
    ("Keras", "CategoricalCrossentropy(label_smoothing=0.1)"): (2.302585, 0.500288),
    ("Keras", "CategoricalFocalCrossentropy()"): (0.466273, 0.000191),
    ("Keras", "MeanAbsoluteError()"): (0.18, 0.018),
}


def rows(text):
    """Return heading, call there, call here and relation of every line of the page's tables."""
    found = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        lines = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|", section, re.MULTILINE)
        found += [(section.splitlines()[0], *line) for line in lines]
    return found


ROWS = rows(PAGE)


def here(call, logits, target):
    """Return the losses of a call of this library as the page writes it."""
    criterion = eval(call, {"log": math.log, "P": P} | vars(losses))
    criterion.reduction = "none"
    index = (torch.arange(len(target)),) if isinstance(criterion, losses.ELR) else ()
    return criterion(logits, target, *index)


def test_no_line_is_left_out():
    written = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(ROWS) == len(written) - written.count("| there | here | theirs equals | |")
    assert {(section, there) for section, there, *_ in ROWS} == set(VALUES)


@pytest.mark.parametrize(("section", "there", "ours", "relation"), ROWS)
def test_line_holds(section, there, ours, relation):
    generator = np.random.default_rng(0)
    logits = np.concatenate([generator.normal(scale=scale, size=(50, K)) for scale in (0.1, 1, 3)])
    labels = generator.integers(K, size=len(logits))
    odds = np.exp(logits)
    theirs = eval(there, dict(PUBLIC[section]))(odds / odds.sum(1, keepdims=True), labels)
    value = here(ours, torch.tensor(logits), torch.tensor(labels)).numpy()
    np.testing.assert_allclose(
        eval(relation, {"ours": value, "log": math.log}), theirs, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize(("section", "there", "ours", "relation"), ROWS)
def test_line_gives_the_values_of_the_formula(section, there, ours, relation):
    p = torch.full((2, K), 0.1, dtype=torch.float64)
    p[1], p[1, 3] = 0.01, 0.91
    value = here(ours, p.log(), torch.tensor([3, 3])).numpy()
    found = eval(relation, {"ours": value, "log": math.log})
    np.testing.assert_allclose(found, VALUES[section, there], atol=1e-6)


def test_a_line_that_is_wrong_is_seen():
    wrong = ("Active-Passive-Losses", "MeanAbsoluteError(num_classes=10)", "MeanAbsoluteError()", "ours")
    with pytest.raises(AssertionError):
        test_line_holds(*wrong)
    with pytest.raises(AssertionError):
        test_line_gives_the_values_of_the_formula(*wrong)


def test_our_default_gives_a_loss_as_much_smaller_as_the_page_says():
    said = re.search(r"a loss that is ([\d.]+) to ([\d.]+) times smaller", " ".join(PAGE.split()))
    low, high = map(float, said.groups())
    theirs, ours = sce(0.1, 1.0), plus(cross_entropy, rce(scale=-4 / LOG_CLIP), 0.1, 1.0)
    generator = np.random.default_rng(0)
    for scale, ratio in ((0.01, high), (3, low)):
        odds = np.exp(generator.normal(scale=scale, size=(100_000, K)))
        p, labels = odds / odds.sum(1, keepdims=True), generator.integers(K, size=len(odds))
        assert theirs(p, labels).mean() / ours(p, labels).mean() == pytest.approx(ratio, abs=0.05)


def test_the_authors_clip_is_an_option():
    ours = next(ours for section, there, ours, _ in ROWS if there.startswith("symmetric_cross_entropy"))
    logits = np.zeros((2, K))
    logits[:, 0] = 25, 5  # the probability of label 3 is below the clip, and above it
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    theirs = PUBLIC["The paper's authors"]["symmetric_cross_entropy"](0.1, 1.0)(p, np.array([3, 3]))
    found = here(ours, torch.tensor(logits), torch.tensor([3, 3])).numpy()
    np.testing.assert_allclose(found, theirs, rtol=1e-12)
    unclipped = here(ours.replace(", clip=1e-7", ""), torch.tensor(logits), torch.tensor([3, 3])).numpy()
    np.testing.assert_allclose(
        unclipped - found, [0.1 * (25 + np.log1p(9 * np.exp(-25)) + np.log(1e-7)), 0], atol=1e-9
    )


def test_their_focal_losses_have_another_gradient():
    logits, labels = torch.randn(20, K, generator=torch.Generator().manual_seed(0)), torch.arange(20) % K
    logits.requires_grad_()

    log_p = logits.log_softmax(1)
    of_labels = -((1 - log_p.detach().exp()) ** 0.5) * log_p  # the factor is constant
    focal = of_labels.gather(1, labels[:, None])[:, 0]
    pairs = {"FocalLoss": focal, "NormalizedFocalLoss": focal / of_labels.sum(1)}
    for name, theirs in pairs.items():
        ours = getattr(losses, name)(gamma=0.5, reduction="none")(logits, labels)
        torch.testing.assert_close(ours, theirs)
        gradient, other = (
            torch.autograd.grad(loss.sum(), logits, retain_graph=True)[0] for loss in (ours, theirs)
        )
        assert (gradient - other).norm() > 0.02 * gradient.norm()
