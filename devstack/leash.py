"""Ties a process's life to its parent's; as a script, runs another program on that leash.

`python leash.py PARENT PROGRAM WORD…` asks the kernel to SIGKILL this process when the thread
that started it ends, then becomes PROGRAM, which keeps its pid and the request. That holds
where no handler of the parent's can run: after kill -9.

It promises nothing for PROGRAM's own children, and nothing for a PROGRAM that is setuid. As a
script it imports nothing of devstack, so that `python -I -S` starts it in 20 ms.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # numbers of prctl(2), from linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36
CANNOT_EXECUTE, NOT_FOUND = 126, 127  # exit statuses, as shells use them


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def die_with_parent() -> None:
    """Have the kernel SIGKILL this process when the thread that started it ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def main() -> int:
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # devstack blocks what it waits for
    parent, program = int(sys.argv[1]), sys.argv[2:]
    die_with_parent()
    if os.getppid() != parent:
        return 1  # it ended before the request was made
    try:
        os.execvp(program[0], program)  # noqa: S606
    except FileNotFoundError:
        print(f"devstack: {program[0]}: not found", file=sys.stderr)
        return NOT_FOUND
    except OSError as error:
        print(f"devstack: {program[0]}: {error.strerror}", file=sys.stderr)
        return CANNOT_EXECUTE


if __name__ == "__main__":
    sys.exit(main())
