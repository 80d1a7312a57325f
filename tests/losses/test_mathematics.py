"""What the papers say of the losses: limits, sums, gradients, and the values worked out by hand."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import batch, transition_matrix
from torch.testing import assert_close

from sce_lib.losses import functional as L

NEGATIVE = st.floats(-20, -0.01)
WEIGHT = st.floats(0, 10)


def gradient(losses, logits):
    return torch.autograd.grad(losses.sum(), logits)[0]


def assert_same_loss(first, second, data, target, rtol=1e-12, atol=1e-12):
    a, b = data.fresh(), data.fresh()
    ours, theirs = first(a, target), second(b, target)
    assert_close(ours, theirs, rtol=rtol, atol=atol)
    assert_close(gradient(ours, a), gradient(theirs, b), rtol=rtol, atol=atol)


def half_mae(logits, target):
    return L.mean_absolute_error(logits, target) / 2


class TestSymmetricCrossEntropy:
    @settings(max_examples=30)
    @given(alpha=WEIGHT, A=NEGATIVE, seed=st.integers(0, 2**31))
    def test_without_beta_it_is_cross_entropy(self, alpha, A, seed):
        data = batch(seed=seed)
        for target in (data.labels, data.probabilities):
            assert_same_loss(
                lambda z, y: L.symmetric_cross_entropy(z, y, alpha, 0.0, A=A),
                lambda z, y: alpha * L.cross_entropy(z, y),
                data,
                target,
            )

    @settings(max_examples=30)
    @given(beta=WEIGHT, A=NEGATIVE, seed=st.integers(0, 2**31))
    def test_without_alpha_it_is_reverse_cross_entropy(self, beta, A, seed):
        data = batch(seed=seed)
        for target in (data.labels, data.probabilities):
            assert_same_loss(
                lambda z, y: L.symmetric_cross_entropy(z, y, 0.0, beta, A=A),
                lambda z, y: beta * L.reverse_cross_entropy(z, y, A=A),
                data,
                target,
            )

    @settings(max_examples=30)
    @given(alpha=WEIGHT, beta=WEIGHT, A=NEGATIVE, num_classes=st.integers(2, 20), seed=st.integers(0, 2**31))
    def test_gradient_is_cross_entropys_times_a_weight(self, alpha, beta, A, num_classes, seed):
        data = batch(num_classes, seed=seed)
        a, b = data.fresh(), data.fresh()
        p = data.logits.softmax(1).gather(1, data.labels[:, None])
        expected = (alpha + beta * abs(A) * p) * gradient(L.cross_entropy(b, data.labels), b)
        ours = gradient(L.symmetric_cross_entropy(a, data.labels, alpha, beta, A=A), a)
        assert_close(ours, expected, rtol=1e-10, atol=1e-10)

    @settings(max_examples=20)
    @given(alpha=WEIGHT, factor=st.floats(0.1, 10), seed=st.integers(0, 2**31))
    def test_with_labels_only_beta_times_A_matters(self, alpha, factor, seed):
        data = batch(seed=seed)
        assert_close(
            L.symmetric_cross_entropy(data.logits, data.labels, alpha, 1.0, A=-4 * factor),
            L.symmetric_cross_entropy(data.logits, data.labels, alpha, factor, A=-4),
        )

    def test_by_hand(self):
        logits = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64).log()
        value = L.symmetric_cross_entropy(logits, torch.tensor([1]), alpha=0.5, beta=2.0, A=-6)
        assert value.item() == pytest.approx(0.5 * math.log(5) + 2 * 6 * 0.8, abs=1e-13)


class TestReleasedCodesClip:
    """The released code: probabilities of at least 1e-7 in cross entropy, one-hot labels of at least 1e-4."""

    LOGITS = torch.tensor([[0.5, 1.0, -1.0], [-9.0, 9.0, 0.0], [-20.0, 0.0, 1.0], [-60.0, 3.0, 2.0]]).double()
    LABELS = torch.tensor([0, 0, 0, 0])  # of probability .33, 2e-8, 6e-10 and 1e-28

    def released(self, z, y):
        return L.symmetric_cross_entropy(z, y, 0.1, 1.0, A=math.log(1e-4), clip=1e-7)

    def test_value_is_the_codes(self):
        logits = self.LOGITS.numpy()
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        q = np.eye(3)[self.LABELS]
        ce = -(q * np.log(np.clip(p, 1e-7, 1))).sum(1)
        rce = -(p * np.log(np.clip(q, 1e-4, 1))).sum(1)
        expected = torch.from_numpy(0.1 * ce + rce)
        assert_close(self.released(self.LOGITS, self.LABELS), expected)
        assert_close(self.released(self.LOGITS, torch.from_numpy(q)), expected)

    def test_below_the_clip_reverse_cross_entropys_gradient_is_left(self):
        a, b, c = (self.LOGITS.clone().requires_grad_() for _ in range(3))
        clipped = gradient(self.released(a, self.LABELS), a)
        rce = gradient(L.reverse_cross_entropy(b, self.LABELS, A=math.log(1e-4)), b)
        paper = gradient(L.symmetric_cross_entropy(c, self.LABELS, A=math.log(1e-4)), c)
        assert_close(clipped, torch.cat([paper[:1], rce[1:]]))
        assert clipped[1:].abs().max() < 1e-6 < 0.05 < paper[1:].abs().max()

    def test_its_cross_entropy_is_at_most_16(self):
        value = L.symmetric_cross_entropy(self.LOGITS, self.LABELS, 1.0, 0.0, clip=1e-7)
        assert_close(value.max().item(), 7 * math.log(10))
        assert round(value.max().item(), 1) == 16.1

    def test_a_clip_that_nothing_is_below_changes_nothing(self):
        data = batch()
        for target in (data.labels, data.probabilities):
            assert_same_loss(
                lambda z, y: L.symmetric_cross_entropy(z, y, clip=1e-300),
                L.symmetric_cross_entropy,
                data,
                target,
            )


class TestReverseCrossEntropy:
    def test_at_minus_two_it_is_mean_absolute_error_for_labels_only(self):
        data = batch(shape=(4, 3))
        assert_same_loss(
            lambda z, y: L.reverse_cross_entropy(z, y, A=-2), L.mean_absolute_error, data, data.labels
        )
        rce = L.reverse_cross_entropy(data.logits, data.probabilities, A=-2)
        assert not torch.allclose(rce, L.mean_absolute_error(data.logits, data.probabilities), atol=1e-2)

    @pytest.mark.parametrize("A", [-2, -4.0, math.log(1e-4)])
    def test_sums_to_a_constant_over_labels(self, A):
        data = batch(num_classes=7)
        total = sum(L.reverse_cross_entropy(data.logits, torch.full((6,), k), A=A) for k in range(7))
        assert_close(total, torch.full((6,), -6.0 * A, dtype=torch.float64))

    def test_small_probabilities_are_floored_like_zero(self):
        logits = batch(num_classes=3).logits[:1]
        q = torch.tensor([[0.98, 0.01, 0.01]], dtype=torch.float64)  # log 0.01 = -4.6
        p = logits.softmax(1)[0]
        expected = -(p[0] * math.log(0.98) - 4 * (p[1] + p[2]))
        assert_close(L.reverse_cross_entropy(logits, q, A=-4)[0], expected)

    def test_gradient_with_respect_to_probabilities_is_finite_at_zero(self):
        data = batch()
        q = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]], dtype=torch.float64).repeat(6, 1).requires_grad_()
        ours = gradient(L.reverse_cross_entropy(data.logits, q, A=-4), q)
        assert_close(ours[:, 0], -data.logits.softmax(1)[:, 0])
        assert (ours[:, 1:] == 0).all()

    def test_hardest_samples_get_no_push(self):
        logits = torch.tensor([[-50.0, 50.0]], dtype=torch.float64, requires_grad=True)
        assert gradient(L.reverse_cross_entropy(logits, torch.tensor([0])), logits).abs().max() < 1e-40


class TestLimits:
    """Every limit that the later losses' papers name; (1 - p_y) is half the mean absolute error."""

    data = batch(num_classes=6, shape=(8,), seed=4, scale=1.5)

    def check(self, first, second, rtol=1e-12, atol=1e-12):
        assert_same_loss(first, second, self.data, self.data.labels, rtol, atol)

    def test_generalized_becomes_cross_entropy(self):
        def loss(z, y):
            return L.generalized_cross_entropy(z, y, q=1e-8)

        self.check(loss, L.cross_entropy, rtol=1e-6)

    def test_generalized_at_one_is_half_mae(self):
        self.check(lambda z, y: L.generalized_cross_entropy(z, y, q=1.0), half_mae)

    def test_truncation_at_hardly_anything_changes_nothing(self):
        self.check(
            lambda z, y: L.generalized_cross_entropy(z, y, 0.7, truncation=1e-30), L.generalized_cross_entropy
        )

    def test_taylor_with_one_term_is_half_mae(self):
        self.check(lambda z, y: L.taylor_cross_entropy(z, y, t=1), half_mae)

    def test_taylor_with_many_terms_becomes_cross_entropy(self):
        def loss(z, y):
            return L.taylor_cross_entropy(z, y, t=3000)

        self.check(loss, L.cross_entropy, rtol=1e-6, atol=1e-6)

    def test_huberised_at_one_is_half_mae(self):
        self.check(lambda z, y: L.partially_huberised_cross_entropy(z, y, tau=1.0), half_mae)

    def test_huberised_far_out_is_cross_entropy(self):
        def loss(z, y):
            return L.partially_huberised_cross_entropy(z, y, tau=1e30)

        self.check(loss, L.cross_entropy)

    def test_huberised_is_smooth_where_its_pieces_meet(self):
        p = torch.tensor([1 / 3 - 1e-9, 1 / 3, 1 / 3 + 1e-9], dtype=torch.float64)
        logits = torch.stack([p, 1 - p], 1).log().requires_grad_()
        value = L.partially_huberised_cross_entropy(logits, torch.zeros(3, dtype=torch.int64), tau=3.0)
        slopes = gradient(value, logits)
        assert_close(value, value[1].expand(3), rtol=0, atol=1e-8)
        assert_close(slopes, slopes[1].expand(3, 2), rtol=0, atol=1e-8)

    def test_asymmetric_at_zero_is_generalized(self):
        self.check(
            lambda z, y: L.asymmetric_generalized_cross_entropy(z, y, a=0, q=0.7), L.generalized_cross_entropy
        )

    @pytest.mark.parametrize("a", [0, 0.5, 7])
    def test_asymmetric_at_one_is_half_mae(self, a):
        self.check(lambda z, y: L.asymmetric_generalized_cross_entropy(z, y, a=a, q=1.0), half_mae)

    def test_jensen_shannon_becomes_cross_entropy(self):
        def loss(z, y):
            return L.jensen_shannon(z, y, pi=1e-6)

        self.check(loss, L.cross_entropy, rtol=1e-4, atol=1e-4)

    def test_jensen_shannon_becomes_half_mae_slowly(self):
        logits = torch.tensor([[0.3, 0.5, 0.2]], dtype=torch.float64).log()
        value = L.jensen_shannon(logits, torch.tensor([0]), pi=1 - 1e-14)
        assert value.item() == pytest.approx(0.7, abs=0.02)
        assert L.jensen_shannon(logits, torch.tensor([0]), pi=0.9).item() > value.item()

    @pytest.mark.parametrize("pi", [0.1, 0.5, 0.9])
    def test_jensen_shannon_of_equals_is_zero(self, pi):
        q = self.data.probabilities.clamp(min=0.01)
        q = q / q.sum(1, keepdim=True)
        zero = L.jensen_shannon(q.log(), q, pi=pi)
        assert_close(zero, torch.zeros_like(zero), rtol=0, atol=1e-13)

    def test_normalized_sums_to_one_over_labels(self):
        total = sum(L.normalized_cross_entropy(self.data.logits, torch.full((8,), k)) for k in range(6))
        assert_close(total, torch.ones_like(total))


