"""The command line behind a proxy: who sees the token, who is asked, and what is said."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from canary.cli import this_machine
from canary.cli.main import main
from canary.cli.proxies import proxy_for
from canary.cli.this_machine import addresses_of, is_this_machine
from canary.errors import UsageError
from tests.unit.scripted_server import Answer, ScriptedServer, problem

SECRET = "hunter2"
AWAY = "http://canary.example.invalid:8080"  # leads nowhere but through a proxy
CERTIFICATE = Path(__file__).parent / "localhost.pem"
NO_JOBS = Answer({"jobs": [], "next": None})
NAMES = {
    "here.example.invalid": {"127.0.1.1", "::1"},
    "half.example.invalid": {"127.0.1.1", "198.51.100.1"},
}
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(this_machine, "addresses_of", lambda name: NAMES.get(name, set()))


class Tunnel(socketserver.ThreadingTCPServer):
    """A proxy of CONNECT, which leads to ``port`` of loopback, whatever name is asked for."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.seen = b""
        tunnel = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += self.request.recv(65_536)
                tunnel.seen += head
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                with socket.create_connection(("127.0.0.1", port)) as server:
                    threading.Thread(target=_pump, args=[server, self.request], daemon=True).start()
                    _pump(self.request, server)

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def tunnel(port: int) -> Iterator[Tunnel]:
    with Tunnel(port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_this_machine_is_never_asked_through_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(lambda _: NO_JOBS) as server, ScriptedServer(lambda _: NO_JOBS) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for host in ("127.0.0.1", "localhost", "LOCALHOST"):
            where = server.url.replace("127.0.0.1", host)
            assert main(["jobs", "--token", SECRET, "--url", where]) == 0
        assert len(server.asked) == 3
        assert {asked.headers["Authorization"] for asked in server.asked} == {f"Bearer {SECRET}"}
        assert proxy.asked == []


@pytest.mark.parametrize("words", [["--token", SECRET], ["--user", "ann"]])
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_none_is_handed_a_token_or_password(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    words: list[str],
) -> None:
    monkeypatch.setenv("CANARY_PASSWORD", SECRET)
    with ScriptedServer(lambda _: NO_JOBS) as proxy:
        monkeypatch.setenv(name, proxy.url.replace("//", f"//me:{SECRET}@"))
        assert main(["jobs", *words, "--url", AWAY]) == 2
        assert proxy.asked == []
    said = capsys.readouterr().err
    assert f"the proxy {proxy.url} ({name})" in said
    assert "https://" in said
    assert "no_proxy" in said
    assert SECRET not in said


def test_who_needs_no_credentials_goes_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(lambda _: NO_JOBS) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert main(["jobs", "--url", AWAY]) == 0
        [asked] = proxy.asked
        assert asked.headers["Host"] == "canary.example.invalid:8080"
        monkeypatch.setenv("no_proxy", "example.invalid")
        assert main(["jobs", "--url", AWAY]) == 1
        assert len(proxy.asked) == 1


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy"])
def test_tls_keeps_the_token_from_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with ScriptedServer(lambda _: NO_JOBS, CERTIFICATE) as server:
        port = int(server.url.rpartition(":")[2])
        with tunnel(port) as proxy:
            monkeypatch.setenv(name, proxy.url)
            where = f"https://canary.example.invalid:{port}"
            assert main(["jobs", "--token", SECRET, "--insecure", "--url", where]) == 0
            assert proxy.seen.startswith(b"CONNECT canary.example.invalid:")
            assert SECRET.encode() not in proxy.seen
        [asked] = server.asked
        assert asked.headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("status", [None, 403, 407, 502, 503])
def test_what_it_refuses_is_said_of_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scheme: str,
    status: int | None,
) -> None:
    page = Answer(b"<html>no</html>", status or 0, content_type="text/html")
    with ScriptedServer(lambda _: page) as proxy:
        where = proxy.url if status else "http://127.0.0.1:1"
        monkeypatch.setenv(f"{scheme}_proxy", where.replace("//", f"//me:{SECRET}@"))
        url = AWAY.replace("http", scheme, 1)
        assert main(["--debug", "jobs", "--url", url]) == 1
    said = capsys.readouterr().err
    assert f"he proxy {where}" in said
    assert f"{scheme}_proxy" in said
    assert SECRET not in said
    assert "running there?" not in said.splitlines()[-1] or status is not None


@pytest.mark.parametrize(
    "value",
    ["socks5://127.0.0.1:1", f"foo://me:{SECRET}@x:1", "http://", "http://x:99999", "http://[x"],
)
def test_one_that_is_none_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    assert main(["jobs", "--url", AWAY]) == 2
    said = capsys.readouterr().err
    assert "ALL_PROXY is not the URL of an HTTP proxy, such as http://host:3128" in said
    assert SECRET not in said


