"""The table of faults on the page is the one that was measured, and nothing in it was lost."""

import json
import re

from reference import faults
from small_book import ROOT

PAGE = (ROOT / "book" / "running.md").read_text()


def test_nothing_was_lost_wrong_or_doubled_and_every_fault_was_tried():
    kept = json.loads(faults.FILE.read_text())
    for row in kept["rows"]:
        assert row["times"] > 0, row
        assert (row["lost"], row["wrong"], row["doubled"]) == (0, 0, 0), row
    (kills,) = (row["times"] for row in kept["rows"] if row["name"] == "a run is killed with −9")
    assert kills >= 50
    assert kept["minutes"] < 20


def test_the_page_shows_the_table():
    (name, text), *others = faults.fragments().items()
    assert others == []
    assert f"{{include}} _made/{name}" in PAGE
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    for row in rows:
        assert re.fullmatch(r"\| [^|]+ \| \d+ \| [^|]+ \| 0 \| 0 \| 0 \|", row), row
