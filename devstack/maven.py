"""Fetches a server's jars with Maven into the cache, once.

Whatever is in the cache is complete: the jars are fetched into a folder beside it, which is then
renamed. Two runs that lack the same jars fetch them once, one after the other; two servers' jars
are fetched at the same time, because each Maven has a local repository of its own, removed after
it. Where Maven fetches from is Maven's own business: its default, or what its settings.xml says.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from devstack import cache, java
from devstack.errors import DevstackError
from devstack.reaper import Reaper, how_it_ended
from devstack.report import say
from devstack.server import TAIL

GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
ATTEMPTS = 2  # the second one goes on where the first one failed
VERSIONS = range(11, 26)  # of Java, that Maven is run with


@dataclass(frozen=True)
class Artifact:
    """One of Maven's artifacts, with what of its dependencies is left out."""

    group: str
    name: str
    version: str
    without: Sequence[tuple[str, str]] = ()

    def xml(self) -> str:
        excluded = "".join(
            f"<exclusion><groupId>{escape(group)}</groupId>"
            f"<artifactId>{escape(name)}</artifactId></exclusion>"
            for group, name in self.without
        )
        return (
            f"<dependency><groupId>{escape(self.group)}</groupId>"
            f"<artifactId>{escape(self.name)}</artifactId>"
            f"<version>{escape(self.version)}</version>"
            f"<exclusions>{excluded}</exclusions></dependency>"
        )


def project(artifacts: Sequence[Artifact]) -> str:
    """The text of a pom.xml that depends on these."""
    dependencies = "".join(artifact.xml() for artifact in artifacts)
    return (
        "<project><modelVersion>4.0.0</modelVersion>"
        "<groupId>canary</groupId><artifactId>devstack</artifactId><version>1</version>"
        "<packaging>pom</packaging>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )


async def jars(
    reaper: Reaper, name: str, version: str, artifacts: Sequence[Artifact], size: str
) -> Path:
    """The folder with a server's jars, fetched if it is not there; `size` is told before."""
    wanted = cache.folder() / f"{name}-{version}"
    if wanted.is_dir():
        return wanted
    async with cache.locked(wanted.name):
        if wanted.is_dir():
            return wanted
        for abandoned in wanted.parent.glob(f".{wanted.name}.*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        say(f"{name} {version}: fetching its jars with Maven ({size}) into {wanted}")
        began = time.monotonic()
        work = Path(tempfile.mkdtemp(prefix=f".{wanted.name}.", dir=wanted.parent))
        try:
            (work / "pom.xml").write_text(project(artifacts))
            await _copy_dependencies(reaper, name, work)
            (work / "jars").rename(wanted)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        say(f"{name} {version}: fetched in {time.monotonic() - began:.0f} s")
    return wanted


async def _copy_dependencies(reaper: Reaper, name: str, work: Path) -> None:
    command = await java.maven(reaper)
    java_home = await java.home(reaper, VERSIONS, "Maven")
    log = work / "log"
    for attempt in range(1, ATTEMPTS + 1):
        with log.open("wb") as output:
            child = reaper.spawn(
                [
                    command,
                    "--batch-mode",
                    "--no-transfer-progress",
                    f"-Dmaven.repo.local={work / 'repository'}",
                    "-DincludeScope=runtime",
                    f"-DoutputDirectory={work / 'jars'}",
                    GOAL,
                ],
                cwd=work,
                environment={**os.environ, "JAVA_HOME": str(java_home)},
                output=output,
            )
        try:
            status = await child.wait()
        except asyncio.CancelledError:
            child.kill_session()
            await child.wait()
            raise
        if status == 0 and any((work / "jars").glob("*.jar")):
            return
        if attempt < ATTEMPTS:
            say(f"{name}: Maven {how_it_ended(status)}; trying once more")
    lines = log.read_text(errors="replace").splitlines()
    wrong = [line for line in lines if line.startswith("[ERROR]")] or lines
    raise DevstackError(
        f"the jars of {name} could not be fetched: Maven {how_it_ended(status)}. Is the network "
        "there, and does Maven's settings.xml name a reachable mirror? It said:\n    "
        + "\n    ".join(wrong[:TAIL])
    )
