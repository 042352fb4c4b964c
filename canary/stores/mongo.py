"""The one way to MongoDB: the client, the indexes, and pymongo's errors as Canary's own.

Promises: a call ends within ``[mongo] timeout`` seconds, with an answer or with a ``StoreError``;
what may pass by itself is ``StoreUnavailable``, what somebody has to mend is ``StoreRefused``. The
client must be made after a fork and never be used from a greenlet that somebody may kill.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pymongo
from pymongo import ASCENDING, MongoClient
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidOperation,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from canary import tls
from canary.config import MongoOptions
from canary.errors import StoreRefused, StoreUnavailable
from canary.stores.documents import Document

MAX_POOL_SIZE: Final = 50  # sockets; a write holds one for 1 to 20 ms, more would only queue there
# Lists are paged by the last of an index's fields but one, and by identity; a list without a filter
# must not sort, one by board or state must not read another's.
INDEX_KEYS: Final[dict[str, list[list[str]]]] = {
    "jobs": [
        ["board", "state", "posted_at", "_id"],
        ["board", "posted_at", "_id"],
        ["state", "posted_at", "_id"],
        ["posted_at", "_id"],
        ["board", "ended_at"],
        ["owner", "state"],
        ["uuid"],
    ],
    "nodes": [["board"]],
    "changes": [
        ["board", "revision"],
        ["board", "job", "revision"],
        ["board", "seen_at", "kind", "found"],
        ["seen_at", "_id"],
    ],
    "gaps": [["board", "to"], ["to", "_id"]],
}
# All by Canary's clock: a job must not be gone because ZooKeeper's is wrong.
TTL_FIELDS: Final = {"jobs": "ended_seen_at", "changes": "seen_at", "gaps": "to", "workers": "beat"}

_UNAUTHORIZED: Final = 13
_AUTHENTICATION_FAILED: Final = 18
_WRONG_CREDENTIALS: Final = "MongoDB refuses the credentials: check [mongo] username and password"
_NAMESPACE_EXISTS: Final = 48
_INDEX_OPTIONS_CONFLICT: Final = 85
# Server error codes that pass by themselves though the driver has no class of its own for them.
_PASSING: Final = frozenset(
    {
        6,  # HostUnreachable, from a mongos
        7,  # HostNotFound, the same
        24,  # LockTimeout
        43,  # CursorNotFound, after a restart
        50,  # MaxTimeMSExpired
        89,  # NetworkTimeout, from a mongos
        112,  # WriteConflict
        133,  # FailedToSatisfyReadPreference, from a mongos
        175,  # QueryPlanKilled
        225,  # TransactionTooOld
        226,  # AtomicityFailure
        228,  # CannotImplicitlyCreateCollection
        239,  # SnapshotUnavailable
        246,  # SnapshotTooOld
        251,  # NoSuchTransaction: it was aborted, by a taker or by a new primary
        256,  # TransactionCommitted
        262,  # ExceededTimeLimit
        263,  # OperationNotSupportedInTransaction, while a collection is being made
        11601,  # Interrupted, by killSessions
    }
)


def connect(options: MongoOptions) -> Database[Document]:
    """Return the database of ``options``; MongoDB itself is first called when it is first used.

    Raises StoreRefused where no client can be made of the options, ConfigError where a file that
    TLS needs can't be used.
    """
    tls.of_mongo(options)  # pymongo takes the files themselves, and would ask a terminal
    credentials: dict[str, Any] = {}
    if options.username:
        credentials = {"username": options.username, "password": options.password}
    encryption: dict[str, Any] = {}
    if options.tls:
        encryption = {
            "tls": True,
            "tlsCAFile": options.ca_file or None,
            "tlsCertificateKeyFile": options.cert_key_file or None,
            "tlsCertificateKeyFilePassword": options.cert_key_password or None,
        }
        encryption = {name: value for name, value in encryption.items() if value is not None}
    milliseconds = int(options.timeout * 1000)
    try:
        client: MongoClient[Document] = MongoClient(
            options.uri,
            tz_aware=True,
            appname="canary",
            w="majority",
            readPreference="primary",
            retryWrites=True,
            timeoutMS=milliseconds,
            serverSelectionTimeoutMS=milliseconds,
            maxPoolSize=MAX_POOL_SIZE,
            **credentials,
            **encryption,
        )
        return client[options.database]
    except (InvalidURI, ValueError):
        # Not with the driver's words, nor after its error: it quotes what it could not make out,
        # and that may be a part of the password.
        problem = (
            "[mongo] uri is no valid URI of MongoDB: write mongodb://host:port/ and give user and"
            " password by their own options, or percent-encode them"
        )
    except PyMongoError as error:
        problem = f"The options of [mongo] make no client: {_brief(error)}"
    except OSError as error:
        problem = f"The files that [mongo] uri names can't be read: {error}"
    raise StoreRefused(problem)


@contextmanager
def errors_as_ours() -> Iterator[None]:
    """Turn what pymongo raises in the ``with`` into ``StoreUnavailable`` or ``StoreRefused``."""
    try:
        yield
    except (ConnectionFailure, AutoReconnect, ExecutionTimeout, WTimeoutError) as error:
        if f"'code': {_AUTHENTICATION_FAILED}," in str(error):
            # So the driver remembers, for a while, of a server that it could not log in to.
            raise StoreRefused(_WRONG_CREDENTIALS) from error
        raise StoreUnavailable(
            f"MongoDB does not answer: {_brief(error)}{_about_tls(error)}"
        ) from error
    except OperationFailure as error:
        if is_passing(error):
            raise StoreUnavailable(f"MongoDB could not do it now: {_brief(error)}") from error
        raise StoreRefused(_refusal(error)) from error
    except (ConfigurationError, InvalidOperation) as error:
        raise StoreRefused(
            f"MongoDB can't be used so: {_brief(error)}; check the options of [mongo]"
        ) from error
    except PyMongoError as error:
        if error.timeout:
            raise StoreUnavailable(f"MongoDB does not answer: {_brief(error)}") from error
        raise StoreRefused(f"MongoDB refuses: {_brief(error)}") from error


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound all calls of MongoDB in the ``with`` together, beside the option's bound on each."""
    if math.isinf(seconds):
        yield
    else:
        with pymongo.timeout(max(0.1, seconds)):
            yield


