"""Losses, label noise, models and experiments around symmetric cross entropy."""

__version__ = "0.1.0"
