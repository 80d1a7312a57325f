"""Cost of SL beside torch's cross entropy and beside the way SL is usually written; run by `make bench`.

They take turns in random order, so that a busy machine slows all alike. Printed are the medians of the
paired ratios, and the peak of memory that a forward and a backward pass take on top of the logits. Nothing is
asserted of the time.
"""

import itertools
import random
import statistics
import time

import pytest
import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

from sce_lib.losses import SymmetricCrossEntropy, symmetric_cross_entropy

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def usual_form(logits, labels, alpha=0.1, beta=1.0):
    """SL by softmax, clamp and one-hot, as most public code has it."""
    probabilities = logits.softmax(1).clamp(1e-7, 1.0)
    one_hot = F.one_hot(labels, logits.shape[1]).float().clamp(1e-4, 1.0)
    rce = -(probabilities * one_hot.log()).sum(1)
    return alpha * F.cross_entropy(logits, labels) + beta * rce.mean()


def function(logits, labels):
    return symmetric_cross_entropy(logits, labels).mean()


CONTESTANTS = {
    "ce": F.cross_entropy,
    "sl": function,
    "usual": usual_form,
    "ce module": torch.nn.CrossEntropyLoss(),
    "sl module": SymmetricCrossEntropy(),  # also looks for ignored labels: five operations on N
}


def step(loss, logits, labels):
    logits.grad = None
    loss(logits, labels).backward()
    if logits.is_cuda:
        torch.cuda.synchronize()


def seconds(loss, logits, labels):
    """Time on the clock for a GPU, time on the processor for a CPU, which may be busy with other things."""
    clock = time.perf_counter if logits.is_cuda else time.process_time
    start = clock()
    step(loss, logits, labels)
    return clock() - start


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
@pytest.mark.parametrize(("n", "num_classes"), [(512, 1000), (2048, 1000), (512, 4096)])
@pytest.mark.usefixtures("one_thread")
def test_symmetric_cross_entropy(benchmark, capsys, device, n, num_classes):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n, num_classes, generator=generator).to(device).requires_grad_()
    labels = torch.randint(num_classes, (n,), generator=generator).to(device)
    rounds: list[dict[str, float]] = []

    order = random.Random(0)

    def take_turns():
        names = order.sample(sorted(CONTESTANTS), k=len(CONTESTANTS))  # each leaves its memory to the next
        rounds.append({name: seconds(CONTESTANTS[name], logits, labels) for name in names})

    benchmark.pedantic(take_turns, rounds=200, warmup_rounds=10)
    rounds = rounds[10:]
    memory = {name: peak_bytes(loss, logits, labels) for name, loss in CONTESTANTS.items()}
    report = {
        "CE ms": 1e3 * statistics.median(turn["ce"] for turn in rounds),
        "SL / CE": statistics.median(turn["sl"] / turn["ce"] for turn in rounds),
        "SL / CE modules": statistics.median(turn["sl module"] / turn["ce module"] for turn in rounds),
        "usual / SL": statistics.median(turn["usual"] / turn["sl"] for turn in rounds),
        "CE MiB": memory["ce"] / 2**20,
        "SL / CE memory": memory["sl"] / memory["ce"],
        "usual / SL memory": memory["usual"] / memory["sl"],
    }
    benchmark.extra_info.update(report)
    with capsys.disabled():
        print(f"\n{device}, {n} x {num_classes}: " + ", ".join(f"{k} {v:.3g}" for k, v in report.items()))
