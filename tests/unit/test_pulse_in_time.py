"""When the pulse says that ZooKeeper is silent or lost: at its own bounds, in virtual time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import gevent
import pytest
from gevent.event import Event
from kazoo.exceptions import ConnectionLoss, NoAuthError

from canary.zookeeper import Client, Contact, Pulse
from canary.zookeeper.pulse import INTERVAL
from tests.virtual_clock import VirtualClock

SHORTEST = 0.05  # seconds between two judgements at least


@dataclass
class Answer:
    """What a call returns: ``get`` waits for it in virtual time."""

    server: "Server"
    sent: float

    def get(self, timeout: float) -> Any:
        server = self.server
        if server.error is not None:
            raise server.error
        if server.answers:
            server.clock.sleep(server.way)
            server.heard = max(server.heard, self.sent)
            return "/"
        server.clock.sleep(timeout)
        raise gevent.Timeout


@dataclass
class Server:
    """A client, as far as a pulse knows one, and what its server does."""

    clock: VirtualClock
    session_timeout: float = 10.0
    way: float = 0.001  # seconds for an answer
    answers: bool = True
    error: Exception | None = None
    heard: float = 0.0
    asked: list[float] = field(default_factory=list)
    drops: list[float] = field(default_factory=list)

    def sync_async(self, _path: str) -> Answer:
        self.asked.append(self.clock.elapsed())
        return Answer(self, self.clock.elapsed())

    def drop(self) -> None:
        self.drops.append(self.clock.elapsed())


@dataclass
class Scene:
    clock: VirtualClock
    server: Server
    pulse: Pulse
    told: list[tuple[Contact, float]]


@pytest.fixture(params=[10.0, 3.0])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    clock = VirtualClock()
    server = Server(clock, request.param, heard=clock.elapsed())
    pulse = Pulse(cast("Client", server), clock)
    told = list[tuple[Contact, float]]()
    pulse.add_listener(lambda contact: told.append((contact, clock.elapsed())))
    stopping = Event()
    running = gevent.spawn(pulse.run, stopping)
    clock.advance(20.5)  # between two questions
    yield Scene(clock, server, pulse, told)
    server.answers, server.error = True, None
    stopping.set()
    running.kill()


def limit(scene: Scene) -> float:
    """Return after how many seconds without an answer it is silent."""
    return min(2.0, scene.server.session_timeout / 2)


def test_it_asks_once_a_second_and_says_nothing(scene: Scene) -> None:
    assert scene.told == []
    pauses = [b - a for a, b in zip(scene.server.asked, scene.server.asked[1:], strict=False)]
    assert pauses == pytest.approx([1.0] * len(pauses))
    assert len(pauses) >= 19


def test_silence_is_said_at_its_bound_and_the_end_at_the_session_s(scene: Scene) -> None:
    scene.server.answers = False
    heard = scene.server.heard
    scene.clock.advance(heard + limit(scene) - 0.001 - scene.clock.elapsed())
    assert scene.told == []
    scene.clock.advance(0.001 + SHORTEST)
    assert [contact for contact, _ in scene.told] == [Contact.SILENT]
    scene.clock.advance(heard + scene.server.session_timeout - 0.001 - scene.clock.elapsed())
    assert [contact for contact, _ in scene.told] == [Contact.SILENT]
    scene.clock.advance(0.001 + SHORTEST)
    assert [contact for contact, _ in scene.told] == [Contact.SILENT, Contact.LOST]


def test_a_server_that_is_silent_for_half_of_the_timeout_is_left_once(scene: Scene) -> None:
    scene.server.answers = False
    half = scene.server.heard + scene.server.session_timeout / 2
    scene.clock.advance(half - 0.001 - scene.clock.elapsed())
    assert scene.server.drops == []
    scene.clock.advance(60.0)
    assert scene.server.drops == [pytest.approx(half, abs=INTERVAL)]


def test_an_answer_is_noticed_as_it_comes(scene: Scene) -> None:
    scene.server.answers = False
    scene.clock.advance(limit(scene) + 0.2)
    assert scene.told[-1][0] is Contact.SILENT
    scene.server.answers = True
    scene.clock.advance(INTERVAL + scene.server.way)
    assert [contact for contact, _ in scene.told][-1:] == [Contact.ANSWERS]


def test_a_connection_that_is_lost_is_asked_again_once_a_second_at_most(scene: Scene) -> None:
    before = len(scene.server.asked)
    scene.server.error = ConnectionLoss()
    scene.clock.advance(60.0)
    assert scene.told[-1][0] is Contact.LOST
    assert len(scene.server.asked) - before < 60 / INTERVAL + 40, "it is no busy loop"
    scene.server.error = None
    scene.clock.advance(INTERVAL + scene.server.way)
    assert scene.pulse.contact is Contact.ANSWERS


def test_known_is_what_was_asked_before_the_last_answer(scene: Scene) -> None:
    assert scene.pulse.until is not None
    behind = scene.clock.now() - scene.pulse.until
    assert behind <= timedelta(seconds=INTERVAL + scene.server.way + 0.001)
    scene.server.answers = False
    before = scene.pulse.until
    scene.clock.advance(5.0)
    assert scene.pulse.until == before


def test_a_refusal_is_an_answer(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.server.error = NoAuthError()
    before = scene.pulse.until
    for _ in range(30):
        scene.server.heard = scene.clock.elapsed()  # as its client notes
        scene.clock.advance(1.0)
    assert scene.pulse.until != before
    assert scene.pulse.contact is Contact.ANSWERS
    assert sum("refuses" in message for message in caplog.messages) == 1
