"""Whether a password is the one of a name: bcrypt, asked as seldom as can be.

bcrypt takes up to a second of a processor, on purpose. So what was verified is remembered for
``REMEMBERED`` seconds, under a keyed hash with a key that this process made up: neither the memory
nor its order tells a password. Those who come with the same password at the same time wait for one
check. A change of the file counts at once, for the name's hash in it is part of what is remembered.

Promises: bcrypt runs in threads of its own, ``THREADS`` at a time, while everything else goes on;
at most ``WAITING`` checks wait; one for a name that there is not takes as long as one for a name
that there is; after too many wrong ones from an address only what is remembered is let in from it.
"""

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final

import bcrypt
from gevent.threadpool import ThreadPool

from canary.server.problems import Crowded
from canary.server.protection.attempts import Attempts
from canary.server.protection.htpasswd import cost
from canary.server.protection.kept_file import KeptFile

REMEMBERED: Final = 300.0  # seconds
MEMORY: Final = 1_000  # passwords
THREADS: Final = 2
WAITING: Final = 64  # checks
SIGNIFICANT: Final = 72  # bytes of a password: htpasswd and bcrypt leave out what is behind them

_DEFAULT_COST: Final = 10

Compare = Callable[[bytes, bytes], bool]


class Bcrypt:
    """Compares passwords with hashes, in threads of its own that begin with the first one."""

    def __init__(self) -> None:
        self._pool: ThreadPool | None = None
        self._waiting = 0

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        """Tell whether ``password`` is that of ``hashed``; Crowded where too many ask that."""
        if self._waiting >= WAITING:
            raise Crowded("Too many want to sign in at the same time; try again in a while")
        if self._pool is None:
            self._pool = ThreadPool(THREADS)
        self._waiting += 1
        try:
            return bool(self._pool.apply(_compare, (password, hashed)))
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.kill()
            self._pool = None


class Passwords:
    """The passwords of a htpasswd file. ``compare`` tells whether one belongs to a hash."""

    def __init__(
        self,
        file: KeptFile[Mapping[str, bytes]],
        compare: Compare,
        attempts: Attempts,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file, self._compare, self._attempts, self._clock = file, compare, attempts, clock
        self._key: bytes | None = None
        self._verified: OrderedDict[bytes, float] = OrderedDict()  # when each one was verified
        self._running: dict[bytes, Future[bool]] = {}

    def verify(self, name: str, password: bytes, address: str) -> bool:
        """Tell whether ``password`` is that of ``name``; ``address`` is whose attempts count.

        Raises TooOften after too many wrong ones from there, and Crowded.
        """
        hashes = self._file.content
        hashed = hashes.get(name) or _nobodys(hashes)
        mark = self._mark(name, password, hashed)
        if self._is_remembered(mark):
            return True
        running = self._running.get(mark)
        if running is not None:
            return running.result()
        self._attempts.begin(address)
        running = self._running[mark] = Future()
        try:
            is_right = self._compare(password[:SIGNIFICANT], hashed) and name in hashes
        except BaseException as error:
            self._attempts.take_back(address)
            running.set_exception(error)
            raise
        finally:
            del self._running[mark]
        if is_right:
            self._attempts.take_back(address)
            self._remember(mark)
        running.set_result(is_right)
        return is_right

    def _mark(self, name: str, password: bytes, hashed: bytes) -> bytes:
        if self._key is None:  # made here, so that it is another one in each process
            self._key = secrets.token_bytes(32)
        whole = b"%b\0%b\0%b" % (hashed, name.encode(), password)  # no NUL in the first two
        return hmac.digest(self._key, whole, "sha256")

    def _is_remembered(self, mark: bytes) -> bool:
        verified = self._verified.get(mark)
        if verified is None:
            return False
        if self._clock() - verified >= REMEMBERED:
            del self._verified[mark]
            return False
        self._verified.move_to_end(mark)
        return True

    def _remember(self, mark: bytes) -> None:
        self._verified[mark] = self._clock()
        if len(self._verified) > MEMORY:
            self._verified.popitem(last=False)


def _compare(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password, hashed)
    except ValueError:  # what looks like a hash and is none
        return False


def _nobodys(hashes: Mapping[str, bytes]) -> bytes:
    """Return a hash of no password, whose check takes as long as one of those in the file."""
    costs = max(map(cost, hashes.values()), default=_DEFAULT_COST)
    return b"$2b$%02d$" % costs + b"." * 53
