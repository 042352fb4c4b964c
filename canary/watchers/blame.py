"""The reason for what the next round of a watch finds unseen."""

from canary.model.changes import Reason


class Blame:
    """The reason of one watch. ``reason`` is the reason that it begins with.

    ``Reason.ERA`` stays until a round has recorded it: until then the counters can't be compared.
    """

    def __init__(self, reason: Reason) -> None:
        self.reason = reason

    def put_on(self, reason: Reason) -> None:
        """Use this reason from now on."""
        if self.reason is not Reason.ERA:
            self.reason = reason

    def take(self) -> Reason:
        """Return the reason for what was unseen until now, and reset it to ``COALESCED``."""
        reason, self.reason = self.reason, Reason.COALESCED
        return reason

    def give_back(self, reason: Reason) -> None:
        """Restore a reason from ``take``, because what was unseen is not recorded yet."""
        if reason is Reason.ERA or self.reason is Reason.COALESCED:
            self.reason = reason
