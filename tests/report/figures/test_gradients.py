"""Shares of the gradient in real smoke records: they add up, and are the sums they should be."""

import numpy as np
import pytest

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.training import train
from sce_lib.report.claims import Evidence
from sce_lib.report.figures import gradients


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCE_CACHE", str(tmp_path_factory.mktemp("cache")))
        noisy = "symmetric-0.4"
        runs = [("ce", "none", 0), ("ce", noisy, 0), ("sl", noisy, 0), ("sl", noisy, 1)]
        configs = [RunConfig.preset("digits", m, noise, "paper", "smoke", "5.1", s) for m, noise, s in runs]
        return Evidence([train(config, "cpu", progress=False) for config in configs])


def test_rows_are_shares(evidence):
    shares = gradients.gradient_shares(evidence, ["ce", "sl"])
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-4)
    assert (shares >= 0).all(axis=None)
    assert shares.loc[("samples", 0), "flipped"] == pytest.approx(0.4, abs=0.01)
    stages = evidence.of("ce")[0].stages
    assert list(shares.loc["CE"].index) == [stage.epoch for stage in stages]


def test_a_share_is_the_mean_over_seeds_of_the_records_sums(evidence):
    shares = gradients.gradient_shares(evidence, ["sl"])
    ends = [record.final_stage() for record in evidence.of("sl")]
    assert len(ends) == 2
    flipped = np.mean([sum(end.flipped.gradient_share) for end in ends])
    hard = np.mean([sum(end.clean.gradient_share[c] for c in evidence.hard) for end in ends])
    assert shares.loc[("SL", ends[0].epoch), "flipped"] == pytest.approx(flipped)
    assert shares.loc[("SL", ends[0].epoch), "clean, hard classes"] == pytest.approx(hard)


def test_figure_shows_every_share_and_is_stamped(evidence):
    shares = gradients.gradient_shares(evidence, ["ce", "sl"])
    figure = gradients.gradient_split(shares, evidence.records)
    for axis, method in zip(figure.axes, ("CE", "SL"), strict=True):
        heights = [patch.get_height() for patch in axis.patches]
        np.testing.assert_allclose(heights, shares.loc[method].to_numpy().T.ravel(), atol=1e-9)
    assert "smoke" in [text.get_text() for text in figure.texts]


def test_a_method_without_records_is_named(evidence):
    with pytest.raises(LookupError, match="rce"):
        gradients.gradient_shares(evidence, ["rce"])
