"""Mutation test: change the library in one place at a time and see whether its tests notice.

``python tests/mutants/mutants.py --seed 0 --minutes 20`` draws places at random in losses, noise, theory and
metrics, runs the tests of that room on a changed copy, and prints which changes survive. A survivor is either
a gap in the tests or a change that alters nothing; the latter are named in `EQUIVALENT`.
"""

import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("losses", "noise", "theory", "metrics")
# What a mutant's tests may take before it counts as caught: it hangs.
PATIENCE = 600

# Changes that alter no result, by file and by how they read: looked at one by one.
EQUIVALENT: frozenset[tuple[str, str]] = frozenset()

_COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
_COMPUTED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}


@dataclass(frozen=True)
class Mutant:
    """A change of one file: what it is called, and the text that the file then has."""

    file: str
    change: str
    source: str


def _alternatives(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield what may stand in a node's place, each with the change in words."""
    changed = copy.deepcopy(node)
    if isinstance(changed, ast.Compare) and type(changed.ops[0]) in _COMPARED:
        changed.ops[0] = _COMPARED[type(changed.ops[0])]()
    elif isinstance(changed, ast.BinOp) and type(changed.op) in _COMPUTED:
        changed.op = _COMPUTED[type(changed.op)]()
    elif isinstance(changed, ast.BoolOp):
        changed.op = ast.Or() if isinstance(changed.op, ast.And) else ast.And()
    elif isinstance(changed, ast.UnaryOp) and isinstance(changed.op, ast.Not | ast.USub):
        yield f"{ast.unparse(node)} -> {ast.unparse(changed.operand)}", changed.operand
        return
    elif isinstance(changed, ast.Constant) and type(changed.value) in (int, float):
        changed.value = changed.value + 1
    elif isinstance(changed, ast.Constant) and isinstance(changed.value, bool):
        changed.value = not changed.value
    elif isinstance(changed, ast.If | ast.IfExp):
        changed.test = ast.UnaryOp(ast.Not(), changed.test)
        yield f"if {ast.unparse(node.test)} -> if not", changed  # type: ignore[attr-defined]
        return
    else:
        return
    yield f"{ast.unparse(node)} -> {ast.unparse(changed)}", changed


class _Replace(ast.NodeTransformer):
    def __init__(self, place: int, by: ast.AST) -> None:
        self.place, self.by, self.seen = place, by, -1

    def generic_visit(self, node: ast.AST) -> ast.AST:
        self.seen += 1
        return self.by if self.seen == self.place else super().generic_visit(node)


class _Places(ast.NodeVisitor):
    """Number the nodes as `_Replace` meets them, and leave out what no test can be asked to notice."""

    def __init__(self) -> None:
        self.nodes: list[tuple[ast.AST, bool]] = []
        self.quiet = 0

    def generic_visit(self, node: ast.AST) -> None:
        # Messages, annotations and module tables are prose, not arithmetic.
        quiet = isinstance(node, ast.Raise | ast.JoinedStr | ast.arg | ast.AnnAssign)
        self.quiet += quiet
        self.nodes.append((node, not self.quiet))
        super().generic_visit(node)
        self.quiet -= quiet


def mutants_of(path: Path, root: Path = ROOT) -> list[Mutant]:
    """Return all changes of a file."""
    tree = ast.parse(path.read_text())
    places = _Places()
    places.visit(tree)
    found = []
    for place, (node, asked) in enumerate(places.nodes):
        for change, by in _alternatives(node) if asked else ():
            mutated = _Replace(place, by).visit(copy.deepcopy(tree))
            source = ast.unparse(ast.fix_missing_locations(mutated))
            line = getattr(node, "lineno", 0)
            name = str(path.relative_to(root))
            found.append(Mutant(name, f"line {line}: {change}", source))
    return found


def tests_of(file: str) -> list[str]:
    """Return the tests that should notice a change of a file: its room's, its own first."""
    path = Path(file)
    room = path.parts[1].removesuffix(".py")
    own = [str(p.relative_to(ROOT)) for p in (ROOT / "tests" / room).rglob(f"test_{path.stem}.py")]
    return [*own, f"tests/{room}", file]


class Workshop:
    """A copy of the project in which one file at a time is changed and tested."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("sce_lib", "tests", "notebooks", "data/ledger", "book"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored, dirs_exist_ok=True)
        shutil.copy(ROOT / "pyproject.toml", folder)

    def survives(self, mutant: Mutant, tests: list[str]) -> bool:
        """Return whether all tests pass although the file is changed."""
        target = self.folder / mutant.file
        before = target.read_text()
        target.write_text(mutant.source)
        try:
            return self._passes(tests)
        finally:
            target.write_text(before)

    def _passes(self, tests: list[str]) -> bool:
        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
        environment = os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        environment["HYPOTHESIS_STORAGE_DIRECTORY"] = str(self.folder / ".hypothesis")
        command = [sys.executable, "-m", "pytest", *options, *dict.fromkeys(tests)]
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def main(
    seed: Annotated[int, typer.Option(help="of the places that are drawn")] = 0,
    minutes: Annotated[float, typer.Option(help="how long to go on")] = 20,
) -> None:
    """Draw mutants, test them until the time is up, print the rate and the survivors."""
    files = [path for room in ROOMS for path in sorted((ROOT / "sce_lib" / room).rglob("*.py"))]
    drawn = [mutant for path in files for mutant in mutants_of(path)]
    random.Random(seed).shuffle(drawn)
    began, caught, survivors = time.monotonic(), 0, []
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder))
        for mutant in drawn:
            if time.monotonic() - began > 60 * minutes:
                break
            if (mutant.file, mutant.change.partition(": ")[2]) in EQUIVALENT:
                continue
            if workshop.survives(mutant, tests_of(mutant.file)):
                survivors.append(mutant)
                typer.echo(f"survived  {mutant.file}, {mutant.change}")
            else:
                caught += 1
    tried = caught + len(survivors)
    typer.echo(f"{caught} of {tried} mutants caught ({100 * caught / max(1, tried):.0f} %), seed {seed}")


if __name__ == "__main__":
    typer.run(main)
