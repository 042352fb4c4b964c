"""Pydantic models of what Canary adds to a payload, for ``/openapi.json``."""

from pydantic import Field

from canary.server.v2.edit_schemas import Answer


class Cut(Answer):
    """A place at which a payload was cut."""

    pointer: str = Field(
        description="a JSON pointer (RFC 6901) into the payload, masked like the payload"
    )
    kept: int = Field(description="kept characters of a text, or entries of a list or an object")
    size: int | None = Field(description="how many there were before; null if unknown")
