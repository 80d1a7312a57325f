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
    Embedding,
    EpochRecord,
    GroupRecord,
    Provenance,
    RunRecord,
    StageRecord,
)
from sce_lib.experiments.ledger.store import FORMAT, Ledger, LedgerError, MissingRuns, select

__all__ = ["FORMAT", "Embedding", "EpochRecord", "GroupRecord", "Imported", "Ledger", "LedgerDifference"]
__all__ += ["LedgerError", "MissingRuns", "MixedImages", "Provenance", "RunRecord", "StageRecord", "compare"]
__all__ += ["described_images", "differences", "export", "import_records", "require_same_images", "select"]
__all__ += ["to_frame"]
