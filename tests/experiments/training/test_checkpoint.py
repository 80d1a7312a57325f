"""A state comes back bit for bit, damage is noticed, and another run's state is not taken."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sce_lib.experiments.training import discard_checkpoint, progress_of
from sce_lib.experiments.training.checkpoint import Checkpoint

CPU = torch.device("cpu")
STATE = {"weights": torch.arange(300.0), "lids": [1.5, 2.5], "epochs": [{"epoch": 1}], "turning": None}


@pytest.fixture
def checkpoint(tmp_path, tiny_config):
    return Checkpoint(tiny_config(), "fingerprint", tmp_path)


def test_a_state_comes_back_bit_for_bit_until_it_is_removed(checkpoint):
    assert checkpoint.load(CPU) is None
    checkpoint.save({"weights": torch.zeros(3)})
    checkpoint.save(STATE)
    state = checkpoint.load(CPU)
    assert torch.equal(state.pop("weights"), STATE["weights"])
    assert state == {key: value for key, value in STATE.items() if key != "weights"}
    checkpoint.remove()
    checkpoint.remove()
    assert checkpoint.load(CPU) is None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_is_noticed_and_the_file_kept(checkpoint, data):
    checkpoint.save(STATE)
    whole = checkpoint.path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    flip = data.draw(st.sampled_from([0, 1, 128, 255]))
    damaged = whole[:place] + (bytes([whole[place] ^ flip]) + whole[place + 1 :] if flip else b"")
    checkpoint.path.write_bytes(damaged)
    with pytest.warns(UserWarning, match="damaged"):
        assert checkpoint.load(CPU) is None
    assert not checkpoint.path.exists()
    (kept,) = checkpoint.path.parent.iterdir()
    assert kept.read_bytes() == damaged
    kept.unlink()


def test_another_runs_state_is_not_taken(checkpoint, tmp_path, tiny_config, monkeypatch):
    def others():
        yield Checkpoint(tiny_config(), "other data", tmp_path)
        changed = Checkpoint(tiny_config(seed=1), "fingerprint", tmp_path)
        changed.path = checkpoint.path
        yield changed
        monkeypatch.setattr(torch, "__version__", "1.0")
        yield Checkpoint(tiny_config(), "fingerprint", tmp_path)

    for number, other in enumerate(others(), start=1):
        checkpoint.save(STATE)
        with pytest.warns(UserWarning, match=f"damaged-{number}"):
            assert other.load(CPU) is None


def test_an_empty_file_is_a_damaged_one(checkpoint):
    checkpoint.path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.path.write_bytes(b"")
    with pytest.warns(UserWarning, match="damaged"):
        assert checkpoint.load(CPU) is None


def test_how_far_a_run_is_can_be_asked_until_it_ends(folders, tiny_config):
    config = tiny_config()
    assert progress_of(config) is None
    for epoch, accuracy in ((1, 0.25), (2, 0.5)):
        Checkpoint(config, "fingerprint").note(epoch, accuracy)
        assert progress_of(config) == (epoch, accuracy)
    assert progress_of(tiny_config(seed=1)) is None
    assert progress_of(config, folders / "elsewhere") is None
    discard_checkpoint(config)
    assert progress_of(config) is None
    assert list((folders / "cache" / "checkpoints").iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"epoch": 1}', '{"epoch": 1, "other": 2}'])
def test_a_damaged_note_tells_nothing(checkpoint, content):
    checkpoint.note(1, 0.5)
    (note,) = checkpoint.path.parent.iterdir()
    note.write_text(content)
    assert checkpoint.progress() is None
