"""What a run trains on: images, corrupted labels and pixel statistics, on the device or read from disk."""

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sce_lib import noise
from sce_lib.data import ImageData, ImageReader, LazyImageData, load_clothing1m, load_dataset
from sce_lib.data.augmentation import augment, normalise
from sce_lib.data.sampling import stratified_subset
from sce_lib.data.statistics import training_statistics
from sce_lib.experiments.config import RunConfig
from sce_lib.files import data_root
from sce_lib.noise.counts import frequencies

# Test images looked at each epoch where all of them would cost more than a fifth of the epoch. A forward
# pass is about a third of a training step, so that is so where they exceed 0.6 of the training images.
TEST_SUBSET = 2_000
TEST_SUBSET_FROM = 0.6
# More processes than these read no faster than a GPU trains ResNet-50.
MOST_WORKERS = 8


def epoch_test_size(train: int, test: int) -> int:
    """Return how many of the test images are looked at each epoch.

    Examples
    --------
    >>> epoch_test_size(50_000, 10_000), epoch_test_size(10_000, 10_000)
    (10000, 2000)
    """
    return TEST_SUBSET if test > max(TEST_SUBSET, TEST_SUBSET_FROM * train) else test


class CappedWarning(UserWarning):
    """A run has fewer images, or smaller batches, than its config asks for; the record has their number."""


# uint8 images in memory, (N, H, W, C), or what reads them from disk.
Images = Tensor | ImageReader


