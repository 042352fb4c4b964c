"""A file of secrets that changes while the server runs."""

import logging
import os
from pathlib import Path

import pytest

from canary.errors import ConfigError
from canary.server.auth.kept_file import LOOK, MAX_SIZE, KeptFile
from tests.virtual_clock import VirtualClock


def number(text: str) -> int:
    if not text.strip().isdecimal():
        raise ConfigError("[auth] x: line 1 is no number", option="[auth] x")
    return int(text)


class Kept:
    """A kept file of one number, and a clock that each look moves on."""

    def __init__(self, path: Path) -> None:
        self.clock = VirtualClock()
        self.file = KeptFile(str(path), "[auth] x", number, self.clock)

    def look(self) -> int:
        self.clock.seconds += LOOK
        return self.file.content


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_change_counts_from_the_next_look_on(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("1")
    kept = Kept(path)
    path.write_text("22")
    assert kept.file.content == 1  # it was looked at just now
    kept.clock.seconds += 0.9
    assert kept.file.content == 1
    kept.clock.seconds += 0.1
    assert kept.file.content == 22


def test_a_file_of_the_same_size_and_time_that_took_its_place_is_read(tmp_path: Path) -> None:
    path, other = tmp_path / "f", tmp_path / "g"
    path.write_text("1")
    other.write_text("2")
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    kept = Kept(path)
    other.rename(path)
    assert kept.look() == 2


def test_what_was_before_stays_in_force_and_each_reason_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "f"
    path.write_text("1")
    kept = Kept(path)
    path.write_text("hunter2")
    assert [kept.look(), kept.look()] == [1, 1]
    assert errors(caplog) == [
        "the previous content of [auth] x stays in force: [auth] x: line 1 is no number"
    ]
    path.unlink()
    assert [kept.look(), kept.look()] == [1, 1]
    assert len(errors(caplog)) == 2
    assert "No such file" in errors(caplog)[1]
    path.write_text("3")
    assert kept.look() == 3
    path.unlink()
    assert kept.look() == 3
    assert len(errors(caplog)) == 3  # it was in order between
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "large", "bytes", "wrong"])
def test_one_that_can_not_be_used_to_begin_with(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "f"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)  # to open it would wait for ever
        case "large":
            path.write_bytes(b"1" * (MAX_SIZE + 1))
        case "bytes":
            path.write_bytes(b"\xff")
        case "wrong":
            path.write_text("x")
    with pytest.raises(ConfigError, match=r"\[auth\] x") as caught:
        Kept(path)
    assert caught.value.option == "[auth] x"
