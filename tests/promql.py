"""Which series a PromQL expression asks for."""

import re
from typing import Final

_GROUPING: Final = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
_WORD: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_OPERATORS: Final = frozenset({"and", "or", "unless", "bool", "offset", "inf", "nan"})


def series(expression: str) -> set[str]:
    """Return the names of the series in ``expression``; what is called is no series."""
    text = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', "''", expression)
    text = re.sub(r"\{[^}]*\}", " ", text)  # matchers
    text = re.sub(r"\[[^]]*\]", " ", text)  # ranges
    text = re.sub(_GROUPING, " ", text)
    found = set(re.findall(rf"(?<![\w.])({_WORD})\b(?!\s*\()", text))
    return {name for name in found if name.lower() not in _OPERATORS}
