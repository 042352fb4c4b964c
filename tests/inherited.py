"""What a test run inherits from whoever started it, set to what the tests expect.

A shell's ``&`` and ``nohup`` have signals ignored, an operator's shell has Canary's own variables
set, and each shell has a locale and a terminal of its own. Every program that a test starts
inherits what the run has. Proxies and certificates stay as they are, for devstack may fetch a
program through them; what is on this machine is not reached through a proxy.
"""

import locale
import os
import re
import signal
from typing import Final

#: Those that Canary's programs handle, and those whose default ends a program.
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM)
LOCALE: Final = "C.UTF-8"
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
#: Variables that change what programs do or print. Those of devstack's are told by their names.
UNSET: Final = re.compile(
    r"""
    CANARY_\w+ | OS_[A-Z]+__\w+            # Canary's own options and the command line's
    | LC_\w+ | LANGUAGE | TZ
    | COLUMNS | LINES | NO_COLOR | FORCE_COLOR | CLICOLOR\w* | PAGER
    | PYTHON(IOENCODING|UTF8|COERCECLOCALE|WARNINGS|ASYNCIODEBUG|DEVMODE|OPTIMIZE|UNBUFFERED)
    | PROMETHEUS_MULTIPROC_DIR | GUNICORN_CMD_ARGS | LISTEN_(FDS|PID)
    """,
    re.VERBOSE,
)


def reset() -> None:
    """Give this process, and so whatever it starts, the same as every other run has."""
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            is_interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    of_devstack = _of_devstack()
    for name in [name for name in os.environ if UNSET.fullmatch(name)]:
        if name not in of_devstack:
            del os.environ[name]
    os.environ["LANG"] = LOCALE
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), *LOOPBACK)))
    locale.setlocale(locale.LC_ALL, LOCALE)


def _of_devstack() -> frozenset[str]:
    """Return the variables of Canary's options that devstack sets, where the run is under it."""
    if "DEVSTACK_FOLDER" not in os.environ:
        return frozenset()
    return frozenset(
        {
            "OS_ZOOKEEPER__HOSTS",
            "OS_MONGO__URI",
            "OS_CASSANDRA__CLUSTER",
            "OS_CASSANDRA__PORT",
            "OS_CASSANDRA__ENABLED",
        }
    )