@dataclass(frozen=True)
class Task:
    """A run's data on its device.

    Parameters
    ----------
    images, test_images : Images
        uint8 (N, H, W, C), in memory or read from disk.
    labels, test_labels : Tensor
        The labels that training sees, and those of the test images, int64 (N,).
    clean, flipped : Tensor
        Labels before the noise, and whose the noise has changed, (N,). Where the true labels are not known,
        the given ones stand for them and none counts as changed.
    epoch_test : Tensor
        Indices of the test images looked at each epoch.
    mean, std : Tensor
        What `normalise` subtracts and divides by, in units of [0, 1].
    noisy : NoisyLabels
        The noise: the transition matrix that was asked for, and what came of it.
    data : ImageData or LazyImageData
        Where it all comes from.
    """

    config: RunConfig
    images: Images
    labels: Tensor
    clean: Tensor
    flipped: Tensor
    test_images: Images
    test_labels: Tensor
    epoch_test: Tensor
    mean: Tensor
    std: Tensor
    noisy: noise.NoisyLabels
    data: ImageData | LazyImageData

    def close(self) -> None:
        """Stop the processes that read images, where there are any."""
        for images in (self.images, self.test_images):
            if isinstance(images, ImageReader):
                images.close()

    @property
    def num_classes(self) -> int:
        """How many classes the data set names."""
        return len(self.data.classes)

    @property
    def clean_known(self) -> bool:
        """Whether `clean` are the true ones: Clothing1M's training images have noisy labels alone."""
        return isinstance(self.data, ImageData)

    def training_batches(
        self, order: Iterable[Tensor], generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each batch of indices with its images, augmented and normalised, (n, C, H, W), channels-last.

        The generator is drawn from as the batches are asked for, for images in memory and on disk alike.
        """
        if isinstance(self.images, Tensor):
            for index in order:
                yield index, self.training_batch(index, generator)
        else:
            order = list(order)
            for index, images in zip(order, self.images.batches(order), strict=True):
                yield index, self._augmented(images, None, generator)

    def training_batch(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """Return augmented and normalised training images of those in memory, as `training_batches` does."""
        assert isinstance(self.images, Tensor)
        return self._augmented(self.images, index, generator)

    def _augmented(self, images: Tensor, index: Tensor | None, generator: torch.Generator) -> Tensor:
        how = self.config.augmentation.model_dump()
        if how["shift"] >= 1:
            how["shift"] = int(how["shift"])
        return self.normalised(augment(images, index=index, generator=generator, **how))

    def normalised(self, images: Tensor) -> Tensor:
        """Return uint8 images (n, H, W, C) as the network takes them, (n, C, H, W)."""
        return normalise(images, self.mean, self.std)


def _noisy_labels(config: RunConfig, data: ImageData, subset: Tensor, root: Path) -> noise.NoisyLabels:
    asked, labels, k = config.noise, data.train_labels[subset], len(data.classes)
    if asked.kind == "human":
        name = {"cifar10": "CIFAR-10_human.pt", "cifar100": "CIFAR-100_human.pt"}.get(config.dataset)
        if name is None:
            raise ValueError(
                f"there are no human labels for {config.dataset!r}: they are of cifar10 and cifar100"
            )
        assert asked.label_set is not None  # the config's own check
        return noise.load_human_labels(root / name, asked.label_set, index=subset, clean=labels)
    if asked.kind in ("instance", "confidence"):
        images, how = data.train_images[subset], (asked.rate, config.noise_seed, asked.exact)
        if asked.kind == "instance":
            return noise.instance_noise(images, labels, *how, classes=range(k))
        reference = noise.reference_probabilities(images, labels, classes=range(k))
        return noise.confidence_noise(reference, labels, *how, classes=range(k))
    if asked.kind == "asymmetric":
        matrix = noise.asymmetric_matrix(config.dataset, asked.rate, asked.variant, config.noise_seed)
    else:
        counts = np.bincount(labels.numpy(), minlength=k)
        matrix = noise.symmetric_matrix(k, asked.rate, asked.variant, counts)
    if len(matrix) != k:
        raise ValueError(
            f"{asked.slug} noise of {config.dataset} is of {len(matrix)} classes, the data have {k}"
        )
    wrong = matrix - np.diag(np.diag(matrix))
    if asked.kind != "none" and (np.diag(matrix) <= wrong.max(axis=1)).any():
        warnings.warn(
            f"{asked.slug} noise of {config.dataset} leaves classes whose right label is no more frequent "
            "than a wrong one: no loss can tell which of the two is meant",
            stacklevel=3,
        )
    return noise.corrupt(labels, matrix, config.noise_seed, asked.exact, classes=range(k))


def _labels_as_given(config: RunConfig, data: LazyImageData, labels: Tensor) -> noise.NoisyLabels:
    """Return labels whose true values nobody knows, beside the matrix estimated from images with both."""
    if config.noise.kind != "none":
        raise ValueError(
            f"{config.noise.slug} noise was asked for, but the labels of {config.dataset} are noisy as they "
            "come; give noise 'none'"
        )
    estimated = frequencies(data.noise_counts.numpy())
    unseen = [name for name, row in zip(data.classes, estimated, strict=True) if np.isnan(row).any()]
    corrects = config.method.name == "backward" or getattr(config.method, "matrix", "identity") == "true"
    if corrects and unseen:
        raise ValueError(
            f"{config.method.name} needs the transition matrix, which is estimated from images with a clean "
            f"and a noisy label; of clean class {', '.join(unseen)} there is none"
        )
    unflipped, unknown = torch.zeros_like(labels, dtype=torch.bool), np.full_like(estimated, np.nan)
    return noise.NoisyLabels(labels, labels, unflipped, requested=estimated, realised=unknown)


def _statistics(config: RunConfig, data: ImageData | LazyImageData, workers: int) -> tuple[Tensor, Tensor]:
    if config.normalisation == "scale":
        return torch.zeros(()), torch.ones(())
    if isinstance(data, ImageData):
        statistics = training_statistics(data)
    else:
        statistics = data.statistics(num_workers=workers)
    if config.normalisation == "channel":
        return statistics.mean, statistics.std
    return statistics.pixel_mean, torch.ones(())


def load_images(
    config: RunConfig, root: Path | None = None, download: bool = True
) -> ImageData | LazyImageData:
    """Return the images that a run is to be trained on; what is absent may be downloaded.

    Raises
    ------
    DatasetNotFound, DatasetError
        As `sce_lib.data.load_dataset` and `sce_lib.data.load_clothing1m` do.
    """
    if config.dataset == "clothing1m":
        return load_clothing1m(root / "clothing1m" if root else None, draft=config.jpeg_draft)
    return load_dataset(config.dataset, root=root, download=download)


def shortfalls(config: RunConfig, available: int) -> list[str]:
    """Return what a run cannot have of what its config asks for, a sentence each, and what it has instead.

    Examples
    --------
    >>> shortfalls(RunConfig.preset("birds", "sl"), available=96)
    ['birds has 96 training images: a run has all of them, not 10,000', 'a batch of birds is of 96, not 128']
    """
    name, batch = config.dataset, config.optimisation.batch_size
    size, said = min(config.n_train or available, available), []
    if config.n_train is not None and config.n_train > available:
        said.append(
            f"{name} has {available:,} training images: a run has all of them, not {config.n_train:,}"
        )
    if batch > size:
        said.append(f"a batch of {name} is of {size:,}, not {batch:,}")
    return said


def num_training_images(data: ImageData | LazyImageData) -> int:
    """Return how many training images there are."""
    return len(data.train) if isinstance(data, LazyImageData) else len(data.train_labels)


def choose_and_corrupt(
    config: RunConfig, data: ImageData | LazyImageData, root: Path | None = None
) -> tuple[Tensor, Tensor, noise.NoisyLabels]:
    """Return a run's training subset as indices, int64 (N,), its labels as given, and with the noise.

    A subset larger than the data are is all of them.

    Raises
    ------
    ValueError
        As `prepare` does, and a `FileNotFoundError` for human labels that are not there.
    """
    train_labels = data.train.labels if isinstance(data, LazyImageData) else data.train_labels
    available = num_training_images(data)
    if available < 2:
        raise ValueError(f"{config.dataset} has {available} training image; BatchNorm needs at least 2")
    subset = torch.arange(available)
    if config.n_train is not None and config.n_train < available:
        subset = stratified_subset(train_labels, config.n_train, seed=config.subset_seed)
    clean = train_labels[subset]
    if isinstance(data, LazyImageData):
        return subset, clean, _labels_as_given(config, data, clean)
    return subset, clean, _noisy_labels(config, data, subset, root or data_root())


def prepare(
    config: RunConfig,
    device: torch.device,
    root: str | Path | None = None,
    data: ImageData | LazyImageData | None = None,
    workers: int | None = None,
) -> Task:
    """Load, subset, corrupt and move what a run needs; a `CappedWarning` says where there is less of it.

    Raises
    ------
    ValueError
        For fewer than 2 training images, noise that the data set does not have, or a label that is none of
        its classes; a method that needs a transition matrix which cannot be estimated; workers below 0.
    DatasetNotFound
        If the data set is neither there nor to be downloaded.
    """
    root = Path(root) if root else None
    data = data or load_images(config, root)
    if workers is None:
        workers = min(MOST_WORKERS, (os.cpu_count() or 1) - 1)
    if workers < 0:
        raise ValueError(f"workers is how many processes read images, 0 or more, not {workers}")
    subset, clean, noisy = choose_and_corrupt(config, data, root)
    images: Images
    test_images: Images
    if isinstance(data, LazyImageData):
        if data.train.draft != config.jpeg_draft:
            raise ValueError(
                f"jpeg_draft is {config.jpeg_draft}, but the images that were given are opened with "
                f"draft={data.train.draft}"
            )
        test_labels = data.test.labels
        images = ImageReader(data.train, device, workers, subset)
        test_images = ImageReader(data.test, device, workers)
    else:
        test_labels = data.test_labels
        images, test_images = data.train_images[subset].to(device), data.test_images.to(device)
    for said in shortfalls(config, num_training_images(data)):
        warnings.warn(said, CappedWarning, stacklevel=2)
    n_test = len(test_labels)
    epoch_test, looked_at = torch.arange(n_test), epoch_test_size(len(subset), n_test)
    if looked_at < n_test:
        epoch_test = stratified_subset(test_labels, looked_at, seed=0)
    mean, std = _statistics(config, data, workers)
    return Task(
        config=config,
        images=images,
        labels=torch.as_tensor(noisy.labels).to(device),
        clean=clean.to(device),
        flipped=torch.as_tensor(noisy.flipped).to(device),
        test_images=test_images,
        test_labels=test_labels.to(device),
        epoch_test=epoch_test.to(device),
        mean=mean.float().to(device),
        std=std.float().to(device),
        noisy=noisy,
        data=data,
    )
