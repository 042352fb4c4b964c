"""ZooKeeper: its servers, whether they have a majority, the session, how long a read takes."""

import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from canary.cli.checks.finding import Finding, failed, ok, warning
from canary.config import Config
from canary.errors import BoardDenied, ZooKeeperUnavailable
from canary.zookeeper import Client, connect, disconnect, ping, wait
from canary.zookeeper.four_letters import Full, NotAllowed, ServerState, ask
from canary.zookeeper.fullness import ADVICE

CALL_TIMEOUT: Final = 3.0  # seconds
ASK_TIMEOUT: Final = 1.0  # seconds, for each server
CLOSE_TIMEOUT: Final = 0.5  # seconds
READS: Final = 5
SLOW_READ: Final = 0.1  # seconds; on a healthy ensemble a read takes a few milliseconds
OLDEST: Final = (3, 5)
OF_NEWER_ONES: Final = "/zookeeper/config"  # a node that exists from 3.5 on
HOW_TO_REACH: Final = "check [zookeeper] hosts, and that ZooKeeper runs there"

States = Mapping[str, ServerState | None]  # by host; None if it does not allow srvr


@dataclass(frozen=True, slots=True)
class Ensemble:
    """A client of ZooKeeper, and the options that it was made with."""

    client: Client
    config: Config


@contextmanager
def opened(config: Config) -> Iterator[Ensemble]:
    """Give a client that is not connected yet: ``check`` connects it."""
    limit = min(config.zookeeper.call_timeout, CALL_TIMEOUT)
    client = connect(replace(config.zookeeper, call_timeout=limit))
    try:
        yield Ensemble(client, config)
    finally:
        disconnect(client, CLOSE_TIMEOUT)


def check(ensemble: Ensemble) -> Iterator[Finding]:
    """Check the servers and the session. Raises ZooKeeperUnavailable if there is no session."""
    client, options = ensemble.client, ensemble.config.zookeeper
    begun = time.monotonic()
    is_connected = bool(client.start_async().wait(client.call_timeout))
    took = time.monotonic() - begun
    states: dict[str, ServerState | None] = {}
    for host in () if options.use_tls else options.hosts:
        try:
            states[host] = ask(host, ASK_TIMEOUT)
        except NotAllowed:
            states[host] = None
        except Full as error:
            yield (warning if is_connected else failed)(str(error), ADVICE)
        except ZooKeeperUnavailable as error:
            if is_connected:
                yield warning(str(error), "restart it: the ensemble tolerates fewer failures now")
            else:
                yield failed(str(error), HOW_TO_REACH)
    yield from _majority(states)
    if not is_connected:
        raise ZooKeeperUnavailable(
            f"no session with ZooKeeper at {','.join(options.hosts)} within"
            f" {client.call_timeout:g} s: {client.trouble or 'no answer'}"
        )
    yield _version(client, states)
    yield _session(ensemble, took)


def _majority(states: States) -> Iterator[Finding]:
    alone = []
    for host, state in states.items():
        if state is not None and state.mode is None:
            yield failed(
                f"{host} serves no requests: it does not belong to a majority",
                "start the other servers of the ensemble: a majority must reach each other",
            )
        if state is not None and state.mode == "standalone":
            alone.append(host)
    if alone and len(states) > 1:
        yield failed(
            f"standalone: {', '.join(alone)}; so [zookeeper] hosts names several ensembles",
            "make them one ensemble (server.N in zoo.cfg), or name only one of them",
        )


def _version(client: Client, states: States) -> Finding:
    told = sorted({state.version for state in states.values() if state and state.version})
    if told:
        modes = Counter(state.mode for state in states.values() if state and state.mode)
        counted = ", ".join(f"{count} {mode}" for mode, count in sorted(modes.items()))
        words = f"ZooKeeper {' and '.join('.'.join(map(str, each)) for each in told)}: {counted}"
        is_old = told[0] < OLDEST
    else:
        try:
            is_old = wait(client.exists_async(OF_NEWER_ONES), client.call_timeout) is None
        except BoardDenied:
            is_old = False
        words = "ZooKeeper's version is unknown (srvr is not allowed, or TLS is used); it is"
        words += " older than 3.5" if is_old else " 3.5 or newer"
    return failed(words, "Canary needs ZooKeeper 3.5 or newer: upgrade it") if is_old else ok(words)


def _session(ensemble: Ensemble, took: float) -> Finding:
    client, wanted = ensemble.client, ensemble.config.zookeeper.session_timeout
    reads = []
    for _ in range(READS):
        begun = time.monotonic()
        ping(client, client.call_timeout)
        reads.append(time.monotonic() - begun)
    latency = statistics.median(reads)
    words = (
        f"session opened in {took * 1000:.0f} ms with a timeout of {client.session_timeout:g} s,"
        f" a read takes {latency * 1000:.1f} ms"
    )
    if abs(client.session_timeout - wanted) > 0.01:
        return warning(
            f"{words}; [zookeeper] session_timeout is {wanted:g} s",
            "the servers' minSessionTimeout and maxSessionTimeout limit it: set it within them",
        )
    if latency > SLOW_READ:
        return warning(words, "reads are slow: check the servers' load and the network")
    return ok(words)
