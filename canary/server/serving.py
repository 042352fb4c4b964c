"""gunicorn as Canary uses it: its processes, its log, and how a process ends.

Promises: told to stop, a process ends its event streams at once and exits within
``GRACEFUL_LIMIT`` and a few seconds, whatever its clients do.
"""

import errno
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.ggevent import GeventWorker

from canary.config import ServerOptions
from canary.server import processes

GRACEFUL_LIMIT: Final = 5  # seconds that requests have to end once the process is told to stop
REQUESTS: Final = 200  # connections of one process beside its event streams


@dataclass(frozen=True, slots=True)
class Parts:
    """What one process serves, and what to call, in a signal handler, when it is told to stop."""

    app: Flask
    stop: Callable[[], None]


class Server(BaseApplication):
    """gunicorn's application: its settings, and the parts of each process, made after the fork."""

    def __init__(self, options: ServerOptions, make: Callable[[], Parts]) -> None:
        self._options, self._make = options, make
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
            "worker_connections": options.max_streams + REQUESTS,
            "graceful_timeout": GRACEFUL_LIMIT,
            "control_socket_disable": True,
            "child_exit": _child_exit,
            "logger_class": Log,
            "proc_name": "canary-server",
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make this process's parts. Called by gunicorn, in each process."""
        self._parts = self._make()
        return self._parts.app

    def stop(self) -> None:
        """Tell this process's parts to stop."""
        if self._parts:
            self._parts.stop()


def _child_exit(_: Any, worker: Any) -> None:
    """Called by gunicorn, in the process that watches over the others."""
    processes.ended(worker.pid)


class Worker(GeventWorker):
    """gunicorn's gevent worker, which also ends its event streams when it is told to stop."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Take SIGTERM."""
        self.app.stop()
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Take SIGINT and SIGQUIT as SIGTERM: Ctrl-C need not cut answers off either."""
        self.handle_exit(sig, frame)

    def handle_request(self, *args: Any) -> Any:
        """Serve one request; a client that does not read is as good as gone."""
        try:
            return super().handle_request(*args)
        except TimeoutError as error:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from error


class Log(Logger):
    """gunicorn's log, sent where Canary's goes and in its form."""

    def setup(self, cfg: Any) -> None:
        """Leave everything to the root logger."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True
        self.error_log.setLevel(logging.NOTSET)