class TestRedirects:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_another_host_or_port_gets_no_token(
        self, capsys: pytest.CaptureFixture[str], host: str, tmp_path: Path
    ) -> None:
        netrc = tmp_path / ".netrc"
        netrc.write_text(f"default login eve password {SECRET}\n")
        netrc.chmod(0o600)
        with ScriptedServer(lambda _: problem(401, "Sign in")) as other:
            there = other.url.replace("127.0.0.1", host)
            moved = Answer({}, 302, {"Location": f"{there}/v2/jobs"})
            with ScriptedServer(lambda _: moved) as server:
                assert main(["jobs", "--token", SECRET, "--url", server.url]) == 1
        assert "Authorization" not in other.asked[0].headers
        said = capsys.readouterr().err
        assert f"redirects to {there}, which answers 401" in said
        assert SECRET not in said

    def test_another_scheme_of_the_same_host_gets_none(self) -> None:
        with ScriptedServer(lambda _: NO_JOBS) as other:
            moved = Answer({}, 308, {"Location": f"{other.url}/v2/jobs"})
            with ScriptedServer(lambda _: moved, CERTIFICATE) as server:
                where = ["--insecure", "--url", server.url]
                assert main(["jobs", "--token", SECRET, *where]) == 0
            assert "Authorization" not in other.asked[0].headers

    def test_the_same_host_and_port_gets_it(self) -> None:
        def answer(_: object) -> Answer:
            if len(server.asked) > 1:
                return NO_JOBS
            return Answer({}, 308, {"Location": "/v2/jobs?limit=1"})

        with ScriptedServer(answer) as server:
            assert main(["jobs", "--token", SECRET, "--url", server.url]) == 0
            assert server.asked[1].headers["Authorization"] == f"Bearer {SECRET}"

    def test_one_to_this_machine_goes_through_no_proxy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with ScriptedServer(lambda _: NO_JOBS) as here:
            moved = Answer({}, 302, {"Location": f"{here.url}/v2/jobs"})
            with ScriptedServer(lambda _: moved) as proxy:
                monkeypatch.setenv("http_proxy", proxy.url)
                assert main(["jobs", "--url", AWAY]) == 0
            assert len(proxy.asked) == len(here.asked) == 1


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("127.1", True),
        ("127.0.1", True),
        ("2130706433", True),
        ("0x7f.1", True),
        ("0X7F000001", True),
        ("0177.0.0.1", True),
        ("0", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),
        ("::", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("canary.localhost", True),
        ("here.example.invalid", True),
        ("half.example.invalid", False),
        ("canary.example.invalid", False),
        ("localhost.example.invalid", False),
        ("127.0.0.1.example.invalid", False),
        ("10.1", False),
        ("3325256705", False),
        ("198.51.100.1", False),
        ("2001:db8::1", False),
        ("", False),
    ],
)
def test_what_this_machine_is(host: str, expected: bool) -> None:
    assert is_this_machine(host) is expected
    if host:
        url = f"http://[{host}]:8080" if ":" in host else f"http://{host}:8080"
        assert (proxy_for(url, {"all_proxy": "http://proxy:3128"}) is None) is expected


def test_its_own_name_and_address_are_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the names are the system's
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(("198.51.100.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no network")
        assert is_this_machine(way.getsockname()[0])
    if addresses_of(socket.gethostname()):
        assert is_this_machine(socket.gethostname())


def test_a_name_server_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    over = threading.Event()
    monkeypatch.setattr(this_machine, "LIMIT", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [over.wait(60)][:0])
    try:
        assert not is_this_machine("canary.example.invalid")
    finally:
        over.set()


@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize(
    ("listed", "host", "is_direct"),
    [
        ("[2001:db8::1]", "[2001:db8::1]", True),
        ("2001:db8::1", "[2001:DB8:0::1]", True),
        ("a.example, 2001:db8::/32", "[2001:db8:5::1]", True),
        ("[2001:db8::]/32", "[2001:db8:5::1]", True),
        ("[2001:db8::1]:8080", "[2001:db8::1]", True),
        ("[2001:db8::1]:81", "[2001:db8::1]", False),
        ("2001:db8::/32", "[2001:db9::1]", False),
        ("2001:db8::/129", "[2001:db8::1]", False),
        ("[2001:db8::1", "[2001:db8::2]", False),
        ("198.51.100.0/24", "198.51.100.9", True),
        ("198.51.100.0/24", "3325256705", True),
        ("198.51.100.0/24", "[::ffff:198.51.100.1]", True),
        ("198.51.100.1:8080", "198.51.100.1", True),
        ("198.51.100.1:81", "198.51.100.1", False),
        ("198.51.100.1", "198.51.100.2", False),
        ("example.invalid", "canary.example.invalid", True),
        (".example.invalid", "canary.example.invalid", True),
        ("example.com", "canary.example.invalid", False),
        ("*", "198.51.100.1", True),
    ],
)
def test_what_no_proxy_names(variable: str, listed: str, host: str, is_direct: bool) -> None:
    environ = {"http_proxy": "http://proxy:3128", variable: listed}
    assert (proxy_for(f"http://{host}:8080", environ) is None) is is_direct


def test_a_proxys_password_is_in_nothing_that_is_shown() -> None:
    found = proxy_for(AWAY, {"http_proxy": f"me:{SECRET}@proxy:3128"})
    assert found is not None
    assert (found.shown, found.variable) == ("http://proxy:3128", "http_proxy")
    assert SECRET not in repr(found)
    with pytest.raises(UsageError):
        proxy_for(AWAY, {"http_proxy": "http://:3128"})
