"""What may go wrong with a question to the server, beside the question itself."""

from canary.errors import CanaryError


class Unanswered(CanaryError):  # noqa: N818 -- as the leaves of CanaryError
    """The server could not be asked, or failed; ``may_pass`` says whether it may answer later."""

    def __init__(self, message: str, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class NotFound(CanaryError):  # noqa: N818 -- the same
    """There is no such thing."""
