"""All options of Canary, read once at start. No other code reads options from files or variables.

    groups/        the options, by group         kinds.py    which values are valid
    options.py     all groups together           loading.py  reads files and the environment
    board_path.py  which paths are valid         sample.py   etc/canary.conf
    tls.py         TLS with certificates

An entry point builds its command line with `parser`, calls `load` with the values of
`--config-file`, and hands the parts of the `Config` to constructors. A loaded `Config` is checked,
typed and immutable. `load` does not check whether a host answers or a certificate file exists.
"""

from canary.config.board_path import MAX_BOARD_PATH, check_board_path
from canary.config.groups.auth import AuthOptions
from canary.config.groups.canary import CanaryOptions
from canary.config.groups.cassandra import CassandraOptions
from canary.config.groups.log import LogOptions
from canary.config.groups.metrics import MetricsOptions
from canary.config.groups.mongo import MongoOptions
from canary.config.groups.server import ServerOptions
from canary.config.groups.zookeeper import ZooKeeperOptions
from canary.config.loading import files, load, parser
from canary.config.options import Config, list_opts
from canary.config.sample import sample

__all__ = [
    "MAX_BOARD_PATH",
    "AuthOptions",
    "CanaryOptions",
    "CassandraOptions",
    "Config",
    "LogOptions",
    "MetricsOptions",
    "MongoOptions",
    "ServerOptions",
    "ZooKeeperOptions",
    "check_board_path",
    "files",
    "list_opts",
    "load",
    "parser",
    "sample",
]
