"""What a run is: `RunConfig`, its parts, and the presets that the paper's settings are kept in."""

from sce_lib.config.presets import METHODS
from sce_lib.config.schema import Augmentation, Model, Noise, Optimisation, RunConfig

__all__ = ["METHODS", "Augmentation", "Model", "Noise", "Optimisation", "RunConfig"]
