"""A test run depends on nothing that it inherits: the same tests pass in an odd shell as in any."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Quick ones that start programs, read the locale, or know a terminal's width.
TESTS = (
    "tests/unit/test_cli_program.py",
    "tests/unit/test_config.py",
    "tests/unit/test_log_daemon.py",
)
ODD = {
    "LC_ALL": "C",
    "LANG": "tr_TR",
    "TZ": "Asia/Kathmandu",
    "COLUMNS": "20",
    "NO_COLOR": "1",
    "PYTHONWARNINGS": "error",
    "PYTHONIOENCODING": "latin-1",
    "CANARY_URL": "http://127.0.0.1:1/else",
    "CANARY_TOKEN": "of-somebody",
    "OS_LOG__LEVEL": "DEBUG",
    "OS_CANARY__JOBBOARD": "/of/somebody",
    "GUNICORN_CMD_ARGS": "--bind=127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
}


def ignore() -> None:
    """Have the run begin as ``nohup … &`` would, and with few files to open."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def test_an_odd_shell_makes_no_difference(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS],
        cwd=ROOT,
        env={**os.environ, **ODD, "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=ignore,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
