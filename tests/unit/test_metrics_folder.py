"""The folder in which the server's processes count, and what a server that was killed leaves."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from canary.server.http.metrics_folder import START_LIMIT, VARIABLE, shared_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made; the environment is as before afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "/of/another/program")
    return tmp_path


def age(folder: Path) -> None:
    """Have a folder be of long ago."""
    moment = time.time() - START_LIMIT - 1
    os.utime(folder, (moment, moment))


def test_it_is_there_as_long_as_the_server(temporary: Path) -> None:
    with shared_folder() as folder:
        assert os.environ[VARIABLE] == str(folder)
        assert folder.parent == temporary
        assert list(folder.iterdir()) == []
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "counter_1.db").write_bytes(b"1")
    assert list(temporary.iterdir()) == []


def test_what_a_killed_server_left_is_removed_by_the_next(temporary: Path) -> None:
    left = temporary / "canary-server-left"
    left.mkdir()
    (left / "counter_1.db").write_bytes(b"1")
    age(left)
    with shared_folder():
        assert not left.exists()


def test_what_is_used_or_is_no_servers_stays(temporary: Path) -> None:
    with shared_folder() as used:
        age(used)
        beginning = temporary / "canary-server-beginning"  # not locked yet
        other = temporary / "other"
        linked = temporary / "canary-server-linked"
        for folder in (beginning, other):
            folder.mkdir()
        age(other)
        linked.symlink_to(other)
        with shared_folder():
            assert used.exists()
            assert beginning.exists()
            assert other.exists()
            assert linked.is_symlink()
