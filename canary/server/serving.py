"""gunicorn as Canary uses it: its processes, its log, and how a process ends.

Promises: told to stop, a process ends its event streams at once and exits within
``GRACEFUL_LIMIT`` and a few seconds, whatever its clients do.
"""

import errno
import logging
import os
import resource
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from canary.config import ServerOptions
from canary.errors import ConfigError
from canary.server import processes
from canary.server.access import AccessLog
from canary.server.connections import (
    HEAD_FIELD,
    HEAD_FIELDS,
    HEAD_LIMIT,
    HEAD_LINE,
    WAITING,
    Worker,
)

LOG = logging.getLogger(__name__)

GRACEFUL_LIMIT: Final = 5  # seconds that requests have to end once the process is told to stop
REQUESTS: Final = 200  # that one process answers at a time, beside its event streams
TRY_AGAIN: Final = 0.5  # seconds between two tries whether a port is free by now
OTHER_FILES: Final = 300  # of a process: connections to MongoDB and others, spools, the log

#: Set where somebody listens already and hands that over: systemd, or a gunicorn that goes.
_HANDED_OVER: Final = {"LISTEN_FDS", "GUNICORN_FD"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What one process serves, and what to call, in a signal handler, when it is told to stop."""

    app: Flask
    stop: Callable[[], None]


class Server(BaseApplication):
    """gunicorn's application: its settings, and the parts of each process, made after the fork."""

    def __init__(
        self, options: ServerOptions, access: AccessLog, make: Callable[[], Parts]
    ) -> None:
        self._options, self._access, self._make = options, access, make
        self._parts: Parts | None = None
        super().__init__(prog="canary-server")

    def load_config(self) -> None:
        """Give gunicorn its settings; it reads no file and no environment variable for them."""
        options = self._options
        host = f"[{options.host}]" if ":" in options.host else options.host
        for name, value in {
            "bind": f"{host}:{options.port}",
            "workers": options.workers,
            "worker_class": Worker,
            "worker_connections": options.max_streams + REQUESTS + WAITING,
            "keepalive": HEAD_LIMIT,
            "limit_request_line": HEAD_LINE,
            "limit_request_fields": HEAD_FIELDS,
            "limit_request_field_size": HEAD_FIELD,
            "forwarded_allow_ips": "",  # whom to believe is `protection`'s to say
            "graceful_timeout": GRACEFUL_LIMIT,
            "control_socket_disable": True,
            "child_exit": _child_exit,
            "pre_request": self._access.begin,
            "post_request": self._access.end,
            "logger_class": Log,
            "proc_name": "canary-server",
        }.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        """Serve until told to stop. Raises ConfigError where it can't listen."""
        _check_free(self._options)
        _allow_files(self.cfg.worker_connections + OTHER_FILES)
        super().run()

    def load(self) -> Flask:
        """Make this process's parts. Called by gunicorn, in each process."""
        self._parts = self._make()
        return self._parts.app

    def stop(self) -> None:
        """Tell this process's parts to stop."""
        if self._parts:
            self._parts.stop()


def _check_free(options: ServerOptions) -> None:
    """Raise ConfigError where nobody can listen there, of which gunicorn says less, five times.

    What is taken is waited for, as long as a server may take that is told to stop.
    """
    if _HANDED_OVER & os.environ.keys():
        return
    deadline = time.monotonic() + GRACEFUL_LIMIT
    while True:
        try:
            with socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind((options.host, options.port))
        except OSError as error:
            is_taken = error.errno == errno.EADDRINUSE
            if not is_taken or time.monotonic() > deadline:
                raise ConfigError(
                    f"[server] host and port: nothing can listen at {options.host}, port"
                    f" {options.port}: {error.strerror}"
                    + (". Set [server] port to one that is free" if is_taken else "")
                ) from error
            time.sleep(TRY_AGAIN)
        else:
            return


def _allow_files(wanted: int) -> None:
    """Let this process and those that it makes have as many files open, as far as may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        LOG.warning(
            "[server] max_streams needs %d open files and %d are allowed: raise that limit "
            "(LimitNOFILE of systemd, ulimit -Hn of a shell) or lower max_streams",
            wanted,
            allowed,
        )


def _child_exit(_: Any, worker: Any) -> None:
    """Called by gunicorn, in the process that watches over the others."""
    processes.ended(worker.pid)


class Log(Logger):
    """gunicorn's log, sent where Canary's goes and in its form."""

    def setup(self, cfg: Any) -> None:
        """Leave everything to the root logger."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True
        self.error_log.setLevel(logging.NOTSET)
        self.error_log.addFilter(_without_what_was_sent)


def _without_what_was_sent(record: logging.LogRecord) -> bool:
    """Leave of an error but its kind: gunicorn's quote what a client sent, and so its secrets."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            type(value).__name__ if isinstance(value, BaseException) else value
            for value in record.args
        )
    return True
