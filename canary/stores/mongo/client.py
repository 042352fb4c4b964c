"""The only place that connects to MongoDB: client, indexes, and pymongo's errors as Canary's own.

Promises: a call ends within ``[mongo] timeout`` seconds, with a result or with a ``StoreError``.
``StoreUnavailable`` may pass by itself; ``StoreRefused`` has to be fixed by somebody. The client
must be made after a fork, and must never be used from a greenlet that may be killed.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pymongo
from pymongo import ASCENDING, IndexModel, MongoClient
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

from canary.config import MongoOptions, tls
from canary.errors import ConfigError, StoreError, StoreRefused, StoreUnavailable
from canary.stores.mongo.documents import Document
from canary.stores.mongo.passing import is_passing
from canary.stores.mongo.uri import without_own

MAX_POOL_SIZE: Final = 50  # sockets; a write holds one for 1 to 20 ms, more would only queue there
# Lists are paged by the last but one of an index's fields, and by identity. A list without a filter
# must not sort; a list by board or state must not read the documents of others.
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
# Of fields that few documents have.
SPARSE_KEYS: Final = {"changes": ["edit.before.uuid"]}
# All by Canary's clock: a job must not expire because ZooKeeper's clock is wrong.
TTL_FIELDS: Final = {"jobs": "ended_seen_at", "changes": "seen_at", "gaps": "to", "workers": "beat"}

UNAUTHORIZED: Final = 13
_AUTHENTICATION_FAILED: Final = 18
_WRONG_CREDENTIALS: Final = "MongoDB refuses the credentials: check [mongo] username and password"
_NAMESPACE_EXISTS: Final = 48
NOT_INITIATED: Final = (
    "This MongoDB is a replica set that was never initiated: run mongosh --eval 'rs.initiate()'"
)
_STANDALONE: Final = (
    "This MongoDB is a standalone mongod; Canary needs transactions and change streams. Make it a"
    " replica set of one: start it with --replSet rs0, then run mongosh --eval 'rs.initiate()'"
)
_INDEX_OPTIONS_CONFLICT: Final = 85


def check(options: MongoOptions) -> None:
    """Raise ConfigError if no client can be made of ``options``. Connects to nothing."""
    try:
        connect(options, begin=False).client.close()
    except StoreRefused as error:
        raise ConfigError(str(error), option="[mongo] uri") from None


def connect(options: MongoOptions, *, begin: bool = True) -> Database[Document]:
    """Return the database of ``options``; the first call of it connects.

    Raises StoreRefused if no client can be made of the options, ConfigError if an option in the URI
    is wrong or a file that TLS needs can't be used.
    """
    uri = without_own(options.uri)
    tls.of_mongo(options)  # pymongo opens the files itself, and would prompt
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
            uri,
            connect=begin,
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
    except (InvalidURI, ValueError, TypeError):
        # Without the driver's words, and not chained to its error: it quotes what it could not
        # parse, and that may be a part of the password.
        problem = (
            "[mongo] uri is not a valid MongoDB URI: write mongodb://host:port/, and set [mongo]"
            " username and password, or percent-encode the user and password in the URI"
        )
    except PyMongoError as error:
        problem = f"The options of [mongo] are not valid: {_brief(error)}"
    except OSError as error:
        problem = f"The files that [mongo] uri names can't be read: {error}"
    raise StoreRefused(problem)


@contextmanager
def errors_as_ours() -> Iterator[None]:
    """Turn what pymongo raises in the ``with`` into ``StoreUnavailable`` or ``StoreRefused``."""
    try:
        yield
    except (ConnectionFailure, AutoReconnect, ExecutionTimeout, WTimeoutError) as error:
        if _is_not_initiated(error):
            raise StoreUnavailable(NOT_INITIATED) from error
        if f"'code': {_AUTHENTICATION_FAILED}," in str(error):
            # For a while the driver keeps this about a server that it could not log in to.
            raise StoreRefused(_WRONG_CREDENTIALS) from error
        raise StoreUnavailable(
            f"MongoDB does not answer: {_brief(error)}{_about_tls(error)}"
        ) from error
    except OperationFailure as error:
        if is_passing(error):
            raise StoreUnavailable(
                f"MongoDB could not complete the request: {_brief(error)}"
            ) from error
        raise StoreRefused(_refusal(error)) from error
    except (ConfigurationError, InvalidOperation) as error:
        raise StoreRefused(
            f"MongoDB can't be used with these options: {_brief(error)}; check [mongo]"
        ) from error
    except PyMongoError as error:
        if error.timeout:
            raise StoreUnavailable(f"MongoDB does not answer: {_brief(error)}") from error
        raise StoreRefused(f"MongoDB refuses: {_brief(error)}") from error


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound the total time of all MongoDB calls in the ``with``; each keeps its own limit, too."""
    if math.isinf(seconds):
        yield
    else:
        with pymongo.timeout(max(0.1, seconds)):
            yield


