"""A pure-Python history of one board, with stats exactly as ZooKeeper keeps them.

The oracle of ``test_rounds_properties``: operations of TaskFlow and of hands on one board and on
the trash beside it, each logged with the znodes that it created and deleted. What ZooKeeper does is
copied from its ``PrepRequestProcessor``, ``DataTree`` and ``DataNode.copyStat`` (3.9.4):

- one zxid a transaction; all that a transaction touches bears it;
- a znode keeps the number of children ever created, as a signed int; its stat's cversion is
  ``2 * creates - numChildren`` in 32 bits; a sequential name ends in that number before the create;
- pzxid is the zxid of the last create or delete of a child, at first the znode's own czxid;
- only a board without children can be deleted.

At 2³¹ creates ZooKeeper stops counting (``parentCVersion > parent.stat.getCversion()`` is false
from then on, and every sequential create fails); this history stops there too.
"""

import copy
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from canary.model.changes import Kind
from canary.model.jobs import Edition
from canary.model.names import is_job, lock_name, locked_job
from canary.model.observations import JobRead, Listing, LockRead, Stat, TrashRead, Unread
from canary.model.payload.payload import decode, owner

START = datetime(2024, 1, 1, tzinfo=UTC)
EPOCH = 2**32  # zxids of one leader


@dataclass(frozen=True)
class Znode:
    czxid: int
    at: datetime
    data: bytes
    session: int = 0
    edition: Edition | None = None


@dataclass(frozen=True)
class Event:
    """One create or delete of a child of the board. ``cause`` is the operation that did it."""

    zxid: int
    incarnation: int
    is_create: bool
    name: str
    znode: Znode
    cause: str


@dataclass
class Board:
    czxid: int
    pzxid: int
    creates: int = 0  # as ZooKeeper keeps it
    children: dict[str, Znode] = field(default_factory=dict)

    @property
    def stat(self) -> Stat:
        count = len(self.children)
        cversion = (2 * self.creates - count + 2**31) % 2**32 - 2**31
        return Stat(self.czxid, self.pzxid, cversion, count)


@dataclass
class Tree:
    """What ZooKeeper keeps, and a backup of it holds."""

    board: Board | None = None
    trash: dict[str, Znode] = field(default_factory=dict)


