"""Every option of Canary, read once at start; nothing else reads the environment or a file for one.

    groups/        what options there are        kinds.py    what their values may be
    options.py     all groups together           loading.py  where values come from
    board_path.py  what may name a board         sample.py   etc/canary.conf

An entry point builds its command line on `parser`, calls `load` with what `--config-file` gave, and
hands the parts of the `Config` down by constructor. What it gets is checked, typed and immutable.
Whether a host answers or a file of certificates is there is not looked at here.
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
