"""Property tests of exact arithmetic take what time they take: no deadline for a single example."""

from hypothesis import settings

settings.register_profile("no-deadline")
settings.load_profile("no-deadline")
