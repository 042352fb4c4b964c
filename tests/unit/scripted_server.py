"""An HTTP server that answers what a test says, to whatever is asked, and notes the questions."""

import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One question."""

    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """One answer; ``body`` is JSON unless it is bytes."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


Script = Callable[[Asked], Answer]
NO_ANSWER = Answer()  # the connection is closed without a word


class ScriptedServer:
    """Listens on a free port of loopback; by TLS where it has a file with key and certificate."""

    def __init__(self, script: Script, certificate: Path | None = None) -> None:
        self.asked: list[Asked] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qsl(parts.query, keep_blank_values=True)
                asked = Asked(parts.path, query, dict(self.headers.items()))
                server.asked.append(asked)
                answer = script(asked)
                if answer is NO_ANSWER:
                    self.close_connection = True
                    return
                is_raw = isinstance(answer.body, bytes)
                body = answer.body if is_raw else json.dumps(answer.body).encode()
                self.send_response_only(answer.status)
                headers = {
                    "Content-Type": answer.content_type,
                    "Content-Length": str(len(body)),
                    **answer.headers,
                }
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = int(headers["Content-Length"]) != len(body)

            def log_message(self, *_words: Any) -> None:
                """Write nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def problem(status: int, detail: str) -> Answer:
    """Return a problem document."""
    body = {"type": "about:blank", "title": "x", "status": status, "detail": detail}
    return Answer(body, status, content_type="application/problem+json")
