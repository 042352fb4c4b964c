"""Warnings of loops that retry: each reason is logged once, and then once a minute.

If a server is away for an hour, the programs that wait for it must not fill their logs, but must
not fall silent either.
"""

import logging
import re
from collections.abc import Mapping
from typing import Final

from canary.clock import CLOCK, Clock

REPEAT: Final = 60.0  # seconds until a reason that still holds is logged again
MOST: Final = 16  # reasons that are remembered; if there are more, some are logged again early


class Complaint:
    """Logs why one loop does not succeed.

    Each message begins with ``begun``. ``extra`` is passed to the ``logging`` module.
    """

    def __init__(
        self,
        log: logging.Logger,
        begun: str,
        extra: Mapping[str, object] | None = None,
        clock: Clock = CLOCK,
    ) -> None:
        self._log, self._begun, self._extra, self._clock = log, begun, extra, clock
        self._said: dict[str, float] = {}  # when each reason was logged last

    def say(self, reason: object) -> None:
        """Log ``reason`` as a warning, unless it was logged within the last ``REPEAT`` seconds.

        Reasons that differ only in numbers count as the same. If a loop alternates between several
        reasons, each is logged: for example, a server may accept connections and then end them.
        """
        text = str(reason)
        told = re.sub(r"[0-9]+(\.[0-9]+)?", "0", text)
        now = self._clock.elapsed()
        last = self._said.get(told)
        if last is not None and now - last < REPEAT:
            return
        if len(self._said) >= MOST:
            self._said.clear()
        self._said[told] = now
        self._log.warning("%s: %s", self._begun, text, extra=self._extra)

    def over(self) -> bool:
        """Record that the loop has succeeded: the next reason will be logged at once.

        Returns whether a reason was given since the last success.
        """
        had, self._said = bool(self._said), {}
        return had
