"""Jobs of which an edit was read by a look that came to nothing, and that were trashed then.

On a real ZooKeeper, with the looks of a watch done one by one. The board shares its trash.
"""

import json
from collections.abc import Iterator

import pytest
from kazoo.client import KazooClient

from canary.config import Config
from canary.model.changes import Change, Kind, Reason
from canary.model.names import trash_path
from canary.model.state import BoardState
from canary.watchers.context import WatchContext
from canary.watchers.round import Round
from canary.watchers.zookeeper.board_reader import BoardReader
from canary.watchers.zookeeper.board_round import read
from canary.zookeeper import Client, Pulse, connect, disconnect
from tests.integration.boards import claim, post, posting
from tests.waiting import eventually

NONE: frozenset[str] = frozenset()


@pytest.fixture
def client(config: Config) -> Iterator[Client]:
    client = connect(config.zookeeper)
    client.start(timeout=30)
    yield client
    disconnect(client, 1.0)


class Board:
    """A board with one claimed job, and who looks at it; ``state`` is what is known of it."""

    def __init__(self, zookeeper: KazooClient, client: Client, path: str) -> None:
        self.zookeeper, self.path = zookeeper, path
        self.told: list[tuple[str, bool]] = []
        context = WatchContext(client, Pulse(client), 3_600.0)
        self.reader = BoardReader(context, path, lambda *event: self.told.append(event))
        self.data = posting()
        self.job = post(zookeeper, path, self.data)
        claim(zookeeper, path, self.job)
        self.state = BoardState()
        self.state = self.read().step.state

    def read(self, checked: frozenset[str] = NONE) -> Round:
        self.reader.sync()
        return read(self.reader, self.reader.list(), self.state, NONE, checked, Reason.RESTART)

    def edit(self, uuid: str) -> bytes:
        self.data = json.dumps({**json.loads(self.data), "uuid": uuid}).encode()
        self.zookeeper.set(f"{self.path}/{self.job}", self.data)
        eventually(lambda: (self.job, False) in self.told, why="the watch fires")
        return self.data

    def end(self, in_trash: bytes, *, is_trashed: bool) -> Change:
        """Take the job out, with that in its place in the trash, and return what is told of it."""
        paths = [f"{self.path}/{self.job}.lock", f"{self.path}/{self.job}"]
        trash = trash_path(self.path, self.job)
        self.zookeeper.ensure_path(trash.rpartition("/")[0])
        transaction = self.zookeeper.transaction()
        for path in paths:
            transaction.delete(path)
        if is_trashed:
            transaction.create(trash, in_trash)
        else:
            self.zookeeper.create(trash, in_trash)
        transaction.commit()
        post(self.zookeeper, self.path)  # the deletion is not the board's last transaction
        eventually(lambda: (self.job, True) in self.told, why="the watch fires")
        [change] = [each for each in self.read().step.changes if each.name == self.job]
        return change


@pytest.fixture
def board(zookeeper: KazooClient, client: Client, corner: str) -> Iterator[Board]:
    path = f"/{corner}/watched/jobs"
    zookeeper.ensure_path(path)
    board = Board(zookeeper, client, path)
    yield board
    board.reader.close()


def test_what_was_edited_unknown_to_the_state_is_not_called_consumed(board: Board) -> None:
    edited = board.edit("edited-uuid")
    board.read(frozenset({board.job}))  # which fails elsewhere, so the state stays as it is
    assert board.end(edited, is_trashed=True).kind is not Kind.CONSUMED


def test_what_nobody_edited_is_consumed_whatever_another_board_has_trashed(board: Board) -> None:
    assert board.end(posting(), is_trashed=False).kind is Kind.CONSUMED


@pytest.mark.parametrize("checks", [0, 1])
def test_so_is_what_was_edited_before_a_look_that_the_state_knows(
    board: Board, checks: int
) -> None:
    board.edit("edited-uuid")
    for _ in range(1 + checks):
        board.state = board.read(frozenset({board.job})).step.state
    assert board.state.jobs[board.job].uuid == "edited-uuid"
    assert board.end(posting(), is_trashed=False).kind is Kind.CONSUMED
