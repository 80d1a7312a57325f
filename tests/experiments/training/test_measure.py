"""What a record keeps, computed again by loops from the network that a run ended with."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from sce_lib.experiments.config import Noise, RunConfig
from sce_lib.experiments.training import TrainingDiverged, build_criterion, train
from sce_lib.experiments.training.checkpoint import Checkpoint
from sce_lib.experiments.training.measure import embed, look, mean_dimensionality, outputs
from sce_lib.experiments.training.task import prepare
from sce_lib.losses import MeanAbsoluteError
from sce_lib.metrics import local_intrinsic_dimensionality
from sce_lib.models import build_model

CPU = torch.device("cpu")
NUMBERS = ("auroc", "average_precision", "precision")


class Fixed(torch.nn.Module):
    """A network whose outputs are given: a table looked up by the first pixel."""

    def __init__(self, table, task):
        super().__init__()
        self.table = table
        self.level = task.normalised(torch.arange(256, dtype=torch.uint8).reshape(256, 1, 1, 1))[:, 0, 0, 0]

    def forward(self, x):
        return self.table[torch.cdist(x[:, 0, 0, :1], self.level[:, None]).argmin(1)]

    features = forward


def numbered(make_images, **options):
    """Return data whose first pixel is the image's number."""
    data = make_images(shape=(2, 2, 1), **options)
    for images in (data.train_images, data.test_images):
        images[:, 0, 0, 0] = torch.arange(len(images), dtype=torch.uint8)
    return data


@pytest.fixture(scope="module")
def ended(tmp_path_factory, make_images, tiny_config):
    """Return a run's record, its task, and the network that it ended with."""
    folder = tmp_path_factory.mktemp("checkpoints")
    data = make_images(train=150, test=50, classes=4)
    config = tiny_config("sl", "symmetric-0.4", sgd={"epochs": 3, "lr": 0.01}, normalisation="scale")
    record = train(config, "cpu", data=data, checkpoints=folder)
    state = Checkpoint(config, data.fingerprint, folder).load(CPU)
    model = build_model("cnn4", 4, 3, 8, width=0.25).eval()
    model.load_state_dict(state["model"])
    return record, prepare(config, CPU, data=data), model


def predicted_by(model, images):
    with torch.no_grad():
        rows = [model(image[None].permute(0, 3, 1, 2).float() / 255)[0] for image in images]
    return torch.stack(rows).double().softmax(1).numpy()


def test_the_last_stage_is_what_the_network_says(ended):
    record, task, model = ended
    stage, k = record.stages[-1], 4
    p, p_test = predicted_by(model, task.images), predicted_by(model, task.test_images)
    true, given = task.clean.numpy(), task.labels.numpy()
    test = task.test_labels.numpy()
    guess = p.argmax(1)

    def close(a, b):
        np.testing.assert_allclose(np.array(a, dtype=float), b, atol=2e-5)

    assert record.last_accuracy == stage.test_accuracy == (p_test.argmax(1) == test).mean()
    close(stage.classwise_accuracy, [(p_test.argmax(1)[test == c] == c).mean() for c in range(k)])
    close(
        record.confusion,
        [[((test == i) & (p_test.argmax(1) == j)).sum() for j in range(k)] for i in range(k)],
    )
    close(stage.confidence, [p[(true == c) & (given == c)].mean(0) for c in range(k)])
    close(stage.predicted, [(guess == c).sum() for c in range(k)])
    close(stage.correct, [((guess == c) & (true == c)).sum() for c in range(k)])
    # For SL the gradient's size is 2 (alpha + beta |A| p_y) (1 - p_y).
    method, p_y = task.config.method, p[np.arange(len(p)), given]
    weight = 2 * (method.alpha - method.beta * method.A * p_y) * (1 - p_y)
    top = np.sort(p, axis=1)
    margin = np.where(p_y == top[:, -1], top[:, -1] - top[:, -2], p_y - top[:, -1])
    for group, members in ((stage.clean, true == given), (stage.flipped, true != given)):
        for c in range(k):
            chosen = members & (true == c)
            assert group.count[c] == chosen.sum()
            assert group.accuracy[c] == pytest.approx((guess == true)[chosen].mean(), abs=1e-6)
            assert group.fitted[c] == pytest.approx((guess == given)[chosen].mean(), abs=1e-6)
            assert group.margin[c] == pytest.approx(margin[chosen].mean(), abs=2e-5)
            assert group.gradient_share[c] == pytest.approx(weight[chosen].sum() / weight.sum(), abs=2e-5)


