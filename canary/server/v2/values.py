"""The types of values in a query of ``/v2``, each with its check and its OpenAPI schema."""

import re
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from canary.config import check_board_path
from canary.config.board_path import shown
from canary.errors import UsageError
from canary.values import EPOCH_SECONDS, SECONDS, moment, seconds, whole

MAX_TEXT: Final = 6_144  # characters: a name may have 1,024, each escaped as six
MAX_SEARCH: Final = 200  # characters


def board_path(text: str) -> str:
    """Return ``text`` if it may be a board's path. Raises ValueError with the reason."""
    try:
        return check_board_path(text)
    except UsageError as error:
        raise ValueError(str(error).removeprefix(f"{shown(text)} ")) from error


def _searched(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("it contains a control character")
    return text


BoardPath = Annotated[
    str,
    AfterValidator(board_path),
    WithJsonSchema({"type": "string", "pattern": r"^(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$"}),
]
Whole = Annotated[int, BeforeValidator(whole)]
Count = Annotated[int, Field(ge=0, le=10**15), BeforeValidator(whole)]
Seconds = Annotated[
    float, BeforeValidator(seconds), WithJsonSchema({"type": "string", "pattern": SECONDS})
]
Moment = Annotated[
    datetime,
    BeforeValidator(moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "string", "pattern": EPOCH_SECONDS},
            ]
        }
    ),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]
Search = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_SEARCH),
    AfterValidator(_searched),
    WithJsonSchema({"type": "string", "pattern": r"^[^\x00-\x1f\x7f]+$", "maxLength": MAX_SEARCH}),
]
