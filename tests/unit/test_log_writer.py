"""The log's writer: on real pipes, full ones and broken ones, and across a fork."""

import errno
import fcntl
import os
import re
import select
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gevent.monkey import get_original

from canary.logs.writer import PIECE, LogWriter
from tests.waiting import eventually

close = get_original("os", "close")  # gevent's closes a moment later
LIMIT = 50_000  # bytes
CAPACITY = 16_384  # bytes
LINE = 100  # bytes


def word(count: int) -> str:
    return f"dropped {count}\n"


def line(number: int) -> str:
    return f"{number:0{LINE - 1}}\n"


class Pipe:
    """A pipe with a writer at one end, and the test at the other."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        # Less than the queue holds: else all that is not dropped at once may fit in here.
        fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, CAPACITY)
        self.writer = LogWriter(self.writing, word, LIMIT)
        self.text = b""

    def read(self, is_enough: Callable[[str], object]) -> list[str]:
        """Read until it is enough, and return all lines so far."""
        deadline = time.monotonic() + 30
        while not is_enough(self.text.decode()):
            assert select.select([self.reading], [], [], deadline - time.monotonic())[0], self.text
            self.text += os.read(self.reading, 1 << 16)
        return self.text.decode().splitlines()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    close(pipe.reading)
    eventually(lambda: pipe.writer.drain(0))  # what is left fails now
    close(pipe.writing)


def accounted(text: str) -> int:
    """Return how many lines were logged: each is there, or counted where it is missing."""
    expected = 0
    for each in text.splitlines():
        told = re.fullmatch(r"dropped (\d+)", each)
        if told is None:
            assert int(each) == expected
        expected += int(told[1]) if told else 1
    return expected


def log(writer: LogWriter, numbers: range) -> None:
    for number in numbers:
        writer.write(line(number))


def test_lines_are_written_in_their_order(pipe: Pipe) -> None:
    log(pipe.writer, range(400))
    read = pipe.read(lambda text: text.count("\n") == 400)
    assert [int(each) for each in read] == list(range(400))
    assert pipe.writer.dropped == 0


def test_nobody_waits_for_a_full_pipe_and_each_line_is_written_or_counted(pipe: Pipe) -> None:
    total = 5_000  # 500,000 bytes: more than pipe and queue hold
    begun = time.monotonic()
    log(pipe.writer, range(total))
    assert time.monotonic() - begun < 2
    assert pipe.writer.dropped > 0
    assert pipe.writer.drain(0.1) is False

    pipe.read(lambda text: text.endswith("\n") and accounted(text) == total)
    assert pipe.writer.drain(10)
    told = sum(map(int, re.findall("dropped ([0-9]+)", pipe.text.decode())))
    assert told == pipe.writer.dropped
    assert len(re.findall("(?m)^[0-9]+$", pipe.text.decode())) + told == total


def test_what_was_dropped_is_said_where_it_is_missing(pipe: Pipe) -> None:
    """Nobody reads, somebody does, nobody does: each time the count, in its place."""
    logged = 0
    for _ in range(3):
        log(pipe.writer, range(logged, logged := logged + 5_000))
        assert not pipe.writer.drain(0)
        pipe.read(lambda text: text.endswith("\n") and accounted(text) == logged)
        assert pipe.writer.drain(10)
    assert pipe.text.count(b"dropped") >= 3


def test_a_full_queue_takes_nothing_until_half_of_it_is_written(pipe: Pipe) -> None:
    while pipe.writer.drain(0.2):
        log(pipe.writer, range(10))
    log(pipe.writer, range(1_000))  # the pipe is full already; now the queue is
    dropped = pipe.writer.dropped
    os.read(pipe.reading, 3 * PIECE)  # room for a few lines in the queue, but not for half of it
    pipe.writer.drain(0.1)
    log(pipe.writer, range(10))
    assert pipe.writer.dropped == dropped + 10


def test_one_line_that_is_larger_than_the_queue_is_written(pipe: Pipe) -> None:
    pipe.writer.write("x" * 3 * LIMIT + "\n")
    assert len(pipe.read(lambda text: text.endswith("\n"))[0]) == 3 * LIMIT


def test_lines_go_on_after_the_reader_of_a_pipe_has_gone_and_are_counted() -> None:
    reading, writing = os.pipe()
    writer = LogWriter(writing, word, LIMIT)
    close(reading)
    log(writer, range(10))
    assert writer.drain(10)
    eventually(lambda: writer.dropped == 10)

    # Somebody reads again: here another pipe under the same number.
    reading, other = os.pipe()
    os.dup2(other, writing)
    log(writer, range(10, 12))
    assert writer.drain(10)
    assert os.read(reading, 1000).decode() == word(10) + line(10) + line(11)
    for each in (reading, other, writing):
        close(each)


def test_a_closed_file_ends_nothing() -> None:
    closed = 900  # no file has such a number
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.write(closed, b"x")
    writer = LogWriter(closed, word, LIMIT)
    log(writer, range(10))
    assert writer.drain(10)
    assert writer.dropped == 10


def test_a_disk_that_is_full_ends_nothing() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    writer = LogWriter(full, word, LIMIT)
    log(writer, range(3))
    assert writer.drain(10)
    assert writer.dropped == 3
    close(full)


def test_a_file_gets_all_lines(tmp_path: Path) -> None:
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    writer = LogWriter(file, word)
    log(writer, range(2_000))
    assert writer.drain(10)
    assert (tmp_path / "log").read_text() == "".join(map(line, range(2_000)))
    close(file)


def test_a_pipe_that_somebody_made_non_blocking_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.writing, False)
    log(pipe.writer, range(5_000))
    pipe.read(lambda text: text.endswith("\n") and accounted(text) == 5_000)
    assert pipe.writer.drain(10)


def test_lines_of_several_threads_are_whole(pipe: Pipe) -> None:
    threads = [
        threading.Thread(target=log, args=(pipe.writer, range(start, start + 100)))
        for start in range(0, 400, 100)
    ]
    for each in threads:
        each.start()
    read = pipe.read(lambda text: text.count("\n") == 400)
    assert sorted(map(int, read)) == list(range(400))


def test_a_forked_process_writes_its_own_lines_and_no_other(pipe: Pipe) -> None:
    log(pipe.writer, range(5_000))  # the queue is full, and its thread is writing
    child = os.fork()
    if child == 0:
        status = 1
        try:
            pipe.writer.write("of the child\n")
            is_written = pipe.writer.drain(20)
            status = 0 if is_written and pipe.writer.dropped == 0 else 2
        finally:
            os._exit(status)

    def others(text: str) -> str:
        return text.replace("of the child\n", "").rpartition("\n")[0]

    pipe.read(lambda text: "child\n" in text and accounted(others(text)) == 5_000)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pipe.text.count(b"of the child\n") == 1
    assert pipe.writer.drain(10)


def test_what_can_not_be_encoded_is_escaped(pipe: Pipe) -> None:
    pipe.writer.write("ä\ud800\n")
    assert pipe.read(lambda text: text.endswith("\n")) == ["ä\\ud800"]
