"""Which requests come through the gate, and what the others are told; with a small application."""

import base64
import itertools
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from canary.config import AuthOptions, Config, ServerOptions
from canary.errors import ConfigError
from canary.server import problems
from canary.server.auth import sign_in, tokens
from canary.server.auth.attempts import WRONG
from canary.server.protection import gate
from canary.server.protection.admission import Admission
from canary.server.protection.gate import METHODS, is_known
from canary.server.protection.headers import SECURITY

OTHERS = ("POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "X")
PROXY = "10.0.0.1"


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Server:
    """An application of three routes behind the gate that ``config`` describes."""

    def __init__(self, config: Config) -> None:
        self.app = Flask("test", static_folder=None)
        problems.register(self.app)
        gate.make(config).guard(self.app)
        for path in ("/v2/x", "/v1.0/x", "/livez", "/readyz", "/"):
            self.app.add_url_rule(
                path, path, lambda: {"known": is_known()}, methods=[*METHODS, "POST"]
            )
        self.app.add_url_rule("/fails", "fails", lambda: str(1 / 0))
        self.client: FlaskClient = self.app.test_client()

    def get(self, path: str = "/v2/x", peer: str = "192.0.2.7", **headers: str) -> TestResponse:
        return self.client.get(path, environ_base={"REMOTE_ADDR": peer}, headers=headers)


@pytest.fixture
def token() -> tuple[str, str]:
    return tokens.make("poller")


@pytest.fixture
def config(tmp_path: Path, token: tuple[str, str]) -> Config:
    """All three ways at once."""
    passwords, bearers = tmp_path / "passwords", tmp_path / "tokens"
    passwords.write_text(f"ann:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    bearers.write_text(token[1])
    return Config(
        server=ServerOptions(host="0.0.0.0", trusted_proxies=(PROXY,)),
        auth=AuthOptions(str(passwords), str(bearers), "X-Remote-User"),
    )


def problem(answer: TestResponse) -> dict[str, Any]:
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = answer.get_json(force=True)
    assert body["status"] == answer.status_code
    return body


class TestSignIn:
    def test_on_loopback_nobody_needs_to(self) -> None:
        assert Server(Config()).get().json == {"known": True}

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "Localhost."])
    def test_what_is_loopback(self, host: str) -> None:
        gate.make(Config(server=ServerOptions(host=host)))

    @pytest.mark.parametrize(
        "host", ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "example.org", "localhost.org"]
    )
    def test_elsewhere_there_must_be_a_way(self, host: str) -> None:
        with pytest.raises(ConfigError, match=r"\[server\] host is .*Set \[auth\]") as caught:
            gate.make(Config(server=ServerOptions(host=host)))
        assert caught.value.option == "[server] host"

    @pytest.mark.parametrize("name", ["basic_file", "bearer_file"])
    def test_a_file_that_lets_nobody_in_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "f").write_text("# nobody yet\n")
        with pytest.raises(ConfigError, match=r"contains no (users|tokens)\. (Add|Make) .*"):
            gate.make(Config(auth=AuthOptions(**{name: str(tmp_path / "f")})))

    def test_each_way(self, config: Config, token: tuple[str, str]) -> None:
        server = Server(config)
        for headers in (basic("ann", "secret"), bearer(token[0])):
            assert server.get(**headers).json == {"known": True}
        assert server.get(peer=PROXY, **{"X-Remote-User": "bob"}).json == {"known": True}

    def test_what_a_proxy_says_is_enough(self, config: Config) -> None:
        answer = Server(config).get(peer=PROXY, **{"X-Remote-User": "bob"}, **basic("x", "y"))
        assert answer.status_code == 200

    def test_nobody_else_is_answered(self, config: Config, token: tuple[str, str]) -> None:
        server = Server(config)
        for peer, headers in (
            (PROXY, {}),
            ("192.0.2.7", {"X-Remote-User": "bob"}),
            ("192.0.2.7", {"X-Remote-User": "bob", "X-Forwarded-For": PROXY}),
            ("192.0.2.7", basic("ann", "wrong")),
            ("192.0.2.7", basic("bob", "secret")),
            ("192.0.2.7", bearer(token[0] + "x")),
            ("192.0.2.7", bearer("secret")),
            ("192.0.2.7", basic("poller", token[0])),
            ("192.0.2.7", {"Authorization": token[0]}),
        ):
            answer = server.get(peer=peer, **headers)
            assert answer.status_code == 401, headers
            assert problem(answer)["title"] == "Unauthorized"
            assert answer.headers.getlist("WWW-Authenticate") == [
                'Basic realm="Canary", charset="UTF-8"',
                'Bearer realm="Canary"',
            ]
            assert "secret" not in answer.text
            assert token[0] not in answer.text

    def test_a_challenge_for_each_way_that_is_open(self, config: Config) -> None:
        for auth, schemes in (
            (AuthOptions(basic_file=config.auth.basic_file), ["Basic"]),
            (AuthOptions(bearer_file=config.auth.bearer_file), ["Bearer"]),
            (AuthOptions(user_header="X-User"), ["Bearer"]),  # a 401 must have one
        ):
            answer = Server(Config(server=config.server, auth=auth)).get()
            assert answer.status_code == 401
            challenges = answer.headers.getlist("WWW-Authenticate")
            assert [challenge.partition(" ")[0] for challenge in challenges] == schemes

    def test_it_holds_on_loopback_once_there_is_a_way(self, config: Config) -> None:
        assert Server(Config(auth=config.auth)).get(peer="127.0.0.1").status_code == 401

    @pytest.mark.parametrize("path", ["/livez", "/readyz"])
    def test_health_does_not_queue_behind_strangers(self, config: Config, path: str) -> None:
        asked = EnvironBuilder(path, environ_base={"REMOTE_ADDR": "192.0.2.8"}).get_environ()
        statuses: list[str] = []

        def slow(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            if environ["PATH_INFO"] == "/slow":  # while a stranger has the turn
                _, status, _ = run_wsgi_app(admitted, asked)
                statuses.append(status)
            start_response("200 OK", [])
            return []

        admission = Admission(sign_in.make(config), 0)
        admitted = admission.before(slow)
        run_wsgi_app(admitted, EnvironBuilder("/slow").get_environ())
        assert statuses == ["200 OK"]

    def test_the_first_version_has_its_own_form(self, config: Config) -> None:
        answer = Server(config).get("/v1.0/x")
        assert answer.status_code == 401
        assert answer.content_type == "application/json"
        body = answer.get_json()
        assert body.keys() == {"title", "description"}
        assert body["title"] == "Unauthorized"

    def test_what_there_is_not_is_not_told_to_strangers(self, config: Config) -> None:
        server = Server(config)
        assert server.get("/nope").status_code == 401
        assert server.get("/nope", **basic("ann", "secret")).status_code == 404

    def test_health_is_open_and_knows_who_asks(self, config: Config) -> None:
        server = Server(config)
        for path in ("/livez", "/readyz"):
            assert server.get(path).json == {"known": False}
        assert server.get("/readyz", **basic("ann", "secret")).json == {"known": True}
        for number in range(2 * WRONG):
            assert server.get("/readyz", **basic("ann", str(number))).status_code == 200
        guessing = server.get(**basic("ann", "x"))
        assert guessing.status_code == 429
        assert 0 < int(guessing.headers["Retry-After"]) <= 60
        assert server.get(**basic("ann", "secret")).status_code == 200
        for path in ("/livez/", "//livez", "/livez/../v2/x", "/LIVEZ"):
            assert server.get(path).status_code in {308, 401}, path

    def test_a_file_that_changes_counts_without_a_restart(
        self, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("canary.server.auth.kept_file.LOOK", 0)
        server = Server(config)
        new, line = tokens.make("new")
        assert server.get(**bearer(new)).status_code == 401
        path = Path(config.auth.bearer_file or "")
        path.write_text(line)
        assert server.get(**bearer(new)).status_code == 200
        path.write_text("broken")
        assert server.get(**bearer(new)).status_code == 200


class TestHost:
    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1:8080",
            "localhost",
            "LOCALHOST:80",
            "canary.localhost",
            "[::1]:8080",
            "10.0.0.1",
        ],
    )
    def test_this_machine_is_meant(self, host: str) -> None:
        assert Server(Config()).get(Host=host).status_code == 200

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example.org",
            "evil.example.org:8080",
            "EVIL.example.org.",
            "localhost.example.org",
            "127.0.0.1.x",
            "127.1",
            "2130706433",
            "0x7f.1",
        ],
    )
    def test_another_is(self, config: Config, host: str) -> None:
        refused = Server(Config()).get(Host=host)
        assert refused.status_code == 421
        assert "[server] allowed_hosts" in problem(refused)["detail"]
        known = basic("ann", "secret")
        assert Server(config).get(Host=host, **known).status_code == 200

    @pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
    @pytest.mark.parametrize(
        "forged",
        [
            {},
            {"X-Forwarded-Host": "localhost"},
            {"X-Forwarded-Host": "127.0.0.1:8080", "X-Forwarded-For": "192.0.2.8"},
            {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Real-IP": "::1"},
        ],
    )
    def test_a_page_in_a_browser_on_a_proxys_machine_can_forge_nothing(
        self, peer: str, forged: dict[str, str]
    ) -> None:
        trusted = ("127.0.0.0/8", "::1")
        server = Server(Config(server=ServerOptions(trusted_proxies=trusted)))
        assert server.get(peer=peer, Host="evil.example.org", **forged).status_code == 421
        assert server.get(peer=peer, Host="localhost:8080", **forged).status_code == 200
        foreign = {**forged, "X-Forwarded-Host": "localhost, evil.example.org"}
        assert server.get(peer=peer, Host="localhost:8080", **foreign).status_code == 421

    def test_a_name_that_the_option_lists(self) -> None:
        names = ("Canary.example.org", "proxy.example.org.")
        own = ServerOptions(trusted_proxies=("127.0.0.1",), allowed_hosts=names)
        server = Server(Config(server=own))
        for host in ("canary.example.org", "CANARY.EXAMPLE.ORG.:8080", "proxy.example.org:443"):
            assert server.get(peer="127.0.0.1", Host=host).status_code == 200
            inner = {"Host": "localhost", "X-Forwarded-Host": host}
            assert server.get(peer="127.0.0.1", **inner).status_code == 200
        for host in ("x.canary.example.org", "example.org", "canary.example.org.evil.org"):
            assert server.get(peer="127.0.0.1", Host=host).status_code == 421

    def test_a_proxy_on_another_machine_is_told_by_its_headers(self) -> None:
        server = Server(Config(server=ServerOptions(trusted_proxies=(PROXY,))))
        host = {"Host": "canary.example.org"}
        sent = {**host, "X-Forwarded-For": "192.0.2.8"}
        assert server.get(peer=PROXY, **sent).status_code == 200
        refused = server.get(peer=PROXY, **host)
        assert refused.status_code == 421
        assert "trusted_proxies" in problem(refused)["detail"]
        assert server.get(**sent).status_code == 421

    @pytest.mark.parametrize(
        "host",
        [
            "",
            ":8080",
            "localhost@evil.example.org",
            "evil.example.org@localhost",
            "localhost:80:80",
            "localhost:x",
            "localhost/",
            "localhost, evil.example.org",
            "local host",
            "[localhost]",
            "[::1",
            "::1",
            "http://localhost",
            "[::1%25lo]",
            "j\xfcrgen",
        ],
    )
    def test_what_is_no_host_is_refused(self, config: Config, host: str) -> None:
        for server, path in itertools.product(
            (Server(Config()), Server(config)), ("/", "/v2/x", "/livez", "/nope")
        ):
            answer = server.get(path, Host=host)
            assert answer.status_code == 400, path
            assert "such as localhost:8080" in problem(answer)["detail"]
        answer = server.get("/v1.0/x", Host=host)
        assert answer.status_code == 400
        assert answer.get_json().keys() == {"title", "description"}

    @pytest.mark.parametrize("path", ["/", "/v2/x", "/livez", "/readyz", "/nope", "/v1.0/x"])
    def test_one_must_be_named(self, path: str) -> None:
        app = Server(Config()).app

        def status(**changed: str) -> int:
            environ = EnvironBuilder(path).get_environ() | {"REMOTE_ADDR": "127.0.0.1"} | changed
            del environ["HTTP_HOST"]
            found, _, _ = run_wsgi_app(app.wsgi_app, environ, buffered=True)[1].partition(" ")
            return int(found)

        assert status(SERVER_PROTOCOL="HTTP/1.1") == 400
        assert status(SERVER_PROTOCOL="HTTP/1.0") == (404 if path == "/nope" else 200)


class TestMethods:
    def test_only_reading_comes_through(self) -> None:
        server = Server(Config())
        for path in ("/v2/x", "/v1.0/x", "/livez", "/nope"):
            for method in OTHERS:
                answer = server.client.open(path, method=method)
                assert answer.status_code == 405, (path, method)
                assert {"GET", "HEAD"} <= set(answer.headers["Allow"].split(", "))
        assert server.client.head("/v2/x").status_code == 200
        assert server.client.options("/v2/x").status_code == 200


class TestHeaders:
    def test_every_answer_has_them(self, config: Config) -> None:
        server = Server(config)
        known = basic("ann", "secret")
        for path, headers, status in (
            ("/v2/x", {}, 401),
            ("/v2/x", known, 200),
            ("/nope", known, 404),
            ("/fails", known, 500),
            ("/livez", {}, 200),
        ):
            answer = server.get(path, **headers)
            assert answer.status_code == status
            for name, value in SECURITY.items():
                assert answer.headers[name] == value
            assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


class TestRate:
    @staticmethod
    def limited(config: Config, rate: int) -> Server:
        server = ServerOptions(host="0.0.0.0", trusted_proxies=(PROXY,), rate_limit=rate)
        return Server(Config(server=server, auth=config.auth))

    def test_one_client_is_told_to_wait_and_others_go_on(
        self, config: Config, token: tuple[str, str]
    ) -> None:
        server = self.limited(config, 3)
        ann = basic("ann", "secret")
        statuses = [server.get(peer=f"10.1.0.{n}", **ann).status_code for n in range(4)]
        assert statuses == [200, 200, 200, 429]  # wherever she asks from
        refused = server.get(**ann)
        assert problem(refused)["title"] == "Too Many Requests"
        assert "rate_limit" in problem(refused)["detail"]
        assert 1 <= int(refused.headers["Retry-After"]) <= 120
        assert server.get(**bearer(token[0])).status_code == 200

    def test_strangers_are_counted_by_address(self, config: Config) -> None:
        server = self.limited(config, 3)
        for peer in ("2001:db8::1", "2001:db8::2", "2001:db8::3"):
            assert server.get(peer=peer).status_code == 401
        assert server.get(peer="2001:db8::4").status_code == 429
        assert server.get(peer="192.0.2.7").status_code == 401
        behind = {"X-Forwarded-For": "192.0.2.8"}
        assert [server.get(peer=PROXY, **behind).status_code for _ in range(4)][-1] == 429
        assert server.get(peer=PROXY, **{"X-Forwarded-For": "192.0.2.9"}).status_code == 401

    def test_health_is_not_counted(self, config: Config) -> None:
        server = self.limited(config, 1)
        assert [server.get(path).status_code for path in ["/livez", "/readyz"] * 5] == [200] * 10

    def test_the_first_version_has_its_own_form(self, config: Config) -> None:
        server = self.limited(config, 1)
        server.get("/v1.0/x")
        answer = server.get("/v1.0/x")
        assert answer.status_code == 429
        assert answer.get_json().keys() == {"title", "description"}

    def test_zero_is_no_limit(self, config: Config) -> None:
        server = self.limited(config, 0)
        ann = basic("ann", "secret")
        assert {server.get(**ann).status_code for _ in range(200)} == {200}


class TestPrefix:
    def test_a_folder_ends_with_a_slash(self) -> None:
        server = Server(Config(server=ServerOptions(url_prefix="/canary")))
        answer = server.get("/canary")
        assert answer.status_code == 308
        assert answer.headers["Location"] == "/canary/"
        for path in ("/canary/", "/", "/canary/v2/x", "/v2/x"):
            assert server.get(path).status_code == 200
