"""Pydantic models of edits, for ``/openapi.json``."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """An object with exactly these fields, none of them optional."""

    model_config = ConfigDict(extra="forbid")


class Edited(Answer):
    """A job before or after an edit; if its lock was edited, without the payload's fields."""

    uuid: str | None
    name: str | None
    owner: str | None = Field(description="who claims the job; null if nobody does")
    priority: str | None
    malformed: str | None = Field(description="why TaskFlow or Canary cannot read the payload")
    size: int | None = Field(description="bytes of the payload, before Canary masked or cut it")
    sha256: str | None


class Difference(Answer):
    """A value that an edit has changed."""

    field: str = Field(description="where the value is in the payload, as in details.retries")
    before: str | None = Field(description="as JSON, cut to 200 characters; null if there was none")
    after: str | None


class Edit(Answer):
    """An edit by hand of the data of a job's znode or of its lock."""

    of: Literal["job", "lock"]
    edits: int | None = Field(description="how many edits this change stands for; null if unknown")
    before: Edited | None = Field(description="null if it was edited before Canary first read it")
    after: Edited
    changed: list[Difference] = Field(
        description="the values that differ, of what Canary keeps; at most 20"
    )
