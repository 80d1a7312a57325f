"""Speed of the training loop beside the usual one, and what each of its parts is worth; run by `make bench`.

All take turns in random order, so that a busy machine slows all alike, and ratios are taken turn by turn:
their median and their range are printed. The ceiling is the same operations: the network's convolutions and
dense layers alone, forward and backward, on inputs that lie ready. Times are kept turn by turn in
``data/benchmarks/training.json``. What runs in one thread is timed on the processor, which other work on the
machine hardly touches, the rest on the clock. Images are drawn at random: no data set is needed.
Nothing is asserted of the time.
"""

import contextlib
import copy
import multiprocessing
import random
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from reference import benchmarks
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from sce_lib.data import ImageData
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.cost import SIZES, flops_per_image
from sce_lib.experiments.training import build_criterion, train
from sce_lib.experiments.training import task as task_module
from sce_lib.experiments.training.loop import Run
from sce_lib.experiments.training.measure import outputs
from sce_lib.experiments.training.task import prepare
from sce_lib.models import build_model

CPU = torch.device("cpu")
BATCH, ROUNDS = 128, 5
# Network, width, data set whose images it takes, and batches of a turn: about a second each.
NETWORKS = {
    "cnn8, width 1": ("cnn8", 1.0, "cifar10", 2),
    "cnn8, width 0.25": ("cnn8", 0.25, "cifar10", 8),
    "cnn4, width 1": ("cnn4", 1.0, "mnist", 16),
}
SMALL = ["cnn8, width 0.25", "cnn4, width 1"]


# --- What is run -------------------------------------------------------------------------------------


def drawn(dataset, train_images, test_images):
    """Return random images of a data set's size."""
    size, rng = SIZES[dataset], np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", train_images), ("test", test_images)):
        pixels = rng.integers(256, size=(count, *size.side, size.channels), dtype=np.uint8)
        arrays |= {
            f"{split}_images": torch.from_numpy(pixels),
            f"{split}_labels": torch.arange(count) % size.classes,
        }
    names = tuple(map(str, range(size.classes)))
    return ImageData(name=dataset, classes=names, source="drawn at random", **arrays)


def config_of(network, **changes):
    name, width, dataset, _ = NETWORKS[network]
    return RunConfig.preset(
        dataset, "sl", "symmetric-0.4", profile="full", model={"name": name, "width": width}, **changes
    )


def our_run(network, data, **changes):
    return Run(prepare(config_of(network, **changes), CPU, data=data), CPU)


def picture(pixels):
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


class Pictures(Dataset):
    """Images as torchvision's data sets give them: one at a time, through PIL."""

    def __init__(self, images, labels, transform):
        self.images, self.labels, self.transform = images.numpy(), labels.tolist(), transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, number):
        return self.transform(picture(self.images[number])), self.labels[number]


class UsualLoop:
    """The loop of most public code: transforms image by image, channels first, plain SGD, eager, float32.

    The time of its workers counts only where the loop waits for them, and on the processor not at all.
    """

    def __init__(self, network, data, workers, clock):
        self.clock = clock
        config = config_of(network)
        channels = data.train_images.shape[3]
        moves = [
            transforms.RandomCrop(data.train_images.shape[1], padding=4),
            transforms.RandomHorizontalFlip(),
        ]
        last = [transforms.ToTensor(), transforms.Normalize([0.5] * channels, [0.25] * channels)]
        more = {"batch_size": BATCH, "num_workers": workers, "persistent_workers": workers > 0}
        self.train_batches, self.test_batches = (
            DataLoader(Pictures(images, labels, transforms.Compose(steps)), shuffle=shuffle, **more)
            for images, labels, steps, shuffle in (
                (data.train_images, data.train_labels, moves * config.augmentation.flip + last, True),
                (data.test_images, data.test_labels, last, False),
            )
        )
        size = SIZES[config.dataset]
        self.model = build_model(
            config.model.name, size.classes, size.channels, size.side, config.model.width
        )
        self.criterion = build_criterion(config.method, np.eye(size.classes), epochs=1)
        sgd = config.optimisation
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=sgd.lr, momentum=sgd.momentum, weight_decay=sgd.weight_decay
        )

    def train(self):
        """Return the seconds of all batches but the first, in which the workers start."""
        self.model.train()
        total, started = 0.0, 0.0
        for number, (images, labels) in enumerate(self.train_batches):
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
            if number == 0:
                started = self.clock()
        return self.clock() - started

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        return seconds(self._correct, self.clock)

    def _correct(self):
        return sum((self.model(x).argmax(1) == y).sum().item() for x, y in self.test_batches)


# --- How it is measured ------------------------------------------------------------------------------


