"""A ZooKeeper whose clock is off by as much as a test says, and can be set while it runs."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.ensemble import new_ensemble

FETCH_LIMIT = 300  # seconds to fetch libfaketime in, the first time


@dataclass(frozen=True)
class Clock:
    """The clock of a ZooKeeper at ``hosts``."""

    hosts: str
    file: Path

    def set(self, ahead: float) -> None:
        """Set it so many seconds ahead of the machine's."""
        _write(self.file, ahead)


@pytest.fixture(scope="session")
def faketime() -> Path:
    """The library; a test that asks for it is skipped where there is none and none can be had."""
    found = subprocess.run(
        [sys.executable, "-m", "devstack.faketime"],
        capture_output=True,
        text=True,
        timeout=FETCH_LIMIT,
        check=False,
    )
    if found.returncode:
        pytest.skip(found.stderr.strip())
    return Path(found.stdout.strip())


@contextmanager
def zookeeper_ahead(library: Path, folder: Path, ahead: float) -> Iterator[Clock]:
    """Run one whose clock is so many seconds ahead, behind where that is less than none."""
    file = folder / "faketime"
    _write(file, ahead)
    faked = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        # Durations are right, as on a machine whose clock was set wrongly.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        # Otherwise each wait of the JVM ends at once, and it takes a whole core.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }
    with new_ensemble(**faked) as hosts:
        yield Clock(hosts, file)


def _write(file: Path, ahead: float) -> None:
    new = file.with_suffix(".new")
    new.write_text(f"{ahead:+.3f}\n")
    new.replace(file)
