"""What a client of the event stream is sent first: how every board is now, and MongoDB's absence.

It is not locked: the broadcaster, whose part it is, is.
"""

import threading

from canary.server.stream.encoding import EncodedEvent
from canary.server.stream.subscription import EventFilter, concerns
from canary.stores.changestream.events import Event


class Current:
    """The latest event of each board, and the one that says that MongoDB does not serve."""

    def __init__(self) -> None:
        self._boards: dict[str, EncodedEvent] = {}
        self._away: EncodedEvent | None = None
        #: Set once the feed has published every board.
        self.known = threading.Event()

    def set_board(self, event: Event, encoded: EncodedEvent) -> None:
        """Remember a board's latest event, or forget the board if that says that it is gone."""
        path = event.path or ""
        if event.board is None:
            self._boards.pop(path, None)
        else:
            self._boards[path] = encoded

    def set_store(self, event: Event, encoded: EncodedEvent) -> None:
        """Remember whether MongoDB serves the feed; if it does, every board has been published."""
        self._away = None if event.available else encoded
        if event.available:
            self.known.set()

    def first(self, wanted: EventFilter) -> list[EncodedEvent]:
        """Return what a client with this filter is sent first."""
        boards = [board for board in self._boards.values() if concerns(wanted, board)]
        return [*boards, *([self._away] if self._away else [])]

    @property
    def is_away(self) -> bool:
        """Whether MongoDB is known not to serve the feed."""
        return self._away is not None

    @property
    def is_served(self) -> bool:
        """Whether MongoDB answered the feed's last request."""
        return self.known.is_set() and self._away is None

    @property
    def why_away(self) -> str | None:
        """Why MongoDB does not serve the feed; None if it does, or if that is not known yet."""
        away = self._away
        return away.event.reason if away is not None and away.event is not None else None
