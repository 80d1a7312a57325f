"""What cannot be one loss is refused when it is put together, and not in the first step of training."""

import pytest
import torch

from sce_lib import losses

TWO, THREE = torch.full((2, 2), 0.5), torch.eye(3) * 0.7 + 0.1


def test_matrices_and_weights_of_different_sizes():
    with pytest.raises(ValueError, match="one number of classes, but has T of 3, inverse of 4"):
        losses.Sum(
            [
                (1.0, losses.ForwardCorrection(THREE)),
                (1.0, losses.BackwardCorrection(torch.eye(4) * 0.6 + 0.1)),
            ]
        )
    with pytest.raises(ValueError, match="T of 2, weight of 3"):
        losses.ForwardCorrection(TWO, weight=torch.ones(3))
    with pytest.raises(ValueError, match="T of 2, weight of 3"):
        losses.SmoothedTargets(losses.ForwardCorrection(TWO), weight=torch.ones(3))
    fits = losses.Sum([(1.0, losses.ForwardCorrection(THREE, weight=torch.ones(3)))])
    assert fits(torch.zeros(1, 3), torch.tensor([0])).isfinite()


def test_a_loss_with_a_memory_is_no_term():
    with pytest.raises(ValueError, match="ELR has a memory"):
        losses.Sum([(1.0, losses.ELR(10, 3))])


def test_hyperparameters_go_by_position():
    assert repr(losses.SymmetricCrossEntropy(0.2, 2.0, -6.0)) == repr(
        losses.SymmetricCrossEntropy(alpha=0.2, beta=2.0, A=-6.0)
    )
    assert losses.ReverseCrossEntropy(-6.0).A == -6.0
    with pytest.raises(ValueError, match="A stands for log 0 and must be finite and below 0, got A=10"):
        losses.SymmetricCrossEntropy(0.1, 1.0, 10)  # SCELoss(alpha, beta, num_classes)


@pytest.mark.parametrize("T", ["x", [["a"]], [[0.5], [0.5, 0.5]]])
def test_what_is_no_matrix_is_named(T):
    with pytest.raises(TypeError, match="a transition matrix holds numbers"):
        losses.ForwardCorrection(T)


def test_tables_are_matrices():
    pandas = pytest.importorskip("pandas")
    T = pandas.DataFrame([[0.8, 0.2], [0.4, 0.6]])
    assert losses.ForwardCorrection(T).T.tolist() == [[0.8, 0.2], [0.4, 0.6]]
