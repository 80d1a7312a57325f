"""What a noise came to, and the labels themselves as a file that others can use."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sce_lib.files import write_atomically
from sce_lib.noise.labels import NoisyLabels, check_labels
from sce_lib.noise.matrices import Matrix


@dataclass(frozen=True, eq=False)
class NoiseReport:
    """One page on a set of noisy labels.

    Parameters
    ----------
    num_labels, num_flipped : int
        How many labels there are, and how many of them are wrong.
    rate : float
        The portion that is wrong, in [0, 1]; NaN without labels.
    class_counts : ndarray of int (K,)
        Samples in each true class.
    class_rates : ndarray (K,)
        The portion wrong in each; NaN for a class without a sample.
    requested, realised : ndarray (K, K)
        Transition matrices asked for and found.
    largest_deviation : float
        The largest ``|realised - requested|``, over the classes that have samples.
    sha256 : str
        Hash of the noisy labels: two sets are the same where it is.
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
    clean = check_labels(noisy.clean, noisy.num_classes)
    deviation = np.abs(noisy.realised - noisy.requested)
    return NoiseReport(
        num_labels=len(noisy),
        num_flipped=int(noisy.flipped.sum()),
        rate=noisy.rate,
        class_counts=np.bincount(clean.astype(np.int64), minlength=noisy.num_classes),
        class_rates=noisy.class_rates,
        requested=noisy.requested,
        realised=noisy.realised,
        largest_deviation=float(np.nanmax(deviation)) if len(noisy) else float("nan"),
        sha256=noisy.sha256,
    )


def export(noisy: NoisyLabels, path: str | Path) -> Path:
    """Write labels and flips to a file, whole or not at all.

    Parameters
    ----------
    noisy : NoisyLabels
        What to write; sample i of the file is sample i of the labels.
    path : path
        ``.csv``: a header and the columns index, clean, noisy, flipped (0 or 1). ``.npz``: arrays ``clean``,
        ``noisy`` (int64), ``flipped`` (bool), ``requested``, ``realised`` (float64), ``sha256``; read it with
        ``numpy.load``.

    Returns
    -------
    Path
        The file written. The same labels give the same bytes.

    Raises
    ------
    ValueError
        For another suffix.

    Examples
    --------
    >>> import tempfile
    >>> noisy = NoisyLabels.of([0, 1], [0, 0], num_classes=2)
    >>> print(export(noisy, Path(tempfile.mkdtemp()) / "labels.csv").read_text(), end="")
    index,clean,noisy,flipped
    0,0,0,0
    1,1,0,1
    """
    path = Path(path).expanduser()
    writers = {".csv": _csv, ".npz": _npz}
    if path.suffix not in writers:
        raise ValueError(f"labels are exported to .csv or .npz, not to {path.name!r}")
    clean, labels = (
        check_labels(side, noisy.num_classes).astype(np.int64) for side in (noisy.clean, noisy.labels)
    )
    write_atomically(path, writers[path.suffix](noisy, clean, labels))
    return path


def _csv(noisy: NoisyLabels, clean: np.ndarray, labels: np.ndarray) -> bytes:
    columns = np.column_stack([np.arange(len(clean)), clean, labels, clean != labels])
    buffer = io.StringIO()
    np.savetxt(buffer, columns, fmt="%d", delimiter=",", header="index,clean,noisy,flipped", comments="")
    return buffer.getvalue().encode()


def _npz(noisy: NoisyLabels, clean: np.ndarray, labels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        clean=clean,
        noisy=labels,
        flipped=clean != labels,
        requested=noisy.requested,
        realised=noisy.realised,
        sha256=noisy.sha256,
    )
    return buffer.getvalue()
