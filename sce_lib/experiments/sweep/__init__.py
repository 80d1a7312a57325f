"""From runs that are wanted to records in the ledger: train what is missing, once each."""

from sce_lib.experiments.sweep.checking import Verification, verify
from sce_lib.experiments.sweep.cluster import dask_executor
from sce_lib.experiments.sweep.display import Display
from sce_lib.experiments.sweep.engine import Status, run
from sce_lib.experiments.sweep.outlook import Outlook, outlook
from sce_lib.experiments.sweep.planning import Estimate, Plan, plan
from sce_lib.experiments.sweep.runs import (
    collect,
    ensure,
    missing,
    present,
    present_with_any_seed,
    require_images_at_hand,
)

__all__ = ["Display", "Estimate", "Outlook", "Plan", "Status", "Verification", "collect", "dask_executor"]
__all__ += ["ensure", "missing", "outlook", "plan", "present", "present_with_any_seed"]
__all__ += ["require_images_at_hand", "run", "verify"]
