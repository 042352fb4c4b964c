"""The rival of ``bench.stream``: a Flask view that streams what it is handed, from memory.

Whatever is posted to ``/`` goes to each client of ``/stream``; the answer is the moment before.
"""

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 -- nothing may be imported before gevent has patched the standard library
import resource
import sys
import time
from collections.abc import Iterator

from flask import Flask, Response, request
from gevent.queue import SimpleQueue
from gunicorn.app.base import BaseApplication

Queue = SimpleQueue[bytes]


class Bare(BaseApplication):
    """gunicorn as canary-server runs it: one process, on gevent."""

    def __init__(self, address: str, clients: int) -> None:
        self._address, self._clients = address, clients
        super().__init__()

    def load_config(self) -> None:
        """Give gunicorn its settings."""
        self.cfg.set("bind", self._address)
        self.cfg.set("worker_class", "gevent")
        self.cfg.set("worker_connections", self._clients + 100)
        self.cfg.set("loglevel", "error")
        self.cfg.set("control_socket_disable", True)

    def load(self) -> Flask:
        """Make the application."""
        app = Flask("bare")
        queues: set[Queue] = set()

        @app.post("/")
        def tell() -> str:
            event, begun = request.get_data(), time.monotonic()
            for queue in queues:
                queue.put(event)
            return str(begun)

        @app.get("/stream")
        def stream() -> Response:
            queue = Queue()
            queues.add(queue)

            def events() -> Iterator[bytes]:
                yield b"retry: 1000\n\n"
                while True:
                    yield queue.get()

            response = Response(events(), content_type="text/event-stream")
            response.call_on_close(lambda: queues.discard(queue))
            return response

        return app


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, int(sys.argv[2]) + 300), hard))
    Bare(sys.argv[1], int(sys.argv[2])).run()
