"""The same work on other machines: a dask.distributed cluster as an executor."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager


@contextmanager
def dask_executor(address: str, gpu_share: float | None = None) -> Iterator[Executor]:
    """Connect to a Dask scheduler and hand its workers out as an executor for `run`.

    Dask brings work from a worker that was lost to another one. Records come back to whoever called; a worker
    needs no folder of ours, only this package, the data, and a place for its checkpoints.

    Parameters
    ----------
    address : str
        Of the scheduler, ``"tcp://127.0.0.1:8786"``; ``"tls://..."`` where it encrypts, with the certificate
        that Dask's own settings name (``distributed.comm.tls``).
    gpu_share : float, optional
        Part of a worker's resource ``GPU`` that a run takes, above 0 and at most 1: 1 for one run at a time
        on each GPU, 0.5 for two. No resource is asked for where it is not given.

    Raises
    ------
    ImportError, ConnectionError, ValueError
        If dask.distributed is not installed; no scheduler answers; the share is out of range.
    """
    if gpu_share is not None and not 0 < gpu_share <= 1:
        raise ValueError(f"the share of a GPU is above 0 and at most 1, not {gpu_share}")
    try:
        import distributed
    except ImportError as error:
        raise ImportError("a cluster needs dask.distributed: pip install 'sce-lib[cluster]'") from error
    try:
        client = distributed.Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # the last where TLS is asked for without a certificate
        raise ConnectionError(f"no Dask scheduler answers at {address}: {error}") from error
    resources = {} if gpu_share is None else {"resources": {"GPU": gpu_share}}
    with client:
        yield client.get_executor(pure=False, **resources)
