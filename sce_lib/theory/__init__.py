"""The paper's theory on finite problems: exact risks, Theorem 1 line by line, gradients, counterexamples.

What many functions take: `problem`, a `FiniteProblem` of n_x inputs, K classes and n_f classifiers; `table`,
an array (n_f, n_x, K), the loss of each classifier at each input under each label; `probabilities`, predicted
distributions (..., K), and a hard `label` or a distribution `target` for them; `loss`, a function of logits
(N, K) and labels (N,) to (N,), as all in `sce_lib.losses.functional`; α, β ≥ 0, the weights of CE and RCE in
SL, and A < 0, the value of log 0. Numbers are float64, or all of them fractions (see `rational`), on which
everything about RCE is exact. What is not so is refused with a `ValueError`.

>>> from sce_lib import theory
>>> problem = theory.random_problem("symmetric", num_classes=4, seed=0, exact=True)
>>> theory.symmetric_proof(problem, A=-4).gap()
0.0
"""

from sce_lib.theory import (
    bounds,
    classes,
    counterexamples,
    exercises,
    gradients,
    learning,
    network,
    problems,
    theorem,
)
from sce_lib.theory.bounds import *  # noqa: F403
from sce_lib.theory.classes import *  # noqa: F403
from sce_lib.theory.counterexamples import *  # noqa: F403
from sce_lib.theory.gradients import *  # noqa: F403
from sce_lib.theory.learning import *  # noqa: F403
from sce_lib.theory.network import *  # noqa: F403
from sce_lib.theory.problems import *  # noqa: F403
from sce_lib.theory.theorem import *  # noqa: F403

__all__ = ["exercises"]
__all__ += problems.__all__
__all__ += theorem.__all__
__all__ += classes.__all__
__all__ += counterexamples.__all__
__all__ += bounds.__all__
__all__ += gradients.__all__
__all__ += learning.__all__
__all__ += network.__all__
