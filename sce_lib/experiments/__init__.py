"""Runs: what they are (`config`), made (`training`, `sweep`), kept (`ledger`), and asked for (`grids`)."""

from sce_lib import require_extra

require_extra(
    "experiments", "pydantic", "pandas", "rich", "tqdm", "filelock", "platformdirs", "PIL", "sklearn"
)
