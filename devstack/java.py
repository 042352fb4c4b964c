"""Finds a Java that a server runs on, and Maven; installs what is missing where it can.

Looked at, in this order: `JAVA_HOME`, `java` on the PATH, and everything in `/usr/lib/jvm`.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

from devstack import debian
from devstack.errors import DevstackError
from devstack.reaper import Reaper

INSTALLED = Path("/usr/lib/jvm")
PACKAGE = "openjdk-17-jre-headless"
VERSION = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)', re.MULTILINE)
LIMIT = 10  # seconds for `java -version`


async def home(reaper: Reaper, versions: Collection[int], whom: str) -> Path:
    """The home of a Java of one of these major versions; `whom` it is for is said in the error."""
    found = find(versions)
    if found is None and debian.can_install():
        await debian.install(reaper, PACKAGE)
        found = find(versions)
    if found is None:
        accepted = " or ".join(str(version) for version in sorted(versions))
        raise DevstackError(
            f"{whom} needs Java {accepted}, and none was found in JAVA_HOME, on the PATH or in "
            f"{INSTALLED}. Install one (on Debian 12: apt-get install {PACKAGE}; from elsewhere: "
            "any JRE 17) and set JAVA_HOME to its folder if it is in none of these places."
        )
    return found


async def maven(reaper: Reaper) -> str:
    """The command `mvn`."""
    found = shutil.which("mvn")
    if found is None and debian.can_install():
        await debian.install(reaper, "maven")
        found = shutil.which("mvn")
    if found is None:
        raise DevstackError(
            "Maven is needed to fetch ZooKeeper and Cassandra, and there is no mvn on the PATH. "
            "Install it (on Debian: apt-get install maven) and try again."
        )
    return found


def find(versions: Collection[int]) -> Path | None:
    """The first Java of one of these major versions."""
    for candidate in _candidates():
        if os.access(candidate / "bin" / "java", os.X_OK) and _version(candidate) in versions:
            return candidate
    return None


def _candidates() -> list[Path]:
    candidates = []
    if os.environ.get("JAVA_HOME"):
        candidates.append(Path(os.environ["JAVA_HOME"]))
    on_path = shutil.which("java")
    if on_path is not None:
        candidates.append(Path(on_path).resolve().parents[1])
    if INSTALLED.is_dir():
        candidates.extend(sorted(INSTALLED.iterdir()))
    return candidates


def _version(candidate: Path) -> int | None:
    """The major version, from the file that says so, or else asked of the program."""
    try:
        match = VERSION.search((candidate / "release").read_text())
    except OSError:
        match = None
    if match is None:
        try:
            asked = subprocess.run(
                [candidate / "bin" / "java", "-XshowSettings:properties", "-version"],
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        match = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", asked.stderr)
    return int(match.group(1)) if match is not None else None
