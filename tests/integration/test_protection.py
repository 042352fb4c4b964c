"""The server against those who should not be answered, and those who would keep it busy."""

import base64
import contextlib
import json
import re
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import psutil
import pytest
import requests
from flask import Flask
from pymongo.database import Database

from canary.config import Config
from canary.server.app import create_app
from canary.server.auth import tokens
from canary.server.health import Health
from canary.server.http.worker import HEAD_LIMIT, WAITING
from canary.server.protection import gate
from canary.server.protection.headers import SECURITY
from canary.server.stream.broadcaster import Broadcaster
from canary.server.stream.resume import Resumption
from canary.stores.mongo.documents import Document
from canary.stores.queries.jobs_at import Queries
from tests.asking import open_stream
from tests.integration.conftest import Spawn
from tests.integration.test_server import KEEPS, PATH, Registered, Server, no_replay
from tests.integration.written_board import WrittenBoard, now, posted
from tests.waiting import allowed, eventually

NOT_READING = ("POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "X")
PASSWORD = "correct horse battery"
ATTEMPTS = 3  # a machine that stalls for seconds spoils one, a server that is held up spoils each
RATE = 20  # requests a minute, where they are limited

#: What is sent, and the status of the answer; None where there is none.
NO_REQUESTS = (
    (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nX-A: " + b"x" * 9_000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + b"X-A: x\r\n" * 60 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\nAuthorization Bearer hunter2\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nAuthorization: Bearer hunter2\x00\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nAuthorization: Bearer\r\n hunter2\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nX: \nAuthorization: Bearer hunter2\r\n\r\n", 400),
    (b"GET /?hunter2=\xff HTTP/1.1\r\n\r\n", 400),
    (b"hunter2\r\n\r\n", 400),
    (b"GET / HTTP/hunter2\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nTransfer-Encoding: hunter2\r\n\r\n", 501),
    (b"GET / HTTP/1.1\r\nExpect: hunter2\r\n\r\n", 417),
    (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nAuthorization: Bearer hunter2", None),
    (b"\x16\x03\x01\x02\x00\x01\x00", None),
)


@dataclass(frozen=True)
class People:
    """Who may ask: somebody with a password, and a script with a token."""

    passwords: Path
    bearers: Path
    token: str

    @property
    def basic(self) -> dict[str, str]:
        return basic("ann", PASSWORD)

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def options(self) -> dict[str, str]:
        return {
            "OS_AUTH__BASIC_FILE": str(self.passwords),
            "OS_AUTH__BEARER_FILE": str(self.bearers),
        }


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def line_of(name: str, password: str, cost: int = 4) -> str:
    return f"{name}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()}\n"


@pytest.fixture
def people(tmp_path: Path) -> People:
    token, line = tokens.make("poller")
    made = People(tmp_path / "passwords", tmp_path / "tokens", token)
    made.passwords.write_text(line_of("ann", PASSWORD))
    made.bearers.write_text(f"{line}\n")
    return made


@pytest.fixture
def queries(database: Database[Document]) -> Queries:
    return Queries(database, KEEPS)


@pytest.fixture
def start(spawn: Spawn, database: Database[Document]) -> Callable[..., Server]:
    WrittenBoard(database).beat()
    return lambda **variables: Server(spawn, **variables)


def ask(server: Server, where: str, **headers: str) -> requests.Response:
    with requests.get(server.address + where, headers=headers, timeout=30) as answer:
        assert answer.content is not None
        return answer


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.command.output.splitlines()]


class Raw:
    """A connection whose bytes are written by hand."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=30)

    def send(self, data: bytes) -> bool:
        """Return whether the other side still takes it."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def rest(self) -> bytes:
        """Read to the end."""
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while more := self.socket.recv(65_536):
                data += more
        return data


@pytest.fixture
def connect() -> Iterator[Callable[[Server], Raw]]:
    with contextlib.ExitStack() as open_ones:

        def connect(server: Server) -> Raw:
            raw = Raw(server)
            open_ones.callback(raw.socket.close)
            return raw

        yield connect


@contextlib.contextmanager
def asking(server: Server) -> Iterator[list[float]]:
    """Ask all the time; the list has how long each answer took, in seconds."""
    took: list[float] = []
    over = threading.Event()
    failures: list[Exception] = []

    def go_on() -> None:
        while not over.is_set():
            begun = time.monotonic()
            try:
                assert ask(server, "/livez").status_code == 200
            except Exception as error:  # noqa: BLE001 -- raised by who waits for this
                failures.append(error)
                return
            took.append(time.monotonic() - begun)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        eventually(lambda: took or failures)
        yield took
    finally:
        over.set()
        thread.join(60)
    if failures:
        raise failures[0]


class TestRoutes:
    @pytest.fixture
    def app(self, config: Config, queries: Queries) -> Flask:
        streams, health = Resumption(Broadcaster(10), no_replay), Health(queries, {})
        return create_app(config, queries, streams, health, Registered(), gate.make(config))

    def test_only_reading_is_routed(self, app: Flask) -> None:
        client = app.test_client()
        paths = set()
        for rule in app.url_map.iter_rules():
            assert rule.methods is not None
            assert rule.methods <= {"GET", "HEAD", "OPTIONS"}, rule
            path = re.sub("<[^>]*>", "x", rule.rule)
            paths.add(path)
            for method in NOT_READING:
                with client.open(path, method=method) as answer:
                    assert answer.status_code == 405, (method, path)
        assert {"/", "/v1.0/jobs", "/v2/boards", "/v2/stream", "/readyz"} <= paths

    def test_no_answer_lets_other_sites_read_it_and_all_have_their_headers(
        self, app: Flask
    ) -> None:
        client = app.test_client()
        for rule in app.url_map.iter_rules():
            path = re.sub("<[^>]*>", "x", rule.rule)
            for method in ("GET", "OPTIONS", "POST"):
                if (method, path) == ("GET", "/v2/stream"):
                    path += "?path=x"  # an error, and not an answer without end
                origin = {"Origin": "https://elsewhere.example.org"}
                with client.open(path, method=method, headers=origin) as answer:
                    names = {name.lower() for name, _ in answer.headers}
                    assert not [name for name in names if name.startswith("access-control")]
                    assert {name.lower() for name in SECURITY} <= names, (method, path)
                    if path.startswith("/v"):
                        assert answer.headers["Cache-Control"] == "no-store"

    def test_reading_mongodb_for_one_answer_has_an_end(
        self, app: Flask, database: Database[Document], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        WrittenBoard(database).write(posted(1, now()))
        client = app.test_client()
        with client.get(f"/v1.0/jobs?path={PATH}") as answer:
            assert answer.status_code == 200
            assert answer.data
        monkeypatch.setattr("canary.server.v1.jobs.READ_LIMIT", -1)
        with client.get(f"/v1.0/jobs?path={PATH}") as answer:
            assert answer.status_code == 503
            assert "shorter interval" in answer.get_json()["description"]


class TestStart:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
    def test_open_to_others_it_does_not_start(self, run: Callable[..., Any], host: str) -> None:
        ended = run("canary-server", OS_SERVER__HOST=host)
        assert ended.returncode == 2
        [told] = ended.stderr.splitlines()
        for part in ("[server] host", host, "[auth] basic_file", "[auth] bearer_file"):
            assert part in told

    def test_a_password_that_is_easily_guessed_is_refused(
        self, run: Callable[..., Any], people: People
    ) -> None:
        with people.passwords.open("a") as file:
            file.write("bob:$apr1$WsR6nOyA$m0GW6y5zy.zw86EReBFJd0\n")
        ended = run("canary-server", **people.options)
        assert ended.returncode == 2
        [told] = ended.stderr.splitlines()
        assert "line 2" in told
        assert f"htpasswd -B {people.passwords} bob" in told
        assert "apr1" not in told

    def test_a_token_is_made_and_shown_once(self, run: Callable[..., Any]) -> None:
        made = run("canary-server", "--make-token", "poller")
        assert made.returncode == 0
        token = re.search(r": (canary_\S+)\n", made.stdout)
        line = re.search(r": (poller:\S+)\n", made.stdout)
        assert token
        assert line
        assert tokens.parse(line[1], "").owner(token[1]) == "poller"
        assert run("canary-server", "--make-token", "").returncode == 2


class TestSigningIn:
    def test_a_page_by_password_and_a_script_by_token(
        self, start: Callable[..., Server], people: People
    ) -> None:
        server = start(OS_SERVER__HOST="0.0.0.0", **people.options)
        page = ask(server, "/")
        assert page.status_code == 200, "the page is the same for everybody, and has people sign in"
        for name in re.findall(r'(?:src|href)="./([^"]+)"', page.text):
            assert ask(server, f"/{name}").status_code == 200
        for where in ("/docs", "/v2/boards", f"/v1.0/jobs?path={PATH}", "/metrics"):
            stranger = ask(server, where)
            assert stranger.status_code == 401, where
            assert "Basic" in stranger.headers["WWW-Authenticate"]
            assert ask(server, where, **people.basic).status_code == 200, where
            assert ask(server, where, **people.bearer).status_code == 200, where
            assert ask(server, where, **basic("ann", "wrong")).status_code == 401
        with open_stream(server.address, headers=people.bearer) as answer:
            assert next(answer.iter_lines()).startswith(b"retry: ")

        eventually(lambda: ask(server, "/readyz", **people.basic).json()["zookeeper"]["ready"])
        assert ask(server, "/livez").json() == {"live": True}
        ready = {"ready": True, "mongodb": {"ready": True}, "zookeeper": {"ready": True}}
        eventually(lambda: ask(server, "/readyz").json() == ready)
        assert "boards" in ask(server, "/readyz", **people.bearer).json()

    def test_strangers_are_not_told_why_it_is_not_ready(
        self, start: Callable[..., Server], people: People
    ) -> None:
        away = {"OS_MONGO__URI": "mongodb://127.0.0.1:1/", "OS_MONGO__TIMEOUT": "0.5"}
        server = start(OS_ZOOKEEPER__HOSTS="127.0.0.1:1", **away, **people.options)
        stranger = ask(server, "/readyz")
        assert stranger.status_code == 503
        assert stranger.json() == {
            "ready": False,
            "mongodb": {"ready": False},
            "zookeeper": {"ready": False},
        }

        def known() -> str:
            answer = ask(server, "/readyz", **people.basic)
            assert answer.status_code == 503
            return str(answer.json()["mongodb"]["reason"])

        eventually(lambda: "127.0.0.1:1" in known())  # a busy machine may answer too late at first

    def test_files_are_read_again_and_a_broken_one_changes_nothing(
        self, start: Callable[..., Server], people: People
    ) -> None:
        server = start(OS_SERVER__WORKERS="2", **people.options)
        token, line = tokens.make("other")
        new = {"Authorization": f"Bearer {token}"}
        people.bearers.write_text(f"{line}\n")

        def answers(headers: dict[str, str], status: int) -> bool:
            return all(ask(server, "/v2/boards", **headers).status_code == status for _ in range(9))

        eventually(lambda: answers(new, 200))
        eventually(lambda: answers(people.bearer, 401))
        people.passwords.write_text("ann:plain\n")
        eventually(lambda: answers(people.basic, 200) and "stays in force" in server.command.output)
        assert "plain" not in server.command.output
        people.passwords.write_text(line_of("bob", PASSWORD))
        eventually(lambda: answers(basic("bob", PASSWORD), 200))
        eventually(lambda: answers(people.basic, 401))  # by the other process as well

    def test_who_signs_in_holds_up_nobody(
        self, start: Callable[..., Server], people: People
    ) -> None:
        names = [f"user-{number}" for number in range(6)]
        people.passwords.write_text("".join(line_of(name, PASSWORD, 12) for name in names))

        def is_held_up() -> bool:
            server = start(**people.options)  # one that remembers nobody
            statuses: list[int] = []

            def sign_in(name: str) -> None:
                statuses.append(ask(server, "/v2/boards", **basic(name, PASSWORD)).status_code)

            with asking(server) as took:
                before = len(took)
                begun = time.monotonic()
                threads = [threading.Thread(target=sign_in, args=[name]) for name in names]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join(120)
                lasted = time.monotonic() - begun
                longest = max(took[before:], default=lasted)
            assert statuses == [200] * len(names)
            print(f"6 signed in within {lasted:.2f} s; others waited at most {longest:.3f} s")
            # Held up, the first answer would come when all had signed in.
            return longest >= lasted / 2

        assert not all(is_held_up() for _ in range(ATTEMPTS))


class TestHolding:
    def test_files_enough_for_all_connections_may_be_open(
        self, start: Callable[..., Server]
    ) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        try:
            server = start(OS_SERVER__MAX_STREAMS="2000")
            far = start(OS_SERVER__MAX_STREAMS="1000000")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        [worker] = psutil.Process(server.command.process.pid).children()
        limits = Path(f"/proc/{worker.pid}/limits").read_text()
        allowed = re.search(r"Max open files +(\d+)", limits)
        assert allowed
        assert int(allowed[1]) >= min(2000 + WAITING + 200, hard)
        assert ("[server] max_streams" in far.command.output) == (hard < 1_000_000)

    def test_who_sends_byte_by_byte_is_cut_and_holds_up_nobody(
        self, start: Callable[..., Server], connect: Callable[[Server], Raw]
    ) -> None:
        server = start()

        def is_held_up() -> bool:
            slow = connect(server)
            begun = time.monotonic()
            with asking(server) as took:
                head = iter(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 100_000)
                eventually(
                    lambda: not slow.send(bytes([next(head)])), allowed(HEAD_LIMIT), "it is cut off"
                )
            assert time.monotonic() - begun > HEAD_LIMIT - 2
            return max(took) >= 5

        assert not all(is_held_up() for _ in range(ATTEMPTS))

    def test_connections_without_a_request_hold_up_nobody(
        self, start: Callable[..., Server], connect: Callable[[Server], Raw]
    ) -> None:
        server = start(OS_SERVER__MAX_STREAMS="1")  # fewer places in all
        idle: list[Raw] = []

        def is_held_up() -> bool:
            idle[:] = [connect(server) for _ in range(WAITING + 300)]
            begun = time.monotonic()
            assert ask(server, "/livez").status_code == 200
            return time.monotonic() - begun >= HEAD_LIMIT / 2  # until they are cut off

        assert not all(is_held_up() for _ in range(ATTEMPTS))
        eventually(lambda: idle[0].rest() == b"")  # it made room
        last = idle[-1]
        assert last.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert last.rest().startswith(b"HTTP/1.1 200 OK")
        assert "Traceback" not in server.command.output

    def test_connections_without_a_request_do_not_delay_the_end(
        self, start: Callable[..., Server], connect: Callable[[Server], Raw]
    ) -> None:
        def end() -> str:
            server = start()
            idle = connect(server)
            assert idle.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert idle.socket.recv(100).startswith(b"HTTP/1.1 200 OK")
            assert server.command.end() == 0
            assert "Traceback" not in server.command.output
            return server.command.output

        # One that waits for the connection is killed before it can say so, and so may be one that
        # has a core to share; the latter not each time.
        assert any("Worker exiting" in end() for _ in range(5))

    @pytest.mark.parametrize(
        "framing", ["Content-Length: 1000000000000", "Transfer-Encoding: chunked"]
    )
    def test_a_body_without_end_is_not_read(
        self, start: Callable[..., Server], connect: Callable[[Server], Raw], framing: str
    ) -> None:
        server = start()
        chunks = (b"10000\r\n" + b"x" * 65_536 + b"\r\n") * 50

        def is_held_up() -> bool:
            raw = connect(server)
            head = f"GET /livez HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n"
            assert raw.send(head.encode())
            begun = time.monotonic()
            with asking(server) as took:
                while raw.send(chunks):  # as fast as the server takes it
                    assert time.monotonic() - begun < 60, "it is cut off"
            assert raw.rest().startswith(b"HTTP/1.1 200 OK")
            return max(took) >= 5

        assert not all(is_held_up() for _ in range(ATTEMPTS))

    def test_a_request_with_a_body_is_answered_and_nobody_waits_for_it(
        self, start: Callable[..., Server], connect: Callable[[Server], Raw]
    ) -> None:
        server = start()
        with requests.get(f"{server.address}/v2/boards", json={"a": 1}, timeout=30) as answer:
            assert answer.status_code == 200
            assert answer.headers["Connection"] == "close"
        raw = connect(server)
        assert raw.send(
            b"POST /v2/boards HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
            b"Content-Length: 5\r\n\r\n"
        )
        assert raw.rest().startswith(b"HTTP/1.1 405 ")

    def test_what_is_no_request_is_answered_in_order_and_not_logged(
        self, start: Callable[..., Server], connect: Callable[[Server], Raw]
    ) -> None:
        server = start(OS_LOG__LEVEL="DEBUG")
        for sent, status in NO_REQUESTS:
            raw = connect(server)
            raw.send(sent)
            raw.socket.shutdown(socket.SHUT_WR)
            head, _, body = raw.rest().partition(b"\r\n\r\n")
            assert b"hunter2" not in head + body
            if status is not None:
                assert head.startswith(b"HTTP/1.1 %d " % status), (sent, head)
                assert b"Content-Type: application/problem+json" in head
                for name, value in SECURITY.items():
                    assert f"{name}: {value}".encode() in head
                assert json.loads(body)["status"] == status
        assert server.command.end() == 0
        answered = [status for _, status in NO_REQUESTS if status is not None]
        assert server.command.output.count("not a valid HTTP request") == len(answered)
        assert "Traceback" not in server.command.output
        assert "hunter2" not in server.command.output

    def test_one_client_is_told_to_wait(self, start: Callable[..., Server], people: People) -> None:
        server = start(OS_SERVER__RATE_LIMIT=str(RATE), **people.options)
        with open_stream(server.address, headers=people.bearer):
            pass  # it is ready, as another client has found out
        begun = time.monotonic()
        stream = {"headers": people.basic, "stream": True, "timeout": 30}
        with requests.get(f"{server.address}/v2/stream", **stream) as answer:  # type: ignore[arg-type]
            assert answer.status_code == 200
            events = answer.iter_lines()
            assert [next(events) for _ in range(5)]  # a stream counts once, however long
            answered = 1
            while (refused := ask(server, "/v2/boards", **people.basic)).status_code == 200:
                answered += 1
                # While the machine stands still some of the minute passes.
                assert answered <= RATE * (1 + (time.monotonic() - begun) / 60)
        assert answered >= RATE
        assert refused.status_code == 429
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert int(refused.headers["Retry-After"]) >= 1
        assert ask(server, "/v2/boards", **people.bearer).status_code == 200
        assert ask(server, "/livez", **people.basic).status_code == 200


class TestLog:
    def test_a_line_for_each_request_without_its_secrets(
        self, start: Callable[..., Server], people: People
    ) -> None:
        server = start(
            OS_LOG__FORMAT="json", OS_LOG__LEVEL="DEBUG", OS_LOG__REQUESTS="all", **people.options
        )
        secrets = [PASSWORD, people.token, "hunter2"]
        secrets += [people.basic["Authorization"].removeprefix("Basic ")]
        ask(server, f"/v1.0/jobs?path={PATH}&token=hunter2", **people.basic)
        ask(server, f"/v2/boards?{people.token}", **people.bearer)
        ask(server, "/v2/nope?path=/a&path=/b", **people.bearer)
        ask(server, "/v2/boards?path=hunter2", **basic("ann", "hunter2"))
        for value in ("hunter2", "Basic hunter2", f"Basic {people.token}", f"Token {people.token}"):
            ask(server, "/v2/boards", Authorization=value, **{"X-Remote-User": "hunter2"})
        with open_stream(server.address, headers=people.bearer) as live:
            assert b"event: board" in live.iter_lines()
        eventually(lambda: any(line["message"] == "stream ended" for line in lines(server)), 30)
        [ended] = [line for line in lines(server) if line["message"] == "stream ended"]
        assert (ended["path"], ended["status"], ended["user"]) == ("/v2/stream", 200, "poller")
        assert ended["events"] == 1  # its board
        assert ended["ms"] > 0
        answered = [line for line in lines(server) if line.get("path", "").startswith("/v")]
        first = answered[0]
        assert first["logger"] == "canary.server.http.access_log"
        assert first["level"] == "INFO"
        assert {key: first[key] for key in ("method", "path", "status", "client", "user")} == {
            "method": "GET",
            "path": "/v1.0/jobs",
            "status": 200,
            "client": "127.0.0.1",
            "user": "ann",
        }
        assert first["board"] == PATH
        assert first["bytes"] > 0
        assert first["ms"] >= 0
        assert [(line["path"], line["status"], line.get("user")) for line in answered[1:4]] == [
            ("/v2/boards", 400, "poller"),
            ("/v2/nope", 404, "poller"),
            ("/v2/boards", 401, None),
        ]
        assert "board" not in answered[2]
        assert server.command.end() == 0
        for secret in secrets:
            assert secret not in server.command.output

    def test_only_what_is_notable_unless_told_otherwise(
        self, start: Callable[..., Server], people: People
    ) -> None:
        server = start(**people.options)
        ask(server, "/v2/boards", **people.bearer)
        ask(server, "/v2/boards")
        eventually(lambda: "canary.server.http.access_log" in server.command.output)
        [line] = [each for each in server.command.output.splitlines() if ".access_log " in each]
        assert re.search(
            r" INFO canary\.server\.http\.access_log answered method=GET path=/v2/boards "
            r"status=401 bytes=\d+ ms=\d+ client=127\.0\.0\.1$",
            line,
        )

    def test_no_version_is_told(self, start: Callable[..., Server]) -> None:
        server = start()
        for where in ("/livez", "/nope"):
            assert not re.search(r"\d", ask(server, where).headers["Server"])
