"""The doctor's checks as a whole: what hangs, what fails, what depends on what."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from canary.cli.checks import boards, ensemble, options
from canary.cli.checks.examination import AS_SAID, RIGHTS, Examination, Group, _broken
from canary.cli.checks.finding import Check, Finding, Row, Status, failed, ok, warning
from canary.errors import (
    BoardDenied,
    CanaryError,
    StoreRefused,
    StoreUnavailable,
    ZooKeeperUnavailable,
)
from canary.stores.mongo import client as mongo
from canary.zookeeper.four_letters import NotAllowed, ServerState, ask

LIMIT = 10.0


@contextmanager
def opened() -> Iterator[str]:
    yield "connection"


@contextmanager
def refusing() -> Iterator[str]:
    raise StoreRefused("mongodb://canary:hunter2@db/ is wrong")
    yield ""


def finds(*findings: Finding) -> Check:
    def check(connection: str) -> Iterator[Finding]:
        assert connection == "connection"
        yield from findings

    return check


def raises(error: Exception) -> Check:
    def check(_: str) -> Iterator[Finding]:
        yield ok("so far")
        raise error

    return check


def told(*groups: Group, limit: float = LIMIT) -> list[tuple[str, str, str]]:
    rows = Examination(groups).rows(limit)
    return [(row.check, row.finding.status.value, row.finding.words) for row in rows]


def test_everything_is_told_in_order() -> None:
    one = Group(opened, [("a", finds(ok("1"), warning("2", "x"))), ("b", finds())], "")
    two = Group(opened, [("c", finds(ok("3")))], "")
    assert told(one, two) == [("a", "ok", "1"), ("a", "warning", "2"), ("c", "ok", "3")]


def test_where_the_first_fails_the_others_are_skipped() -> None:
    for first in (finds(failed("no", "mend it")), raises(ZooKeeperUnavailable("no"))):
        rows = told(Group(opened, [("a", first), ("b", finds(ok("1")))], "mend it"))
        assert rows[-2:] == [("a", "failed", "no"), ("b", "skipped", "not checked: see a")]


def test_where_another_fails_the_rest_goes_on() -> None:
    checks = [("a", finds(ok("1"))), ("b", raises(StoreRefused("no"))), ("c", finds(ok("2")))]
    assert told(Group(opened, checks, "")) == [
        ("a", "ok", "1"),
        ("b", "ok", "so far"),
        ("b", "failed", "no"),
        ("c", "ok", "2"),
    ]


def test_what_can_not_be_opened_has_failed_and_no_password_is_told() -> None:
    [row, other] = Examination(
        [Group(refusing, [("a", finds()), ("b", finds())], "check [mongo] uri")]
    ).rows(LIMIT)
    expected = failed("mongodb://***@db/ is wrong", "check [mongo] uri")
    assert row == Row("a", expected)
    assert other.finding.status is Status.SKIPPED


def test_a_defect_is_a_finding() -> None:
    [_, (_, status, words)] = told(Group(opened, [("a", raises(KeyError("x")))], ""))
    assert (status, words) == ("failed", "the check itself failed: KeyError: 'x'")


def test_what_hangs_is_left_behind() -> None:
    released = threading.Event()

    def hangs(_: Any) -> Iterator[Finding]:
        yield ok("so far")
        released.wait(LIMIT)

    hanging = Group(opened, [("a", hangs), ("b", finds())], "start it")
    quick = Group(opened, [("c", finds(ok("1")))], "")
    examination = Examination([hanging, quick])
    begun = time.monotonic()
    rows = examination.rows(0.2)
    assert time.monotonic() - begun < 2.0
    assert not examination.is_over
    assert [(row.check, row.finding.status.value, row.finding.words) for row in rows] == [
        ("a", "ok", "so far"),
        ("a", "failed", "no answer within 0.2 s"),
        ("b", "skipped", "not checked: see a"),
        ("c", "ok", "1"),
    ]
    assert rows[1].finding.advice == "start it"
    released.set()


class TestOptions:
    def test_where_they_come_from(self, tmp_path: Path) -> None:
        file = tmp_path / "canary.conf"
        file.write_text("[canary]\npath = /a\n")
        environ = {"OS_MONGO__PASSWORD": "hunter2", "OS_MONGO__USERNAME": "c", "OTHER": "x"}
        config, [finding] = options.read([str(file)], environ)
        assert config is not None
        assert config.canary.path == ("/a",)
        assert finding.status is Status.OK
        assert str(file) in finding.words
        assert "OS_MONGO__PASSWORD, OS_MONGO__USERNAME" in finding.words
        assert "hunter2" not in finding.words

    def test_none_at_all(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr("canary.config.loading.SEARCHED", (str(tmp_path / "none"),))
        _, findings = options.read([], {})
        assert [finding.status for finding in findings] == [Status.OK, Status.WARNING]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[mongo]\nuri = x\n", "[mongo] uri"),
            ("[canary]\npth = /a\n", "did you mean path"),
            ("[cannary]\n", "no group [cannary]"),
        ],
    )
    def test_wrong_ones(self, tmp_path: Path, text: str, said: str) -> None:
        file = tmp_path / "canary.conf"
        file.write_text(text)
        config, [finding] = options.read([str(file)], {})
        assert config is None
        assert finding.status is Status.FAILED
        assert said in finding.words
        assert finding.advice


class TestEnsemble:
    LEADER = ServerState((3, 9, 4), "leader")
    FOLLOWER = ServerState((3, 9, 4), "follower")
    ALONE = ServerState((3, 9, 4), "standalone")
    OUTSIDE = ServerState(None, None)

    @pytest.mark.parametrize(
        ("states", "said"),
        [
            ({"a:1": ALONE}, []),
            ({"a:1": LEADER, "b:1": FOLLOWER, "c:1": None}, []),
            ({"a:1": LEADER, "b:1": OUTSIDE}, ["b:1 serves no requests"]),
            ({"a:1": ALONE, "b:1": ALONE}, ["standalone: a:1, b:1"]),
        ],
    )
    def test_the_majority(self, states: dict[str, ServerState | None], said: list[str]) -> None:
        found = list(ensemble._majority(states))
        assert [finding.status for finding in found] == [Status.FAILED] * len(said)
        assert all(text in each.words for text, each in zip(said, found, strict=True))

    @pytest.fixture
    def server(self) -> Iterator[Callable[[bytes], str]]:
        """Listen, answer once with what it is told, and return host:port."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threads: list[threading.Thread] = []

            def answer(words: bytes) -> str:
                def serve() -> None:
                    connection, _ = listener.accept()
                    with connection:
                        assert connection.recv(4) == b"srvr"
                        connection.sendall(words)

                threads.append(threading.Thread(target=serve))
                threads[-1].start()
                return f"127.0.0.1:{listener.getsockname()[1]}"

            yield answer
            for thread in threads:
                thread.join()

    def test_what_a_server_says(self, server: Callable[[bytes], str]) -> None:
        words = b"Zookeeper version: 3.10.1-abc, built on 2026-01-01\nZxid: 0x1\nMode: follower\n"
        assert ask(server(words), LIMIT) == ServerState((3, 10, 1), "follower")
        nothing = b"This ZooKeeper instance is not currently serving requests\n"
        assert ask(server(nothing), LIMIT) == ServerState(None, None)
        with pytest.raises(NotAllowed):
            ask(server(b"srvr is not executed because it is not in the whitelist.\n"), LIMIT)
        with pytest.raises(ZooKeeperUnavailable, match="as a ZooKeeper server does"):
            ask(server(b"HTTP/1.1 400 Bad Request\r\n\r\n"), LIMIT)

    def test_nobody_listens_or_says_anything(self) -> None:
        with pytest.raises(ZooKeeperUnavailable, match="Connection refused"):
            ask("127.0.0.1:1", LIMIT)
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            pytest.raises(ZooKeeperUnavailable, match="timed out"),
        ):
            ask(f"127.0.0.1:{listener.getsockname()[1]}", 0.1)