def is_passing(error: OperationFailure) -> bool:
    """Tell whether a server's error may pass by itself."""
    return (
        error.code in _PASSING
        or error.has_error_label("TransientTransactionError")
        or error.has_error_label("RetryableWriteError")
        or error.has_error_label("UnknownTransactionCommitResult")
    )


def ensure_schema(database: Database[Document], options: MongoOptions) -> None:
    """Make what Canary needs in MongoDB: indexes, and the times to live of the options.

    Raises StoreRefused on a standalone mongod, which has neither transactions nor change streams.
    """
    with errors_as_ours():
        check_kind(database.client.admin.command("hello"))
        existing = set(database.list_collection_names())
        for name in ("boards", "jobs", "nodes", "changes", "gaps", "conductors", "workers"):
            if name not in existing:
                # A transaction need not, and on old servers could not, make a collection.
                _create_collection(database, name)
        for name, indexes in INDEX_KEYS.items():
            for keys in indexes:
                database[name].create_index([(key, ASCENDING) for key in keys])
        lives = {"jobs": options.ended_job_ttl, "changes": options.change_ttl}
        for name, field in TTL_FIELDS.items():
            _ensure_ttl(database, name, field, lives.get(name, options.change_ttl))


def check_kind(hello: Mapping[str, Any]) -> None:
    """Raise StoreError where what says ``hello`` has neither transactions nor change streams."""
    if hello.get("isreplicaset"):
        raise StoreUnavailable(
            "This MongoDB is a replica set that was never initiated: run"
            " mongosh --eval 'rs.initiate()'"
        )
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StoreRefused(
            "This MongoDB is a standalone mongod; Canary needs transactions and change streams."
            " Make it a replica set of one: start it with --replSet rs0, then run"
            " mongosh --eval 'rs.initiate()'"
        )


def _create_collection(database: Database[Document], name: str) -> None:
    try:
        database.create_collection(name, check_exists=False)
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:  # another process made it first
            raise


def _ensure_ttl(database: Database[Document], collection: str, field: str, seconds: int) -> None:
    try:
        database[collection].create_index(
            [(field, ASCENDING)], name=f"{field}_ttl", expireAfterSeconds=seconds
        )
    except OperationFailure as error:
        if error.code != _INDEX_OPTIONS_CONFLICT:
            raise
        database.command(
            "collMod",
            collection,
            index={"name": f"{field}_ttl", "expireAfterSeconds": seconds},
        )


def _refusal(error: OperationFailure) -> str:
    """Return what to do about what MongoDB will not do."""
    if error.code == _AUTHENTICATION_FAILED:
        return _WRONG_CREDENTIALS
    if error.code == _UNAUTHORIZED:
        return (
            f"MongoDB refuses: {_brief(error)}: the user of [mongo] username needs the roles"
            " readWrite and dbAdmin on [mongo] database"
        )
    return f"MongoDB refuses: {_brief(error)}"


def _about_tls(error: PyMongoError) -> str:
    """Return what to do where it is TLS on which the two do not agree."""
    words = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return "; its certificate is not to be trusted: check [mongo] ca_file"
    if "[SSL" in words or "SSL handshake failed" in words:
        return "; check [mongo] tls, ca_file and cert_key_file"
    return ""


def _brief(error: PyMongoError) -> str:
    """Return what a driver's error says in one line, without its view of the topology."""
    words = str(error).split(", full error:", 1)[0].split(", Topology Description:", 1)[0]
    return " ".join(words.split())[:500]
