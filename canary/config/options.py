"""All options of Canary: the groups, each of which is a module of `canary.config.groups`.

A group is a frozen dataclass, and its fields are the options. Name, type, default, kind and help of
an option are written only there. oslo.config's options (`list_opts`), the loader's checks and the
sample are made from the fields. Only what `load` returns is checked; a group that is made directly,
as in tests, is not. Durations are in seconds. The `repr` of a group leaves out its secrets.
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
    """All options of one process, one attribute per group. `Config()` has the defaults."""

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
    """Yield the options of one group, in the order in which they are declared."""
    for each in fields(GROUPS[group]):
        yield Option(group=group, name=each.name, default=each.default, **each.metadata)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return all options as oslo.config's, for oslo-config-generator and oslo-config-validator."""
    return [(group, [_opt(each) for each in options(group)]) for group in GROUPS]


def _opt(each: Option) -> cfg.Opt:
    default = list(each.default) if isinstance(each.default, tuple) else each.default
    return cfg.Opt(each.name, type=each.kind, default=default, help=each.help, secret=each.secret)
