"""The only place that connects to Cassandra: cluster, schema, and the driver's errors as Canary's.

Promises: ``StoreUnavailable`` may pass by itself; ``StoreRefused`` has to be fixed by somebody. A
ring that was away is found again within ``RECONNECT_DELAY`` and the time of one connection.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from cassandra import (
    AuthenticationFailed,
    ConsistencyLevel,
    DriverException,
    ProtocolVersion,
    RequestValidationException,
)
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.connection import ConnectionException
from cassandra.policies import (
    ConstantReconnectionPolicy,
    DCAwareRoundRobinPolicy,
    TokenAwarePolicy,
)
from cassandra.protocol import ErrorMessage
from cassandra.protocol import RequestValidationException as ValidationMessage

from canary.config import CassandraOptions, tls
from canary.errors import StoreRefused, StoreUnavailable
from canary.stores.cassandra import schema as cql
from canary.stores.cassandra.connection import EncryptedConnection, RingConnection

REQUEST_TIMEOUT: Final = 10.0  # seconds
RECONNECT_DELAY: Final = 1.0  # seconds between tries; the driver's own grows to 10 minutes


def make_cluster(options: CassandraOptions, connect_timeout: float) -> Cluster:
    """Return the driver's cluster for ``options``. Its ``connect`` connects.

    Raises ConfigError if a file that TLS needs can't be used.
    """
    context = tls.of_cassandra(options)
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(
            DCAwareRoundRobinPolicy(options.local_datacenter or "")
        ),
        consistency_level=ConsistencyLevel.name_to_value[options.consistency],
        request_timeout=REQUEST_TIMEOUT,
    )
    credentials = (
        PlainTextAuthProvider(options.username, options.password) if options.username else None
    )
    with errors_as_ours():
        return Cluster(
            list(options.cluster),
            port=options.port,
            protocol_version=ProtocolVersion.V4,  # of Cassandra 3 to 5
            # The driver's only event loop that works in a process patched by gevent.
            connection_class=EncryptedConnection if context else RingConnection,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            reconnection_policy=ConstantReconnectionPolicy(RECONNECT_DELAY, max_attempts=None),
            auth_provider=credentials,
            ssl_context=context,
            connect_timeout=connect_timeout,
            control_connection_timeout=connect_timeout,
        )


def ensure_schema(session: Any, options: CassandraOptions) -> None:
    """Create the keyspace and the tables that are missing, if that is allowed.

    Raises StoreRefused if something is missing that may not be created.
    """
    known = session.cluster.metadata.keyspaces
    keyspace = options.keyspace
    tables = set(known[keyspace].tables) if keyspace in known else set()
    missing = [table for table in cql.SCHEMA if table not in tables]
    if not missing:
        return
    if not options.create_schema:
        raise StoreRefused(
            f"Cassandra has no table {' or '.join(missing)} in the keyspace {keyspace}:"
            " create the missing tables, or start canary-worker with"
            " [cassandra] create_schema = true"
        )
    with errors_as_ours():
        if keyspace not in known:
            session.execute(
                f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {options.replication}"
            )
        for table in missing:
            session.execute(cql.SCHEMA[table].format(keyspace=keyspace))


@contextmanager
def errors_as_ours() -> Iterator[None]:
    """Turn what the driver raises in the ``with`` into StoreUnavailable or StoreRefused."""
    try:
        yield
    except (AuthenticationFailed, RequestValidationException, ValidationMessage) as error:
        raise StoreRefused(f"Cassandra refuses: {_brief(error)}") from error
    except NoHostAvailable as error:
        causes = list(error.errors.values()) if isinstance(error.errors, dict) else []
        if any(isinstance(cause, AuthenticationFailed) for cause in causes):
            raise StoreRefused(
                "Cassandra refuses the credentials: check [cassandra] username and password"
            ) from error
        raise StoreUnavailable(
            f"Cassandra does not answer: {_brief(error)}{_about_tls(causes)}"
        ) from error
    except (DriverException, ErrorMessage, ConnectionException, OSError) as error:
        raise StoreUnavailable(
            f"Cassandra could not complete the request: {_brief(error)}"
        ) from error


def _about_tls(causes: Sequence[object]) -> str:
    """Return what to do if TLS is the problem.

    The driver wraps the error in another one, whose message contains its text.
    """
    words = " ".join(str(cause) for cause in causes)
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return "; its certificate is not trusted: check [cassandra] ca_file"
    if "[SSL" in words:
        return "; check [cassandra] tls, ca_file, cert_file and key_file"
    return ""


def _brief(error: Exception) -> str:
    """Return what a driver's error says in one line; for several hosts, the reason for each."""
    hosts = error.errors if isinstance(error, NoHostAvailable) else None
    if isinstance(hosts, dict) and hosts:
        return "; ".join(f"{host}: {_reason(cause)}" for host, cause in hosts.items())[:500]
    return " ".join(str(error).split())[:500]


def _reason(cause: object) -> str:
    """Return the system's message if the driver quotes it."""
    words = " ".join(str(getattr(cause, "strerror", None) or cause).split())
    return words.rpartition("Last error: ")[2] or type(cause).__name__
