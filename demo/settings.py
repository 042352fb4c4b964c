"""What a demo may be told, all of it by environment variables.

DEMO_SECONDS  how long the load works before the demo compares and ends; without it, until Ctrl-C
DEMO_PREFIX   the path below which the boards are, /demo if not set
OS_…          Canary's own options; devstack sets those that say where the servers are
OS_SERVER__PORT  the dashboard's port, any that is free if not set
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from canary.config import Config, check_board_path, load
from canary.errors import CanaryError

PREFIX = "/demo"


class SettingError(Exception):
    """A variable is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One demo's settings."""

    seconds: float | None
    prefix: str
    folder: Path
    port: int | None
    canary: Config


def from_environment() -> Settings:
    """Read them. Raises SettingError, or ConfigError for an option of Canary's."""
    folder = os.environ.get("DEVSTACK_FOLDER")
    if folder is None:
        raise SettingError(
            "DEVSTACK_FOLDER is not set; the demo needs servers. Run `make demo`, "
            "or: .venv/bin/python -m devstack run -- .venv/bin/python -m demo"
        )
    canary = load([])
    return Settings(
        seconds=_seconds(os.environ.get("DEMO_SECONDS", "")),
        prefix=_prefix(os.environ.get("DEMO_PREFIX", "") or PREFIX),
        folder=Path(folder),
        port=canary.server.port if os.environ.get("OS_SERVER__PORT", "").strip("0 ") else None,
        canary=canary,
    )


def _prefix(text: str) -> str:
    try:
        return check_board_path(text)
    except CanaryError as error:
        raise SettingError(f"DEMO_PREFIX is wrong: {error}") from error


def _seconds(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 1 <= seconds <= 86_400:
        raise SettingError(f"DEMO_SECONDS is {text!r}; it must be a number from 1 to 86400")
    return seconds
