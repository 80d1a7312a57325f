"""Every loss beside a reference: its paper's general formula with explicit softmax and sums, in float64."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sce_lib import losses
from sce_lib.losses import functional as L


@dataclass(frozen=True)
class Case:
    """A loss three times: `module(T, **aggregation)`, `function(logits, target, T)` where there is one, and
    `reference(p, q, T)`, with p and q of shape (M, K).
    """

    name: str
    module: Callable[..., losses.Loss]
    reference: Callable[[Tensor, Tensor, Tensor], Tensor]
    function: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    stops_gradient: bool = False  # its gradient is by design not that of its value


def log_floored(q: Tensor, A: float) -> Tensor:
    return torch.where(q > 0, q, math.exp(-700)).log().clamp(min=A)


def ce(p: Tensor, q: Tensor) -> Tensor:
    return -(q * p.log()).sum(1)


def rce(p: Tensor, q: Tensor, A: float) -> Tensor:
    return -(p * log_floored(q, A)).sum(1)


def gce(p: Tensor, q: Tensor, exponent: float, k: float = 0.0) -> Tensor:
    per_label = (1 - p**exponent) / exponent
    return (q * torch.where(p <= k, (1 - k**exponent) / exponent, per_label)).sum(1)


def smooth(q: Tensor, epsilon: float) -> Tensor:
    return (1 - epsilon) * q + epsilon * torch.full_like(q, 1 / q.shape[1])


def most_probable(p: Tensor) -> Tensor:
    return torch.eye(p.shape[1], dtype=p.dtype, device=p.device)[p.argmax(1)]


def forward_corrected(p: Tensor, q: Tensor, T: Tensor) -> Tensor:
    noisy = torch.stack([sum(p[:, i] * T[i, j] for i in range(len(T))) for j in range(len(T))], 1)
    return -(q * noisy.log()).sum(1)


def backward_corrected(p: Tensor, q: Tensor, T: Tensor) -> Tensor:
    losses_of_labels = -p.log()
    corrected = torch.linalg.solve(T, losses_of_labels.T).T
    return (q * corrected).sum(1)


def nce(p: Tensor, q: Tensor) -> Tensor:
    labels = torch.eye(p.shape[1], dtype=p.dtype, device=p.device)
    return ce(p, q) / sum(ce(p, label.expand_as(p)) for label in labels)


def focal(p: Tensor, q: Tensor, gamma: float) -> Tensor:
    return -(q * (1 - p) ** gamma * p.log()).sum(1)


def nfl(p: Tensor, q: Tensor, gamma: float) -> Tensor:
    labels = torch.eye(p.shape[1], dtype=p.dtype, device=p.device)
    return focal(p, q, gamma) / sum(focal(p, label.expand_as(p), gamma) for label in labels)


def taylor(p: Tensor, q: Tensor, t: int) -> Tensor:
    return (q * sum((1 - p) ** i / i for i in range(1, t + 1))).sum(1)


def huberised(p: Tensor, q: Tensor, tau: float) -> Tensor:
    return (q * torch.where(p > 1 / tau, -p.log(), -tau * p + math.log(tau) + 1)).sum(1)


def agce(p: Tensor, q: Tensor, a: float, exponent: float) -> Tensor:
    return (q * ((a + 1) ** exponent - (a + p) ** exponent) / exponent).sum(1)


def aue(p: Tensor, q: Tensor, a: float, exponent: float) -> Tensor:
    return (q * ((a - p) ** exponent - (a - 1) ** exponent) / exponent).sum(1)


def divergence(p: Tensor, m: Tensor) -> Tensor:
    return (torch.xlogy(p, p) - torch.xlogy(p, m)).sum(1)


def jensen_shannon(p: Tensor, q: Tensor, pi: float) -> Tensor:
    m = pi * q + (1 - pi) * p
    unscaled = pi * divergence(q, m) + (1 - pi) * divergence(p, m)
    return unscaled / -((1 - pi) * math.log(1 - pi))


def sl(p: Tensor, q: Tensor, alpha: float, beta: float, A: float, clip: float = 0.0) -> Tensor:
    return alpha * ce(p.clamp(min=clip), q) + beta * rce(p, q, A)


def d2l_target(p: Tensor, q: Tensor) -> Tensor:
    alpha = math.exp(-(2 / 10) * (9.0 / 3.0))
    return alpha * q + (1 - alpha) * most_probable(p)


def turned(loss: losses.Loss, **aggregation) -> losses.D2L:
    """D2L past its turning point, at epoch 2 of 10 with LIDs of 3, 3 and 9."""
    d2l = losses.D2L(loss, epochs=10, window=2, first_epoch=0, **aggregation)
    assert [d2l.observe(epoch, lid) for epoch, lid in enumerate((3.0, 3.0, 9.0))][-1] == "rollback"
    return d2l


CASES = [
    Case(
        "ce",
        lambda T, **kw: losses.CrossEntropy(**kw),
        lambda p, q, T: ce(p, q),
        lambda z, y, T: L.cross_entropy(z, y),
    ),
    Case(
        "rce",
        lambda T, **kw: losses.ReverseCrossEntropy(**kw),
        lambda p, q, T: rce(p, q, -4.0),
        lambda z, y, T: L.reverse_cross_entropy(z, y),
    ),
    Case(
        "rce-released",
        lambda T, **kw: losses.ReverseCrossEntropy(A=math.log(1e-4), **kw),
        lambda p, q, T: rce(p, q, math.log(1e-4)),
        lambda z, y, T: L.reverse_cross_entropy(z, y, A=math.log(1e-4)),
    ),
    Case(
        "sl",
        lambda T, **kw: losses.SymmetricCrossEntropy(**kw),
        lambda p, q, T: sl(p, q, 0.1, 1.0, -4.0),
        lambda z, y, T: L.symmetric_cross_entropy(z, y),
    ),
    Case(
        "sl-cifar100",
        lambda T, **kw: losses.SymmetricCrossEntropy(6.0, 0.1, A=-6.0, **kw),
        lambda p, q, T: sl(p, q, 6.0, 0.1, -6.0),
        lambda z, y, T: L.symmetric_cross_entropy(z, y, 6.0, 0.1, A=-6.0),
    ),
    Case(
        "sl-clipped",
        lambda T, **kw: losses.SymmetricCrossEntropy(0.5, 2.0, clip=0.05, **kw),
        lambda p, q, T: sl(p, q, 0.5, 2.0, -4.0, clip=0.05),
        lambda z, y, T: L.symmetric_cross_entropy(z, y, 0.5, 2.0, clip=0.05),
    ),
    Case(
        "mae",
        lambda T, **kw: losses.MeanAbsoluteError(**kw),
        lambda p, q, T: (p - q).abs().sum(1),
        lambda z, y, T: L.mean_absolute_error(z, y),
    ),
    Case(
        "gce",
        lambda T, **kw: losses.GeneralizedCrossEntropy(**kw),
        lambda p, q, T: gce(p, q, 0.7),
        lambda z, y, T: L.generalized_cross_entropy(z, y),
    ),
    Case(
        "gce-truncated",
        lambda T, **kw: losses.GeneralizedCrossEntropy(q=0.4, truncation=0.3, **kw),
        lambda p, q, T: gce(p, q, 0.4, k=0.3),
        lambda z, y, T: L.generalized_cross_entropy(z, y, 0.4, truncation=0.3),
    ),
    Case(
        "lsr",
        lambda T, **kw: losses.LabelSmoothing(epsilon=0.15, **kw),
        lambda p, q, T: ce(p, smooth(q, 0.15)),
        lambda z, y, T: L.label_smoothing(z, y, 0.15),
    ),
    Case(
        "bootstrap-soft",
        lambda T, **kw: losses.Bootstrap(**kw),
        lambda p, q, T: ce(p, 0.95 * q + 0.05 * p),
        lambda z, y, T: L.bootstrap(z, y),
    ),
    Case(
        "bootstrap-detached",
        lambda T, **kw: losses.Bootstrap(beta=0.7, detach=True, **kw),
        lambda p, q, T: ce(p, 0.7 * q + 0.3 * p.detach()),
        lambda z, y, T: L.bootstrap(z, y, beta=0.7, detach=True),
        stops_gradient=True,
    ),
    Case(
        "bootstrap-hard",
        lambda T, **kw: losses.Bootstrap(hard=True, **kw),
        lambda p, q, T: ce(p, 0.8 * q + 0.2 * most_probable(p)),
        lambda z, y, T: L.bootstrap(z, y, hard=True),
    ),
    Case(
        "forward",
        lambda T, **kw: losses.ForwardCorrection(T, **kw),
        forward_corrected,
        L.forward_correction,
    ),
    Case(
        "backward",
        lambda T, **kw: losses.BackwardCorrection(T, **kw),
        backward_corrected,
        L.backward_correction,
    ),
    Case(
        "nce",
        lambda T, **kw: losses.NormalizedCrossEntropy(**kw),
        lambda p, q, T: nce(p, q),
        lambda z, y, T: L.normalized_cross_entropy(z, y),
    ),
    Case(
        "focal",
        lambda T, **kw: losses.FocalLoss(**kw),
        lambda p, q, T: focal(p, q, 2.0),
        lambda z, y, T: L.focal_loss(z, y),
    ),
    Case(
        "focal-half",
        lambda T, **kw: losses.FocalLoss(gamma=0.5, **kw),
        lambda p, q, T: focal(p, q, 0.5),
        lambda z, y, T: L.focal_loss(z, y, gamma=0.5),
    ),
    Case(
        "nfl",
        lambda T, **kw: losses.NormalizedFocalLoss(**kw),
        lambda p, q, T: nfl(p, q, 0.5),
        lambda z, y, T: L.normalized_focal_loss(z, y),
    ),
    Case(
        "nfl-2",
        lambda T, **kw: losses.NormalizedFocalLoss(gamma=2, **kw),
        lambda p, q, T: nfl(p, q, 2),
        lambda z, y, T: L.normalized_focal_loss(z, y, gamma=2),
    ),
    Case(
        "taylor",
        lambda T, **kw: losses.TaylorCrossEntropy(t=5, **kw),
        lambda p, q, T: taylor(p, q, 5),
        lambda z, y, T: L.taylor_cross_entropy(z, y, t=5),
    ),
    Case(
        "phuber",
        lambda T, **kw: losses.PartiallyHuberisedCrossEntropy(tau=3.0, **kw),
        lambda p, q, T: huberised(p, q, 3.0),
        lambda z, y, T: L.partially_huberised_cross_entropy(z, y, tau=3.0),
    ),
    Case(
        "agce",
        lambda T, **kw: losses.AsymmetricGeneralizedCrossEntropy(**kw),
        lambda p, q, T: agce(p, q, 0.6, 0.6),
        lambda z, y, T: L.asymmetric_generalized_cross_entropy(z, y),
    ),
    Case(
        "agce-a0",
        lambda T, **kw: losses.AsymmetricGeneralizedCrossEntropy(a=0, q=0.3, **kw),
        lambda p, q, T: agce(p, q, 0.0, 0.3),
        lambda z, y, T: L.asymmetric_generalized_cross_entropy(z, y, a=0, q=0.3),
    ),
    Case(
        "agce-q2",
        lambda T, **kw: losses.AsymmetricGeneralizedCrossEntropy(a=1, q=2, **kw),
        lambda p, q, T: agce(p, q, 1.0, 2.0),
        lambda z, y, T: L.asymmetric_generalized_cross_entropy(z, y, a=1, q=2),
    ),
    Case(
        "aue",
        lambda T, **kw: losses.AsymmetricUnhinged(**kw),
        lambda p, q, T: aue(p, q, 5.5, 3.0),
        lambda z, y, T: L.asymmetric_unhinged(z, y),
    ),
    Case(
        "aue-code",
        lambda T, **kw: losses.AsymmetricUnhinged(a=1.5, q=0.9, **kw),
        lambda p, q, T: aue(p, q, 1.5, 0.9),
        lambda z, y, T: L.asymmetric_unhinged(z, y, a=1.5, q=0.9),
    ),
    Case(
        "aue-a1",
        lambda T, **kw: losses.AsymmetricUnhinged(a=1, q=0.4, **kw),
        lambda p, q, T: aue(p, q, 1.0, 0.4),
        lambda z, y, T: L.asymmetric_unhinged(z, y, a=1, q=0.4),
    ),
    Case(
        "ael",
        lambda T, **kw: losses.AsymmetricExponential(**kw),
        lambda p, q, T: (q * (-p / 2.5).exp()).sum(1),
        lambda z, y, T: L.asymmetric_exponential(z, y),
    ),
    Case(
        "js",
        lambda T, **kw: losses.JensenShannon(**kw),
        lambda p, q, T: jensen_shannon(p, q, 0.5),
        lambda z, y, T: L.jensen_shannon(z, y),
    ),
    Case(
        "js-tenth",
        lambda T, **kw: losses.JensenShannon(pi=0.1, **kw),
        lambda p, q, T: jensen_shannon(p, q, 0.1),
        lambda z, y, T: L.jensen_shannon(z, y, pi=0.1),
    ),
    Case(
        "2ce",
        lambda T, **kw: losses.Sum([(2.0, losses.CrossEntropy())], **kw),
        lambda p, q, T: 2 * ce(p, q),
    ),
    Case(
        "forward+sl",
        lambda T, **kw: losses.Sum(
            [(1.0, losses.ForwardCorrection(T)), (0.1, losses.ReverseCrossEntropy(A=-6))], **kw
        ),
        lambda p, q, T: forward_corrected(p, q, T) + 0.1 * rce(p, q, -6.0),
    ),
    Case(
        "nce+rce",
        lambda T, **kw: losses.Sum(
            [(10.0, losses.NormalizedCrossEntropy()), (0.1, losses.ReverseCrossEntropy())], **kw
        ),
        lambda p, q, T: 10 * nce(p, q) + 0.1 * rce(p, q, -4.0),
    ),
    Case(
        "lsr+sl",
        lambda T, **kw: losses.SmoothedTargets(losses.SymmetricCrossEntropy(), epsilon=0.1, **kw),
        lambda p, q, T: sl(p, smooth(q, 0.1), 0.1, 1.0, -4.0),
    ),
    Case(
        "d2l",
        lambda T, **kw: turned(losses.CrossEntropy(), **kw),
        lambda p, q, T: ce(p, d2l_target(p, q)),
    ),
    Case(
        "d2l+sl",
        lambda T, **kw: turned(losses.SymmetricCrossEntropy(), **kw),
        lambda p, q, T: sl(p, d2l_target(p, q), 0.1, 1.0, -4.0),
    ),
]


def softmax(logits: Tensor) -> Tensor:
    exponentials = (logits - logits.max(1, keepdim=True).values).exp()
    return exponentials / exponentials.sum(1, keepdim=True)


def reference_loss(case: Case, logits: Tensor, target: Tensor, T: Tensor) -> Tensor:
    """The reference on logits (N, K, d1, ...), which it flattens to (M, K) first; returns (N, d1, ...)."""
    num_classes = logits.shape[1]
    flat = logits.movedim(1, -1).reshape(-1, num_classes)
    if target.is_floating_point():
        q = target.movedim(1, -1).reshape(-1, num_classes)
    else:
        q = torch.eye(num_classes, dtype=logits.dtype, device=logits.device)[target.reshape(-1)]
    shape = logits.shape[:1] + logits.shape[2:]
    return case.reference(softmax(flat), q, T).reshape(shape)


def transition_matrix(num_classes: int, generator: torch.Generator) -> Tensor:
    """A random row-stochastic, invertible matrix."""
    noise = torch.rand(num_classes, num_classes, generator=generator, dtype=torch.float64)
    return 0.6 * torch.eye(num_classes, dtype=torch.float64) + 0.4 * noise / noise.sum(1, keepdim=True)


@dataclass(frozen=True)
class Batch:
    logits: Tensor
    labels: Tensor
    probabilities: Tensor
    T: Tensor

    def target(self, kind: str) -> Tensor:
        return self.labels if kind == "labels" else self.probabilities

    def fresh(self) -> Tensor:
        return self.logits.clone().requires_grad_()


def batch(num_classes=5, shape=(6,), seed=0, scale=2.0, dtype=torch.float64) -> Batch:
    """Random logits (shape[0], K, *shape[1:]), labels, and probabilities of which some are 0."""
    generator = torch.Generator().manual_seed(seed)
    full = (shape[0], num_classes, *shape[1:])
    logits = scale * torch.randn(full, generator=generator, dtype=torch.float64)
    labels = torch.randint(num_classes, shape, generator=generator)
    weights = torch.rand(full, generator=generator, dtype=torch.float64)
    weights = torch.where(weights < 0.3, 0.0, weights)
    weights = weights.scatter_add(1, labels.unsqueeze(1), torch.full_like(weights[:, :1], 0.5))
    probabilities = weights / weights.sum(1, keepdim=True)
    return Batch(logits.to(dtype), labels, probabilities.to(dtype), transition_matrix(num_classes, generator))
