"""``canary tail`` over connections that end, break off, are refused or can not be resumed."""

import contextlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from canary.cli import client, following
from canary.cli.errors import Unanswered
from canary.cli.main import main
from tests.unit.scripted_server import NO_ANSWER, Answer, Asked, ScriptedServer, problem
from tests.virtual_clock import SoloClock

EVENTS, BOARDS = "text/event-stream", "/v2/boards"


def change(number: int) -> bytes:
    data = {"path": "/a", "kind": "posted", "uuid": f"u-{number}", "name": "n", "revision": number}
    return f"id: {number}\nevent: change\ndata: {json.dumps(data)}\n\n".encode()


def stream(*parts: bytes, cut: int = 0) -> Answer:
    """Return a stream of these parts, which breaks off where ``cut`` more bytes were promised."""
    body = b"retry: 1000\n\n" + b"".join(parts)
    return Answer(body, 200, {"Content-Length": str(len(body) + cut)}, EVENTS)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST", 0.01)


def test_it_resumes_behind_the_last_whole_event_and_tells_each_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reset = b"event: reset\ndata: {}\n\n"
    answers: Iterator[Answer] = iter(
        [
            stream(change(1), change(2), change(3)[:-1], cut=10),  # the third is not whole
            problem(503, "MongoDB does not answer"),
            stream(change(3), b"id: 7\n\n"),  # what goes by the filters is told by its id alone
            Answer({}, 429, {"Retry-After": "0"}),
            stream(reset, change(9)),
            problem(401, "The token is not known any more"),
        ]
    )

    def script(asked: Asked) -> Answer:
        return Answer({"boards": [{"path": "/a"}]}) if asked.path == BOARDS else next(answers)

    with ScriptedServer(script) as server:
        assert main(["tail", "-f", "json", "--path", "/a", "--url", server.url]) == 1
        assert server.asked.pop(0).path == BOARDS
        asked = [each.headers.get("Last-Event-ID") for each in server.asked]
        assert asked == [None, "2", "2", "7", "7", "9"]
        assert {each.headers["Accept"] for each in server.asked} == {EVENTS}
        assert {tuple(each.query) for each in server.asked} == {(("path", "/a"),)}
    told = capsys.readouterr()
    events = [json.loads(line) for line in told.out.splitlines()]
    assert [(event["event"], event["id"]) for event in events] == [
        ("change", "1"),
        ("change", "2"),
        ("change", "3"),
        ("reset", None),
        ("change", "9"),
    ]
    assert events[0]["data"]["uuid"] == "u-1"
    said = told.err.splitlines()
    assert [line.split()[1] for line in said] == [
        *("disconnected", "connected", "disconnected", "connected", "disconnected"),
        "http://127.0.0.1:" + server.url.rpartition(":")[2],
    ]
    assert "the server ended the stream. Trying again" in said[2]
    assert "The token is not known any more" in said[-1]


