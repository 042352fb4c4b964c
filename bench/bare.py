"""The rival of ``bench.pages``: a Flask view that returns bytes which it has in its memory."""

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 -- nothing may be imported before gevent has patched the standard library
import sys
from pathlib import Path

from flask import Flask, Response
from gunicorn.app.base import BaseApplication


class Bare(BaseApplication):
    """gunicorn as canary-server runs it: one process, on gevent."""

    def __init__(self, address: str, body: bytes) -> None:
        self._address, self._body = address, body
        super().__init__()

    def load_config(self) -> None:
        """Give gunicorn its settings."""
        self.cfg.set("bind", self._address)
        self.cfg.set("worker_class", "gevent")
        self.cfg.set("loglevel", "error")
        self.cfg.set("control_socket_disable", True)

    def load(self) -> Flask:
        """Make the application."""
        app, body = Flask("bare"), self._body

        @app.get("/")
        def answer() -> Response:
            return Response(body, content_type="application/json")

        return app


if __name__ == "__main__":
    Bare(sys.argv[1], Path(sys.argv[2]).read_bytes()).run()
