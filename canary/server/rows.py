"""Documents as rows: a damaged document does not make a whole list fail.

Promises: each document becomes a row, and each value of a row has its type. A field that a damaged
document lacks gets an empty default; a missing time is 1970. The log names each damaged document
once.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from canary.server.representation import JSON
from canary.stores.mongo.shapes import Shape, Told

LOG = logging.getLogger(__name__)

MOST_NAMED: Final = 1_000  # damaged documents that the log names

_named: set[str] = set()


def told(
    make: Callable[[Mapping[str, Any]], JSON],
    document: Mapping[str, Any],
    shape: Shape,
) -> JSON:
    """Return the row that ``make`` makes of ``document``, with defaults if it is damaged."""
    reason = "a field is missing or has the wrong type"
    if shape.is_as_written(document):
        try:
            return make(Told(document))
        except Exception as error:  # noqa: BLE001 -- a damaged document may raise anything
            reason = f"{type(error).__name__}: {error}"
    _name_once(str(document.get("_id")), reason)
    return make(shape.whole(document))


def _name_once(identity: str, reason: str) -> None:
    if identity not in _named and len(_named) < MOST_NAMED:
        _named.add(identity)
        LOG.warning(
            "the document %a in MongoDB is damaged; it is shown as far as it can be read: %s",
            identity[:200],
            reason,
        )
