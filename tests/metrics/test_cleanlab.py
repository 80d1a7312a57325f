"""The same predictions, ranked here and by cleanlab."""

import numpy as np
import pytest

from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.out_of_fold import out_of_fold
from sce_lib.metrics import detection, suspects

pytestmark = pytest.mark.slow
ABSENT = "cleanlab is not installed: pip install 'sce-lib[integrations]'"
rank = pytest.importorskip("cleanlab.rank", reason=ABSENT)
SCORES = {"self_confidence": "self_confidence", "margin": "normalized_margin"}


def as_cleanlab(scores, by):
    """Return our score as cleanlab writes it: low is suspicious, in [0, 1]."""
    return -scores if by == "self_confidence" else (1 - scores) / 2


@pytest.mark.parametrize("by", SCORES)
@pytest.mark.parametrize("adjusted", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_ranks_are_cleanlabs_by_its_scores(by, adjusted, seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(6, 0.3), 2_000)
    labels = rng.integers(0, 6, 2_000)
    found = suspects(p, labels, by, adjusted=adjusted)
    theirs = rank.get_label_quality_scores(labels, p, method=SCORES[by], adjust_pred_probs=adjusted)
    np.testing.assert_allclose(as_cleanlab(found.scores, by), theirs, rtol=1e-9, atol=1e-12)
    order = found.indices
    assert (np.diff(theirs[order]) >= -1e-12).all()  # beyond rounding, their order is ours
    unlike = order != np.argsort(theirs, kind="stable")
    np.testing.assert_allclose(theirs[order][unlike], np.sort(theirs)[unlike], rtol=0, atol=1e-12)


def test_detection_beside_cleanlabs_on_digits(tmp_path):
    """What cleanlab calls an issue at all, and how its order and ours find the flipped labels."""
    from cleanlab.filter import find_label_issues

    config = RunConfig.preset("digits", "sl", "symmetric-0.4", profile="smoke", embedding=0)
    found = out_of_fold(config, 3, "cpu", threads=1, checkpoints=tmp_path)
    p, labels, flipped = found.probabilities.numpy(), found.labels.numpy(), found.flipped.numpy()
    for by, method in SCORES.items():
        theirs = rank.get_label_quality_scores(labels, p, method=method)
        ours = detection(suspects(p, labels, by), flipped)
        assert ours.auroc == pytest.approx(detection(-theirs, flipped).auroc, abs=1e-9)
        print(f"{by}: AUROC {ours.auroc:.4f}, average precision {ours.average_precision:.4f}")
    issues = find_label_issues(labels, p)
    print(f"cleanlab marks {issues.sum()}, of which {flipped[issues].mean():.4f} are flipped")
    as_many = suspects(p, labels).indices[: issues.sum()]
    assert flipped[as_many].mean() == pytest.approx(flipped[issues].mean(), abs=0.1)
