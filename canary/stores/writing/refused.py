"""MongoDB's errors that are about what was to be written, not about who writes or where."""

from typing import Final

from bson.errors import BSONError
from pymongo.errors import BulkWriteError, OperationFailure

# Server error codes: what was sent is invalid, or there was too much of it.
_UNFIT: Final = frozenset(
    {
        15,  # Overflow: nested too deeply
        22,  # InvalidBSON
        388,  # TransactionTooLargeForCache
        10334,  # BSONObjectTooLarge
        17419,  # the document would grow too large
        17420,
    }
)


def is_unfit(cause: BaseException | None) -> bool:
    """Return whether an error is about what was to be written, not about who writes or where."""
    if isinstance(cause, BulkWriteError):
        errors = (cause.details or {}).get("writeErrors", [])
        return any(error["code"] in _UNFIT for error in errors)
    if isinstance(cause, OperationFailure):
        return cause.code in _UNFIT
    return isinstance(cause, BSONError | OverflowError | UnicodeError)


def is_aborted(cause: BaseException | None) -> bool:
    """Return whether MongoDB aborted a transaction, as it does with one that fills its cache."""
    return isinstance(cause, OperationFailure) and cause.has_error_label(
        "TransientTransactionError"
    )