class History:
    """One board's life. An operation that is not possible now does nothing, and says so.

    ``events`` is what happened to the board's children, in order; ``told`` is what a watcher that
    looked after every operation would have to tell: changes by kind and name.
    """

    def __init__(self, creates: int = 0) -> None:
        self.zxid = EPOCH
        self.epochs = 1
        self.tree = Tree()
        self.backup = copy.deepcopy(self.tree)
        self.events: list[Event] = []
        self.edits: list[tuple[str, int]] = []  # names and czxids of znodes that a hand set anew
        self.told: list[tuple[Kind, str]] = []
        self.restored: list[int] = []  # how many events there were at each restore
        self.replaced: set[str] = set()  # jobs that were made again under their own name
        self.emptied: set[int] = set()  # czxids of znodes that were taken out of the trash
        self.deleted_boards: set[int] = set()
        self.hidden: set[int] = set()  # czxids of znodes that may not be read, nor their stat
        self.ever_hidden: set[int] = set()
        self.hidden_jobs: set[str] = set()  # the names of the jobs that these are, or lock
        self._creates = creates
        self._uuids = 0
        self._times = 0
        self.create_board()

    # What a watcher may ask

    def listing(self) -> Listing | None:
        board = self.tree.board
        return Listing(board.stat, frozenset(board.children), self.now()) if board else None

    def read_job(self, name: str) -> JobRead | Unread:
        znode = self.children.get(name)
        if znode and znode.czxid in self.hidden:
            return Unread.DENIED
        if znode is None:
            return Unread.GONE
        return JobRead(znode.czxid, znode.at, decode(znode.data), edition=znode.edition)

    def read_lock(self, name: str) -> LockRead | Unread:
        znode = self.children.get(name)
        if znode is None:
            return Unread.GONE
        if znode.czxid in self.hidden:
            return Unread.DENIED
        return LockRead(znode.czxid, znode.at, znode.session, owner(znode.data), znode.edition)

    def read_trash(self, name: str) -> TrashRead | Unread:
        znode = self.tree.trash.get(name)
        return TrashRead(znode.czxid, znode.at, decode(znode.data).uuid) if znode else Unread.GONE

    def now(self) -> datetime:
        """Return a moment that was never returned before."""
        self._times += 1
        return START + timedelta(milliseconds=self._times)

    # What is there

    @property
    def children(self) -> dict[str, Znode]:
        return self.tree.board.children if self.tree.board else {}

    def jobs(self) -> list[str]:
        return sorted(name for name in self.children if is_job(name))

    def claimed(self) -> list[str]:
        return [name for name in self.jobs() if lock_name(name) in self.children]

    def unclaimed(self) -> list[str]:
        return [name for name in self.jobs() if lock_name(name) not in self.children]

    def others(self) -> list[str]:
        return sorted(
            name
            for name in self.children
            if not is_job(name) and locked_job(name) not in self.children
        )

    # TaskFlow's operations

    def post(self, data: bytes | None = None, name: str | None = None) -> bool:
        board = self.tree.board
        if board is None or (name is not None and name in board.children):
            return False
        name = name or f"job{board.creates:010d}"
        if name in board.children:
            return False
        data = data if data is not None else self._payload()
        self._transact()
        self._create(name, data, "post")
        self._tell(Kind.MALFORMED if decode(data).malformed else Kind.POSTED, name)
        lock = board.children.get(lock_name(name))
        if lock is not None:
            self._tell(Kind.CLAIMED, name)
            if lock.edition is not None:  # the claim is read for the first time, and was edited
                self._tell(Kind.EDITED, name)
        return True

    def claim(self, name: str, who: int) -> bool:
        if name not in self.children or lock_name(name) in self.children:
            return False
        self._transact()
        data = json.dumps({"owner": f"conductor-{who}"}).encode()
        self._create(lock_name(name), data, "claim", session=100 + who)
        self._tell(Kind.CLAIMED, name)
        return True

    def abandon(self, name: str) -> bool:
        if name not in self.claimed():
            return False
        self._transact()
        self._delete(lock_name(name), "abandon")
        self._tell(Kind.ABANDONED, name)
        return True

    def expire(self, who: int) -> bool:
        """End a session: all its locks go in one transaction."""
        names = [name for name, znode in self.children.items() if znode.session == 100 + who]
        if names:
            self._transact()
        for name in names:
            job = locked_job(name)
            claimed = job in self.children
            self._delete(name, "expire")
            self._tell(*((Kind.ABANDONED, str(job)) if claimed else (Kind.NODE_DELETED, name)))
        return bool(names)

    def consume(self, name: str) -> bool:
        if name not in self.claimed():
            return False
        self._transact()
        self._delete(lock_name(name), "consume")
        self._delete(name, "consume")
        self._tell(Kind.CONSUMED, name)
        return True

    def trash(self, name: str) -> bool:
        if name not in self.claimed() or name in self.tree.trash:
            return False
        self._transact()
        self.tree.trash[name] = Znode(self.zxid, self.now(), self.children[name].data)
        self._delete(lock_name(name), "trash")
        self._delete(name, "trash")
        self._tell(Kind.TRASHED, name)
        return True

    # What hands do

    def remove(self, name: str) -> bool:
        """Delete a job's znode alone; a lock that it has stays."""
        if name not in self.children or not is_job(name):
            return False
        self._transact()
        self._delete(name, "remove")
        self._tell(Kind.REMOVED, name)
        return True

    def edit(self, name: str, data: bytes) -> bool:
        """Set a znode's data anew."""
        if name not in self.children:
            return False
        self._transact()
        znode = self.children[name]
        version = znode.edition.version if znode.edition else 0
        edition = Edition(version + 1, self.zxid, self.now())
        self.children[name] = replace(znode, data=data, edition=edition)
        self.edits.append((name, znode.czxid))
        job = locked_job(name)
        if job in self.children or is_job(name):
            self._tell(Kind.EDITED, job or name)
        return True

    def post_again(self, pick: int) -> bool:
        """Make a job under the name of one that was there before."""
        names = sorted({event.name for event in self.events if is_job(event.name)})
        names += sorted(str(locked_job(name)) for name in self.others() if locked_job(name))
        name = names[pick % len(names)] if names else "job0000000007"
        if not self.post(name=name):
            return False
        self.replaced.add(name)
        return True

    def remake(self, name: str) -> bool:
        """Delete a job's znode and make another one of its name; a lock that it has stays."""
        if not self.remove(name):
            return False
        self.replaced.add(name)
        return self.post(name=name)

    def create_child(self, name: str, who: int = 0) -> bool:
        """Make a child that is no job: a folder, or a lock without a job."""
        if self.tree.board is None or name in self.children:
            return False
        if locked_job(name) in self.children:
            return False
        self._transact()
        self._create(name, b'{"owner": "hand"}', "hand", session=100 + who if who else 0)
        self._tell(Kind.NODE_CREATED, name)
        return True

    def delete_child(self, name: str) -> bool:
        if name not in self.others():
            return False
        self._transact()
        self._delete(name, "hand")
        self._tell(Kind.NODE_DELETED, name)
        return True

    def empty_trash(self) -> bool:
        self.emptied |= {znode.czxid for znode in self.tree.trash.values()}
        self.tree.trash.clear()
        return True

    def trash_elsewhere(self, name: str) -> bool:
        """A board with the same parent trashes a job of the same name into the shared trash."""
        if name in self.tree.trash:
            return False
        self._transact()
        self.tree.trash[name] = Znode(self.zxid, self.now(), self._payload())
        return True

    def hide(self, name: str) -> bool:
        """Take everybody the right to read the job that was just made, or its new lock."""
        self.hidden.add(self.children[name].czxid)
        self.ever_hidden.add(self.children[name].czxid)
        self.hidden_jobs.add(locked_job(name) or name)
        return True

    def reveal(self) -> bool:
        self.hidden.clear()
        return True

    # The board, and the ensemble

    def clear(self) -> bool:
        """Empty the board and delete it."""
        for name in self.claimed():
            self.consume(name)
        for name in self.jobs():
            self.remove(name)
        for name in self.others():
            self.delete_child(name)
        return self.delete_board()

    def create_board(self) -> bool:
        if self.tree.board is not None:
            return False
        self._transact()
        self.tree.board = Board(self.zxid, self.zxid, self._creates)
        self._creates = 0
        return True

    def delete_board(self) -> bool:
        board = self.tree.board
        if board is None or board.children:
            return False
        self._transact()
        self.deleted_boards.add(board.czxid)
        self.tree.board = None
        return True

    def back_up(self) -> bool:
        self.backup = copy.deepcopy(self.tree)
        return True

    def restore(self) -> bool:
        """Start the ensemble anew from the backup: its new leader begins a new epoch of zxids."""
        self.tree = copy.deepcopy(self.backup)
        self.epochs += 1
        self.zxid = self.epochs * EPOCH
        self.restored.append(len(self.events))
        return True

    def _payload(self) -> bytes:
        self._uuids += 1
        return json.dumps({"uuid": f"uuid-{self._uuids}", "name": "build"}).encode()

    def _transact(self) -> None:
        self.zxid += 1

    def _tell(self, kind: Kind, name: str) -> None:
        self.told.append((kind, name))

    def _create(self, name: str, data: bytes, cause: str, session: int = 0) -> None:
        board = self.tree.board
        assert board is not None
        assert board.creates < 2**31 - 1, "here ZooKeeper stops counting"
        znode = Znode(self.zxid, self.now(), data, session)
        board.children[name] = znode
        board.creates += 1
        board.pzxid = self.zxid
        self.events.append(Event(self.zxid, board.czxid, True, name, znode, cause))

    def _delete(self, name: str, cause: str) -> None:
        board = self.tree.board
        assert board is not None
        znode = board.children.pop(name)
        board.pzxid = self.zxid
        self.events.append(Event(self.zxid, board.czxid, False, name, znode, cause))