def seconds(function, clock=time.perf_counter):
    started = clock()
    function()
    return clock() - started


def processor_seconds(function):
    return seconds(function, time.process_time)


def take_turns(benchmark, contestants, rounds=ROUNDS):
    """Return the seconds of each contestant, round by round, after a round to warm up."""
    kept, order = {name: [] for name in contestants}, random.Random(0)

    def one_round():
        for name in order.sample(sorted(contestants), k=len(contestants)):
            kept[name].append(contestants[name]())

    benchmark.pedantic(one_round, rounds=rounds, warmup_rounds=1)
    return {name: [round(value, 5) for value in values[1:]] for name, values in kept.items()}


def tell(capsys, report, part, name, measured):
    report(part, name, measured)
    with capsys.disabled():
        print(f"\n{part}: {name}")
        for line in benchmarks.told(measured):
            print(f"  {line}")


def layers_alone(run, clock):
    """Return what times a run's convolutions and dense layers alone, as often as an epoch calls them.

    Forward and backward; inputs and gradients lie ready, in the run's memory format, and the first layer's
    input has no gradient.
    """
    seen = []

    def look(layer, inputs, output):
        taken = inputs[0].detach().clone(memory_format=torch.preserve_format)
        taken.requires_grad_(bool(seen))
        seen.append((layer, taken, torch.randn_like(output)))

    kinds = torch.nn.Conv2d, torch.nn.Linear
    hooks = [m.register_forward_hook(look) for m in run.model.modules() if isinstance(m, kinds)]
    run.model(run.task.normalised(run.task.images[:BATCH]))
    for hook in hooks:
        hook.remove()

    def once():
        for layer, taken, gradient in seen:
            wanted = [*layer.parameters(), *([taken] if taken.requires_grad else [])]
            torch.autograd.grad(layer(taken), wanted, gradient)

    batches = len(run.task.labels) // BATCH
    return lambda: seconds(lambda: [once() for _ in range(batches)], clock)


# --- The whole loop ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("network", NETWORKS)
def test_loop(benchmark, capsys, report, threads, network, count):
    threads(count)
    clock = time.process_time if count == 1 else time.perf_counter
    name, width, dataset, batches = NETWORKS[network]
    small = network in SMALL
    # The usual loop's first batch is not timed.
    data = drawn(dataset, (batches + 1) * BATCH, (4 if small else 2) * BATCH)
    ours = our_run(network, data, n_train=batches * BATCH)
    half = our_run(network, data, n_train=batches * BATCH, precision="bfloat16")
    usual = {workers: UsualLoop(network, data, workers, clock) for workers in (0, 2)}
    contestants = {
        "this loop": lambda: seconds(lambda: ours.train_epoch(0), clock),
        "this loop, evaluation": lambda: seconds(
            lambda: outputs(ours.model, ours.task, data.test_images), clock
        ),
        benchmarks.CEILING: layers_alone(ours, clock),
        "this loop, bfloat16": lambda: seconds(lambda: half.train_epoch(0), clock),
    }
    for workers, loop in usual.items():
        contestants |= {
            f"usual, {workers} workers": loop.train,
            f"usual, {workers} workers, evaluation": loop.evaluate,
        }
    measured = {
        "threads": count,
        "images": batches * BATCH,
        "test_images": len(data.test_labels),
        "flops": flops_per_image(name, width, SIZES[dataset]),
        "seconds": take_turns(benchmark, contestants, ROUNDS if small else 3),
    }
    tell(capsys, report, "loop", f"{network}, {count} thread{'s' * (count > 1)}", measured)


def test_speed_on_resnet44(benchmark, capsys, report, one_thread):
    data = drawn("cifar100", BATCH, BATCH)
    config = RunConfig.preset("cifar100", "sl", profile="full")
    ours = Run(prepare(config, CPU, data=data), CPU)
    measured = {
        "threads": 1,
        "images": BATCH,
        "flops": flops_per_image("resnet44", 1.0, SIZES["cifar100"]),
        "seconds": take_turns(
            benchmark,
            {
                "this loop": lambda: processor_seconds(lambda: ours.train_epoch(0)),
                benchmarks.CEILING: layers_alone(ours, time.process_time),
            },
            rounds=3,
        ),
    }
    tell(capsys, report, "loop", "resnet44, width 1, 1 thread", measured)


# --- Its parts ---------------------------------------------------------------------------------------


def pil_augment(images, *, shift, flip, rotation, generator, index):
    """Shift and flip image by image, as torchvision's transforms do on PIL images."""
    steps = [transforms.RandomCrop(images.shape[1], padding=shift, padding_mode="edge")]
    move = transforms.Compose([*steps, *([transforms.RandomHorizontalFlip()] if flip else [])])
    moved = [np.asarray(move(picture(pixels))) for pixels in images[index].numpy()]
    return torch.from_numpy(np.stack(moved)).reshape(len(moved), *images.shape[1:])


