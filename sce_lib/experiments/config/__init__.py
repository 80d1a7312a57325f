"""What a run is: `RunConfig`, its parts, and the presets that the paper's settings are kept in."""

from sce_lib.experiments.config.parts import Augmentation, Model, Noise, Optimisation
from sce_lib.experiments.config.presets import METHODS, Scale
from sce_lib.experiments.config.run import RunConfig

__all__ = ["METHODS", "Augmentation", "Model", "Noise", "Optimisation", "RunConfig", "Scale"]
