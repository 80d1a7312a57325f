"""A state comes back bit for bit, damage is noticed, and another run's state is not taken."""

import hashlib
import io

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sce_lib.experiments.training import checkpoint as module
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


MADE = {"images": "fingerprint", "device": "cpu", "threads": 1}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"images": "other"}, "it is of other data, so the run starts again"),
        ({"config": 1}, "another config"),
        ({"torch": "1.0"}, r"another version of torch \(.*, now 1\.0\)"),
        ({"code": "abc"}, r"other code of this package \([0-9a-f]{12}, now abc\)"),
        ({"machine": "a toaster"}, r"another machine \(.*, now a toaster\)"),
        ({"device": "a GPU"}, r"another device \(cpu, now a GPU\)"),
        ({"threads": 2}, r"another number of threads \(1, now 2\)"),
        ({"threads": 2, "images": "other"}, r"other data and another number of threads"),
    ],
)
def test_a_state_made_otherwise_is_not_taken_and_kept_aside(tmp_path, tiny_config, monkeypatch, other, said):
    def opened(images, device, threads):
        return Checkpoint(tiny_config(seed=other.get("config", 0)), images, tmp_path, device, threads)

    kept = Checkpoint(tiny_config(), *(MADE["images"], tmp_path, MADE["device"], MADE["threads"]))
    kept.save(STATE)
    monkeypatch.setattr(torch, "__version__", other.get("torch", torch.__version__))
    for name in ("code", "machine"):
        if name in other:
            function = {"code": "code_digest", "machine": "machine"}[name]
            monkeypatch.setattr(module, function, lambda value=other[name]: value)
    changed = opened(**MADE | {key: value for key, value in other.items() if key in MADE})
    changed.path = kept.path
    with pytest.warns(UserWarning, match=f"{said}.*damaged-1") as told:
        assert changed.load(CPU) is None
    assert len(told) == 1
    assert "\n" not in str(told[0].message)
    assert not kept.path.exists()


def test_who_only_looks_need_not_say_where(tmp_path, tiny_config):
    Checkpoint(tiny_config(), "fingerprint", tmp_path, "cpu", 3).save(STATE)
    assert Checkpoint(tiny_config(), "fingerprint", tmp_path).load(CPU).keys() == STATE.keys()


def test_a_file_of_the_first_format_is_started_again_from(checkpoint):
    """A digest of who owns it and what is in it, and then what is in it."""
    torch.save(STATE, content := io.BytesIO())
    checkpoint.path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.path.write_bytes(hashlib.sha256(content.getvalue()).digest() + content.getvalue())
    with pytest.warns(UserWarning, match="damaged, or of an older version, so the run starts again"):
        assert checkpoint.load(CPU) is None


def test_it_is_due_after_a_minute_or_as_told(tmp_path, tiny_config, monkeypatch):
    now = iter([0.0, 59.9, 60.0, 60.0, 119.0])
    monkeypatch.delenv("SCE_CHECKPOINT_SECONDS", raising=False)
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))
    checkpoint = Checkpoint(tiny_config(), "fingerprint", tmp_path)
    assert [checkpoint.due, checkpoint.due] == [False, True]
    checkpoint.save(STATE)
    assert not checkpoint.due
    monkeypatch.undo()
    monkeypatch.setenv("SCE_CHECKPOINT_SECONDS", "0")
    assert Checkpoint(tiny_config(), "fingerprint", tmp_path).due


@pytest.mark.parametrize("told", ["", "-1", "soon", "nan"])
def test_a_time_between_checkpoints_that_is_none(tmp_path, tiny_config, monkeypatch, told):
    monkeypatch.setenv("SCE_CHECKPOINT_SECONDS", told)
    with pytest.raises(
        ValueError, match=f"SCE_CHECKPOINT_SECONDS is a number of seconds, 0 or more, not '{told}'"
    ):
        Checkpoint(tiny_config(), "fingerprint", tmp_path)


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
