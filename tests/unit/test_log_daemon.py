"""Whatever a program that runs for long writes to its standard files has the log's form."""

import json
import os
import subprocess
import sys

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import logging, sys, threading, warnings
import gevent
from canary.logs import daemon

class Broken:
    def __del__(self):
        raise ValueError("unraisable mongodb://ann:hunter2@h/")

def fails(what):
    raise ValueError(what)

with daemon.kept("INFO", "json") as writer:
    logging.getLogger("canary.test").info("a line")
    gevent.spawn(fails, "in a greenlet").join()
    thread = threading.Thread(target=fails, args=("in a thread",), name="one")
    thread.start()
    thread.join()
    Broken()
    warnings.warn("a warning")
    print("printed\\x1b[31m")
    print("to the error output", file=sys.stderr)
    sys.stderr.write("without ")
    sys.stderr.write("an end yet\\n")
    logging.getLogger("canary.test").info("%d", "not a number")
    logging.getLogger("canary.test").info("the last line")
print("after it")
"""


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_everything_is_an_event_on_a_line_of_its_own() -> None:
    done = run(PROGRAM)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    said = [(event["logger"], event["message"]) for event in events]
    assert said[0] == ("canary.test", "a line")
    assert said[-1] == ("canary.test", "the last line")
    failures = {
        event["message"]: event["exception"].splitlines()[-1]
        for event in events
        if event["logger"] == "canary.logs.daemon"
    }
    assert "ValueError: in a greenlet" in failures.values()
    assert failures["thread one failed"] == "ValueError: in a thread"
    assert "ValueError: unraisable mongodb://***@h/" in failures.values()
    assert any(name == "py.warnings" and "a warning" in words for name, words in said)
    assert ("stdout", "printed\x1b[31m") in said
    assert ("stderr", "to the error output") in said
    assert ("stderr", "without an end yet") in said
    assert any(name == "stderr" and "TypeError" in words for name, words in said)
    assert "hunter2" not in done.stderr
    assert done.stdout == "after it\n"


def test_the_end_is_in_time_though_nobody_reads() -> None:
    """What is logged last is waited for a second, and no longer."""
    program = """
import logging, os, time
from canary.logs import daemon
reading, writing = os.pipe()
os.dup2(writing, 2)
begun = time.monotonic()
with daemon.kept("INFO", "text"):
    for number in range(3000):
        logging.getLogger("canary.test").info("x" * 1000)
print(time.monotonic() - begun < 2.5)
"""
    assert run(program).stdout == "True\n"
