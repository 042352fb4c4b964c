"""ZooKeeper: a kazoo client that survives, calls with a time limit, and the pulse."""

from canary.zookeeper.calls import errors_as_ours, ping, wait
from canary.zookeeper.client import Client, connect, disconnect
from canary.zookeeper.pulse import Contact, Pulse

__all__ = ["Client", "Contact", "Pulse", "connect", "disconnect", "errors_as_ours", "ping", "wait"]
