"""All options of Canary together: its groups, each of which is a module of `canary.config.groups`.

A group of the configuration is a frozen dataclass; its fields are the options: name, type, default,
kind and help, each written once, there. From the fields come oslo.config's options (`list_opts`),
the loader's checks and the sample. A class made by hand, as tests do, is not checked; what `load`
returns is. Durations are in seconds. The `repr` of a group leaves its secrets out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from oslo_config import cfg

from canary.config.groups.auth import AuthOptions
from canary.config.groups.canary import CanaryOptions
from canary.config.groups.cassandra import CassandraOptions
from canary.config.groups.log import LogOptions
from canary.config.groups.metrics import MetricsOptions
from canary.config.groups.mongo import MongoOptions
from canary.config.groups.server import ServerOptions
from canary.config.groups.zookeeper import ZooKeeperOptions
from canary.config.option import Option


@dataclass(frozen=True, slots=True)
class Config:
    """All options of one process, one attribute a group. `Config()` holds the defaults."""

    canary: CanaryOptions = field(default_factory=CanaryOptions)
    zookeeper: ZooKeeperOptions = field(default_factory=ZooKeeperOptions)
    mongo: MongoOptions = field(default_factory=MongoOptions)
    cassandra: CassandraOptions = field(default_factory=CassandraOptions)
    server: ServerOptions = field(default_factory=ServerOptions)
    metrics: MetricsOptions = field(default_factory=MetricsOptions)
    auth: AuthOptions = field(default_factory=AuthOptions)
    log: LogOptions = field(default_factory=LogOptions)


#: Each group's name in files, and its class, in the order of `Config`.
GROUPS: dict[str, type[Any]] = {
    "canary": CanaryOptions,
    "zookeeper": ZooKeeperOptions,
    "mongo": MongoOptions,
    "cassandra": CassandraOptions,
    "server": ServerOptions,
    "metrics": MetricsOptions,
    "auth": AuthOptions,
    "log": LogOptions,
}


def options(group: str) -> Iterator[Option]:
    """The options of one group, in the order in which they are written there."""
    for each in fields(GROUPS[group]):
        yield Option(group=group, name=each.name, default=each.default, **each.metadata)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """All options as oslo.config's own, for oslo-config-generator and oslo-config-validator."""
    return [(group, [_opt(each) for each in options(group)]) for group in GROUPS]


def _opt(each: Option) -> cfg.Opt:
    default = list(each.default) if isinstance(each.default, tuple) else each.default
    return cfg.Opt(each.name, type=each.kind, default=default, help=each.help, secret=each.secret)
