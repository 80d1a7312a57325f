"""Dimensionality-driven learning: the state machine that acts on the estimate of dimensionality."""

import io
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import batch
from torch.testing import assert_close

from sce_lib.losses import D2L, CrossEntropy, SymmetricCrossEntropy

FALLING = [8.0, 7.0, 6.0, 5.2, 5.0]


def watched(lids, loss=None, **settings):
    d2l = D2L(loss or CrossEntropy(), **{"epochs": 20, "window": 3, "first_epoch": 1, **settings})
    return d2l, [d2l.observe(epoch, lid) for epoch, lid in enumerate(lids)]


class TestStateMachine:
    @settings(max_examples=60)
    @given(
        lids=st.lists(st.floats(0.5, 50), min_size=1, max_size=15),
        window=st.integers(2, 4),
        first_epoch=st.integers(0, 3),
    )
    def test_follows_the_papers_rules(self, lids, window, first_epoch):
        d2l = D2L(CrossEntropy(), epochs=30, window=window, first_epoch=first_epoch)
        turning = None
        for i, lid in enumerate(lids):
            action = d2l.observe(i, lid)
            past = np.array(lids[i - window : i]) if i >= first_epoch + window else None
            turns = turning is None and past is not None and lid > np.mean(past) + 2 * np.std(past) + 1e-9
            near = past is not None and abs(lid - np.mean(past) - 2 * np.std(past)) <= 1e-9
            if near:  # too close to call in floating point
                return
            assert action == ("rollback" if turns else "continue")
            turning = i if turns else turning
            expected = 1.0 if turning is None else math.exp(-(i / 30) * lid / min(lids[:i]))
            assert float(d2l.alpha) == pytest.approx(expected)
        assert d2l.turning_point == turning

    def test_rolls_back_once(self):
        _, actions = watched([*FALLING, 9.0, 20.0, 60.0])
        assert actions == ["continue"] * 5 + ["rollback"] + ["continue"] * 2

    def test_is_the_plain_loss_before_the_turning_point(self):
        data = batch()
        d2l, _ = watched(FALLING, SymmetricCrossEntropy())
        assert_close(d2l(data.logits, data.labels), SymmetricCrossEntropy()(data.logits, data.labels))
        assert d2l.turning_point is None

    def test_mixes_labels_with_predictions_after_it(self):
        data = batch()
        d2l, _ = watched([*FALLING, 9.0])
        alpha = math.exp(-(5 / 20) * 9.0 / 5.0)
        own = F.one_hot(data.logits.argmax(1), 5)
        target = alpha * F.one_hot(data.labels, 5) + (1 - alpha) * own
        assert_close(d2l(data.logits, data.labels), F.cross_entropy(data.logits, target.double()))

    def test_a_checkpoint_resumes_anywhere(self):
        lids = [*FALLING, 9.0, 8.0, 12.0]
        whole, actions = watched(lids)
        for stop in range(len(lids)):
            first, _ = watched(lids[:stop])
            file = io.BytesIO()
            torch.save(first.state_dict(), file)
            file.seek(0)
            second, _ = watched([])
            second.load_state_dict(torch.load(file, weights_only=True))
            rest = [second.observe(epoch, lids[epoch]) for epoch in range(stop, len(lids))]
            assert rest == actions[stop:]
            assert float(second.alpha) == float(whole.alpha)
            assert (second.lids, second.turning_point) == (lids, 5)

    def test_a_checkpoint_is_a_snapshot(self):
        d2l, _ = watched(FALLING)
        state = d2l.state_dict()
        d2l.observe(5, 9.0)
        assert state["_extra_state"]["lids"] == FALLING

    def test_compiled_code_follows_alpha(self):
        data = batch()
        d2l, _ = watched([*FALLING, 9.0])
        torch.compiler.reset()
        compiled = torch.compile(d2l, fullgraph=True, backend="eager")
        for epoch in range(6, 20):  # more values of alpha than torch would recompile for
            assert_close(compiled(data.logits, data.labels), d2l(data.logits, data.labels))
            d2l.observe(epoch, 9.0 + epoch)

    @pytest.mark.parametrize("lid", [0.0, -1.0, math.inf, math.nan])
    def test_a_dimension_that_is_none_is_refused(self, lid):
        d2l, _ = watched(FALLING)
        with pytest.raises(ValueError, match=f"epoch 5 .* got {lid}"):
            d2l.observe(5, lid)
        assert d2l.lids == FALLING

    @pytest.mark.parametrize("epoch", [4, 6])
    def test_epochs_come_in_order(self, epoch):
        d2l, _ = watched(FALLING)
        with pytest.raises(ValueError, match=f"epoch 5 is the next .* got epoch {epoch}"):
            d2l.observe(epoch, 5.0)

    @pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("window", 1), ("first_epoch", -1)])
    def test_settings_out_of_range_are_named(self, name, value):
        with pytest.raises(ValueError, match=f"{name}={value}"):
            watched([], **{name: value})