@pytest.mark.parametrize(
    ("boards", "said"),
    [
        (Answer({"boards": []}), "canary: /nope is not registered, so it is not watched; "),
        (Answer({"boards": [{"path": "/nope"}]}), ""),
        (problem(503, "MongoDB does not answer"), ""),  # the stream says so, or comes back
    ],
)
def test_a_board_that_nobody_registered_is_named(
    boards: Answer, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def script(asked: Asked) -> Answer:
        return boards if asked.path == BOARDS else problem(400, "no more")

    with ScriptedServer(script) as server:
        assert main(["tail", "--path", "/nope", "--url", server.url]) == 2
    *first, last = capsys.readouterr().err.splitlines()
    assert "no more" in last
    assert [line.startswith(said) for line in first] == ([True] if said else [])


def test_who_has_too_many_streams_comes_back_when_the_server_says() -> None:
    moments: list[float] = []
    answers = iter(
        [
            stream(change(1)),
            Answer({}, 429, {"Retry-After": "1"}),
            problem(400, "no more"),
        ]
    )

    def script(_: Asked) -> Answer:
        moments.append(time.monotonic())
        return next(answers)

    with ScriptedServer(script) as server:
        assert main(["tail", "--url", server.url]) == 2
    assert moments[2] - moments[1] >= 1


class EnoughError(Exception):
    """Ends a test that would go on for ever."""


class Away:
    """A client of a server that says one event, and then that it is away, many times."""

    def __init__(self, *waits: float) -> None:
        self.answers = iter([None, *waits])

    def now(self) -> datetime:
        return datetime.now(UTC)

    @contextlib.contextmanager
    def stream(self, _query: object, _last: str | None) -> Iterator[Iterator[bytes]]:
        wait = next(self.answers, EnoughError())
        if isinstance(wait, EnoughError):
            raise wait
        if wait is not None:
            raise Unanswered("away", may_pass=True, wait=wait)
        yield iter([change(1)])


def pauses(share: float, *waits: float) -> list[float]:
    """Return how long it sleeps each time, where chance takes ``share`` of what it may."""
    clock = SoloClock()
    with contextlib.suppress(EnoughError):
        for _ in following.follow(
            Away(*waits),  # type: ignore[arg-type]
            [],
            lambda _: None,
            random=lambda: share,
            clock=clock,
        ):
            pass
    return clock.slept


def test_a_thousand_do_not_come_back_at_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST", 30.0)
    spans = [1, 2, 4, 8, 16, 30, 30]
    assert pauses(1.0, *[0.0] * 6) == spans
    assert pauses(0.5, *[0.0] * 6) == [each / 2 for each in spans]
    assert pauses(0.0, *[0.0] * 6) == [0] * 7
    assert pauses(1.0, *[0.0] * 2_000)[-1] == 30


@pytest.mark.parametrize(("lasts", "spans"), [(5.0, [1, 2, 4, 8]), (5.1, [1, 1, 1, 1])])
def test_after_a_connection_of_more_than_five_seconds_pauses_begin_anew(
    monkeypatch: pytest.MonkeyPatch, lasts: float, spans: list[float]
) -> None:
    monkeypatch.setattr(following, "MOST", 30.0)
    clock = SoloClock()

    class Ends(Away):
        def chunks(self) -> Iterator[bytes]:
            yield change(1)
            clock.seconds += lasts

        @contextlib.contextmanager
        def stream(self, _query: object, _last: str | None) -> Iterator[Iterator[bytes]]:
            if len(clock.slept) == len(spans):
                raise EnoughError
            yield self.chunks()

    told: list[str] = []
    ends: Any = Ends()
    with contextlib.suppress(EnoughError):
        for _ in following.follow(ends, [], told.append, random=lambda: 1.0, clock=clock):
            pass
    assert clock.slept == spans
    again = [text for text in told if text.startswith("connected again after")]
    assert len(again) == len(spans) - 1


def test_nobody_comes_back_before_the_server_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST", 30.0)
    assert pauses(0.0, 10.0, 0.0, 1e9) == [0, 10, 0, 30]
    assert pauses(0.5, 10.0, 0.0, 1e9) == [0.5, 11, 2, 34]


def test_lines_for_people_say_that_something_may_be_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    board = b'event: board\ndata: {"path": "/a", "freshness": "live", "registered": true}\n\n'
    suspended = board.replace(b'"live"', b'"suspended"')
    answers = iter(
        [
            stream(board, change(1)),
            stream(b"event: reset\ndata: {}\n\n", suspended, change(5)),
            problem(400, "no more"),
        ]
    )
    with ScriptedServer(lambda _: next(answers)) as server:
        assert main(["tail", "--url", server.url]) == 2
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines] == [
        ["/a", "posted"],
        ["reset", "events"],
        ["/a", "suspended"],
        ["/a", "posted"],
    ]


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (problem(400, "kind is 'x'"), 2, "kind is 'x'"),
        (problem(503, "too many streams"), 1, "too many streams"),
        (
            Answer({"detail": "streams_per_client"}, 429, {"Retry-After": "10"}),
            1,
            "streams_per_client; try again in 10 s",
        ),
        (Answer({}, 200), 1, "did not answer with an event stream"),
        (Answer(b"", 404), 1, "has no /v2/stream"),
    ],
)
def test_the_first_connection_has_to_succeed(
    answer: Answer, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Asked] = []

    def script(question: Asked) -> Answer:
        asked.append(question)
        return answer

    with ScriptedServer(script) as server:
        assert main(["tail", "--url", server.url]) == status
    told = capsys.readouterr()
    assert len(asked) == 1
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert said in told.err


@pytest.mark.parametrize(
    ("words", "is_advised"), [(["tail"], False), (["boards", "--timeout", "1"], True)]
)
def test_who_is_silent_is_asked_once_and_only_a_list_can_be_waited_for_longer(
    words: list[str],
    is_advised: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "SILENCE", 0.2)
    over = Event()

    def script(_: Asked) -> Answer:
        over.wait(60)
        return NO_ANSWER

    with ScriptedServer(script) as server:
        try:
            assert main([*words, "--url", server.url]) == 1
        finally:
            over.set()
        assert len(server.asked) == 1
    told = capsys.readouterr().err
    assert "did not answer in time" in told
    assert ("--timeout" in told) is is_advised


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tail", "--url", "http://127.0.0.1:1"]) == 1
    assert "Connection refused" in capsys.readouterr().err
