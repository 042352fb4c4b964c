"""Read znodes of which an ACL may hide the data, or both the data and the stat."""

from typing import Any

from kazoo.exceptions import NoAuthError, NoNodeError
from kazoo.protocol.states import ZnodeStat

from canary.errors import BoardDenied
from canary.model.observations import Unread
from canary.zookeeper import Client, errors_as_ours, wait

Found = tuple[bytes | None, ZnodeStat]


def data_of(answer: Any, timeout: float) -> tuple[bytes, ZnodeStat] | Unread:
    """Await the ``answer`` to a get for ``timeout`` seconds; return the znode's data and stat.

    Raises ZooKeeperUnavailable if there is no answer.
    """
    try:
        with errors_as_ours(timeout, answers=(NoNodeError, NoAuthError)):
            data, stat = answer.get(timeout=timeout)
    except NoNodeError:
        return Unread.GONE
    except NoAuthError:
        return Unread.DENIED
    return data or b"", stat  # a znode may have null data, not only empty data


class ZnodeReader:
    """Reads the children of the znode at ``path``."""

    def __init__(self, client: Client, path: str) -> None:
        self._client, self._path = client, path
        self._hides_stats = False  # whether the server hides stats

    def found(self, name: str, answer: Any) -> Found | Unread:
        """Await the ``answer`` to a get of the child ``name``; return its data and its stat.

        The data are None if only the stat may be read. Servers before 3.9 let everybody read a
        stat; newer ones require permission to read the data. Raises ZooKeeperUnavailable if there
        is no answer.
        """
        timeout = self._client.call_timeout
        read = data_of(answer, timeout)
        if read is not Unread.DENIED:
            return read
        if not self._hides_stats:
            try:
                stat = wait(self._client.exists_async(f"{self._path}/{name}"), timeout)
            except BoardDenied:
                self._hides_stats = True
            else:
                return Unread.GONE if stat is None else (None, stat)
        return Unread.DENIED
