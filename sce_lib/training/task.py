"""What a run trains on: images, corrupted labels and pixel statistics, all on the device."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sce_lib.augment import augment, normalise
from sce_lib.config import RunConfig
from sce_lib.datasets import ImageData, load_dataset, stratified_subset, training_statistics
from sce_lib.noise import NoisyLabels, asymmetric_matrix, corrupt, load_human_labels, symmetric_matrix
from sce_lib.paths import data_root

# Test images looked at each epoch where all of them would cost more than a fifth of the epoch. A forward
# pass is about a third of a training step, so that is so where they exceed 0.6 of the training images.
TEST_SUBSET = 2_000
TEST_SUBSET_FROM = 0.6


@dataclass(frozen=True)
class Task:
    """A run's data on its device.

    Parameters
    ----------
    images, labels : Tensor
        Training images, uint8 (N, H, W, C), and the labels that training sees, int64 (N,).
    true_labels, flipped : Tensor
        Labels before the noise, and whose the noise has changed, (N,).
    test_images, test_labels : Tensor
        The whole test set.
    epoch_test : Tensor
        Indices of the test images looked at each epoch.
    mean, std : Tensor
        What `normalise` subtracts and divides by, in units of [0, 1].
    noisy : NoisyLabels
        The noise: the transition matrix that was asked for, and what came of it.
    data : ImageData
        Where it all comes from.
    """

    config: RunConfig
    images: Tensor
    labels: Tensor
    true_labels: Tensor
    flipped: Tensor
    test_images: Tensor
    test_labels: Tensor
    epoch_test: Tensor
    mean: Tensor
    std: Tensor
    noisy: NoisyLabels
    data: ImageData

    @property
    def num_classes(self) -> int:
        """How many classes the data set names."""
        return len(self.data.classes)

    def training_batch(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """Return augmented and normalised training images, (n, C, H, W) in channels-last memory."""
        how = self.config.augmentation
        batch = augment(
            self.images,
            index=index,
            shift=how.shift if how.shift < 1 else int(how.shift),
            flip=how.flip,
            rotation=how.rotation,
            generator=generator,
        )
        return self.normalised(batch)

    def normalised(self, images: Tensor) -> Tensor:
        """Return uint8 images (n, H, W, C) as the network takes them, (n, C, H, W)."""
        return normalise(images, self.mean, self.std)


def _noisy_labels(
    config: RunConfig, labels: Tensor, subset: Tensor, num_classes: int, root: Path
) -> NoisyLabels:
    noise = config.noise
    if noise.kind == "human":
        name = {"cifar10": "CIFAR-10_human.pt", "cifar100": "CIFAR-100_human.pt"}.get(config.dataset)
        if name is None:
            raise ValueError(
                f"there are no human labels for {config.dataset!r}: they are of cifar10 and cifar100"
            )
        assert noise.label_set is not None  # the config's own check
        return load_human_labels(root / name, noise.label_set, index=subset, clean=labels)
    if noise.kind == "asymmetric":
        matrix = asymmetric_matrix(config.dataset, noise.rate, variant=noise.variant, seed=config.noise_seed)
    else:
        counts = np.bincount(labels.numpy(), minlength=num_classes)
        matrix = symmetric_matrix(num_classes, noise.rate, noise.variant, counts)
    if len(matrix) != num_classes:
        raise ValueError(
            f"{noise.slug} noise of {config.dataset} is of {len(matrix)} classes, the data have {num_classes}"
        )
    return corrupt(labels, matrix, seed=config.noise_seed, exact=noise.exact)


def _statistics(config: RunConfig, data: ImageData) -> tuple[Tensor, Tensor]:
    if config.normalisation == "scale":
        return torch.zeros(()), torch.ones(())
    statistics = training_statistics(data)
    if config.normalisation == "channel":
        return statistics.mean, statistics.std
    return statistics.pixel_mean, torch.ones(())


def prepare(
    config: RunConfig, device: torch.device, root: Path | None = None, data: ImageData | None = None
) -> Task:
    """Load, subset, corrupt and move what a run needs.

    Raises
    ------
    ValueError
        For a training subset that the data set is too small for, noise that it does not have, or a label
        that is none of its classes.
    DatasetNotFound
        If the data set is neither there nor to be downloaded.
    """
    data = data or load_dataset(config.dataset, root=root)
    num_classes = len(data.classes)
    available = len(data.train_labels)
    if config.n_train is not None and config.n_train > available:
        raise ValueError(f"n_train is {config.n_train}, but {config.dataset} has {available} training images")
    if available < 2:
        raise ValueError(f"{config.dataset} has {available} training image; BatchNorm needs at least 2")
    subset = torch.arange(available)
    if config.n_train is not None:
        subset = stratified_subset(data.train_labels, config.n_train, seed=config.subset_seed)
    true_labels = data.train_labels[subset]
    noisy = _noisy_labels(config, true_labels, subset, num_classes, root or data_root())
    n_test = len(data.test_labels)
    shortened = n_test > max(TEST_SUBSET, TEST_SUBSET_FROM * len(subset))
    epoch_test = (
        stratified_subset(data.test_labels, TEST_SUBSET, seed=0) if shortened else torch.arange(n_test)
    )
    mean, std = _statistics(config, data)
    return Task(
        config=config,
        images=data.train_images[subset].to(device),
        labels=torch.as_tensor(noisy.labels).to(device),
        true_labels=true_labels.to(device),
        flipped=torch.as_tensor(noisy.flipped).to(device),
        test_images=data.test_images.to(device),
        test_labels=data.test_labels.to(device),
        epoch_test=epoch_test.to(device),
        mean=mean.float().to(device),
        std=std.float().to(device),
        noisy=noisy,
        data=data,
    )