class TestAdvice:
    """A reason that says what to do is not contradicted by what is advised for its server."""

    GENERAL = "check [mongo] uri, and that MongoDB runs there"

    @pytest.mark.parametrize(
        ("error", "advice"),
        [
            (StoreUnavailable("MongoDB does not answer: h:1: Connection refused"), GENERAL),
            (ZooKeeperUnavailable("no session within 3 s: h:1 does not answer"), GENERAL),
            (StoreRefused(mongo._STANDALONE), AS_SAID),
            (StoreUnavailable(mongo.NOT_INITIATED), AS_SAID),
            (StoreRefused(mongo._WRONG_CREDENTIALS), AS_SAID),
            (ZooKeeperUnavailable("h:1: x; if it requires TLS, set [zookeeper] use_tls"), AS_SAID),
            (ZooKeeperUnavailable("the certificate is not trusted: check ca_file"), AS_SAID),
            (BoardDenied("ZooKeeper does not let Canary read /canary/jobs"), RIGHTS),
        ],
    )
    def test_what_is_advised(self, error: CanaryError, advice: str) -> None:
        finding = _broken(error, self.GENERAL)
        assert finding.words == str(error)
        assert finding.advice == advice


@pytest.mark.parametrize(
    ("jobboard", "told"),
    [
        ("/canary/jobs", None),
        ("/jobs", None),
        ("/canary-jobs/jobs", "/canary-.trash/.trash, /canary-.entities/.entities"),
        ("/jobs/jobs", "/.trash/.trash, /.entities/.entities"),
        ("/jobs-of/x/jobs", "/.trash-of/x/.trash, /.entities-of/x/.entities"),
    ],
)
def test_what_taskflow_keeps_elsewhere_is_told(jobboard: str, told: str | None) -> None:
    found = list(boards.own_folders(jobboard))
    assert len(found) == (told is not None)
    assert all(told in finding.words for finding in found if told)
