"""Cassandra 5: a ring of one.

It answers queries when it counts as up, not only connections. Writes reach its commit log's file
half a second late at most, so that is what a killed server can lose (the default is ten seconds).

A secure one takes no connection without TLS and a certificate, and lets in a user of its own.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack import java, maven, wire
from devstack.errors import NotReadyError
from devstack.ports import HOST, Ports
from devstack.reaper import Reaper
from devstack.security import Security
from devstack.server import Server

NAME = "cassandra"
VERSION = "5.0.9"
JAVA_VERSIONS = (17, 11)
SIZE = "about 60 MB"
ARTIFACTS = (
    maven.Artifact(
        "org.apache.cassandra",
        "cassandra-all",
        VERSION,
        without=[
            ("io.netty", "netty-tcnative-boringssl-static"),  # for TLS, as Java's own is too
        ],
    ),
)
HEAP = "-Xmx512m"
SYNC = "500ms"

EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.base/java.lang.ref",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
)
OPENS = (
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.management/com.sun.management.internal",
)
LOGGING = """<configuration>
  <appender name="log" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5level [%thread] %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="log"/></root>
</configuration>
"""

# The native protocol, version 4: a request is 04, flags, a stream's number, an opcode, a length.
STARTUP, READY, AUTHENTICATE, QUERY, RESULT = 0x01, 0x02, 0x03, 0x07, 0x08
AUTH_RESPONSE, AUTH_SUCCESS = 0x0F, 0x10
HEADER = 9  # bytes
CONSISTENCY_ONE = b"\x00\x01"
FIRST_USER = "cassandra"  # there from the start, with its name for its password


class Cassandra:
    name = NAME
    _port = 0

    def __init__(self, reaper: Reaper, security: Security | None) -> None:
        self._reaper, self._security = reaper, security

    async def install(self) -> None:
        self._java = await java.home(self._reaper, JAVA_VERSIONS, "Cassandra 5")
        self._jars = await maven.jars(self._reaper, NAME, VERSION, ARTIFACTS, SIZE)

    def environment(self) -> Mapping[str, str]:
        told = {
            "DEVSTACK_CASSANDRA": f"{HOST}:{self._port}",
            "OS_CASSANDRA__CLUSTER": HOST,
            "OS_CASSANDRA__PORT": str(self._port),
        }
        if (security := self._security) is not None:
            told |= {
                "OS_CASSANDRA__TLS": "true",
                "OS_CASSANDRA__CA_FILE": str(security.authority),
                "OS_CASSANDRA__CERT_FILE": str(security.client),
                "OS_CASSANDRA__KEY_PASSWORD": security.key_password,
                "OS_CASSANDRA__USERNAME": security.username,
                "OS_CASSANDRA__PASSWORD": security.password,
            }
        return told

    def servers(self, folder: Path, ports: Ports) -> Sequence[Server]:
        port = self._port = ports.reserve()
        own = folder / NAME
        temporary = own / "tmp"
        temporary.mkdir(parents=True)
        configuration = own / "cassandra.yaml"
        # All JSON is YAML.
        settings = _settings(own / "data", port, ports.reserve()) | _protection(self._security)
        configuration.write_text(json.dumps(settings))
        logging = own / "logback.xml"
        logging.write_text(LOGGING)
        return [
            Server(
                name=NAME,
                argv=[
                    str(self._java / "bin" / "java"),
                    *(HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"),
                    "-XX:+ExitOnOutOfMemoryError",
                    f"-Djava.io.tmpdir={temporary}",
                    f"-Djna.tmpdir={temporary}",
                    "-Djdk.attach.allowAttachSelf=true",
                    *(f"--add-exports={name}=ALL-UNNAMED" for name in EXPORTS),
                    "--add-exports=jdk.naming.dns/com.sun.jndi.dns=java.naming",
                    *(f"--add-opens={name}=ALL-UNNAMED" for name in OPENS),
                    f"-Dlogback.configurationFile={logging}",
                    f"-Dcassandra.config={configuration.as_uri()}",
                    f"-Dcassandra.storagedir={own / 'data'}",
                    "-Dcassandra-foreground=yes",
                    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
                    "-Dcassandra.ring_delay_ms=100",
                    "-Dcassandra.superuser_setup_delay_ms=0",
                    "-cp",
                    f"{self._jars}/*",
                    "org.apache.cassandra.service.CassandraDaemon",
                ],
                cwd=own,
                log=folder / f"{NAME}.log",
                probe=lambda: _probe(port, self._security),
            )
        ]


def _settings(data: Path, port: int, storage_port: int) -> dict[str, object]:
    return {
        "cluster_name": "devstack",
        "num_tokens": 1,
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "endpoint_snitch": "SimpleSnitch",
        "auto_bootstrap": False,
        "seed_provider": [
            {
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{"seeds": f"{HOST}:{storage_port}"}],
            }
        ],
        "listen_address": HOST,
        "rpc_address": HOST,
        "storage_port": storage_port,
        "native_transport_port": port,
        "data_file_directories": [str(data / "data")],
        "commitlog_directory": str(data / "commitlog"),
        "saved_caches_directory": str(data / "saved_caches"),
        "hints_directory": str(data / "hints"),
        "cdc_raw_directory": str(data / "cdc_raw"),
        "commitlog_sync": "periodic",
        "commitlog_sync_period": SYNC,
        # A slow disk then delays no write, as it would not with the default of ten seconds.
        "periodic_commitlog_sync_lag_block": "10s",
        "commitlog_total_space": "256MiB",
        "auto_snapshot": False,
    }


def _protection(security: Security | None) -> dict[str, object]:
    if security is None:
        return {}
    return {
        "authenticator": "PasswordAuthenticator",
        "client_encryption_options": {
            "enabled": True,
            "optional": False,
            "require_client_auth": True,
            "ssl_context_factory": {
                "class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory"
            },
            "keystore": str(security.server),
            "truststore": str(security.authority),
        },
    }


async def _probe(port: int, security: Security | None) -> None:
    query = "SELECT release_version FROM system.local"
    if security is None:
        await _query(port, query)
        return
    user = (security.username, security.password)
    try:
        await _query(port, query, user, security)
    except NotReadyError:
        password = security.password.replace("'", "''")
        role = f"{security.username} WITH LOGIN = true AND PASSWORD = '{password}'"
        made = f"CREATE ROLE IF NOT EXISTS {role}"
        await _query(port, made, (FIRST_USER, FIRST_USER), security)
        await _query(port, query, user, security)


async def _query(
    port: int,
    query: str,
    user: tuple[str, str] | None = None,
    security: Security | None = None,
) -> None:
    tls = security.context() if security is not None else None
    async with wire.connection(port, tls) as (reader, writer):
        # STARTUP takes a map of strings: one entry.
        options = b"\x00\x01" + _string(b"CQL_VERSION") + _string(b"3.0.0")
        await _ask(reader, writer, STARTUP, options, AUTHENTICATE if user else READY)
        if user:
            token = "\0".join(("", *user)).encode()
            await _ask(reader, writer, AUTH_RESPONSE, _long(token), AUTH_SUCCESS)
        body = _long(query.encode()) + CONSISTENCY_ONE + b"\x00"
        await _ask(reader, writer, QUERY, body, RESULT)


def _string(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def _long(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


async def _ask(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    opcode: int,
    body: bytes,
    expected: int,
) -> None:
    writer.write(bytes([4, 0, 0, 0, opcode]) + len(body).to_bytes(4, "big") + body)
    header = await reader.readexactly(HEADER)
    answer = await reader.readexactly(int.from_bytes(header[5:], "big"))
    if header[4] != expected:
        raise NotReadyError(f"it answered {answer.decode(errors='replace')}")
