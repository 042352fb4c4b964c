"""The interface through which the broadcaster reports clients and events, to be counted."""

from typing import Final, Protocol


class Observer(Protocol):
    """Counts clients and the events that are sent to them. It must not block."""

    def came(self) -> None:
        """Count a new client."""

    def went(self) -> None:
        """Count a client whose stream has ended."""

    def dropped(self) -> None:
        """Count a client that was too slow; ``went`` is called for it, too."""

    def sent(self, events: int) -> None:
        """Count ``events`` events that are sent to one client."""


class _Nobody:
    def came(self) -> None:
        """Do nothing."""

    def went(self) -> None:
        """Do nothing."""

    def dropped(self) -> None:
        """Do nothing."""

    def sent(self, events: int) -> None:
        """Do nothing."""


NOBODY: Final[Observer] = _Nobody()
