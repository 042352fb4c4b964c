"""The demo as a process of its own, for those who look at what it does."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.integration.conftest import Command

ROOT: Final = Path(__file__).resolve().parents[2]
LIMIT: Final = 120.0  # seconds for a whole demo of six; a busy machine takes long to start one


def start(log: Path, environment: Mapping[str, str]) -> Command:
    """Start ``python -m demo``; what it prints goes to ``log``. Whoever starts it ends it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo"],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Command(process, log)


def exported(demo: Command) -> str | None:
    """Return the line that a demo prints for another shell; None while it has not."""
    assert demo.process.poll() is None, f"it ended:\n{demo.output}"
    return next((line for line in demo.output.splitlines() if line.startswith("export ")), None)
