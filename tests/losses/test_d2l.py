"""Dimensionality-driven learning: the estimate of dimensionality, and the state machine that acts on it."""

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

from sce_lib.losses import D2L, CrossEntropy, SymmetricCrossEntropy, local_intrinsic_dimensionality

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


class TestDimensionality:
    @settings(max_examples=25)
    @given(n=st.integers(4, 40), width=st.integers(1, 8), seed=st.integers(0, 2**31), data=st.data())
    def test_is_the_estimator_of_the_paper(self, n, width, seed, data):
        k = data.draw(st.integers(2, n - 1))
        points = np.random.default_rng(seed).normal(size=(n, width))
        expected = []
        for i in range(n):
            distances = sorted(np.linalg.norm(points[i] - points[j]) for j in range(n) if j != i)[:k]
            expected.append(-1 / np.mean([np.log(r / distances[-1]) for r in distances]))
        ours = local_intrinsic_dimensionality(torch.as_tensor(points), k)
        assert_close(ours, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("dimension", [1, 2, 4, 8])
    def test_finds_the_dimension_of_a_subspace(self, dimension):
        generator = torch.Generator().manual_seed(dimension)
        inner = torch.rand(2000, dimension, generator=generator)
        basis = torch.linalg.qr(torch.randn(64, dimension, generator=generator)).Q
        estimate = local_intrinsic_dimensionality(inner @ basis.T, k=20).mean().item()
        assert estimate == pytest.approx(dimension, rel=0.2)

    def test_scale_and_shape_do_not_matter(self):
        features = torch.randn(64, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        ours = local_intrinsic_dimensionality(features)
        assert_close(local_intrinsic_dimensionality(1e-3 * features.flatten(1) + 5), ours, rtol=1e-8, atol=0)

    def test_copies_do_not_break_it(self):
        features = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
        features[1] = features[0]
        estimate = local_intrinsic_dimensionality(features)
        assert estimate.isfinite().all()
        assert (estimate > 0).all()

    def test_a_collapsed_network_has_no_dimension(self):
        assert local_intrinsic_dimensionality(torch.zeros(64, 6)).isinf().all()

    def test_leaves_the_features_gradient_alone(self):
        features = torch.randn(32, 6, requires_grad=True)
        assert not local_intrinsic_dimensionality(features).requires_grad

    @pytest.mark.parametrize("k", [1, 20, 25])
    def test_impossible_numbers_of_neighbours_are_refused(self, k):
        with pytest.raises(ValueError, match=f"k={k}"):
            local_intrinsic_dimensionality(torch.randn(20, 3), k)
