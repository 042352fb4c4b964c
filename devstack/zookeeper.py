"""ZooKeeper 3.9: one server, or several that are a quorum.

It ticks every half second, so sessions from 1 s to 10 s long can be had; it answers all four-letter
words and writes nothing through to the disk before it answers. A killed server keeps what it
answered for; a power cut would lose it.

A secure one has a port for TLS only, asks for a certificate, and then for a digest user: any, as
ZooKeeper has it, whose password is what lets it at its own nodes.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack import java, maven, wire
from devstack.errors import NotReadyError
from devstack.ports import HOST, Ports
from devstack.reaper import Reaper
from devstack.security import Security
from devstack.server import Server

NAME = "zookeeper"
VERSION = "3.9.4"
JAVA_VERSIONS = range(11, 26)
SIZE = "about 5 MB"
ARTIFACTS = (
    # Netty is for TLS, which is rarely used; it would be two thirds of the download.
    maven.Artifact("org.apache.zookeeper", "zookeeper", VERSION, without=[("io.netty", "*")]),
    # Both are optional in ZooKeeper's own pom, and the server does not start without.
    maven.Artifact("io.dropwizard.metrics", "metrics-core", "4.1.12.1"),
    maven.Artifact("org.xerial.snappy", "snappy-java", "1.1.10.5"),
    # Without it there would be no log.
    maven.Artifact("org.slf4j", "slf4j-simple", "2.0.13"),
)
NETTY = "netty"
NETTY_VERSION = "4.1.130.Final"
NETTY_SIZE = "about 3 MB"
NETTY_ARTIFACTS = (
    maven.Artifact("io.netty", "netty-handler", NETTY_VERSION),
    # ZooKeeper asks whether there is epoll, and for that needs its classes, not its library.
    maven.Artifact("io.netty", "netty-transport-classes-epoll", NETTY_VERSION),
)
TICK = 500  # milliseconds: sessions last between 2 and 20 ticks
INIT_LIMIT = 40  # ticks for a follower to join its leader: a busy machine starts three slowly
SYNC_LIMIT = 10  # ticks until a frozen follower is given up
PREALLOCATED = 1024  # kilobytes by which a transaction log grows; the default is 64 MB
HEAP = "-Xmx512m"
# A server that is just starting may accept a connection and never answer on it.
ANSWER_LIMIT = 0.3  # seconds
TLS_ANSWER_LIMIT = 2.0  # seconds; a JVM's first handshake is slow
SERVING = ("standalone", "leader", "follower")


class ZooKeeper:
    name = NAME

    def __init__(self, reaper: Reaper, count: int, security: Security | None) -> None:
        self._reaper, self._count, self._security = reaper, count, security
        self._ports: list[int] = []

    async def install(self) -> None:
        self._jars = [await maven.jars(self._reaper, NAME, VERSION, ARTIFACTS, SIZE)]
        if self._security is not None:
            netty = (NETTY, NETTY_VERSION, NETTY_ARTIFACTS, NETTY_SIZE)
            self._jars.append(await maven.jars(self._reaper, *netty))
        self._java = await java.home(self._reaper, JAVA_VERSIONS, "ZooKeeper")

    def environment(self) -> Mapping[str, str]:
        hosts = ",".join(f"{HOST}:{port}" for port in self._ports)
        told = {"DEVSTACK_ZOOKEEPER": hosts, "OS_ZOOKEEPER__HOSTS": hosts}
        if (security := self._security) is not None:
            told |= {
                "OS_ZOOKEEPER__USE_TLS": "true",
                "OS_ZOOKEEPER__CA_FILE": str(security.authority),
                "OS_ZOOKEEPER__CERT_FILE": str(security.client),
                "OS_ZOOKEEPER__KEY_PASSWORD": security.key_password,
                "OS_ZOOKEEPER__USERNAME": security.username,
                "OS_ZOOKEEPER__PASSWORD": security.password,
            }
        return told

    def servers(self, folder: Path, ports: Ports) -> Sequence[Server]:
        self._ports = [ports.reserve() for _ in range(self._count)]
        if self._count == 1:
            return [self._server(folder / NAME, 1, self._ports[0], {})]
        numbers = range(1, self._count + 1)
        peers = {n: f"{HOST}:{ports.reserve()}:{ports.reserve()}" for n in numbers}
        return [
            self._server(folder / f"{NAME}-{number}", number, port, peers)
            for number, port in zip(numbers, self._ports, strict=True)
        ]

    def _server(self, folder: Path, number: int, port: int, peers: Mapping[int, str]) -> Server:
        temporary = folder / "tmp"
        temporary.mkdir(parents=True)
        data = folder / "data"
        data.mkdir()
        (data / "myid").write_text(f"{number}\n")
        settings = {
            "tickTime": TICK,
            "initLimit": INIT_LIMIT,
            "syncLimit": SYNC_LIMIT,
            "dataDir": data,
            **_client_port(port, self._security),
            "maxClientCnxns": 0,
            "admin.enableServer": "false",
            "4lw.commands.whitelist": "*",
            "forceSync": "no",
            "preAllocSize": PREALLOCATED,
            **{f"server.{peer}": address for peer, address in peers.items()},
        }
        configuration = folder / "zoo.cfg"
        configuration.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        return Server(
            name=folder.name,
            argv=[
                str(self._java / "bin" / "java"),
                HEAP,
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                "-XX:+ExitOnOutOfMemoryError",
                f"-Djava.io.tmpdir={temporary}",
                "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
                "-cp",
                ":".join(f"{jars}/*" for jars in self._jars),
                "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                str(configuration),
            ],
            cwd=folder,
            log=folder.with_suffix(".log"),
            probe=lambda: _probe(port, self._security),
        )


def _client_port(port: int, security: Security | None) -> Mapping[str, object]:
    if security is None:
        return {"clientPort": port, "clientPortAddress": HOST}
    return {
        "secureClientPort": port,
        "secureClientPortAddress": HOST,
        "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
        "ssl.keyStore.location": security.server,
        "ssl.keyStore.type": "PEM",
        "ssl.trustStore.location": security.authority,
        "ssl.trustStore.type": "PEM",
        "ssl.clientAuth": "need",
        "enforce.auth.enabled": "true",
        "enforce.auth.schemes": "digest",
    }


async def _probe(port: int, security: Security | None) -> None:
    tls = security.context() if security is not None else None
    limit = ANSWER_LIMIT if tls is None else TLS_ANSWER_LIMIT
    async with asyncio.timeout(limit), wire.connection(port, tls) as (reader, writer):
        writer.write(b"srvr")
        answer = (await reader.read()).decode(errors="replace")
    modes = [line.split()[1] for line in answer.splitlines() if line.startswith("Mode:")]
    if not modes or modes[0] not in SERVING:
        raise NotReadyError(answer.strip() or "an empty answer to srvr")
