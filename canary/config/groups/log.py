"""The options of `[log]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config.kinds import Choice
from canary.config.option import option


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What the programs write to standard error."""

    level: str = option(
        "INFO", Choice(("DEBUG", "INFO", "WARNING", "ERROR")), "The least that is written."
    )
    format: str = option(
        "text", Choice(("text", "json")), "One line an event for people, or one JSON object a line."
    )
