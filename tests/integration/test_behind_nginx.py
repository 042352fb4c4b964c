"""The server behind a real nginx: below a path, with streams, and with either of them signing in.

nginx reaches the server from an address of its own, so that it can be told from everybody else.
"""

import contextlib
import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
import requests
from pymongo.database import Database

from canary.stores.mongo.documents import Document
from tests.asking import open_stream
from tests.integration.conftest import Spawn
from tests.integration.nginx import nginx, serving
from tests.integration.test_protection import PASSWORD, People, basic, people
from tests.integration.test_server import Server
from tests.integration.written_board import WrittenBoard, now, posted
from tests.waiting import eventually

__all__ = ["nginx", "people"]  # fixtures

pytestmark = pytest.mark.folders(
    "canary/server/auth",
    "canary/server/http",
    "canary/server/protection",
    "canary/server/stream",
    "devstack/nginx.py",
    "docs/protection.md",
    "tests/integration/nginx.py",
)

NGINX = "127.0.0.2"
CLIENT = "127.0.0.3"

#: The examples of the documentation: below /canary/ the server signs people in, below /ops/ nginx.
EXAMPLES = re.findall(
    r"^```nginx\n(.*?)^```$",
    (Path(__file__).parents[2] / "docs" / "protection.md").read_text(),
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Behind:
    """A server, and nginx before it."""

    server: Server
    url: str

    def ask(self, where: str, **headers: str) -> requests.Response:
        with requests.get(
            self.url + where, headers=headers, timeout=30, allow_redirects=False
        ) as answer:
            assert answer.content is not None
            return answer


@pytest.fixture
def behind(
    spawn: Spawn, database: Database[Document], people: People, nginx: Path, tmp_path: Path
) -> Iterator[Behind]:
    assert database.name
    assert len(EXAMPLES) == 2
    server = Server(
        spawn,
        OS_SERVER__TRUSTED_PROXIES=NGINX,
        OS_AUTH__USER_HEADER="X-Remote-User",
        OS_LOG__REQUESTS="all",
        **people.options,
    )
    text = "\n".join([f"proxy_bind {NGINX};", *EXAMPLES])
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
    text = text.replace("/etc/canary/passwords", str(people.passwords))
    with serving(nginx, tmp_path / "nginx", text) as port:
        yield Behind(server, f"http://127.0.0.1:{port}")


class Listening:
    """A client of the stream that reads one event after the other."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._answer = open_stream(url, headers=headers)
        self.headers = self._answer.headers
        self._lines = self._answer.iter_lines(chunk_size=None)
        self.id = ""

    def next(self) -> tuple[str, dict[str, Any]]:
        name = ""
        for line in self._lines:
            word, _, value = line.decode().partition(": ")
            if word == "event":
                name = value
            elif word == "id":
                self.id = value
            elif word == "data" and name:
                return name, json.loads(value)
        raise AssertionError("the stream ended")

    def until_revision(self, revision: int) -> list[tuple[str, int | None]]:
        """Return what came up to that change: names, and the revisions of changes."""
        found: list[tuple[str, int | None]] = []
        while True:
            name, data = self.next()
            if name in {"change", "reset", "gap"}:
                found.append((name, data.get("revision")))
            if name == "change" and data["revision"] == revision:
                return found

    def close(self) -> None:
        self._answer.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listening]]:
    with contextlib.ExitStack() as streams:
        yield lambda *words: streams.enter_context(contextlib.closing(Listening(*words)))


@pytest.mark.parametrize("prefix", ["/canary", "/ops"])
def test_the_page_and_all_that_it_loads_are_below_the_path(behind: Behind, prefix: str) -> None:
    headers = basic("ann", PASSWORD)
    folder = behind.ask(prefix, **headers)
    assert folder.status_code in {301, 308}
    assert folder.headers["Location"].endswith(f"{prefix}/")
    page = behind.ask(f"{prefix}/", **headers)
    assert page.status_code == 200
    names = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(names) == 3
    for name in names:
        where = urljoin(f"{prefix}/", name)
        assert where.startswith(f"{prefix}/")
        assert behind.ask(where, **headers).status_code == 200
    [script] = [name for name in names if name.endswith(".js")]
    text = behind.ask(urljoin(f"{prefix}/", script), **headers).text
    assert re.search(r"""["'`]v2/stream""", text)
    assert not re.search(r"""["'`]/v[0-9]""", text), "no address but relative ones"


def test_the_api_is_below_the_path_and_knows_who_asks_and_from_where(behind: Behind) -> None:
    port = int(behind.url.rpartition(":")[2])
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=30, source_address=(CLIENT, 0)
    )
    forged = {"X-Forwarded-For": "192.0.2.7", "X-Remote-User": "root"}
    for prefix in ("/canary", "/ops"):
        connection.request(
            "GET", f"{prefix}/v2/boards", headers={**forged, **basic("ann", PASSWORD)}
        )
        with connection.getresponse() as answer:
            assert answer.status == 200
            assert json.loads(answer.read())["boards"] == []
    connection.close()

    def lines() -> list[str]:
        return [line for line in behind.server.command.output.splitlines() if "/boards" in line]

    eventually(lambda: len(lines()) == 2)
    assert all(f"client={CLIENT} user=ann" in line for line in lines())
    told = behind.ask("/canary/openapi.json", **basic("ann", PASSWORD)).json()
    assert told["servers"] == [{"url": "/canary"}]
    problem = behind.ask("/canary/v2/nope", **basic("ann", PASSWORD))
    assert problem.status_code == 404
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert problem.headers["X-Frame-Options"] == "DENY"


