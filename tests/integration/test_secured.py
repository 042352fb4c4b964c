"""Canary with servers that ask for TLS, for a certificate of its own and for a password.

They are beside the stack that the other tests use, and everything is logged, down to DEBUG: no
password may be in it.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl, make_digest_acl_credential
from pymongo.database import Database
from pymongo.errors import OperationFailure

from canary.clock import now
from canary.config import Config
from canary.stores.cassandra.checkpoints import CheckpointStore
from canary.stores.mongo.client import connect as connect_mongodb
from canary.stores.mongo.client import ensure_schema
from canary.stores.writing.take import LiveStore
from canary.zookeeper import Client, connect, disconnect
from tests.integration.boards import claim, consume, post
from tests.integration.conftest import Spawn
from tests.integration.test_devstack import TELL
from tests.integration.test_server import Server
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
STRANGER = Path(__file__).parents[1] / "unit" / "localhost.pem"  # an authority that signed nothing
WRONG = "Wr0ng-and-never-to-be-shown"
START_LIMIT = 300.0  # seconds; Cassandra alone takes a tenth of it on a quiet machine

Variables = dict[str, str]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Variables]:
    """The variables with which secured servers are reached; the servers end with the module."""
    log = tmp_path_factory.mktemp("secured") / "log"
    command = [sys.executable, "-m", "devstack", "run", "--secure", "--", sys.executable]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [*command, "-c", TELL],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, log.read_text()
            told: Variables = json.loads(line)
            yield told
        finally:
            process.stdin.close()
            process.wait(60)


@pytest.fixture
def environment(secured: Variables, corner: str) -> Variables:
    return {
        **secured,
        "OS_CANARY__JOBBOARD": f"/{corner}/canary/jobs",
        "OS_MONGO__DATABASE": corner,
        "OS_CASSANDRA__KEYSPACE": corner,
        "OS_CASSANDRA__ENABLED": "true",  # which the stack that these tests run in may deny
        "OS_CASSANDRA__CHECKPOINT_INTERVAL": "1",
        "OS_ZOOKEEPER__SESSION_TIMEOUT": "4",
        "OS_LOG__LEVEL": "DEBUG",
    }


@pytest.fixture
def database(config: Config) -> Iterator[Database[dict[str, Any]]]:
    database = connect_mongodb(config.mongo)
    yield database
    database.client.drop_database(config.mongo.database)
    database.client.close()


@pytest.fixture
def zookeeper(config: Config) -> Iterator[KazooClient]:
    """A client by kazoo's own TLS, as a watched board's owner may have one."""
    options = config.zookeeper
    client = KazooClient(
        hosts=",".join(options.hosts),
        use_ssl=True,
        ca=options.ca_file,
        certfile=options.cert_file,
        keyfile=options.cert_file,
        keyfile_password=options.key_password,
        check_hostname=True,
        auth_data=[("digest", "owner:of boards")],
    )
    client.start()
    yield client
    client.stop()
    client.close()


@pytest.fixture
def client(config: Config) -> Iterator[Client]:
    client = connect(config.zookeeper)
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


@pytest.fixture
def told(environment: Variables, tmp_path: Path) -> Iterator[list[str]]:
    """Texts in which no secret may be, beside what the spawned programs write."""
    texts: list[str] = []
    yield texts
    texts += [log.read_text(errors="replace") for log in tmp_path.glob("*.log")]
    assert texts
    named = {environment[name] for name in environment if name.endswith("PASSWORD")}
    secrets = named - {""} | {WRONG}
    assert len(secrets) == 3  # one password, one of the key, and the wrong one
    for secret in secrets:
        for written in (secret, quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]):
            assert not [text for text in texts if written in text], "a secret was shown"


@pytest.fixture
def board(zookeeper: KazooClient, corner: str, run: Run, told: list[str]) -> str:
    """A board that is registered, and that anybody may read."""
    path = f"/{corner}/jobs"
    zookeeper.ensure_path(path)
    added = run("canary-producer", "add", path)
    told.append(added.stdout + added.stderr)
    assert added.returncode == 0, added.stderr
    return path


def is_live(database: Database[dict[str, Any]], board: str) -> bool:
    found = database.boards.find_one({"_id": board})
    return found is not None and found["freshness"] == "live"


def test_everything_by_tls_and_with_a_password(
    board: str,
    spawn: Spawn,
    run: Run,
    told: list[str],
    zookeeper: KazooClient,
    config: Config,
) -> None:
    worker = spawn("canary-worker")
    server = Server(spawn)

    def status() -> list[str]:
        answer = server.get("/v1.0/jobs", path=board)
        told.append(answer.text)
        [shown] = answer.json() if answer.ok else [{"freshness": None, "jobs": []}]
        return [shown["freshness"], *(job["status"] for job in shown["jobs"])]

    eventually(lambda: status() == ["live"], why="the board is live")
    job = post(zookeeper, board)
    claim(zookeeper, board, job)
    eventually(lambda: status() == ["live", "CLAIMED"])
    consume(zookeeper, board, job)
    eventually(lambda: status() == ["live", "COMPLETE"])

    def ready() -> list[bool]:
        answer = server.get("/readyz").json()
        return [answer[name]["ready"] for name in ("mongodb", "zookeeper", "cassandra")]

    eventually(lambda: ready() == [True, True, True], why="the server reached all three")
    history = CheckpointStore(config.cassandra)
    try:
        eventually(lambda: history.headers(board, datetime.now(UTC).date()))
    finally:
        history.close()
    doctor = run("canary", "doctor", "-f", "json", "--url", server.address)
    told += [server.get("/metrics").text, doctor.stdout, doctor.stderr]
    rows = {(row["check"], row["status"]) for row in json.loads(doctor.stdout)}
    assert {(name, "ok") for name in ("zookeeper", "mongodb", "cassandra", "server")} <= rows
    assert not [row for row in rows if row[1] == "failed"], doctor.stdout

    acl, _ = zookeeper.get_acls(config.canary.jobboard)
    user, password = config.zookeeper.username, config.zookeeper.password
    digest = make_digest_acl_credential(user, password)
    identities = {(each.id.scheme, each.id.id) for each in acl}
    assert identities == {("digest", digest), ("x509", "CN=devstack client")}, "Canary's alone"
    assert server.command.end() == 0
    assert worker.end() == 0


@pytest.mark.usefixtures("board")
class TestWrongPassword:
    def test_of_zookeeper(
        self, run: Run, told: list[str], board: str, client: Client, config: Config
    ) -> None:
        # The certificate alone would do, as Canary gives all that identifies it every right.
        options = config.zookeeper
        user = make_digest_acl(options.username, options.password, all=True)
        client.set_acls(config.canary.jobboard, [user])
        refused = run("canary-producer", "add", f"{board}/2", OS_ZOOKEEPER__PASSWORD=WRONG)
        told.append(refused.stdout + refused.stderr)
        assert refused.returncode == 1
        assert "check it, and [zookeeper] username and password" in refused.stderr

    def test_of_mongodb(self, spawn: Spawn, told: list[str]) -> None:
        worker = spawn("canary-worker", OS_MONGO__PASSWORD=WRONG)
        server = Server(spawn, OS_MONGO__PASSWORD=WRONG)
        words = "MongoDB refuses the credentials: check [mongo] username and password"
        assert worker.process.wait(60) == 1
        assert f"canary-worker: {words}" in worker.output
        refused = {"ready": False, "reason": words}
        eventually(lambda: server.get("/readyz").json()["mongodb"] == refused)
        eventually(lambda: words in server.get("/v2/boards").json()["detail"])
        answer, boards = server.get("/readyz"), server.get("/v2/boards")
        told += [answer.text, boards.text]
        assert answer.status_code == boards.status_code == 503

    def test_of_cassandra_which_delays_nothing(
        self,
        spawn: Spawn,
        board: str,
        database: Database[dict[str, Any]],
        told: list[str],
    ) -> None:
        worker = spawn("canary-worker", OS_CASSANDRA__PASSWORD=WRONG)
        words = "Cassandra refuses the credentials: check [cassandra] username and password"
        eventually(lambda: words in worker.output)
        eventually(lambda: is_live(database, board))
        server = Server(spawn, OS_CASSANDRA__PASSWORD=WRONG)
        refused = {"ready": False, "reason": words}
        eventually(lambda: server.get("/readyz").json()["cassandra"] == refused)
        answer = eventually(lambda: server.get("/readyz"))
        told.append(answer.text)


@pytest.mark.usefixtures("told")
class TestUnknownAuthority:
    def test_of_zookeeper(self, run: Run, spawn: Spawn, told: list[str]) -> None:
        stranger = {"OS_ZOOKEEPER__CA_FILE": str(STRANGER), "OS_ZOOKEEPER__CALL_TIMEOUT": "3"}
        refused = run("canary-producer", "list", **stranger)
        told.append(refused.stdout + refused.stderr)
        assert refused.returncode == 1
        assert "is not trusted" in refused.stderr
        assert "check [zookeeper] ca_file" in refused.stderr
        worker = spawn("canary-worker", **stranger)
        eventually(lambda: "check [zookeeper] ca_file" in worker.output)
        assert worker.end() == 0

    def test_of_mongodb(self, spawn: Spawn) -> None:
        worker = spawn("canary-worker", OS_MONGO__CA_FILE=str(STRANGER), OS_MONGO__TIMEOUT="1")
        eventually(lambda: "check [mongo] ca_file" in worker.output)
        assert worker.end() == 0

    def test_of_cassandra(
        self, spawn: Spawn, board: str, database: Database[dict[str, Any]]
    ) -> None:
        worker = spawn("canary-worker", OS_CASSANDRA__CA_FILE=str(STRANGER))
        eventually(lambda: "check [cassandra] ca_file" in worker.output)
        eventually(lambda: is_live(database, board))
        assert worker.end() == 0


def test_a_certificate_that_is_asked_for_and_not_shown(
    run: Run, environment: Variables, told: list[str]
) -> None:
    for name in ("OS_ZOOKEEPER__CERT_FILE", "OS_ZOOKEEPER__KEY_PASSWORD"):
        environment[name] = ""
    refused = run("canary-producer", "list", OS_ZOOKEEPER__CALL_TIMEOUT="3")
    told.append(refused.stdout + refused.stderr)
    assert refused.returncode == 1
    assert "[zookeeper] cert_file" in refused.stderr


def test_a_port_that_wants_tls_and_gets_none(config: Config) -> None:
    plain = connect(type(config.zookeeper)(hosts=config.zookeeper.hosts))
    try:
        plain.start_async()
        eventually(lambda: "set [zookeeper] use_tls" in (plain.trouble or ""))
    finally:
        disconnect(plain, 1.0)


@pytest.mark.parametrize(
    "variable",
    [
        "OS_ZOOKEEPER__KEY_PASSWORD",
        "OS_MONGO__CERT_KEY_PASSWORD",
        "OS_CASSANDRA__KEY_PASSWORD",
    ],
)
@pytest.mark.parametrize(("program", "password"), [("canary-worker", ""), ("canary-server", WRONG)])
def test_a_wrong_password_of_the_key_stops_a_program_at_its_start(
    run: Run, told: list[str], variable: str, password: str, program: str
) -> None:
    refused = run(program, **{variable: password})
    told.append(refused.stdout + refused.stderr)
    assert refused.returncode == 2, refused.stderr
    _, group, name = variable.lower().replace("__", "_").split("_", 2)
    assert f"[{group}] {name} must be the key's password" in refused.stderr


def test_many_calls_at_once_and_large_answers(
    client: Client, zookeeper: KazooClient, corner: str
) -> None:
    """What TLS has decrypted is read without waiting for more to come."""
    zookeeper.create(f"/{corner}/large", b"x" * 900_000, makepath=True)
    zookeeper.create(f"/{corner}/small", b"y")
    answers = [
        client.get_async(f"/{corner}/{'large' if number % 100 == 0 else 'small'}")
        for number in range(5_000)
    ]
    sizes = [len(answer.get(timeout=60)[0]) for answer in answers]
    assert sizes.count(900_000) == 50
    assert sizes.count(1) == 4_950


def test_a_taker_ends_the_transaction_of_who_wrote_before(
    config: Config, database: Database[dict[str, Any]]
) -> None:
    """Under one user that needs no right beside those of its database."""
    ensure_schema(database, config.mongo)
    path, moment = "/a/jobs", timedelta(seconds=10)
    session = LiveStore(database, "first").take(path, 1, lambda: True, now())._session
    other = connect_mongodb(config.mongo)
    try:
        session.start_transaction()
        database.boards.update_one({"_id": path}, {"$inc": {"revision": 5}}, session=session)
        began = now()
        taken = LiveStore(other, "second").take(path, 2, lambda: True, now())
        assert now() - began < moment, "its transaction would stay for a minute"
        assert taken.revision == 0
        with pytest.raises(OperationFailure):
            session.commit_transaction()
    finally:
        other.client.close()