class TestLabelSmoothing:
    @pytest.mark.parametrize("num_classes", [2, 10, 100, 1000])
    def test_smoothed_targets_sum_to_one_for_any_number_of_classes(self, num_classes):
        data = batch(num_classes, shape=(3, 2))
        target = L.smooth_target(data.logits, data.labels, epsilon=0.1)
        assert_close(target.sum(1), torch.ones(3, 2, dtype=torch.float64))
        at_label = target.gather(1, data.labels.unsqueeze(1))
        assert_close(at_label, torch.full_like(at_label, 0.9 + 0.1 / num_classes))

    def test_none_is_cross_entropy(self):
        data = batch()
        assert_same_loss(lambda z, y: L.label_smoothing(z, y, 0.0), L.cross_entropy, data, data.labels)

    def test_is_cross_entropy_on_smoothed_targets(self):
        data = batch()
        assert_same_loss(
            lambda z, y: L.label_smoothing(z, y, 0.3),
            lambda z, y: L.cross_entropy(z, L.smooth_target(z, y, 0.3)),
            data,
            data.labels,
        )


class TestBootstrap:
    @pytest.mark.parametrize("hard", [False, True])
    def test_full_trust_in_the_label_is_cross_entropy(self, hard):
        data = batch()
        assert_same_loss(
            lambda z, y: L.bootstrap(z, y, beta=1.0, hard=hard), L.cross_entropy, data, data.labels
        )

    def test_soft_form_without_trust_is_the_entropy_of_the_prediction(self):
        data = batch()
        entropy = torch.distributions.Categorical(logits=data.logits).entropy()
        assert_close(L.bootstrap(data.logits, data.labels, beta=0.0), entropy)

    def test_detaching_changes_the_gradient_and_not_the_value(self):
        data = batch()
        a, b = data.fresh(), data.fresh()
        free, detached = L.bootstrap(a, data.labels, 0.5), L.bootstrap(b, data.labels, 0.5, detach=True)
        assert_close(free, detached)
        p = data.logits.softmax(1)
        assert_close(gradient(detached, b), 0.5 * (p - F.one_hot(data.labels, 5)), rtol=1e-10, atol=1e-12)
        assert not torch.allclose(
            gradient(free, a), gradient(L.bootstrap(b, data.labels, 0.5, detach=True), b)
        )

    def test_authors_shares_are_the_default(self):
        data = batch()
        assert_close(L.bootstrap(data.logits, data.labels), L.bootstrap(data.logits, data.labels, 0.95))
        hard = L.bootstrap(data.logits, data.labels, hard=True)
        assert_close(hard, L.bootstrap(data.logits, data.labels, 0.8, hard=True))


