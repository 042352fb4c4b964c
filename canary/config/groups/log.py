"""The options of `[log]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config.kinds import Choice
from canary.config.option import option


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What the programs write to standard error."""

    level: str = option(
        "INFO", Choice(("DEBUG", "INFO", "WARNING", "ERROR")), "The lowest level that is written."
    )
    format: str = option(
        "text",
        Choice(("text", "json")),
        "text is one line per event, for people; json is one JSON object per line.",
    )
    requests: str = option(
        "notable",
        Choice(("notable", "all")),
        "Which requests canary-server logs at INFO: all, or only those (notable) that were "
        "answered with an error, took more than a second or were event streams. The others are "
        "logged at DEBUG.",
    )
