"""What the runs say: published numbers, claims and verdicts, effects, tables, figures."""

from sce_lib import require_extra

require_extra("report", "pandas", "matplotlib", "seaborn", "scipy")
