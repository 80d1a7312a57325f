"""The page on using the losses: its code runs, its numbers are the library's, its claims hold."""

import re
import subprocess
import sys

import pytest
import torch
from page_code import ANYWHERE, USING, blocks, run, run_page, section

from sce_lib import losses
from sce_lib.experiments.config import presets


def test_code_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Generating machine code takes most of a minute; tracing, which is where a break would show, does not.
    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda *args, **kw: compiler(*args, backend="eager", **kw))
    names = run_page(USING, ANYWHERE)
    assert names["loss"].isfinite()
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 1001
    assert (tmp_path / "noise.png").stat().st_size > 10_000


@pytest.mark.slow
def test_code_of_the_page_runs_compiled_in_earnest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_page(USING, ANYWHERE)["loss"].isfinite()


def test_failing_code_is_reported_with_its_line():
    page = "# Title\n\n## Section\n\n```python\n1 + 1\n1 / 0\n```\n"
    with pytest.raises(ZeroDivisionError) as caught:
        run_page(page)
    assert caught.traceback[-1].lineno + 1 == 7
    with pytest.raises(ZeroDivisionError) as caught:
        run(blocks(section("Section", page)), {})
    assert caught.traceback[-1].lineno + 1 == 7


def test_no_code_is_left_out():
    assert len(blocks(USING)) == USING.count("```python") + USING.count("```{code-block}")


def test_ignored_pixels_do_not_count():
    names = run(
        blocks(section("Plain PyTorch"))[:1] + blocks(section("Segmentation, and pixels without a label")), {}
    )
    kept = names["masks"] != 255
    p = names["logits"].softmax(1).gather(1, (names["masks"] * kept)[:, None])[:, 0]
    value = losses.SymmetricCrossEntropy(ignore_index=255)(names["logits"], names["masks"])
    torch.testing.assert_close(value, (-0.1 * p.log() + 4 * (1 - p))[kept].mean())


@pytest.mark.parametrize(("result", "labels"), [("binary", "answers"), ("multi_label", "tags")])
def test_one_logit_with_zero_is_a_sigmoid(result, labels):
    found = blocks(section("Binary and multi-label problems"))
    names = run(blocks(section("Plain PyTorch")), {})
    for block in found:  # up to the block in question, as the next one has other scores
        if result not in names:
            run([block], names)
    p = torch.where(names[labels] == 1, names["scores"].sigmoid(), (-names["scores"]).sigmoid())
    torch.testing.assert_close(names[result], (-0.1 * p.log() + 4 * (1 - p)).mean())


def test_beta_does_what_A_does_as_the_page_says():
    logits, labels = torch.randn(50, 10, dtype=torch.float64), torch.arange(50) % 10

    def loss(beta, A):
        return losses.SymmetricCrossEntropy(alpha=0.1, beta=beta, A=A)(logits, labels)

    said = re.search(
        r"\$A = -6\$ is \$\\beta = (.*?)\$.*?\$A = \\log 10.*?\$ is\s+\$\\beta = (.*?)\$", USING, re.DOTALL
    )
    for A, beta in zip((presets.PAPER_SECTIONS["5.1"]["A"], presets.RELEASED_A), said.groups(), strict=True):
        torch.testing.assert_close(loss(float(beta), -4.0), loss(1.0, A), rtol=2e-3, atol=0)


def test_numbers_of_the_prose_are_those_of_the_presets():
    alpha, beta = presets.SL_WEIGHTS["cifar100"]
    highest = alpha - beta * presets.PAPER_SECTIONS["5.2"]["A"]
    assert f"its weight goes from {alpha:g} to {highest:g}" in USING
    assert f"Sum([({alpha}, CrossEntropy())])" in USING
    alpha, beta = presets.SL_WEIGHTS["cifar10"]
    floor = presets.PAPER_SECTIONS["5.2"]["A"]
    assert f"begin with $\\alpha = {alpha:g}$, $\\beta = {beta:g}$, $A = {floor:g}$" in USING
    assert f"for this setting, {alpha - beta * floor:g}," in USING


def test_losses_need_nothing_else_of_the_library():
    code = "import sys, sce_lib.losses; print(*[name for name in sys.modules if name.startswith('sce_lib')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.split(".")[1] for name in done.stdout.split() if "." in name} == {"losses"}