def test_a_job_is_found_behind_it_whatever_it_is_called(
    behind: Behind, database: Database[Document]
) -> None:
    names = ["a//b", "..", "../x", "a?b", "a%2Fb", "a b", "/", "#"]
    written = WrittenBoard(database)
    for number, name in enumerate(names, 1):
        payload = json.dumps({"uuid": name, "name": "n"}).encode()
        written.write(posted(number, now(), payload))
    for prefix in ("/canary", "/ops"):
        for name in names:
            where = f"{prefix}/v2/job?{urlencode({'uuid': name})}"
            answer = behind.ask(where, **basic("ann", PASSWORD))
            assert answer.status_code == 200, (where, answer.text)
            assert answer.json()["job"]["uuid"] == name


def test_strangers_and_impostors_are_sent_away(behind: Behind, people: People) -> None:
    for where, headers in (
        ("/canary/v2/boards", {}),
        ("/canary/v2/boards", {"X-Remote-User": "ann"}),
        ("/canary/v2/boards", basic("ann", "wrong")),
        ("/ops/v2/boards", {}),
        ("/ops/v2/boards", {"X-Remote-User": "ann"}),
        ("/ops/v2/boards", people.bearer),  # nginx asks here, and knows no token
    ):
        answer = behind.ask(where, **headers)
        assert answer.status_code == 401, (where, headers)
        assert "Basic" in answer.headers["WWW-Authenticate"]
    # Replay nginx nobody is believed who is not nginx.
    direct = {"X-Remote-User": "ann", "X-Forwarded-For": NGINX}
    with requests.get(f"{behind.server.address}/v2/boards", headers=direct, timeout=30) as answer:
        assert answer.status_code == 401
    # Health is told through it, as without it.
    assert behind.ask("/canary/livez").json() == {"live": True}
    assert behind.ask("/canary/v2/boards", **people.bearer).status_code == 200


@pytest.mark.parametrize("prefix", ["/canary", "/ops"])
def test_events_come_at_once(
    behind: Behind, listen: Callable[..., Listening], database: Database[Document], prefix: str
) -> None:
    written = WrittenBoard(database)
    written.beat()
    stream = listen(behind.url + prefix, basic("ann", PASSWORD))
    assert stream.next()[0] == "board"
    took = []
    for number in range(1, 21):
        begun = time.monotonic()
        written.write(posted(number, now()))
        stream.until_revision(number)
        took.append(time.monotonic() - begun)
    assert max(took) < 5  # in a buffer they would wait for the next heartbeat, or for ever
    print(f"events through nginx below {prefix}: {sorted(took)[10] * 1000:.1f} ms (median)")


def test_who_comes_back_through_nginx_is_served_as_without_it(
    behind: Behind, listen: Callable[..., Listening], database: Database[Document]
) -> None:
    written = WrittenBoard(database)
    written.beat()
    headers = basic("ann", PASSWORD)
    urls = (f"{behind.url}/canary", behind.server.address)
    before = listen(urls[0], headers)
    assert before.next()[0] == "board"
    written.write(posted(1, now()))
    before.until_revision(1)
    before.close()
    written.write(posted(2, now()))
    back = [listen(url, {**headers, "Last-Event-ID": before.id}) for url in urls]
    written.write(posted(3, now()))
    through, without = [each.until_revision(3) for each in back]
    assert through == without
    assert ("reset", None) in through or ("change", 2) in through
    assert ("change", 1) not in through


def test_a_path_that_the_server_itself_is_told(
    spawn: Spawn, database: Database[Document], nginx: Path, tmp_path: Path
) -> None:
    assert database.name
    server = Server(spawn, OS_SERVER__URL_PREFIX="/canary")
    text = f"location /canary {{ proxy_pass {server.address}; }}"
    with serving(nginx, tmp_path / "nginx", text) as port:
        behind = Behind(server, f"http://127.0.0.1:{port}")
        folder = behind.ask("/canary")
        assert (folder.status_code, folder.headers["Location"]) in {
            (308, "/canary/"),
            (308, f"{behind.url}/canary/"),
        }
        assert behind.ask("/canary/").status_code == 200
        assert behind.ask("/canary/v2/boards").json() == {"boards": [], "next": None}
        answer = behind.ask("/canary/v1.0/jobs")
        assert answer.status_code == 400
        assert answer.json().keys() == {"title", "description"}
