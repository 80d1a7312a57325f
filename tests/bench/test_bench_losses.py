"""Cost of the losses beside torch's cross entropy, and of SL as it is usually written; run by `make bench`.

They take turns in random order, so that a busy machine slows all alike. Printed are the medians of the
paired ratios with the range of nine tenths of them, and the peak of memory that a forward and a backward pass
take on top of the logits. Nothing is asserted of the time.
"""

import itertools
import random
import statistics
import time

import pytest
import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

from sce_lib import losses
from sce_lib.losses import SymmetricCrossEntropy, symmetric_cross_entropy

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def usual_form(logits, labels, alpha=0.1, beta=1.0):
    """SL by softmax, clamp and one-hot, as most public code has it."""
    probabilities = logits.softmax(1).clamp(1e-7, 1.0)
    one_hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).float().clamp(1e-4, 1.0)
    rce = -(probabilities * one_hot.log()).sum(1)
    return alpha * F.cross_entropy(logits, labels) + beta * rce.mean()


def function(logits, labels):
    """SL of logits (N, K), and of (N, K, ...) as whoever calls the function has to bring them there."""
    rows = logits.movedim(1, -1).flatten(end_dim=-2)
    return symmetric_cross_entropy(rows, labels.flatten()).mean()


CONTESTANTS = {
    "ce": F.cross_entropy,
    "sl": function,
    "usual": usual_form,
    "ce module": torch.nn.CrossEntropyLoss(),
    "sl module": SymmetricCrossEntropy(),  # also counts the labels that are not ignored
}


def step(loss, logits, labels):
    logits.grad = None
    loss(logits, labels).backward()
    if logits.is_cuda:
        torch.cuda.synchronize()


def seconds(loss, logits, labels):
    """Time on the clock for a GPU, time on the processor for a CPU, which may be busy with other things.

    Of a step, the mean of so many as there are in a million logits: one of few ends before a clock ticks.
    """
    clock, repeats = time.perf_counter if logits.is_cuda else time.process_time, 1 + 2**20 // logits.numel()
    start = clock()
    for _ in range(repeats):
        step(loss, logits, labels)
    return (clock() - start) / repeats


def peak_bytes(loss, logits, labels):
    """Largest sum of the step's live allocations: by torch's own counter on a GPU, its profiler on a CPU."""
    logits.grad = None
    if logits.is_cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(loss, logits, labels)
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        step(loss, logits, labels)
    allocations = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(allocations, key=lambda event: event.start_ns())]
    return max(itertools.accumulate(changes))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(128, 10), (512, 100), (512, 1000), (4096, 1000), (8, 21, 128, 128)])
@pytest.mark.usefixtures("one_thread")
def test_symmetric_cross_entropy(benchmark, capsys, device, shape):
    generator = torch.Generator().manual_seed(0)
    n, num_classes, *places = shape
    logits = torch.randn(shape, generator=generator).to(device).requires_grad_()
    labels = torch.randint(num_classes, (n, *places), generator=generator).to(device)
    rounds: list[dict[str, float]] = []

    order = random.Random(0)

    def take_turns():
        names = order.sample(sorted(CONTESTANTS), k=len(CONTESTANTS))  # each leaves its memory to the next
        rounds.append({name: seconds(CONTESTANTS[name], logits, labels) for name in names})

    benchmark.pedantic(take_turns, rounds=100, warmup_rounds=10)
    rounds = rounds[10:]
    memory = {name: peak_bytes(loss, logits, labels) for name, loss in CONTESTANTS.items()}
    report = {
        "CE ms": f"{1e3 * statistics.median(turn['ce'] for turn in rounds):.3g}",
        "SL / CE": spread(rounds, "sl", "ce"),
        "SL / CE modules": spread(rounds, "sl module", "ce module"),
        "usual / SL": spread(rounds, "usual", "sl"),
        "CE MiB": f"{memory['ce'] / 2**20:.3g}",
        "SL / CE memory": f"{memory['sl'] / memory['ce']:.2f}",
        "usual / SL memory": f"{memory['usual'] / memory['sl']:.2f}",
    }
    benchmark.extra_info.update(report)
    with capsys.disabled():
        print(f"\n{device}, {shape}: " + ", ".join(f"{name} {value}" for name, value in report.items()))


def spread(rounds, one, other):
    """Return the median of paired ratios, and what nine tenths of them lie between."""
    ratios = [turn[one] / turn[other] for turn in rounds]
    low, *_, high = statistics.quantiles(ratios, n=20)
    return f"{statistics.median(ratios):.2f} [{low:.2f}, {high:.2f}]"


# The modules whose cost is told, Forward and Backward by a matrix; and how many pairs of steps are taken.
TOLD = ["ce", "sl", "gce", "mae", "lsr", "bootstrap", "nce+rce", "forward", "backward"]
PAIRS = {(128, 10): 1000, (512, 100): 600, (512, 1000): 150, (4096, 1000): 20, (8, 21, 128, 128): 20}


def wall_seconds(loss, logits, labels):
    """Time of one step on the clock, which has nanoseconds; the clock of the processor is too coarse."""
    start = time.perf_counter()
    step(loss, logits, labels)
    return time.perf_counter() - start


def paired_ratios(loss, logits, labels, order, pairs):
    """Times of the loss beside cross entropy's, of which either may come first."""
    found = []
    for _ in range(pairs + 5):
        pair = [loss, F.cross_entropy]
        seconds_of = {id(each): wall_seconds(each, logits, labels) for each in order.sample(pair, 2)}
        found.append(seconds_of[id(loss)] / seconds_of[id(F.cross_entropy)])
    return found[5:]


@pytest.mark.parametrize("shape", PAIRS, ids=str)
@pytest.mark.usefixtures("one_thread")
def test_each_loss_beside_cross_entropy(benchmark, capsys, shape):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator).requires_grad_()
    labels = torch.randint(shape[1], shape[:1] + shape[2:], generator=generator)
    matrix = 0.6 * torch.eye(shape[1]) + 0.4 / shape[1]
    given = {"forward": {"T": matrix}, "backward": {"T": matrix}}
    told = {name: losses.get(name, **given.get(name, {})) for name in TOLD}
    order, quartiles = random.Random(0), {}

    def measure():
        for name, loss in told.items():
            ratios = paired_ratios(loss, logits, labels, order, PAIRS[shape])
            quartiles[name] = statistics.quantiles(ratios, n=4)

    benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info.update({name: middle for name, (_, middle, _) in quartiles.items()})
    with capsys.disabled():
        words = (f"{name} {q[1]:.2f} [{q[0]:.2f}, {q[2]:.2f}]" for name, q in quartiles.items())
        print(f"\n{shape}, times F.cross_entropy: " + ", ".join(words))
