"""Payloads that are built to take long hold up nothing but the board that they are on."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gevent
import pytest
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.config import Config
from canary.model.freshness import Freshness
from canary.stores.writing.take import LiveStore
from canary.watchers import turns
from canary.watchers.context import WatchContext
from canary.zookeeper import Client, Pulse, connect, disconnect
from canary.zookeeper.pulse import Contact
from tests.integration.boards import claim, kinds, mirrored, missed, post, register
from tests.integration.watching import Watching, take
from tests.unit.cost import slowness
from tests.waiting import eventually

# Seconds of a processor between two turns of the loop: 5 ms of decoding and one step, and whatever
# else is due at one time, such as writing 4 MiB to MongoDB, and Python's garbage collector.
# Decoding alone is held to 50 ms (test_payload_cost.py); here a shared machine has six times that.
MAX_STALL = 0.3

Mongo = Database[dict[str, Any]]


def payload(details: str) -> bytes:
    return b'{"uuid":"u","name":"n","details":' + details.encode() + b"}"


HOSTILE = {
    "URIs": [json.dumps([("://:" * 2048)] * 124)] * 4,
    "brackets": ["[" * 990_000, "[" + "[]," * 330_000 + "0]", "[" + "{}," * 330_000 + "0]"],
    "nests": ["[" + ("[" * 60 + "]" * 60 + ",") * 8_000 + "0]", '{"a":' * 190_000],
    "numbers": ["9" * 990_000, "[" + "1," * 490_000 + "0]", "[" + ("9" * 4_300 + ",") * 220 + "0]"],
    "texts": [
        *('"' + "\\ud800" * 160_000 + '"', json.dumps("-----BEGIN " * 90_000)),
        *(json.dumps(['"password":"***' * 500] * 100), json.dumps(["eyJa " * 1_600] * 120)),
        json.dumps({f"key{number}" * 20: "x" for number in range(7_000)}),
    ],
}


@pytest.fixture
def client(config: Config) -> Iterator[Client]:
    client = connect(replace(config.zookeeper, session_timeout=4.0))
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def watch(client: Client, connected: Mongo) -> Iterator[Callable[[str], Watching]]:
    """Watch a board beside the others of the same worker, until the test is over."""
    store, started = LiveStore(connected, "test"), list[Watching]()
    context = WatchContext(client, Pulse(client), 3600.0)

    def start(path: str) -> Watching:
        started.append(Watching(context, take(store, path)))
        return started[-1]

    yield start
    for watching in started:
        watching.watch.stop()
    gevent.joinall([watching.greenlet for watching in started], timeout=30, raise_error=True)


class Stalls:
    """Measures how long the loop gives nobody else a turn, in seconds of a processor."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.over: list[Freshness] = []
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        last = time.thread_time()
        while True:
            gevent.sleep(0.001)
            now = time.thread_time()
            self.longest, last = max(self.longest, now - last), now

    def stop(self) -> float:
        self._greenlet.kill()
        return self.longest


@pytest.mark.parametrize("details", HOSTILE.values(), ids=HOSTILE)
def test_a_board_of_hostile_payloads_beside_a_quiet_one(
    client: Client,
    watch: Callable[[str], Watching],
    database: Mongo,
    zookeeper: KazooClient,
    corner: str,
    details: list[str],
) -> None:
    quiet, hostile = f"/{corner}/quiet/jobs", f"/{corner}/hostile/jobs"
    for path in (quiet, hostile):
        zookeeper.ensure_path(path)
    still = watch(quiet)
    restless = watch(hostile)
    for watching in (still, restless):
        eventually(lambda watching=watching: watching.watch.freshness is Freshness.LIVE)  # type: ignore[misc]
    session, connections = client.session, client.connections
    shown: set[tuple[Freshness, Contact]] = set()

    def look() -> None:
        while True:
            shown.add((still.watch.freshness, still.context.pulse.contact))
            gevent.sleep(0.01)

    slow = slowness()
    looking, stalls = gevent.spawn(look), Stalls()
    jobs = [post(zookeeper, hostile, payload(each)) for each in details]
    mine = [post(zookeeper, quiet) for _ in range(3)]
    claim(zookeeper, quiet, mine[0])
    told = ["claimed", *["posted"] * 3]
    eventually(lambda: sorted(kinds(database, quiet)) == told, 10, "the quiet board goes on")
    eventually(lambda: len(mirrored(database, hostile)) == len(jobs), 60)
    eventually(lambda: restless.watch.freshness is Freshness.LIVE)
    looking.kill()
    longest = stalls.stop()
    print(f"the longest stall of the loop: {longest * 1000:.0f} ms of a processor")
    assert longest < MAX_STALL * max(slow, slowness())
    assert shown == {(Freshness.LIVE, Contact.ANSWERS)}
    assert (client.session, client.connections) == (session, connections)
    assert missed(database, quiet) == []


def test_a_worker_masks_what_its_option_names(
    spawn: Callable[..., Any],
    environment: dict[str, str],
    database: Mongo,
    zookeeper: KazooClient,
    corner: str,
) -> None:
    board = f"/{corner}/watched/jobs"
    zookeeper.ensure_path(board)
    told = {"community": "hunter2", "note": '{"door_pin": "hunter2"}', "pinned": "shown"}
    post(zookeeper, board, payload(json.dumps(told)))
    register(zookeeper, environment["OS_CANARY__JOBBOARD"], board)
    environment["OS_CANARY__MASK_KEYS"] = "Community, *pin"
    spawn("canary-worker")
    eventually(lambda: database.jobs.find_one({"board": board}), 30)
    [job] = database.jobs.find({"board": board})
    masked = {"community": "***", "note": '{"door_pin": "***"}', "pinned": "shown"}
    assert json.loads(job["payload"]["text"])["details"] == masked
    assert "hunter2" not in str([*database.jobs.find(), *database.changes.find()])


def test_what_is_on_a_board_is_not_decoded_again(
    watch: Callable[[str], Watching],
    database: Mongo,
    zookeeper: KazooClient,
    corner: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = f"/{corner}/watched/jobs"
    zookeeper.ensure_path(path)
    decoded: list[object] = []
    taken = turns.Turns.take

    def counted(mine: turns.Turns, steps: Any) -> Any:
        decoded.append(steps)
        return taken(mine, steps)

    monkeypatch.setattr(turns.Turns, "take", counted)
    jobs = [post(zookeeper, path, payload(HOSTILE["URIs"][0])) for _ in range(3)]
    watching = watch(path)
    eventually(lambda: len(mirrored(database, path)) == 3, 30)
    assert len(decoded) == 3
    tally = watching.context.tally
    for number in range(1, 4):
        watching.watch._reconciler._due = 0.0
        watching.watch._wake.set()
        eventually(lambda number=number: tally.reconciled >= number, 30)  # type: ignore[misc]
    claim(zookeeper, path, jobs[0])
    eventually(lambda: mirrored(database, path)[jobs[0]] == ("CLAIMED", "ann"))
    assert len(decoded) == 3
