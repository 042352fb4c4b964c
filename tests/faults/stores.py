"""What happens to MongoDB and Cassandra."""

import os
from typing import Any, Final

import psutil
import requests
from pymongo.errors import PyMongoError

from canary.metrics import catalogue
from devstack import control
from tests.faults.broken import LITTLE_ROOM
from tests.faults.fault import Fault, lasting
from tests.faults.findings import Finding, What
from tests.faults.scene import HUMAN_PACE, Scene, mongodb_address, mongodb_through
from tests.faults.workers import SILENT_LIMIT, live
from tests.integration.lossy_proxy import Lose
from tests.ports import free_port
from tests.scraping import scrape
from tests.waiting import eventually, throughout

MONGODB: Final = "mongodb"
API_LIMIT: Final = 30.0  # seconds for the API to say that MongoDB is away
MAX_GROWTH: Final = 96.0  # MiB of a worker's memory: what may wait is 32 MiB by its own estimate
ONE_ROUND: Final = 200  # changes that one look at a board of this load may bring


def is_away(scene: Scene) -> bool:
    """Tell whether the API says that MongoDB is away, and that it is MongoDB."""
    with requests.get(f"{scene.shown.url}/v2/boards", timeout=30) as answer:
        return answer.status_code == 503 and "MongoDB" in answer.json()["detail"]


def killed(scene: Scene, seed: int, seconds: float) -> None:
    worker = scene.begin(scene.worker(), seed)
    process = psutil.Process(worker.process.pid)
    watched, claims = scene.stored()["epoch"], scene.claims()
    memory = [process.memory_info().rss / 2**20]

    def is_away_and_bounded() -> bool:
        memory.append(process.memory_info().rss / 2**20)
        return is_away(scene)

    with scene.fault():
        control.stop(MONGODB)
        try:
            eventually(lambda: is_away(scene), API_LIMIT, "503, and why")
            throughout(seconds, is_away_and_bounded, "503 all the time")
            scene.await_operations(300)
        finally:
            control.start(MONGODB)
            control.wait_ready(MONGODB)
    memory.append(process.memory_info().rss / 2**20)
    growth = max(memory) - memory[0]
    scene.notes["MiB of memory more than before"] = growth
    if growth > MAX_GROWTH:
        scene.findings.append(Finding(What.BOUND, f"{growth:.0f} MiB more than before"))
    assert scene.stored()["epoch"] == watched, "the watch goes on"
    assert scene.claims() == claims, "it costs no session"
    scene.await_operations(300)


def killed_and_restarted(scene: Scene, seed: int) -> None:
    killed(scene, seed, 0.0)


def away_for_a_minute(scene: Scene, seed: int) -> None:
    killed(scene, seed, 60.0)


def frozen(scene: Scene, seed: int) -> None:
    scene.begin(scene.worker(), seed)
    with scene.fault():
        control.freeze(MONGODB)
        try:
            scene.await_operations(1500)
        finally:
            control.thaw(MONGODB)
    scene.await_operations(300)


def stepped_down(scene: Scene, seed: int) -> None:
    scene.begin(scene.worker(), seed)
    with scene.fault():
        for _ in range(int(lasting(1, 3))):
            try:
                scene.database.client.admin.command({"replSetStepDown": 2, "force": True})
            except PyMongoError as error:  # it may end the connection that asked for it
                print(f"stepping down: {error}")
            scene.await_operations(200)
            eventually(lambda: is_primary(scene), 60.0, "it is elected again")
    scene.await_operations(300)


def is_primary(scene: Scene) -> bool:
    hello: dict[str, Any] = scene.database.client.admin.command("hello")
    return bool(hello["isWritablePrimary"])


def slow(scene: Scene, seed: int) -> None:
    """Every message to MongoDB takes half a second longer."""
    proxy = scene.proxy(mongodb_address())
    scene.begin(scene.worker(**mongodb_through(proxy)), seed)
    with scene.fault(), proxy.slow(0.5):
        scene.await_operations(int(lasting(500, 3000)))
    scene.await_operations(300)


def lost_on_the_way(scene: Scene, seed: int) -> None:
    """A commit never reaches MongoDB, and for longer than a write is given nothing does."""
    proxy = scene.lossy_proxy()
    variables = {"OS_MONGO__URI": proxy.uri, "OS_MONGO__TIMEOUT": "1"}
    worker = scene.begin(scene.worker(**variables), seed)
    with scene.fault():
        proxy.lose(Lose.REQUEST)
        eventually(lambda: proxy.losses, 30.0, "a commit is lost")
        unwritten = "the heartbeat could not be written"
        eventually(lambda: unwritten in worker.output, 60.0, "it is known to be lost")
        scene.await_admitted("unwatched", limit=SILENT_LIMIT)
        proxy.mend()
    scene.await_operations(300)


def too_much_for_the_store(scene: Scene, seed: int) -> None:
    """More waits for MongoDB than may: reading stops, and a gap says what was not seen."""
    proxy, port = scene.proxy(mongodb_address()), free_port()
    variables = {**mongodb_through(proxy), "OS_METRICS__PORT": str(port)}
    scene.begin(scene.worker("little_room", **variables), seed)
    with scene.fault(), proxy.frozen():
        scene.await_operations(1500)
        waiting = scrape(f"http://127.0.0.1:{port}").value(catalogue.OUTBOX_LARGEST_CHANGES.name)
        assert waiting is not None
        scene.notes["changes that waited, of 100 that may"] = waiting
        # Gaps take room as well, and more than half of it they don't.
        if not LITTLE_ROOM / 2 <= waiting <= LITTLE_ROOM + ONE_ROUND:
            scene.findings.append(Finding(What.BOUND, f"{waiting:.0f} changes wait"))
    scene.await_operations(100)


def cassandra_away(scene: Scene, seed: int) -> None:
    """Away at the start and later: nothing waits for it, and it gets its checkpoint when there."""
    proxy = scene.proxy(os.environ["DEVSTACK_CASSANDRA"])
    host, _, port = proxy.address.rpartition(":")
    with proxy.away():
        worker = scene.worker(
            OS_CASSANDRA__ENABLED="true",
            OS_CASSANDRA__CLUSTER=host,
            OS_CASSANDRA__PORT=port,
            OS_CASSANDRA__CHECKPOINT_INTERVAL="1",
            OS_LOG__LEVEL="DEBUG",
        )
        scene.begin(worker, seed, HUMAN_PACE)
        eventually(lambda: "can't be written" in worker.output, 60.0, "it says so")
    eventually(lambda: "checkpoint of" in worker.output, 60.0, "and then there is one")
    with scene.fault(), proxy.frozen():
        scene.await_operations(int(lasting(60, 400)))
        assert live(scene) == [scene.board]


FAULTS: Final = (
    Fault("MongoDB killed and restarted under load", killed_and_restarted),
    Fault("MongoDB stepped down under load", stepped_down),
    Fault("MongoDB away for 60 s", away_for_a_minute),
    Fault("MongoDB frozen", frozen),
    Fault("a write lost on its way to MongoDB", lost_on_the_way),
    Fault("more changes than may wait for MongoDB", too_much_for_the_store),
    Fault("500 ms added to each MongoDB write", slow),
    Fault("Cassandra away at start and later", cassandra_away),
)
