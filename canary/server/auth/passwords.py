"""Whether a password is that of a name, with as few bcrypt checks as possible.

A bcrypt check takes up to a second of CPU time, on purpose. So a password that was verified is
remembered for ``REMEMBERED`` seconds, under a keyed hash with a random key of this process: neither
the memory nor its order reveals a password. Requests with the same password at the same time wait
for one check. A change of the file takes effect at once, because the name's hash in the file is
part of what is remembered.

Promises: bcrypt runs in threads of its own, ``THREADS`` at a time, while everything else goes on.
At most ``WAITING`` checks wait. Each check takes as much work as one of the highest cost in the
file, whatever the cost of the name's own hash, and also if the name is not in the file. After too
many wrong passwords from an address, only remembered passwords are accepted from it.
"""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import bcrypt
from gevent.threadpool import ThreadPool

from canary.clock import CLOCK, Clock
from canary.server.auth.attempts import Attempts
from canary.server.auth.htpasswd import cost
from canary.server.auth.kept_file import KeptFile
from canary.server.problems import Crowded
from canary.single_flight import SingleFlight

REMEMBERED: Final = 300.0  # seconds
MEMORY: Final = 1_000  # passwords
THREADS: Final = 2
WAITING: Final = 64  # checks
SIGNIFICANT: Final = 72  # bytes of a password; htpasswd and bcrypt ignore the rest

_DEFAULT_COST: Final = 10

Compare = Callable[[bytes, bytes], bool]


class Bcrypt:
    """Compares passwords with hashes, in threads of its own that start with the first check."""

    def __init__(self) -> None:
        self._pool: ThreadPool | None = None
        self._waiting = 0

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        """Return whether ``password`` matches ``hashed``. Raises Crowded if ``WAITING`` wait."""
        if self._waiting >= WAITING:
            raise Crowded("Too many clients are signing in at the same time; try again later")
        if self._pool is None:
            self._pool = ThreadPool(THREADS)
        self._waiting += 1
        try:
            return bool(self._pool.apply(_compare, (password, hashed)))
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.kill()
            self._pool = None


class Passwords:
    """The passwords of an htpasswd file. ``compare`` returns whether a password matches a hash."""

    def __init__(
        self,
        file: KeptFile[Mapping[str, bytes]],
        compare: Compare,
        attempts: Attempts,
        clock: Clock = CLOCK,
    ) -> None:
        self._file, self._compare, self._attempts, self._clock = file, compare, attempts, clock
        self._key: bytes | None = None
        self._verified: OrderedDict[bytes, float] = OrderedDict()  # when each one was verified
        self._made_of: Mapping[str, bytes] = {}  # the content that _nobodys was made for
        self._nobodys = _nobodys(self._made_of)
        self._checks: SingleFlight[bool] = SingleFlight()

    def verify(self, name: str, password: bytes, address: str) -> bool:
        """Return whether ``password`` is that of ``name``. The attempt counts for ``address``.

        Raises TooOften after too many wrong passwords from ``address``, and Crowded if too many
        checks wait.
        """
        hashes = self._file.content
        nobodys = self._nobodys_of(hashes)
        hashed = hashes.get(name) or nobodys
        mark = self._mark(name, password, hashed)
        if self._is_remembered(mark):
            return True

        def check() -> bool:
            significant = password[:SIGNIFICANT]
            is_right = self._compare(significant, hashed) and name in hashes
            # Each step of the cost doubles the work, so these checks add up to the difference.
            for step in range(cost(hashed), cost(nobodys)):
                self._compare(significant, _dummy(step))
            return is_right

        return self._checks.do(mark, partial(self._attempt, mark, address, check))

    def _attempt(self, mark: bytes, address: str, check: Callable[[], bool]) -> bool:
        """Return what ``check`` returns, and count it for ``address`` if that is False."""
        self._attempts.begin(address)
        try:
            is_right = check()
        except BaseException:
            self._attempts.take_back(address)
            raise
        if is_right:
            self._attempts.take_back(address)
            self._remember(mark)
        return is_right

    def _nobodys_of(self, hashes: Mapping[str, bytes]) -> bytes:
        """Return the hash to check for names that are not in the file.

        It is made once per content, because finding the highest cost takes time as well.
        """
        if hashes is not self._made_of:
            self._nobodys, self._made_of = _nobodys(hashes), hashes
        return self._nobodys

    def _mark(self, name: str, password: bytes, hashed: bytes) -> bytes:
        if self._key is None:  # made here, so that each process has its own
            self._key = secrets.token_bytes(32)
        whole = b"%b\0%b\0%b" % (hashed, name.encode(), password)  # no NUL in the first two
        return hmac.digest(self._key, whole, "sha256")

    def _is_remembered(self, mark: bytes) -> bool:
        verified = self._verified.get(mark)
        if verified is None:
            return False
        if self._clock.elapsed() - verified >= REMEMBERED:
            del self._verified[mark]
            return False
        self._verified.move_to_end(mark)
        return True

    def _remember(self, mark: bytes) -> None:
        self._verified[mark] = self._clock.elapsed()
        if len(self._verified) > MEMORY:
            self._verified.popitem(last=False)


def _compare(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password, hashed)
    except ValueError:  # looks like a hash, but is not a valid one
        return False


def _nobodys(hashes: Mapping[str, bytes]) -> bytes:
    """Return a hash that no password matches, and whose cost is the highest in ``hashes``."""
    return _dummy(max(map(cost, hashes.values()), default=_DEFAULT_COST))


def _dummy(costs: int) -> bytes:
    """Return a hash that no password matches, with this cost."""
    return b"$2b$%02d$" % costs + b"." * 53
