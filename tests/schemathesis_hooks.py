"""What schemathesis cannot make up: a cursor is good only where it comes from.

Wrong ones are tried by ``tests/integration/test_lists.py``.
"""

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(_context: Any, case: Any, _options: dict[str, Any]) -> None:
    """Ask for the first page."""
    (case.query or {}).pop("cursor", None)
