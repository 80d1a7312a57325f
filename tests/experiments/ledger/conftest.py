"""What was opened, as the system was asked for it."""

import io

import pytest


@pytest.fixture
def opened(monkeypatch):
    """Return the list of files that are opened from here on, in order."""
    files, open_file = [], io.open

    def watched(file, *arguments, **options):
        files.append(str(file))
        return open_file(file, *arguments, **options)

    monkeypatch.setattr(io, "open", watched)
    return files
