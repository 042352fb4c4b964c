"""How canary-server begins: with the C library's allocator, unless told otherwise."""

import os
import socket
import subprocess
import sys

import pytest

from canary.server import main, start

COMMAND_LINE = [sys.executable, "-X", "dev", "/bin/canary-server", "--config-file", "x"]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines that were begun anew."""
    begun: list[list[str]] = []

    def execute(path: str, argv: list[str]) -> None:
        assert path == argv[0]
        begun.append(argv)
        raise SystemExit(os.environ["PYTHONMALLOC"])

    monkeypatch.setattr(os, "execv", execute)
    monkeypatch.setattr(sys, "orig_argv", COMMAND_LINE)
    monkeypatch.setattr(main, "main", lambda: 7)
    for name in ("PYTHONMALLOC", "GLIBC_TUNABLES"):
        monkeypatch.setenv(name, "")  # so that it is what it was, after the test
        monkeypatch.delenv(name)
    return begun


def test_once_more_with_the_c_library_s_allocator(begun: list[list[str]]) -> None:
    with pytest.raises(SystemExit, match=r"^malloc$"):
        start.main()
    assert begun == [COMMAND_LINE]
    assert os.environ["GLIBC_TUNABLES"] == start.AT_HAND
    assert start.main() == 7, "begun anew, it serves"
    assert len(begun) == 1


def test_not_where_somebody_chose_one(
    begun: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONMALLOC", "pymalloc_debug")
    assert start.main() == 7
    assert begun == []


@pytest.mark.parametrize("version", [None, "musl 1.2"])
def test_not_where_the_c_library_is_another(
    begun: list[list[str]], monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    monkeypatch.setattr(os, "confstr", lambda _: version)
    assert start.main() == 7
    assert begun == []


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "canary.server.main"],
            env=os.environ | {"OS_SERVER__PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 2
    assert f"127.0.0.1, port {port}: Address already in use" in ended.stderr
    assert "[server] port" in ended.stderr
    assert "Traceback" not in ended.stderr