def ensure_schema(database: Database[Document], options: MongoOptions) -> None:
    """Create what Canary needs in MongoDB: collections, indexes, and the options' times to live.

    Raises StoreRefused on a standalone mongod, which has neither transactions nor change streams.
    """
    with errors_as_ours():
        check_kind(database.client.admin.command("hello"))
        existing = set(database.list_collection_names())
        for name in ("boards", "jobs", "nodes", "changes", "gaps", "conductors", "workers"):
            if name not in existing:
                # A transaction need not, and on old servers could not, create a collection.
                _create_collection(database, name)
        for name, indexes in INDEX_KEYS.items():
            models = [IndexModel([(key, ASCENDING) for key in keys]) for keys in indexes]
            sparse = SPARSE_KEYS.get(name, [])
            models += [IndexModel([(key, ASCENDING)], sparse=True) for key in sparse]
            database[name].create_indexes(models)
        lives = {"jobs": options.ended_job_ttl, "changes": options.change_ttl}
        for name, field in TTL_FIELDS.items():
            _ensure_ttl(database, name, field, lives.get(name, options.change_ttl))


def check_kind(hello: Mapping[str, Any]) -> None:
    """Raise StoreError if ``hello`` is of a server without transactions and change streams."""
    if hello.get("isreplicaset"):
        raise StoreUnavailable(NOT_INITIATED)
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StoreRefused(_STANDALONE)


def as_ours(error: PyMongoError) -> StoreError:
    """Return one of the driver's errors as one of Canary's."""
    try:
        with errors_as_ours():
            raise error
    except StoreError as ours:
        return ours


def _is_not_initiated(error: PyMongoError) -> bool:
    """Return whether all servers that answer belong to a replica set that has no members yet."""
    kinds = set(re.findall(r"server_type: (\w+)", str(error)))
    return "RSGhost" in kinds and kinds <= {"RSGhost", "Unknown"}


def _create_collection(database: Database[Document], name: str) -> None:
    try:
        database.create_collection(name, check_exists=False)
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:  # else another process created it first
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
    """Return what MongoDB refuses, and what to do about it."""
    if error.code == _AUTHENTICATION_FAILED:
        return _WRONG_CREDENTIALS
    if error.code == UNAUTHORIZED:
        return (
            f"MongoDB refuses: {_brief(error)}: the user of [mongo] username needs the roles"
            " readWrite and dbAdmin on [mongo] database"
        )
    return f"MongoDB refuses: {_brief(error)}"


def _about_tls(error: PyMongoError) -> str:
    """Return what to do if TLS is the problem."""
    words = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return "; its certificate is not trusted: check [mongo] ca_file"
    if "[SSL" in words or "SSL handshake failed" in words:
        return "; check [mongo] tls, ca_file and cert_key_file"
    return ""


def _brief(error: PyMongoError) -> str:
    """Return what a driver's error says in one line, without its view of the topology."""
    words = re.sub(r" \(configured timeouts: [^)]*\)", "", str(error))
    words = re.split(", full error:|, Timeout: [0-9.]+s|, Topology Description:", words)[0]
    return " ".join(words.split())[:500]
