"""What happens to MongoDB and Cassandra."""

import os
import time
from typing import Any, Final

import requests
from pymongo.errors import PyMongoError

from devstack import control
from tests.faults.fault import Fault, lasting
from tests.faults.scene import BURST, HUMAN_PACE, Scene, mongodb_address
from tests.faults.workers import live
from tests.waiting import eventually

MONGODB: Final = "mongodb"
API_LIMIT: Final = 30.0  # seconds for the API to say that MongoDB is away


def await_503(scene: Scene) -> None:
    """Wait until the API says that MongoDB is away, and that it is MongoDB."""

    def says() -> bool:
        answer = requests.get(f"{scene.url}/v2/boards", timeout=30)
        return answer.status_code == 503 and "MongoDB" in answer.json()["detail"]

    eventually(says, API_LIMIT, "503, and why")


def killed(scene: Scene, seed: int, seconds: float) -> None:
    scene.begin(seed)
    watched = scene.stored()["epoch"]
    with scene.fault():
        control.stop(MONGODB)
        try:
            await_503(scene)
            time.sleep(seconds)
            scene.await_operations(300)
        finally:
            control.start(MONGODB)
            control.wait_ready(MONGODB)
    assert scene.stored()["epoch"] == watched, "it costs no session"
    scene.await_operations(300)


def killed_and_restarted(scene: Scene, seed: int) -> None:
    killed(scene, seed, 0.0)


def away_for_a_minute(scene: Scene, seed: int) -> None:
    killed(scene, seed, 60.0)


def frozen(scene: Scene, seed: int) -> None:
    scene.begin(seed)
    with scene.fault():
        control.freeze(MONGODB)
        try:
            scene.await_operations(1500)
        finally:
            control.thaw(MONGODB)
    scene.await_operations(300)


def stepped_down(scene: Scene, seed: int) -> None:
    scene.begin(seed)
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
    uri = f"mongodb://{proxy.address}/?directConnection=true"
    scene.begin(seed, OS_MONGO__URI=uri)
    with scene.fault(), proxy.slow(0.5):
        scene.await_operations(int(lasting(500, 3000)))
    scene.await_operations(300)


def too_much_for_the_store(scene: Scene, seed: int) -> None:
    """More waits for MongoDB than may: reading stops, and a gap says how much was not seen."""
    proxy = scene.proxy(mongodb_address())
    uri = f"mongodb://{proxy.address}/?directConnection=true"
    worker = scene.worker("little_room", OS_MONGO__URI=uri)
    scene.start(seed, BURST)
    scene.await_live()
    scene.await_operations(300)
    with scene.fault(), proxy.frozen():
        scene.await_operations(1500)
        eventually(lambda: "reading waits" in worker.output, 30.0, "it stops reading")
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
        scene.start(seed, HUMAN_PACE)
        scene.await_live()
        scene.await_operations(40)
        eventually(lambda: "no checkpoint" in worker.output, 30.0, "it says so")
    eventually(lambda: "checkpoint of" in worker.output, 60.0, "and then there is one")
    with scene.fault(), proxy.frozen():
        scene.await_operations(int(lasting(60, 400)))
        assert live(scene) == [scene.board]


FAULTS: Final = (
    Fault("MongoDB killed and restarted under load", killed_and_restarted),
    Fault("MongoDB stepped down under load", stepped_down, only_long=True),
    Fault("MongoDB away for 60 s", away_for_a_minute, only_long=True),
    Fault("MongoDB frozen", frozen, only_long=True),
    Fault("more changes than may wait for MongoDB", too_much_for_the_store, only_long=True),
    Fault("500 ms added to each MongoDB write", slow, only_long=True),
    Fault("Cassandra away at start and later", cassandra_away, only_long=True),
)