def test_shares_counts_and_rows_add_up(ended):
    record, task, _ = ended
    assert [stage.epoch for stage in record.stages] == list(task.config.stages)
    for stage in record.stages:
        assert sum(stage.clean.gradient_share + stage.flipped.gradient_share) == pytest.approx(1, abs=1e-5)
        assert sum(stage.clean.count + stage.flipped.count) == sum(stage.predicted) == len(task.labels)
        assert [sum(row) for row in stage.confidence] == pytest.approx([1] * 4, abs=1e-5)
    by_epoch = {epoch.epoch: epoch for epoch in record.epochs}
    for stage in record.stages:
        assert by_epoch[stage.epoch].test_accuracy == stage.test_accuracy
        assert by_epoch[stage.epoch].classwise_accuracy == stage.classwise_accuracy
    best = max(record.epochs, key=lambda epoch: epoch.test_accuracy)
    assert (record.best_accuracy, record.best_epoch) == (best.test_accuracy, best.epoch)


def test_groups_without_samples_have_no_means(make_images, tiny_config):
    task = prepare(tiny_config(noise="none"), CPU, data=make_images(train=30))
    model = build_model("cnn4", 3, 3, 8, width=0.25)
    stage, _ = look(model, build_criterion(task.config.method, task.noisy.requested, 1), task, 1)
    assert stage.flipped.count == [0, 0, 0]
    assert stage.flipped.accuracy == stage.flipped.fitted == stage.flipped.margin == [None] * 3
    assert stage.flipped.gradient_share == [0.0] * 3
    assert sum(stage.clean.gradient_share) == pytest.approx(1, abs=1e-5)


def test_no_gradient_at_all_is_shared_by_nobody(make_images, tiny_config):
    task = prepare(tiny_config("mae"), CPU, data=numbered(make_images))
    saturated = Fixed(1e4 * torch.nn.functional.one_hot(torch.arange(256) % 3, 3).float(), task)
    stage, _ = look(saturated, MeanAbsoluteError(), task, 1)
    assert stage.clean.gradient_share == stage.flipped.gradient_share == [0.0] * 3


def test_outputs_that_are_not_finite_are_a_divergence(make_images, tiny_config):
    task = prepare(tiny_config("mae"), CPU, data=numbered(make_images))
    table = torch.zeros(256, 3)
    table[7, 1] = float("nan")
    with pytest.raises(TrainingDiverged, match=r"epoch 4 .*not finite"):
        look(Fixed(table, task), MeanAbsoluteError(), task, 4)


def test_measuring_changes_nothing(make_images, tiny_config):
    task = prepare(tiny_config(embedding=20), CPU, data=make_images())
    model = build_model("cnn4", 3, 3, 8, width=0.25).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    numpy_state = np.random.get_state()[1].tolist()  # noqa: NPY002
    torch_state = torch.random.get_rng_state()
    look(model, MeanAbsoluteError(), task, 1)
    first, second = embed(model, task), embed(model, task)
    assert first == second
    assert len(first.x) == len(first.y) == len(first.labels) == 20
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert numpy_state == np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(torch_state, torch.random.get_rng_state())


def test_outputs_are_those_of_each_image_alone(make_images, tiny_config):
    task = prepare(tiny_config(), CPU, data=make_images(train=1100, shape=(4, 4, 3)))
    model = build_model("cnn4", 3, 3, 4, width=0.25)
    whole = outputs(model, task, task.images)
    torch.testing.assert_close(whole[1003:1005], outputs(model, task, task.images[1003:1005]))
    features = outputs(model, task, task.images[:9], features=True)
    torch.testing.assert_close(model.classifier(features), whole[:9])


@pytest.mark.parametrize(("wanted", "test"), [(0, 40), (1, 40), (500, 1)])
def test_nothing_to_embed(make_images, tiny_config, wanted, test):
    task = prepare(tiny_config(embedding=wanted), CPU, data=make_images(test=test))
    assert embed(build_model("cnn4", 3, 3, 8, width=0.25), task) is None


