"""The mutation test itself, and mistakes in the theory that its tests or chapter must notice."""

import subprocess
import sys

import mutants
import pytest

# A mistake each: in which file, what stands there, and what would stand there.
NAMED = {
    "f*_η is taken to be f*": (
        "sce_lib/theory/theorem.py",
        "star, star_eta = (int(minimisers(values)[0]) for values in (risks(problem, table), noisy))",
        "star = star_eta = int(minimisers(risks(problem, table))[0])",
    ),
    "everything is tolerant": (
        "sce_lib/theory/problems.py",
        "return bool((apart.min(axis=0) <= slack).all() and (apart.min(axis=1) <= slack).all())",
        "return True",
    ),
    "tolerance asks for coverage alone": (
        "sce_lib/theory/problems.py",
        "return bool((apart.min(axis=0) <= slack).all() and (apart.min(axis=1) <= slack).all())",
        "return bool((apart.min(axis=1) <= slack).all())",
    ),
    "and for the other coverage alone": (
        "sce_lib/theory/problems.py",
        "return bool((apart.min(axis=0) <= slack).all() and (apart.min(axis=1) <= slack).all())",
        "return bool((apart.min(axis=0) <= slack).all())",
    ),
    "β is dropped": (
        "sce_lib/theory/counterexamples.py",
        "table = beta * problems.rce_table(probabilities, A)",
        "table = problems.rce_table(probabilities, A)",
    ),
    "β is dropped from the optimum": (
        "sce_lib/theory/classes.py",
        "ce_share = alpha / (alpha + beta * abs(A))",
        "ce_share = alpha / (alpha + abs(A))",
    ),
    "the order of the risks is reversed": (
        "sce_lib/theory/problems.py",
        "return np.flatnonzero(values <= values.min() + slack)",
        "return np.flatnonzero(values >= values.max() - slack)",
    ),
    "the margin is ignored": (
        "sce_lib/theory/counterexamples.py",
        "        if distance > margin:",
        "        if distance > 0:",
    ),
}


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return mutants.Workshop(tmp_path_factory.mktemp("workshop"))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_a_mistake_is_noticed(workshop, name):
    file, right, wrong = NAMED[name]
    source = (mutants.ROOT / file).read_text()
    assert source.count(right) == 1, f"{file} has changed: bring this mutant up to date"
    mutant = mutants.Mutant(file, name, source.replace(right, wrong))
    assert not workshop.survives(mutant, mutants.tests_of(file))


def test_a_file_has_mutants_that_differ_from_it_and_from_one_another():
    path = mutants.ROOT / "sce_lib" / "losses" / "functional" / "symmetric.py"
    found = mutants.mutants_of(path)
    assert len(found) > 10
    sources = {mutant.source for mutant in found}
    assert len(sources) == len(found)
    for mutant in found:
        compile(mutant.source, mutant.file, "exec")


def test_prose_is_left_alone(tmp_path):
    file = tmp_path / "some.py"
    message = 'f"{x + 1} is below 0"'
    lines = [
        "def f(x: int = 1) -> int:",
        "    if x < 0:",
        f"        raise ValueError({message})",
        "    return -x",
    ]
    file.write_text("\n".join(lines))
    changes = {mutant.change.partition(": ")[2] for mutant in mutants.mutants_of(file, tmp_path)}
    assert changes == {"1 -> 2", "if x < 0 -> if not", "x < 0 -> x <= 0", "0 -> 1", "-x -> x"}


def test_a_mutant_is_caught_by_a_test_and_the_file_is_whole_again(tmp_path, monkeypatch):
    for name in ("sce_lib", "tests", "notebooks", "data/ledger", "book"):
        (tmp_path / "home" / name).mkdir(parents=True)
    for empty in ("pyproject.toml", "sce_lib/__init__.py"):
        (tmp_path / "home" / empty).write_text("")
    (tmp_path / "home" / "sce_lib" / "two.py").write_text("def two():\n    return 1 + 1\n")
    test = "from sce_lib.two import two\n\n\ndef test_two():\n    assert two() == 2\n"
    (tmp_path / "home" / "tests" / "test_two.py").write_text(test)
    monkeypatch.setattr(mutants, "ROOT", tmp_path / "home")
    shop = mutants.Workshop(tmp_path / "shop")
    minus = mutants.Mutant("sce_lib/two.py", "minus", "def two():\n    return 1 - 1\n")
    same = mutants.Mutant("sce_lib/two.py", "times two", "def two():\n    return 2\n")
    assert not shop.survives(minus, ["tests/test_two.py"])
    assert shop.survives(same, ["tests/test_two.py"])
    assert (tmp_path / "shop" / "sce_lib" / "two.py").read_text().endswith("1 + 1\n")


def test_the_command_says_its_options():
    command = [sys.executable, str(mutants.ROOT / "tests" / "mutants" / "mutants.py"), "--help"]
    assert "--minutes" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
