"""What a load did on its board, one JSON line an operation: the truth that Canary is held against.

A line is written after ZooKeeper has answered, so every line is a fact. An operation whose answer
was an error is written too, with that as its result, for it may have been done all the same.
"""

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

DONE = "done"
#: What a load does, in Canary's words for it.
POSTED, CLAIMED, ABANDONED, CONSUMED, TRASHED = KINDS = (
    "posted",
    "claimed",
    "abandoned",
    "consumed",
    "trashed",
)
_ENDINGS = {CONSUMED, TRASHED}


@dataclass(frozen=True, slots=True)
class Record:
    """One operation. `at` is when the load had the answer; `owner` whose claim it was about."""

    kind: str
    uuid: str
    owner: str | None
    board: str
    at: str
    result: str = DONE


class Ledger:
    """One board's ledger, written by all threads of its load."""

    def __init__(self, board: str, path: Path) -> None:
        self._board = board
        self._lock = threading.Lock()
        self._open: set[str] = set()
        self._file = path.open("a", encoding="utf-8")

    def write(self, kind: str, uuid: str, owner: str | None, result: str = DONE) -> None:
        """Write one operation."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        record = Record(kind, uuid, owner, self._board, at, result)
        with self._lock:
            self._file.write(json.dumps(asdict(record)) + "\n")
            self._file.flush()
            if result != DONE:
                return
            if kind in _ENDINGS:
                self._open.discard(uuid)
            else:
                self._open.add(uuid)

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    @property
    def open_jobs(self) -> int:
        """How many jobs the load knows that have not ended."""
        with self._lock:
            return len(self._open)


def read(path: Path) -> list[Record]:
    """Return what is in a ledger, as far as it is written; nothing if there is none."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [Record(**json.loads(line)) for line in lines]


def open_jobs(records: Iterable[Record]) -> set[str]:
    """Return the uuids of the jobs that were posted and have not ended."""
    done = [record for record in records if record.result == DONE]
    ended = {record.uuid for record in done if record.kind in _ENDINGS}
    return {record.uuid for record in done if record.kind == POSTED} - ended
