"""Read the trash of a board, in both places where TaskFlow may have put it.

If TaskFlow is given the board's path with a slash at its end, its trash is in another place. Each
read also checks whether that place exists, so no time is lost if it does not.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from canary.errors import BoardDenied
from canary.model.names import slash_trash_folder, slash_trash_path, trash_path
from canary.model.observations import TrashRead, Unread
from canary.model.payload import payload
from canary.watchers.context import WatchContext
from canary.watchers.zookeeper.pipeline import Pipeline
from canary.watchers.zookeeper.znode_reader import data_of
from canary.zookeeper import wait
from canary.zookeeper.stats import zookeeper_time

Place = Callable[[str, str], str]
Version = tuple[int, int]  # of a znode: its czxid and its mzxid


class TrashReader:
    """Reads the trash of one board."""

    def __init__(self, context: WatchContext, path: str, pipeline: Pipeline) -> None:
        self._client, self._path, self._pipeline = context.client, path, pipeline
        self._turns, self._masker = context.turns, context.masker

    def read(self, names: Iterable[str]) -> dict[str, TrashRead | Unread]:
        """Return, by job name, the newest znode in the trash under that name."""
        names = list(names)
        if not names:
            return {}
        folder = self._client.exists_async(slash_trash_folder(self._path))
        found = self._read(names, trash_path)
        try:
            is_there = wait(folder, self._client.call_timeout) is not None
        except BoardDenied:
            is_there = True
        if is_there:
            others = self._read(names, slash_trash_path)
            found |= {name: _newest(found[name], other) for name, other in others.items()}
        return found

    def _read(self, names: Iterable[str], place: Place) -> dict[str, TrashRead | Unread]:
        """Read one place. ``place`` makes a path from the board's path and a job's name."""

        def get(name: str) -> Any:
            return self._client.get_async(place(self._path, name))

        return dict(self._pipeline.each(names, get, self._decoded))

    def _decoded(self, _: str, answer: Any) -> TrashRead | Unread:
        found = data_of(answer, self._client.call_timeout)
        if isinstance(found, Unread):
            return found
        data, stat = found
        uuid = self._turns.take(payload.identifying(data, self._masker))
        return TrashRead(stat.czxid, zookeeper_time(stat.ctime), uuid)


class KnownTrash(TrashReader):
    """Reads the trash of one board again and again, for mostly the same names.

    Data are read only if they are new or were set since; of all other znodes only the stat is read.
    """

    def __init__(self, context: WatchContext, path: str, pipeline: Pipeline) -> None:
        super().__init__(context, path, pipeline)
        self._known: dict[Place, dict[str, tuple[Version, TrashRead]]] = {}

    def _read(self, names: Iterable[str], place: Place) -> dict[str, TrashRead | Unread]:
        def exists(name: str) -> Any:
            return self._client.exists_async(place(self._path, name))

        found: dict[str, TrashRead | Unread] = {}
        versions: dict[str, Version] = {}
        before = self._known.get(place, {})
        for name, version in self._pipeline.each(names, exists, self._version):
            if isinstance(version, Unread):
                found[name] = version
                continue
            versions[name] = version
            if name in before and before[name][0] == version:
                found[name] = before[name][1]
        found |= super()._read([name for name in versions if name not in found], place)
        # Data that were set after the stat was read are kept under the older version, so they are
        # read again.
        self._known[place] = {
            name: (version, read)
            for name, version in versions.items()
            if isinstance(read := found[name], TrashRead)
        }
        return found

    def _version(self, _: str, answer: Any) -> Version | Unread:
        try:
            stat = wait(answer, self._client.call_timeout)
        except BoardDenied:
            return Unread.DENIED
        return Unread.GONE if stat is None else (stat.czxid, stat.mzxid)


def _newest(one: TrashRead | Unread, other: TrashRead | Unread) -> TrashRead | Unread:
    """Return the newer of two znodes in the two places."""
    there = [each for each in (one, other) if isinstance(each, TrashRead)]
    is_hidden = Unread.DENIED in (one, other)
    if not there:
        return Unread.DENIED if is_hidden else Unread.GONE
    return replace(max(there, key=lambda each: each.czxid), is_all=not is_hidden)