def test_a_collapsed_network_has_no_embedding(make_images, tiny_config):
    """t-SNE of equal points ends the process with a segmentation fault."""
    task = prepare(tiny_config(embedding=40), CPU, data=numbered(make_images))
    assert embed(Fixed(torch.ones(256, 3), task), task) is None
    table = torch.ones(256, 3)
    table[:20] = torch.arange(3.0)
    assert embed(Fixed(table, task), task) is not None


@pytest.mark.parametrize(("size", "batches"), [(60, 1), (255, 1)])
def test_dimensionality_of_small_sets_is_over_all_or_whole_batches(make_images, tiny_config, size, batches):
    task = prepare(tiny_config(), CPU, data=numbered(make_images, train=size))
    table = torch.randn(256, 5, generator=torch.Generator().manual_seed(0))
    measured = mean_dimensionality(Fixed(table, task), task, torch.Generator().manual_seed(1))
    order = torch.randperm(size, generator=torch.Generator().manual_seed(1))[:128]
    assert measured == pytest.approx(local_intrinsic_dimensionality(table[order], 20).mean().item())


def test_dimensionality_passes_over_samples_that_have_none(make_images, tiny_config):
    task = prepare(tiny_config(), CPU, data=numbered(make_images, train=100))
    table = torch.randn(256, 5, generator=torch.Generator().manual_seed(0))
    table[:30] = 100.0  # their 20 nearest neighbours are at distance 0, and they are near to nobody else
    measured = mean_dimensionality(Fixed(table, task), task, torch.Generator().manual_seed(1))
    estimates = local_intrinsic_dimensionality(table[:100], 20)
    assert not estimates[:30].isfinite().any()
    assert measured == pytest.approx(estimates[30:].mean().item())
    collapsed = Fixed(torch.zeros(256, 5), task)
    assert np.isnan(mean_dimensionality(collapsed, task, torch.Generator().manual_seed(1)))


def test_the_digits_first_ten_batches_are_watched():
    config = RunConfig.preset("digits", "d2l", profile="smoke")
    task = prepare(config, CPU)
    model = build_model("cnn4", 10, 1, 8, width=0.25)
    order = torch.randperm(1297, generator=torch.Generator().manual_seed(3))
    features = outputs(model, task, task.images[order], features=True)
    expected = np.mean(
        [local_intrinsic_dimensionality(features[i * 128 : (i + 1) * 128]).mean() for i in range(10)]
    )
    assert mean_dimensionality(model, task, torch.Generator().manual_seed(3)) == pytest.approx(expected)


def test_how_well_flipped_labels_are_found(ended):
    record, task, model = ended
    p, true = predicted_by(model, task.images), task.clean.numpy()
    given, flipped = task.labels.numpy(), task.flipped.numpy()
    loss = -np.log(p[np.arange(len(p)), given])

    def expected(members):
        wrong, score = flipped[members], loss[members]
        first = np.argsort(-score)[: wrong.sum()]
        return roc_auc_score(wrong, score), average_precision_score(wrong, score), wrong[first].mean()

    found = record.detection
    assert found == record.stages[-1].detection
    everyone = np.ones(len(true), dtype=bool)
    np.testing.assert_allclose([getattr(found, name) for name in NUMBERS], expected(everyone), atol=1e-4)
    for label in range(4):
        of_class = [getattr(found, f"classwise_{name}")[label] for name in NUMBERS]
        np.testing.assert_allclose(of_class, expected(true == label), atol=1e-4)


def test_a_class_without_flips_has_no_detection(make_images, tiny_config, tmp_path):
    data = make_images(train=200, test=100, classes=10)
    noise = {"kind": "asymmetric", "rate": 0.4}
    config = tiny_config("ce", Noise(**noise), dataset="mnist", sgd={"epochs": 1})
    found = train(config, "cpu", data=data, checkpoints=tmp_path).detection
    # MNIST's flips are from 2, 3, 5, 6 and 7.
    spared = [value is None for value in found.classwise_auroc]
    assert spared == [value is None for value in found.classwise_precision]
    assert spared == [label not in (2, 3, 5, 6, 7) for label in range(10)]
    assert 0 <= found.auroc <= 1


def test_clean_labels_have_no_detection(make_images, tiny_config, tmp_path):
    record = train(tiny_config("ce", "none"), "cpu", data=make_images(train=60), checkpoints=tmp_path)
    assert record.detection is None
    assert "detection" not in record.results()["stages"][0]
