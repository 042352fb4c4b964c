"""What a znode's stat says, as the model's values."""

from datetime import UTC, datetime

from kazoo.protocol.states import ZnodeStat

from canary.model.observations import Condition


def condition(stat: ZnodeStat | None) -> Condition | None:
    """Return the condition of a node, None where there is none."""
    return Condition(stat.czxid, stat.mzxid, stat.pzxid, stat.aversion) if stat else None


def zookeeper_time(milliseconds: int) -> datetime:
    """Return ZooKeeper's time, milliseconds since 1970, as a datetime."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(
        microsecond=milliseconds % 1000 * 1000
    )
