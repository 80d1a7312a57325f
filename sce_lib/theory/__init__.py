"""The paper's theory on finite problems: exact risks, Theorem 1 line by line, gradients, counterexamples.

>>> from sce_lib import theory
>>> problem = theory.random_problem("symmetric", num_classes=4, seed=0, exact=True)
>>> theory.symmetric_proof(problem, A=-4).gap()
0.0
"""

from sce_lib.theory import exercises
from sce_lib.theory.classes import (
    SETTINGS,
    deterministic_classifiers,
    linear_classifiers,
    linear_grid,
    optimal_classifier,
    random_problem,
    uniform_flips,
)
from sce_lib.theory.counterexamples import Counterexample, find_counterexample, sl_table
from sce_lib.theory.gradients import (
    acceleration,
    ce_gradient,
    gradient_magnitude,
    gradient_peak,
    loss_of_probability,
    rce_gradient,
    sl_gradient,
    sl_gradient_simplified,
    sl_gradient_sum,
    sl_of_ce,
    sl_weight,
    softmax_jacobian,
    softmax_jacobian_by_quotient,
)
from sce_lib.theory.network import predictions_while_training
from sce_lib.theory.problems import (
    FiniteProblem,
    is_noise_tolerant,
    log_target,
    loss_table,
    minimisers,
    misclassification,
    noisy_risks,
    rational,
    rce_table,
    risks,
)
from sce_lib.theory.theorem import (
    Equation13,
    Line,
    Proof,
    SymmetricConclusion,
    affine_coefficients,
    asymmetric_proof,
    equation_13,
    symmetric_conclusion,
    symmetric_proof,
)

__all__ = [
    "SETTINGS",
    "Counterexample",
    "Equation13",
    "FiniteProblem",
    "Line",
    "Proof",
    "SymmetricConclusion",
    "acceleration",
    "affine_coefficients",
    "asymmetric_proof",
    "ce_gradient",
    "deterministic_classifiers",
    "equation_13",
    "exercises",
    "find_counterexample",
    "gradient_magnitude",
    "gradient_peak",
    "is_noise_tolerant",
    "linear_classifiers",
    "linear_grid",
    "log_target",
    "loss_of_probability",
    "loss_table",
    "minimisers",
    "misclassification",
    "noisy_risks",
    "optimal_classifier",
    "predictions_while_training",
    "random_problem",
    "rational",
    "rce_gradient",
    "rce_table",
    "risks",
    "sl_gradient",
    "sl_gradient_simplified",
    "sl_gradient_sum",
    "sl_of_ce",
    "sl_table",
    "sl_weight",
    "softmax_jacobian",
    "softmax_jacobian_by_quotient",
    "symmetric_conclusion",
    "symmetric_proof",
    "uniform_flips",
]
