"""Cassandra 5: a ring of one.

It answers queries when it counts as up, not only connections. Writes reach its commit log's file
half a second late at most, so that is what a killed server can lose (the default is ten seconds).
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack import java, maven, wire
from devstack.errors import NotReadyError
from devstack.ports import HOST, Ports
from devstack.reaper import Reaper
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
            ("io.netty", "netty-tcnative-boringssl-static"),  # for TLS
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
STARTUP, READY, QUERY, RESULT = 0x01, 0x02, 0x07, 0x08
HEADER = 9  # bytes
CONSISTENCY_ONE = b"\x00\x01"


class Cassandra:
    name = NAME
    _port = 0

    def __init__(self, reaper: Reaper) -> None:
        self._reaper = reaper

    async def install(self) -> None:
        self._java = await java.home(self._reaper, JAVA_VERSIONS, "Cassandra 5")
        self._jars = await maven.jars(self._reaper, NAME, VERSION, ARTIFACTS, SIZE)

    def environment(self) -> Mapping[str, str]:
        return {
            "DEVSTACK_CASSANDRA": f"{HOST}:{self._port}",
            "OS_CASSANDRA__CLUSTER": HOST,
            "OS_CASSANDRA__PORT": str(self._port),
        }

    def servers(self, folder: Path, ports: Ports) -> Sequence[Server]:
        port = self._port = ports.reserve()
        own = folder / NAME
        temporary = own / "tmp"
        temporary.mkdir(parents=True)
        configuration = own / "cassandra.yaml"
        # All JSON is YAML.
        configuration.write_text(json.dumps(_settings(own / "data", port, ports.reserve())))
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
                    "-cp",
                    f"{self._jars}/*",
                    "org.apache.cassandra.service.CassandraDaemon",
                ],
                cwd=own,
                log=folder / f"{NAME}.log",
                probe=lambda: _probe(port),
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


async def _probe(port: int) -> None:
    async with wire.connection(port) as (reader, writer):
        # STARTUP takes a map of strings: one entry.
        options = b"\x00\x01" + _string(b"CQL_VERSION") + _string(b"3.0.0")
        await _ask(reader, writer, STARTUP, options, READY)
        query = b"SELECT release_version FROM system.local"
        body = len(query).to_bytes(4, "big") + query + CONSISTENCY_ONE + b"\x00"
        await _ask(reader, writer, QUERY, body, RESULT)


def _string(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


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
