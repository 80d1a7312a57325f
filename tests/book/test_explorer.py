"""The explorer in the built page, in a real browser without a network: sliders move the curves."""

import re
import shutil

import pytest
from small_book import ROOT

from sce_lib import theory
from sce_lib.experiments.config import RunConfig

PAGE = (ROOT / "book" / "explorer.md").read_text()
LINKED = re.findall(r"\{doc\}`(?:[^`<]*<)?\.\./(notebooks/\w+)", PAGE)


@pytest.fixture(scope="module")
def page_file(build, tmp_path_factory):
    """Build a book of the explorer's page alone, beside stand-ins for the chapters that it points to."""
    root = tmp_path_factory.mktemp("explorer")
    stage = root / "stage"
    shutil.copytree(ROOT / "book", stage / "book", ignore=shutil.ignore_patterns("*.md", "*.py"))
    shutil.copy(ROOT / "_config.yml", stage)
    (stage / "book" / "explorer.md").write_text(PAGE)
    (stage / "notebooks").mkdir()
    for chapter in set(LINKED):
        (stage / f"{chapter}.md").write_text("# A chapter\n")
    chapters = "".join(f"- file: {chapter}\n" for chapter in sorted(set(LINKED)))
    (stage / "_toc.yml").write_text(f"format: jb-book\nroot: book/explorer\nchapters:\n{chapters}")
    assert build.run_jupyter_book(stage, root / "_build" / "html")
    return root / "_build" / "html" / "book" / "explorer.html"


@pytest.fixture
def explorer(opened):
    opened.reload()
    opened.wait_for_selector("#sl-explorer:not([hidden])")
    return opened


SET = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"


def move(page, slider, value):
    page.eval_on_selector(f"#sl-{slider}", SET, str(value))


def curves(page):
    nodes = page.query_selector_all(".sl-charts path[data-curve]")
    return [node.get_attribute("d") for node in nodes]


def shown(page, name):
    return float(page.text_content(f'[data-value^="{name}"]').replace("−", "-"))


# The curves in their order: CE, RCE, SL; CE's weight, SL's; gradient of CE at y, of SL at y, of SL elsewhere.
@pytest.mark.parametrize(
    ("slider", "value", "moved"),
    [
        ("alpha", 1.5, {2, 4, 6, 7}),
        ("beta", 2, {2, 4, 6, 7}),
        ("A", -7, {1, 2, 4, 6, 7}),
        ("K", 3, {7}),
        ("p", 0.2, set()),
    ],
)
def test_a_slider_moves_its_curves(explorer, slider, value, moved):
    before = curves(explorer)
    assert len(before) == 8
    move(explorer, slider, value)
    changed = {index for index, curve in enumerate(curves(explorer)) if curve != before[index]}
    # A new scale redraws the other curves of a panel too; p_y has no curve of its own.
    assert moved <= changed
    assert moved or not changed


def test_p_moves_the_mark_and_what_is_read_out(explorer):
    marks = [node.get_attribute("x1") for node in explorer.query_selector_all(".here")]
    assert shown(explorer, "SL") == pytest.approx(float(theory.sl_of_ce(0.6931, 0.1, 1, -4)), abs=1e-3)
    move(explorer, "p", 0.2)
    assert all(
        node.get_attribute("x1") != mark
        for node, mark in zip(explorer.query_selector_all(".here"), marks, strict=True)
    )
    assert "p_y = 0.2" in explorer.get_attribute(".sl-charts svg[role=img]", "aria-label")


def test_a_key_press_moves_a_slider_as_well(explorer):
    before = curves(explorer)
    explorer.focus("#sl-alpha")
    for _ in range(20):
        explorer.keyboard.press("ArrowRight")
    assert curves(explorer) != before


@pytest.mark.parametrize(
    ("alpha", "beta", "A", "p", "K"),
    [(0.1, 1, -4, 0.5, 10), (6, 0.1, -4, 0.03, 100), (0, 1, -2, 0.9, 2), (1, 0, -6, 0.25, 7)],
)
def test_numbers_are_the_library_s(explorer, alpha, beta, A, p, K):
    for slider, value in {"alpha": alpha, "beta": beta, "A": A, "p": p, "K": K}.items():
        move(explorer, slider, value)
    prediction = [p] + [(1 - p) / (K - 1)] * (K - 1)
    gradient = theory.sl_gradient(prediction, 0, alpha, beta, A)
    expected = {
        "SL": theory.sl_table(prediction, alpha, beta, A)[0],
        "RCE": theory.rce_table(prediction, A)[0],
        "weight": theory.sl_weight(p, alpha, beta, A),
        "∂SL/∂z_y": gradient[0],
        "∂SL/∂z_j": gradient[1],
        "p*": theory.gradient_peak(alpha, beta, A),
    }
    for name, value in expected.items():
        assert shown(explorer, name) == pytest.approx(float(value), abs=6e-4), name


def test_buttons_hold_the_paper_s_settings(explorer):
    buttons = explorer.query_selector_all("button[data-preset]")
    assert len(buttons) >= 4
    for button in buttons:
        dataset, section = button.get_attribute("data-preset").split("-")
        sl = RunConfig.preset(dataset, "sl", "symmetric-0.4", profile="full", section=section).method
        button.click()
        values = [float(explorer.input_value(f"#sl-{name}")) for name in ("alpha", "beta", "A")]
        assert values == [sl.alpha, sl.beta, sl.A]


def test_picture_stands_in_where_scripts_do_not_run(browser, page_file, explorer):
    assert not explorer.is_visible("#fig-explorer")
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.is_visible("#fig-explorer img")
    assert page.eval_on_selector("#fig-explorer img", "image => image.naturalWidth") > 300
    assert not page.is_visible("#sl-explorer")
    context.close()


def test_fits_a_phone(browser, page_file):
    context = browser.new_context(offline=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.wait_for_selector("#sl-explorer:not([hidden])")
    box = page.query_selector("#sl-explorer").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    context.close()
