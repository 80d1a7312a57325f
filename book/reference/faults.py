"""What became of runs that were disturbed, from the file that `make faults` writes."""

import json
from typing import Any

from reference import markdown
from reference.markdown import ROOT

FILE = ROOT / "data" / "benchmarks" / "faults.json"
COLUMNS = ("fault", "times tried", "what happened", "lost", "wrong", "doubled")


def table(kept: dict[str, Any]) -> str:
    """Return the table of faults: how often each was tried, and how many runs were lost, wrong or doubled."""
    order = ("name", "times", "outcome", "lost", "wrong", "doubled")
    return "\n".join(markdown.table(COLUMNS, [tuple(str(row[key]) for key in order) for row in kept["rows"]]))


def fragments() -> dict[str, str]:
    """Return the page's table, and when and on what it was made."""
    kept = json.loads(FILE.read_text())
    tried = sum(row["times"] for row in kept["rows"])
    said = f"{tried} faults, tried on {kept['date']} in {kept['minutes']} minutes, on {kept['machine']}."
    return {"faults.md": f"{said}\n\n{table(kept)}"}
