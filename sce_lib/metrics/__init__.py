"""What is measured of a network, which labels its predictions speak against, and how well that finds them.

Labels are class indices in [0, K), shape (N,); probabilities are (N, K); accuracies are in [0, 1].
A class without a sample has no accuracy: it is NaN.

>>> import torch
>>> from sce_lib import metrics
>>> logits = torch.tensor([[4.0, 0.0], [4.0, 0.0], [0.0, 4.0], [1.0, 0.0]])
>>> labels, flipped = torch.tensor([0, 1, 1, 0]), torch.tensor([False, True, False, False])
>>> found = metrics.suspects(logits, labels)
>>> found.indices.tolist(), metrics.detection(found, flipped).auroc
([1, 3, 0, 2], 1.0)
"""

from sce_lib.metrics import calibration, networks, ranking, retrieval
from sce_lib.metrics.calibration import *  # noqa: F403
from sce_lib.metrics.networks import *  # noqa: F403
from sce_lib.metrics.ranking import *  # noqa: F403
from sce_lib.metrics.retrieval import *  # noqa: F403

__all__: list[str] = []
__all__ += calibration.__all__
__all__ += networks.__all__
__all__ += ranking.__all__
__all__ += retrieval.__all__
