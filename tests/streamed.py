"""Events of the stream as a feed tells them, for the tests of who hands them on."""

from typing import Final

from canary.model.freshness import Freshness
from canary.model.names import change_id
from canary.server.stream.broadcaster import Broadcaster
from canary.server.stream.buffer import ReplayBuffer
from canary.server.stream.encoding import EncodedEvent
from canary.server.stream.subscription import Subscription
from canary.stores.changestream.events import Event, EventName
from canary.stores.queries.board_status import BoardNow
from tests.integration.written_board import ago, name_of, now

PATH: Final = "/lbaas/jobs"
MARK: Final = "00112233445566AA"


def place(number: int) -> str:
    """Return the position of the event that has this number."""
    return f"{MARK}82{number:08X}00000001"


def number_of(position: str) -> int:
    return int(position[len(MARK) + 2 :][:8], 16)


def change_event(number: int, path: str = PATH, owner: str | None = None) -> Event:
    document = {
        "_id": change_id(path, number),
        "board": path,
        "revision": number,
        "kind": "posted",
        "name": name_of(number),
        "uuid": None,
        "owner": owner,
        "session": None,
        "outcome": None,
        "at": None,
        "seen_at": now(),
        "state": "UNCLAIMED",
        "state_before": None,
        "job_name": "n",
        "posted_at": now(),
        "waiting": 0.0,
        "running": None,
        "creates": 1,
        "deletes": 0,
    }
    return Event(EventName.CHANGE, path, document=document, position=place(number))


def gap_event(number: int, path: str = PATH) -> Event:
    document = {"board": path, "from": ago(9), "to": now(), "reason": "restart"}
    document |= {"creates": 1, "deletes": 1}
    return Event(EventName.GAP, path, document=document, position=place(number))


def a_board(path: str = PATH, worker: str = "worker-1") -> BoardNow:
    moment = now()
    return BoardNow(
        path=path,
        registered=True,
        epoch=1,
        revision=1,
        watcher=worker,
        freshness=Freshness.LIVE,
        freshness_since=moment,
        watched_since=moment,
        live_until=moment,
        drift=0,
        silent_from=None,
        now=moment,
    )


def board_event(path: str = PATH, worker: str = "worker-1") -> Event:
    return Event(EventName.BOARD, path, a_board(path, worker))


def ready(limit: int = 10, recent: ReplayBuffer | None = None) -> Broadcaster:
    """Return an broadcaster whose feed has told all there was."""
    broadcaster = Broadcaster(limit, buffer=recent)
    broadcaster.tell(Event(EventName.STORE))
    broadcaster.reach(place(0))
    return broadcaster


def taken(subscription: Subscription) -> list[tuple[str, int | None]]:
    """Take all that there is at once: each event's name and, of a change, its number."""
    told: list[EncodedEvent] = []
    while (some := subscription.take(0)) or subscription.is_behind:
        told += some or []
    return [(each.name, number_of(each.position) if each.position else None) for each in told]
