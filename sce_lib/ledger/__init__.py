"""The ledger: one record a run, one file a record, each file checked against its own checksum."""

from sce_lib.ledger.records import (
    Embedding,
    EpochRecord,
    GroupRecord,
    Provenance,
    RunRecord,
    StageRecord,
)
from sce_lib.ledger.store import FORMAT, Ledger, LedgerError, MissingRuns, select

__all__ = [
    "FORMAT",
    "Embedding",
    "EpochRecord",
    "GroupRecord",
    "Ledger",
    "LedgerError",
    "MissingRuns",
    "Provenance",
    "RunRecord",
    "StageRecord",
    "select",
]
