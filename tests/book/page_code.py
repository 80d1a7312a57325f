"""The Python of a page: what runs anywhere, and what needs packages of the extra `integrations`."""

import ast
import re
from importlib.util import find_spec

import pytest
import torch
from small_book import ROOT

USING = (ROOT / "book" / "using.md").read_text()
# Blocks that need more than torch and numpy are marked so that those who have these alone can leave them out.
ANYWHERE, WITH_MORE = "python", "{code-block} python"


def blocks(text, *marks):
    """Return a page's blocks of Python with these marks, each under its line number."""
    marks = "|".join(map(re.escape, marks or (ANYWHERE, WITH_MORE)))
    found = re.finditer(rf"^```(?:{marks})\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, match.start(1)), match[1]) for match in found]


def skip_without_packages(source):
    """Skip a test, and say why, where a package that the code imports is not installed."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module)
    for package in sorted({module.split(".")[0] for module in modules}):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install '.[integrations]'")


def run(found, names):
    """Run blocks one after the other in one namespace; a failure has its line of the page."""
    for line, source in found:
        exec(compile("\n" * line + source, "using.md", "exec"), names)
    return names


def section(heading, text=USING):
    """Return a page's text under a heading, with empty lines before it so that lines keep their numbers."""
    (found,) = re.finditer(rf"^(#+) {re.escape(heading)}\n", text, re.MULTILINE)
    after = re.compile(rf"^#{{2,{len(found[1])}}} ", re.MULTILINE).search(text, found.end())
    return "\n" * text.count("\n", 0, found.start()) + text[found.start() : after and after.start()]


def run_page(text, *marks):
    """Run a page from its first block to its last, and leave torch's random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return run(blocks(text, *marks), {})