MALFORMED = (b"", b"null", b"[]", b"\xff\xfe", b'{"uuid": 7}', b'{"uuid": "u", "name"')
FOLDERS = (".trash", "board", "job.lock", "jobless", "jobless.lock")

OPERATIONS = (
    "post",
    "claim",
    "consume",
    "abandon",
    "trash",
    "malformed",
    "expire",
    "remove",
    "remove_both",
    "reclaim",
    "post_hidden",
    "claim_hidden",
    "reveal",
    "remake",
    "edit",
    "edit_lock",
    "create_child",
    "delete_child",
    "stray_lock",
    "post_again",
    "empty_trash",
    "trash_elsewhere",
    "clear",
    "delete_board",
    "create_board",
    "back_up",
    "restore",
)


def operate(history: History, operation: str, pick: int) -> bool:  # noqa: C901, PLR0911
    """Do ``operation`` on whatever ``pick`` points at; tell whether anything was done."""

    def one(names: list[str]) -> str:
        return names[pick % len(names)] if names else "job0000000000"

    match operation:
        case "post":
            return history.post()
        case "malformed":
            return history.post(MALFORMED[pick % len(MALFORMED)])
        case "claim":
            return history.claim(one(history.unclaimed()), pick % 3)
        case "consume":
            return history.consume(one(history.claimed()))
        case "abandon":
            return history.abandon(one(history.claimed()))
        case "trash":
            return history.trash(one(history.claimed()))
        case "expire":
            return history.expire(pick % 3)
        case "remove":
            return history.remove(one(history.jobs()))
        case "remove_both":
            name = one(history.claimed())
            return history.abandon(name) and history.remove(name)
        case "reclaim":
            name = one(history.claimed())
            return history.abandon(name) and history.claim(name, (pick + 1) % 3)
        case "post_hidden":
            return history.post() and history.hide(history.events[-1].name)
        case "claim_hidden":
            name = one(history.unclaimed())
            return history.claim(name, pick % 3) and history.hide(lock_name(name))
        case "reveal":
            return history.reveal()
        case "remake":
            return history.remake(one(history.jobs()))
        case "edit":
            job = one(history.jobs())
            return history.edit(job, edited(history, job, pick))
        case "edit_lock":
            data = json.dumps({"owner": f"edited-{pick}"}).encode()
            return history.edit(lock_name(one(history.claimed())), data)
        case "create_child":
            return history.create_child(FOLDERS[pick % len(FOLDERS)])
        case "stray_lock":
            creates = history.tree.board.creates if history.tree.board else 0
            return history.create_child(lock_name(f"job{creates + 1:010d}"), pick % 3)
        case "delete_child":
            return history.delete_child(one(history.others()))
        case "post_again":
            return history.post_again(pick)
        case "empty_trash":
            return history.empty_trash()
        case "trash_elsewhere":
            return history.trash_elsewhere(one(history.jobs()))
        case "clear":
            return history.clear()
        case "delete_board":
            return history.delete_board()
        case "create_board":
            return history.create_board()
        case "back_up":
            return history.back_up()
        case "restore":
            return history.restore()
    raise ValueError(operation)


def edited(history: History, job: str, pick: int) -> bytes:
    """Return what a hand makes of a job's data."""
    if pick % 3 == 0:
        return MALFORMED[pick % len(MALFORMED)]
    uuid = decode(history.children[job].data).uuid if pick % 2 and job in history.children else None
    identity = uuid or f"edited-{len(history.edits)}"
    return json.dumps({"uuid": identity, "name": f"edited-{pick}"}).encode()
