"""A znode's stat as the model's values."""

from datetime import UTC, datetime

from kazoo.protocol.states import ZnodeStat

from canary.model.jobs import Edition
from canary.model.observations import Condition


def condition(stat: ZnodeStat | None) -> Condition | None:
    """Return the condition in a node's stat, or None if the node does not exist."""
    return Condition(stat.czxid, stat.mzxid, stat.pzxid, stat.aversion) if stat else None


def edition(stat: ZnodeStat) -> Edition | None:
    """Return which data a znode holds, or None if they were never set since its creation."""
    return Edition(stat.version, stat.mzxid, zookeeper_time(stat.mtime)) if stat.version else None


def zookeeper_time(milliseconds: int) -> datetime:
    """Return ZooKeeper's time, milliseconds since 1970, as a datetime in UTC."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(
        microsecond=milliseconds % 1000 * 1000
    )
