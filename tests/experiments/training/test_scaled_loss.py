"""Scaling a loss is a change of learning rate and weight decay, to the last bit where the factor is 2."""

from sce_lib.experiments.training import train


def test_twice_the_loss_is_twice_the_rate_at_half_the_decay(make_images, tiny_config, tmp_path):
    images, rate, decay = make_images(), 0.05, 1e-2

    def run(method, rate, decay):
        sgd = {"lr": rate, "weight_decay": decay, "milestones": (1,)}
        return train(tiny_config(method, sgd=sgd), "cpu", data=images, checkpoints=tmp_path)

    doubled, faster = run("2ce", rate, decay), run("ce", 2 * rate, decay / 2)
    assert [e.train_loss for e in doubled.epochs] == [2 * e.train_loss for e in faster.epochs]
    assert doubled.stages == faster.stages
    # It is this very rate and this very decay.
    for other in (run("ce", rate, decay), run("ce", 2 * rate, decay)):
        assert [e.train_loss for e in doubled.epochs] != [2 * e.train_loss for e in other.epochs]