@contextlib.contextmanager
def pil_augmentation():
    batched, task_module.augment = task_module.augment, pil_augment
    yield
    task_module.augment = batched


@contextlib.contextmanager
def no_denormals():
    torch.set_flush_denormal(True)
    yield
    torch.set_flush_denormal(False)


def channels_first(run):
    run.model.to(memory_format=torch.contiguous_format)
    run.forward = lambda images: run.model(images.contiguous())


def unfused(run):
    sgd = run.config.optimisation
    run.optimizer = torch.optim.SGD(run.model.parameters(), lr=sgd.lr, momentum=sgd.momentum)


@pytest.mark.parametrize("network", SMALL)
def test_parts_of_training(benchmark, capsys, report, one_thread, network):
    *_, dataset, batches = NETWORKS[network]
    data = drawn(dataset, batches * BATCH, BATCH)
    moved = {"augmentation": {"shift": 4, "flip": dataset == "cifar10"}}
    runs = {
        "channels first": our_run(network, data, **moved),
        "SGD not fused": our_run(network, data, **moved),
        "torch.compile": our_run(network, data, compile=True, **moved),
        "bfloat16": our_run(network, data, precision="bfloat16", **moved),
    }
    channels_first(runs["channels first"])
    unfused(runs["SGD not fused"])
    plain = our_run(network, data, **moved)
    within = {"PIL transforms": pil_augmentation, "denormals flushed": no_denormals}

    def turn(name):
        with within.get(name, contextlib.nullcontext)():
            return processor_seconds(lambda: runs.get(name, plain).train_epoch(0))

    names = ["this loop", *runs, *within]
    measured = {
        "threads": 1,
        "images": batches * BATCH,
        "seconds": take_turns(benchmark, {name: lambda name=name: turn(name) for name in names}),
    }
    tell(capsys, report, "parts of training", network, measured)


def folded(model):
    """Return a copy in evaluation mode with every BatchNorm of the convolutions folded into its layer."""
    model = copy.deepcopy(model).eval()
    layers = list(model.convolutions)
    for number, layer in enumerate(layers):
        if isinstance(layer, torch.nn.BatchNorm2d):
            layers[number - 1] = fuse_conv_bn_eval(layers[number - 1], layer)
            layers[number] = torch.nn.Identity()
    model.convolutions = torch.nn.Sequential(*layers)
    return model


@pytest.mark.parametrize("network", SMALL)
def test_parts_of_evaluation(benchmark, capsys, report, one_thread, network):
    *_, dataset, _ = NETWORKS[network]
    data = drawn(dataset, 4 * BATCH, 2_000)
    run = our_run(network, data)
    run.train_epoch(0)  # running statistics that are not those of the start
    images, short = data.test_images, folded(run.model)
    logits, differing = (outputs(model, run.task, images) for model in (run.model, short))
    measured = {
        "threads": 1,
        "images": len(images),
        "difference": (logits - differing).abs().max().item(),
        "seconds": take_turns(
            benchmark,
            {
                "this loop": lambda: processor_seconds(lambda: outputs(run.model, run.task, images)),
                "BatchNorm folded": lambda: processor_seconds(lambda: outputs(short, run.task, images)),
            },
        ),
    }
    tell(capsys, report, "parts of evaluation", network, measured)


# --- Several runs ------------------------------------------------------------------------------------


def test_two_workers_of_one_thread(benchmark, capsys, report, tmp_path):
    """Two runs at a time in a thread each, against one after the other in two threads."""
    data = drawn("cifar10", 6 * BATCH, BATCH)
    config = config_of("cnn8, width 0.25", embedding=0)
    short = config.optimisation.model_copy(update={"epochs": 1, "milestones": ()})
    configs = [config.model_copy(update={"optimisation": short, "seed": seed}) for seed in (0, 1)]
    pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
    turns = iter(range(1_000))

    def run(one, count):
        folder = tmp_path / str(next(turns))
        return pool.submit(train, one, "cpu", threads=count, data=data, checkpoints=folder, progress=False)

    def together():
        for future in [run(one, 1) for one in configs]:
            future.result()

    def one_by_one():
        for one in configs:
            run(one, 2).result()

    with pool:
        together()  # both processes have imported torch
        measured = {
            "images": 2 * len(data.train_labels),
            "seconds": take_turns(
                benchmark,
                {
                    "side by side": lambda: seconds(together),
                    "one after the other, 2 threads": lambda: seconds(one_by_one),
                },
            ),
        }
    tell(capsys, report, "workers", "cnn8, width 0.25", measured)
