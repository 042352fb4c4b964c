"""gunicorn as Canary uses it: its settings, its processes, its log, and how a process ends.

Promises: a process that is told to stop ends its event streams at once, and exits within
``GRACEFUL_LIMIT`` and a few seconds, whatever its clients do.
"""

import errno
import logging
import os
import resource
import signal
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
from canary.server.http import metrics_folder
from canary.server.http.access_log import AccessLog
from canary.server.http.worker import (
    HEAD_FIELD,
    HEAD_FIELDS,
    HEAD_LIMIT,
    HEAD_LINE,
    LINGERING,
    WAITING,
    Worker,
)
from canary.server.protection.places import ANSWERS

LOG = logging.getLogger(__name__)

GRACEFUL_LIMIT: Final = 5  # seconds that requests have to end once the process is told to stop
TRY_AGAIN: Final = 0.5  # seconds between two checks whether a port is free
OTHER_FILES: Final = 300  # open files of a process: connections to servers, spools, the log

#: Set if another process hands over its listening socket: systemd, or a gunicorn that is replaced.
_HANDED_OVER: Final = {"LISTEN_FDS", "GUNICORN_FD"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What one worker process serves.

    ``stop`` is called in a signal handler when the process is told to stop. ``foresee`` takes an
    address and the first bytes of a connection. It returns the answer that refuses the connection
    before its request is read, or None.
    """

    app: Flask
    stop: Callable[[], None]
    foresee: Callable[[str, bytes], bytes | None]


class Server(BaseApplication):
    """The application for gunicorn: settings, and each process's parts, made after the fork."""

    def __init__(
        self, options: ServerOptions, access: AccessLog, make: Callable[[], Parts]
    ) -> None:
        self._options, self._access, self._make = options, access, make
        self._parts: Parts | None = None
        super().__init__(prog="canary-server")

    def load_config(self) -> None:
        """Set gunicorn's settings. gunicorn reads none from files or environment variables."""
        options = self._options
        host = f"[{options.host}]" if ":" in options.host else options.host
        for name, value in {
            "bind": f"{host}:{options.port}",
            "workers": options.workers,
            "worker_class": Worker,
            "worker_connections": options.max_streams + ANSWERS + WAITING + LINGERING,
            "keepalive": HEAD_LIMIT,
            "limit_request_line": HEAD_LINE,
            "limit_request_fields": HEAD_FIELDS,
            "limit_request_field_size": HEAD_FIELD,
            "forwarded_allow_ips": "",  # `protection` decides which proxies to trust
            "sendfile": False,  # so that `Connection.sendall` sees what a client takes of a file
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
        """Serve until told to stop. Raises ConfigError if it can't listen."""
        _check_free(self._options)
        _allow_files(self.cfg.worker_connections + OTHER_FILES)
        super().run()

    def load(self) -> Flask:
        """Make this process's parts. gunicorn calls this in each worker process."""
        # These signals are for gunicorn's master process. A terminal that hangs up sends SIGHUP to
        # the worker processes, too.
        for number in (signal.SIGHUP, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        self._parts = self._make()
        return self._parts.app

    def foresee(self, peer: str, head: bytes) -> bytes | None:
        """Return the answer that refuses a connection, or None to read its request."""
        return self._parts.foresee(peer, head) if self._parts else None

    def stop(self) -> None:
        """Stop this process's parts."""
        if self._parts:
            self._parts.stop()


def _check_free(options: ServerOptions) -> None:
    """Raise ConfigError if the address can't be listened on.

    gunicorn would try five times, with a less helpful message. If the port is taken, this waits up
    to ``GRACEFUL_LIMIT`` seconds, as long as a server may take to stop.
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
                    f"[server] host and port: can't listen on {options.host}, port"
                    f" {options.port}: {error.strerror}"
                    + (". Set [server] port to a free port" if is_taken else "")
                ) from error
            time.sleep(TRY_AGAIN)
        else:
            return


def _allow_files(wanted: int) -> None:
    """Raise the limit of open files to ``wanted``, as far as the hard limit allows.

    The limit is for this process and its children. Logs a warning if ``wanted`` is not allowed.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        LOG.warning(
            "[server] max_streams needs %d open files, but only %d are allowed: raise the limit "
            "(LimitNOFILE of systemd, ulimit -Hn of a shell) or lower max_streams",
            wanted,
            allowed,
        )


def _child_exit(_: Any, worker: Any) -> None:
    """gunicorn's ``child_exit``, called in the master process."""
    metrics_folder.ended(worker.pid)


class Log(Logger):
    """gunicorn's log, written to Canary's log in Canary's format."""

    def setup(self, cfg: Any) -> None:
        """Pass all records on to the root logger; write no access log."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True
        self.error_log.setLevel(logging.NOTSET)
        self.error_log.addFilter(_without_what_was_sent)


def _without_what_was_sent(record: logging.LogRecord) -> bool:
    """Replace exceptions by the names of their types.

    gunicorn's exceptions quote what a client sent, which may contain secrets.
    """
    if isinstance(record.args, tuple):
        record.args = tuple(
            type(value).__name__ if isinstance(value, BaseException) else value
            for value in record.args
        )
    return True
