"""Fields that came after the first records: a run that does not use them is called and written as before."""

import json
from pathlib import Path

import pytest

from sce_lib.experiments import grids
from sce_lib.experiments.config import RunConfig
from sce_lib.experiments.config.factors import changed
from sce_lib.experiments.ledger import Ledger

ROOT = Path(__file__).parents[3]
LATER = {
    "compile_mode": {"compile": True, "compile_mode": "reduce-overhead"},
    "cudnn_benchmark": {"cudnn_benchmark": True},
    "jpeg_draft": {"jpeg_draft": True},
    "last_batch": {"optimisation": {"last_batch": "drop"}},
}
START = RunConfig.preset("clothing1m", "sl")


def test_records_of_the_ledger_keep_their_names_and_their_words():
    paths = Ledger(ROOT / "data" / "ledger").paths()
    assert len(paths) > 300
    for path in paths[::10]:
        kept = json.loads(path.read_bytes())["record"]["config"]
        config = RunConfig.model_validate(kept)
        assert config.run_id == path.stem
        assert json.loads(config.model_dump_json()) == kept


@pytest.mark.parametrize("name", LATER)
def test_who_uses_one_is_another_run_that_says_so(name):
    run = changed(START, LATER[name])
    assert run.run_id != START.run_id
    assert run.changes not in ("", START.changes)
    assert f'"{name}"' in run.model_dump_json()
    assert f'"{name}"' not in START.model_dump_json()
    assert RunConfig.model_validate_json(run.model_dump_json()) == run


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"compile_mode": "reduce-overhead"}, "'reduce-overhead' is of a compiled run: set compile to true"),
        ({"dataset": "mnist", "jpeg_draft": True}, "jpeg_draft is for clothing1m, .* not mnist"),
        ({"optimisation": {"last_batch": "pad"}}, "'keep' or 'drop'"),
        ({"compile": True, "compile_mode": "fast"}, "'default', 'reduce-overhead' or 'max-autotune'"),
    ],
)
def test_what_cannot_be(changes, said):
    with pytest.raises(ValueError, match=said):
        changed(START, changes)


def test_at_full_scale_the_runs_that_figures_embed_are_embedded_and_no_others():
    for name in grids.GRIDS:
        for config in grids.grid(name, profile="full"):
            assert config.embedding == (2_000 if config.section == "5.1" else 0), name
            assert "embed" not in config.changes
    assert all(
        run.embedding == 2_000 for name in ("figure2", "figure7") for run in grids.grid(name, profile="full")
    )
    assert {run.embedding for run in grids.grid("table1", "mnist", profile="laptop")} == {1_000}
