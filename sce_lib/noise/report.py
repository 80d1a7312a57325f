"""What a noise came to, and whom it takes for whom."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sce_lib.noise.classes import IGNORED, Integers
from sce_lib.noise.counts import count_indices, frequencies
from sce_lib.noise.labels import NoisyLabels
from sce_lib.noise.matrices import Matrix, check_matrix, symmetric_matrix


@dataclass(frozen=True, eq=False)
class NoiseReport:
    """One page on a set of noisy labels.

    Parameters
    ----------
    num_labels, num_flipped : int
        How many labels there are, and how many of them are wrong.
    rate : float
        The portion that is wrong, in [0, 1]; NaN without labels.
    class_counts, class_rates : ndarray (K,)
        Samples in each true class, and the portion wrong of them; NaN for a class without a sample.
    requested, realised : ndarray (K, K)
        Transition matrices asked for and found.
    largest_deviation : float
        The largest ``|realised - requested|``, over the classes that have samples.
    sha256 : str
        Hash of the noisy labels.
    """

    num_labels: int
    num_flipped: int
    rate: float
    class_counts: np.ndarray
    class_rates: Matrix
    requested: Matrix
    realised: Matrix
    largest_deviation: float
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """Return numbers, lists and strings alone, ready for JSON; what is undefined is None.

        Examples
        --------
        >>> report(NoisyLabels.of([0, 0], [0, 1], num_classes=2)).as_dict()["class_rates"]
        [0.5, None]
        """
        return {name: _plain(value) for name, value in vars(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | list):
        return [_plain(item) for item in np.asarray(value).tolist()]
    return None if isinstance(value, float) and np.isnan(value) else value


def report(noisy: NoisyLabels) -> NoiseReport:
    """Return what the noise came to.

    Examples
    --------
    >>> from sce_lib.noise import corrupt, symmetric_matrix
    >>> page = report(corrupt(np.repeat([0, 1, 2], 10), symmetric_matrix(3, 0.4), seed=0))
    >>> page.num_flipped, page.rate, page.class_counts.tolist()
    (12, 0.4, [10, 10, 10])
    """
    clean, _ = noisy.indices()
    deviation = np.abs(noisy.realised - noisy.requested)
    return NoiseReport(
        num_labels=noisy.num_labels,
        num_flipped=int(noisy.flipped.sum()),
        rate=noisy.rate,
        class_counts=np.bincount(clean[clean != IGNORED], minlength=noisy.num_classes),
        largest_deviation=float(np.nanmax(deviation)) if noisy.num_labels else float("nan"),
        **{name: getattr(noisy, name) for name in ("class_rates", "requested", "realised", "sha256")},
    )


@dataclass(frozen=True, eq=False)
class Pattern:
    """Which classes a transition matrix mislabels, and what it takes them for; one entry a true class.

    Parameters
    ----------
    class_rates : ndarray (K,)
        The portion wrong in each class, 1 - T_yy.
    from_symmetric : ndarray (K,)
        Total variation distance from symmetric noise of the same mean rate: the portion of the class's labels
        that would have to be others. 0 for symmetric noise.
    unevenness : ndarray (K,)
        The same distance from the class's own rate spread evenly, as a portion of its wrong labels: 0 where
        all other classes get as many, (K - 2)/(K - 1) where one gets all. NaN for a class without wrong ones.
    favourite : ndarray of int (K,)
        The wrong class that each is taken for most often.
    favourite_share : ndarray (K,)
        The portion of its wrong labels that go there; NaN for a class without any.
    margin : ndarray (K,)
        1 - η_y - max_k η_yk. Theorem 1 asks of asymmetric noise that it is positive in every class: that the
        right label is the most frequent one.
    """

    class_rates: Matrix
    from_symmetric: Matrix
    unevenness: Matrix
    favourite: Integers
    favourite_share: Matrix
    margin: Matrix


def pattern(matrix: ArrayLike) -> Pattern:
    """Return which classes a transition matrix mislabels and what it takes them for; classes count alike.

    Examples
    --------
    >>> found = pattern([[0.7, 0.2, 0.1], [0.0, 0.6, 0.4], [0.1, 0.1, 0.8]])
    >>> found.class_rates.round(6).tolist(), found.favourite.tolist(), found.margin.round(6).tolist()
    ([0.3, 0.4, 0.2], [1, 2, 0], [0.5, 0.2, 0.7])
    >>> found.from_symmetric.round(6).tolist(), found.unevenness.round(6).tolist()
    ([0.05, 0.25, 0.1], [0.166667, 0.5, 0.0])
    """
    T = check_matrix(matrix)
    K, wrong = len(T), T - np.diag(np.diag(T))
    rates = wrong.sum(axis=1)
    even = np.where(np.eye(K), 1 - rates[:, None], rates[:, None] / (K - 1))
    share = np.divide(wrong, rates[:, None], out=np.full_like(T, np.nan), where=rates[:, None] > 0)
    return Pattern(
        class_rates=rates,
        from_symmetric=total_variation(T, symmetric_matrix(K, rates.mean())),
        unevenness=np.where(rates > 0, total_variation(T, even) / np.where(rates > 0, rates, 1), np.nan),
        favourite=wrong.argmax(axis=1),
        favourite_share=share.max(axis=1),
        margin=np.diag(T) - wrong.max(axis=1),
    )


def total_variation(first: Matrix, second: Matrix) -> Matrix:
    """Return for each class how far apart its rows in two matrices are, (K,): half the sum of differences.

    Examples
    --------
    >>> total_variation(np.eye(2), np.array([[0.5, 0.5], [0.0, 1.0]])).tolist()
    [0.5, 0.0]
    """
    return np.abs(first - second).sum(axis=1) / 2


@dataclass(frozen=True, eq=False)
class Agreement:
    """How often two people are wrong about the same image, and how often their matrices alone would have it.

    Where the labels of two people depend on an image's class alone, they err independently of each other
    within a class. What goes beyond that is the doing of the image, or of something else in common.

    Parameters
    ----------
    first, second : ndarray of int (K, K)
        How many images of true class i were given label j by each.
    both_wrong, same_wrong : ndarray of int (K,)
        Images of each class that both mislabel, and those that they give the same wrong label.

    Examples
    --------
    >>> Agreement([[8, 2], [0, 10]], [[8, 2], [0, 10]], [2, 0], [2, 0]).wrong_too[0]
    1.0
    """

    first: Integers
    second: Integers
    both_wrong: Integers
    same_wrong: Integers

    def __post_init__(self) -> None:
        for name, counts in list(vars(self).items()):
            object.__setattr__(self, name, np.asarray(counts))
        if not np.array_equal(self.first.sum(axis=1), self.second.sum(axis=1)):
            raise ValueError("the two people labelled different numbers of images of a class")
        most = np.minimum(*(counts.sum(axis=1) - np.diag(counts) for counts in (self.first, self.second)))
        ordered = (self.same_wrong <= self.both_wrong) & (self.both_wrong <= most)
        if not (ordered & (self.same_wrong >= 0)).all():
            raise ValueError("same_wrong ≤ both_wrong ≤ each one's wrong labels does not hold in every class")

    def _expected(self) -> tuple[Matrix, Matrix]:
        """Images of each class that both would mislabel, and give the same wrong label, independently."""
        first, second = (np.nan_to_num(frequencies(counts)) for counts in (self.first, self.second))
        images = self.first.sum(axis=1)
        same = (first * second).sum(axis=1) - np.diag(first) * np.diag(second)
        return images * (1 - np.diag(first)) * (1 - np.diag(second)), images * same

    @property
    def wrong_too(self) -> tuple[float, float]:
        """Where the first is wrong, the portion where the second is too: found, and if independent."""
        wrong = self.first.sum() - np.trace(self.first)
        return float(self.both_wrong.sum() / wrong), float(self._expected()[0].sum() / wrong)

    @property
    def same_label(self) -> tuple[float, float]:
        """Where both are wrong, the portion with the same label: found, and if independent."""
        both, same = self._expected()
        return float(self.same_wrong.sum() / self.both_wrong.sum()), float(same.sum() / both.sum())


def agreement(first: NoisyLabels, second: NoisyLabels) -> Agreement:
    """Return how often two sets of labels of the same images, by their clean labels, are wrong together.

    Examples
    --------
    >>> one, other = (NoisyLabels.of([0, 0, 1], given, 2) for given in ([0, 1, 1], [1, 1, 1]))
    >>> agreement(one, other).both_wrong.tolist()
    [1, 0]
    """
    (clean, one), (also, other) = first.indices(), second.indices()
    if list(first.classes) != list(second.classes) or not np.array_equal(clean, also):
        raise ValueError("two sets of labels are compared image by image: these have other clean labels")
    K, counted = first.num_classes, clean != IGNORED
    both = (one != clean) & (other != clean) & counted
    return Agreement(
        count_indices(clean, one, K),
        count_indices(clean, other, K),
        np.bincount(clean[both], minlength=K),
        np.bincount(clean[both & (one == other)], minlength=K),
    )
