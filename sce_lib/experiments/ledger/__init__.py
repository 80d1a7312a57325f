"""The ledger: one record a run, one file a record, each file checked against its own checksum."""

from sce_lib.experiments.ledger.compare import (
    LedgerDifference,
    MixedImages,
    compare,
    described_images,
    differences,
    require_same_images,
)
from sce_lib.experiments.ledger.exchange import Imported, export, import_records, to_frame
from sce_lib.experiments.ledger.records import (
    DetectionRecord,
    Embedding,
    EpochRecord,
    GroupRecord,
    Provenance,
    RunRecord,
    StageRecord,
    Summary,
)
from sce_lib.experiments.ledger.store import FORMAT, Ledger, LedgerError, MissingRuns, OutOfReach, select

__all__ = ["FORMAT", "DetectionRecord", "Embedding", "EpochRecord", "GroupRecord", "Imported", "Ledger"]
__all__ += ["LedgerDifference", "LedgerError", "MissingRuns", "MixedImages", "OutOfReach", "Provenance"]
__all__ += ["RunRecord", "StageRecord", "Summary", "compare", "described_images", "differences", "export"]
__all__ += ["import_records", "require_same_images", "select", "to_frame"]
