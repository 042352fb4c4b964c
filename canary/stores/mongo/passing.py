"""Which errors of a MongoDB server pass by themselves, so that a new try makes sense."""

from typing import Final

from pymongo.errors import OperationFailure

# Server error codes that pass by themselves though the driver has no class of its own for them.
_PASSING: Final = frozenset(
    {
        6,  # HostUnreachable, from a mongos
        7,  # HostNotFound, the same
        24,  # LockTimeout
        43,  # CursorNotFound, after a restart
        50,  # MaxTimeMSExpired
        89,  # NetworkTimeout, from a mongos
        112,  # WriteConflict
        133,  # FailedToSatisfyReadPreference, from a mongos
        175,  # QueryPlanKilled
        215,  # DatabaseDropPending
        225,  # TransactionTooOld
        226,  # AtomicityFailure
        228,  # CannotImplicitlyCreateCollection
        239,  # SnapshotUnavailable
        246,  # SnapshotTooOld
        251,  # NoSuchTransaction: it was aborted, by a taker or by a new primary
        256,  # TransactionCommitted
        262,  # ExceededTimeLimit
        263,  # OperationNotSupportedInTransaction, while a collection is being made
        11601,  # Interrupted, by killSessions
    }
)


def is_passing(error: OperationFailure) -> bool:
    """Return whether a server's error may pass by itself."""
    return (
        error.code in _PASSING
        or error.has_error_label("TransientTransactionError")
        or error.has_error_label("RetryableWriteError")
        or error.has_error_label("UnknownTransactionCommitResult")
    )
