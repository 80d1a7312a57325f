"""What is raised for data that cannot be used, and for data that are nowhere."""

__all__ = ["DatasetError", "DatasetNotFound"]


class DatasetError(ValueError):
    """The data are there but cannot be used: a broken image, a wrong size, a malformed file, a bad name."""


class DatasetNotFound(FileNotFoundError):
    """The data are neither on disk nor to be downloaded; the message says what was looked for and where."""
