"""The package itself: what it shows, and that it loads nothing before it is asked for."""

import subprocess
import sys

import pytest

import sce_lib

ROOMS = {"losses", "noise", "models", "metrics", "theory", "data", "experiments", "report"}


def printed_by(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_rooms_are_shown_without_being_loaded():
    code = "import sys, sce_lib; print(*dir(sce_lib)); print(*sys.modules)"
    shown, loaded = (set(line.split()) for line in printed_by(code).splitlines())
    assert shown >= ROOMS | {"require_extra", "__version__"}
    assert not {name.split(".")[0] for name in loaded} & {"torch", "numpy", "pandas", "pydantic", "sklearn"}
    assert not any(name.startswith("sce_lib.") for name in loaded)


def test_a_room_is_loaded_when_it_is_asked_for():
    code = "import sce_lib; print(sce_lib.losses.get('sl')); print(sce_lib.theory.__name__)"
    assert printed_by(code).splitlines()[-1] == "sce_lib.theory"


def test_what_is_not_there_is_said_with_what_is():
    with pytest.raises(AttributeError, match="no attribute 'loses'; did you mean 'losses'"):
        sce_lib.loses  # noqa: B018
    assert not hasattr(sce_lib, "__wrapped__")
