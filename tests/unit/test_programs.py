"""Programs that a nursery forks are as those that their console scripts start."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from tests import programs
from tests.programs import COMMANDS
from tests.waiting import eventually

TIMEOUT = 60.0  # seconds


def installed(
    name: str, words: list[str], environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run the console script itself."""
    return subprocess.run(
        [COMMANDS / name, *words],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("canary", "--help"),
        ("canary-producer", "--no-such-option"),
        ("canary-server", "--help"),
        ("canary-worker", "--no-such-option"),
    ],
)
def test_it_writes_and_ends_as_the_console_script(name: str, word: str) -> None:
    ran = programs.run(name, [word], os.environ, TIMEOUT)
    expected = installed(name, [word], os.environ)
    assert (ran.stdout, ran.stderr) == (expected.stdout, expected.stderr)
    assert ran.returncode == expected.returncode


def test_it_has_its_own_environment_and_nothing_of_the_one_before() -> None:
    for wrong, other in (("OS_LOG__LEVEL", "OS_LOG__FORMAT"), ("OS_LOG__FORMAT", "OS_LOG__LEVEL")):
        ran = programs.run("canary-worker", [], {**os.environ, wrong: "LOUD"}, TIMEOUT)
        assert wrong in ran.stderr
        assert other not in ran.stderr
        assert ran.returncode == 2


def test_what_python_reads_before_the_program_begins_is_heeded() -> None:
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    words = ["jobs", "--no-such-ö"]
    ran = programs.run("canary", words, ascii_only, TIMEOUT)
    assert ran.stderr == installed("canary", words, ascii_only).stderr
    assert ran.stderr.isascii()


@pytest.fixture
def worker(tmp_path: Path) -> "programs.Process":
    """A worker that waits for a ZooKeeper, in vain."""
    environment = {**os.environ, "OS_ZOOKEEPER__HOSTS": "127.0.0.1:1"}
    environment["OS_MONGO__URI"] = "mongodb://127.0.0.1:1/?replicaSet=rs0"
    with (tmp_path / "log").open("wb") as output:
        return programs.start("canary-worker", [], environment, output, output)


def test_its_end_is_told_as_subprocess_tells_it(worker: programs.Process) -> None:
    eventually(lambda: Path(f"/proc/{worker.pid}/fd/0").readlink() == Path(os.devnull), TIMEOUT)
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(0)
    assert worker.returncode is None
    worker.kill()
    assert worker.wait(TIMEOUT) == worker.returncode == worker.poll() == -signal.SIGKILL
    worker.terminate()  # what has ended gets no signal
    assert not psutil.pid_exists(worker.pid)