class TestCorrections:
    @pytest.mark.parametrize("correct", [L.forward_correction, L.backward_correction])
    def test_identity_is_cross_entropy_at_any_logits(self, correct):
        data = batch(scale=3000.0)
        assert_same_loss(
            lambda z, y: correct(z, y, torch.eye(5)), L.cross_entropy, data, data.labels, rtol=1e-12
        )

    @settings(max_examples=20)
    @given(num_classes=st.integers(2, 12), seed=st.integers(0, 2**31))
    def test_backward_is_unbiased(self, num_classes, seed):
        data = batch(num_classes, seed=seed)
        of_noisy = torch.stack(
            [L.backward_correction(data.logits, torch.full((6,), j), data.T) for j in range(num_classes)], 1
        )
        expected = (data.T[data.labels] * of_noisy).sum(1)
        assert_close(expected, L.cross_entropy(data.logits, data.labels), rtol=1e-10, atol=1e-10)

    def test_forward_is_minimal_at_the_clean_posterior(self):
        T = transition_matrix(3, torch.Generator().manual_seed(0))
        clean = torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64)
        logits = clean.log().requires_grad_()
        assert gradient(L.forward_correction(logits, clean @ T, T), logits).abs().max() < 1e-14

    def test_orientation_rows_are_clean_classes(self):
        T = torch.tensor([[0.6, 0.4, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
        certain_of_0 = torch.tensor([[50.0, 0.0, 0.0]], dtype=torch.float64)
        value = L.forward_correction(certain_of_0, torch.tensor([1]), T)
        assert_close(value, torch.tensor([-math.log(0.4)], dtype=torch.float64))

    def test_impossible_transitions_stay_finite(self):
        T = torch.tensor([[0.6, 0.4, 0.0], [0.4, 0.6, 0.0], [0.0, 1.0, 0.0]])
        logits = torch.tensor([[1e4, 0.0, -1e4], [0.0, 0.0, 1e4]], requires_grad=True)
        for target in (torch.tensor([0, 0]), torch.tensor([2, 2]), torch.eye(3)[:2]):
            value = L.forward_correction(logits, target, T)
            assert value.isfinite().all()
            assert gradient(value, logits).isfinite().all()
        # class 2 turns into 1 alone, so label 0 must come from classes 0 or 1, far below
        assert L.forward_correction(logits, torch.tensor([0, 0]), T)[1] > 9990

    def test_a_label_that_cannot_occur_gives_no_gradient(self):
        T = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        logits = torch.tensor([[0.3, -0.2]], requires_grad=True)
        value = L.forward_correction(logits, torch.tensor([1]), T)
        assert value.item() == pytest.approx(-math.log(torch.finfo(torch.float32).tiny))
        assert_close(gradient(value, logits), torch.zeros(1, 2), rtol=0, atol=1e-6)

    @pytest.mark.parametrize("correct", [L.forward_correction, L.backward_correction])
    def test_matrix_of_another_size_is_refused(self, correct):
        data = batch()
        with pytest.raises(ValueError, match=r"\(5, 5\).*\(4, 4\)"):
            correct(data.logits, data.labels, torch.eye(4))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda z, y: L.reverse_cross_entropy(z, y, A=1), "A=1"),
        (lambda z, y: L.reverse_cross_entropy(z, y, A=0.0), r"A=0\.0"),
        (lambda z, y: L.reverse_cross_entropy(z, y, A=-math.inf), "A=-inf"),
        (lambda z, y: L.symmetric_cross_entropy(z, y, A=math.nan), "A=nan"),
        (lambda z, y: L.symmetric_cross_entropy(z, y, alpha=-0.1), r"alpha=-0\.1"),
        (lambda z, y: L.symmetric_cross_entropy(z, y, clip=0.0), r"clip=0\.0"),
        (lambda z, y: L.symmetric_cross_entropy(z, y, clip=1), "clip=1"),
        (lambda z, y: L.symmetric_cross_entropy(z, y, beta=-2), "beta=-2"),
        (lambda z, y: L.symmetric_cross_entropy(z, y, beta=math.nan), "beta=nan"),
        (lambda z, y: L.generalized_cross_entropy(z, y, q=0), "q=0"),
        (lambda z, y: L.generalized_cross_entropy(z, y, q=1.5), r"q=1\.5"),
        (lambda z, y: L.generalized_cross_entropy(z, y, truncation=1.0), r"truncation=1\.0"),
        (lambda z, y: L.label_smoothing(z, y, 1.2), r"epsilon=1\.2"),
        (lambda z, y: L.smooth_target(z, y, -0.2), r"epsilon=-0\.2"),
        (lambda z, y: L.bootstrap(z, y, beta=2.0), r"beta=2\.0"),
        (lambda z, y: L.taylor_cross_entropy(z, y, t=0), "t=0"),
        (lambda z, y: L.taylor_cross_entropy(z, y, t=1.5), r"t=1\.5"),
        (lambda z, y: L.partially_huberised_cross_entropy(z, y, tau=0.5), r"tau=0\.5"),
        (lambda z, y: L.asymmetric_generalized_cross_entropy(z, y, a=-1), "a=-1"),
        (lambda z, y: L.asymmetric_generalized_cross_entropy(z, y, q=0), "q=0"),
        (lambda z, y: L.jensen_shannon(z, y, pi=0), "pi=0"),
        (lambda z, y: L.jensen_shannon(z, y, pi=1), "pi=1"),
    ],
)
def test_hyperparameters_out_of_range_are_named(call, named):
    with pytest.raises(ValueError, match=named):
        call(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))


def test_A_is_given_by_name_only():
    with pytest.raises(TypeError):
        L.reverse_cross_entropy(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64), -4)
