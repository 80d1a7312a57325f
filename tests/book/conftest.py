"""What the tests of the book share: the build script as a module, and one small book that is whole."""

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from small_book import INTRO, ROOT, small_notebook

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def _load_build() -> ModuleType:
    sys.path.insert(0, str(ROOT / "book"))  # as running the script does
    spec = importlib.util.spec_from_file_location("book_build", ROOT / "book" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["book_build"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def build() -> ModuleType:
    """Return ``book/build.py``."""
    return _load_build()


@pytest.fixture(scope="session")
def whole_book(build: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``stage`` and ``_build/html``: two pages, under the project's own settings."""
    root = tmp_path_factory.mktemp("book")
    stage = root / "stage"
    shutil.copytree(ROOT / "book", stage / "book", ignore=shutil.ignore_patterns("*.md", "*.py"))
    shutil.copy(ROOT / "_config.yml", stage)
    (stage / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro\nchapters:\n- file: notebooks/01_small\n- file: book/references\n"
    )
    (stage / "book" / "intro.md").write_text(INTRO)
    shutil.copy(ROOT / "book" / "references.md", stage / "book")
    sources = ("a = 1", "import matplotlib.pyplot as plt\nplt.plot([a, 2]);", "print(a)\nprint(2)\na + 1")
    notebook = root / "01_small.ipynb"
    nbformat.write(small_notebook(*sources), notebook)
    execution = build.execute(notebook, stage / "notebooks" / "01_small.ipynb")
    assert execution.error is None, execution.error
    assert build.run_jupyter_book(stage, root / "_build" / "html")
    return root


@pytest.fixture(scope="module")  # its event loop must be gone before a notebook is executed
def browser():
    """Return a headless browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser found: install one of {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def opened(browser, page_file):
    """Return a module's ``page_file`` opened without a network; no script of it may complain."""
    page = browser.new_context(offline=True).new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(page_file.as_uri())
    yield page
    assert complaints == []
    page.context.close()
