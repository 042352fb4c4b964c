"""Errors of a request to the server, except for wrong requests, which are UsageErrors."""

from canary.errors import CanaryError


class Unanswered(CanaryError):  # noqa: N818 -- as the leaves of CanaryError
    """The server could not be reached, refused, or failed.

    ``may_pass`` is whether a retry may succeed, ``wait`` how many seconds the server asks to wait
    before it.
    """

    def __init__(self, message: str, *, may_pass: bool = False, wait: float = 0.0) -> None:
        super().__init__(message)
        self.may_pass, self.wait = may_pass, wait


class NotFound(CanaryError):  # noqa: N818 -- the same
    """What was asked for does not exist."""
