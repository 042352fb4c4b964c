"""How many answers may be in progress at a time, so that no client takes all places.

An answer is in progress from its request until the client has taken all of it. A client is a name
that signed in, or else an address. Event streams are not counted here: they have limits of their
own.

Promises, for each kind of client with its `Bound`: no client has more than ``each`` answers in
progress, and all clients together have no more than ``whole``. If there is no place, the answer
that has been in progress longest is cut off to make room, if it has been in progress for at least
``patience`` seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from canary.clock import CLOCK, Clock
from canary.server.problems import Crowded, TooOften

RETRY_AFTER: Final = 1.0  # seconds; an answer usually takes less


@dataclass(frozen=True, slots=True)
class Bound:
    """How many answers may be in progress. If ``patience`` is None, none is cut off."""

    whole: int
    each: int
    patience: float | None = None


#: Clients that have to sign in and have not. They get the page's files, and 401 for all else.
STRANGERS: Final = Bound(whole=60, each=30, patience=5.0)
#: Clients that signed in, or need not. An answer may wait for MongoDB, so none is cut off.
KNOWN: Final = Bound(whole=140, each=100)
#: /livez and /readyz: a supervisor that restarts a server without an answer must get one.
HEALTH: Final = Bound(whole=20, each=20, patience=1.0)

ANSWERS: Final = STRANGERS.whole + KNOWN.whole + HEALTH.whole


@dataclass(eq=False, slots=True)
class _Place:
    client: str
    begun: float
    cut: Callable[[], None]


class Places:
    """The answers in progress of one kind of client."""

    def __init__(self, bound: Bound, clock: Clock = CLOCK) -> None:
        self._bound, self._clock = bound, clock
        self._taken: dict[_Place, None] = {}  # in the order in which they began
        self._counts: dict[str, int] = {}

    def take(self, client: str, cut: Callable[[], None]) -> Callable[[], None]:
        """Take a place; return a function to call, once or more, when the answer is over.

        ``cut`` cuts the answer off. Raises TooOften if the client has too many answers in progress,
        and Crowded if all clients together have too many.
        """
        now = self._clock.elapsed()
        if self._counts.get(client, 0) >= self._bound.each:
            oldest = next(place for place in self._taken if place.client == client)
            if not self._make_room(oldest, now):
                raise self.refusal
        elif len(self._taken) >= self._bound.whole and not self._make_room(
            next(iter(self._taken)), now
        ):
            raise Crowded("Too many responses are in progress; try again later")
        place = _Place(client, now, cut)
        self._taken[place] = None
        self._counts[client] = self._counts.get(client, 0) + 1
        return lambda: self._leave(place)

    @property
    def refusal(self) -> TooOften:
        """The error for a client that has too many answers in progress."""
        return TooOften(
            f"{self._bound.each} responses to this client are in progress: read them before "
            "sending more requests",
            RETRY_AFTER,
        )

    def is_full(self, client: str) -> bool:
        """Return whether `take` would refuse this client because of its own answers."""
        if self._counts.get(client, 0) < self._bound.each:
            return False
        oldest = next(place for place in self._taken if place.client == client)
        patience = self._bound.patience
        return patience is None or self._clock.elapsed() - oldest.begun < patience

    def _make_room(self, oldest: _Place, now: float) -> bool:
        patience = self._bound.patience
        if patience is None or now - oldest.begun < patience:
            return False
        self._leave(oldest)
        oldest.cut()
        return True

    def _leave(self, place: _Place) -> None:
        if place not in self._taken:
            return
        del self._taken[place]
        left = self._counts[place.client] - 1
        if left:
            self._counts[place.client] = left
        else:
            del self._counts[place.client]
