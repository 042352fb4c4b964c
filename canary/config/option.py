"""One option, and how it is declared as a dataclass field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from canary.config.kinds import Kind, Text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `needs` names another option of its group that must be set, too."""

    group: str
    name: str
    default: Any
    kind: Kind
    help: str
    secret: bool
    needs: str | None

    def __str__(self) -> str:
        return f"[{self.group}] {self.name}"

    @property
    def is_password(self) -> bool:
        """Whether every character of its value counts, including spaces around it."""
        return self.secret and self.default is None

    @property
    def variable(self) -> str:
        """The environment variable that sets it, with the name that oslo.config gives it."""
        return f"OS_{self.group}__{self.name}".upper()


def option(
    default: T, kind: Kind, text: str, *, secret: bool = False, needs: str | None = None
) -> T:
    """Return the dataclass field of an option; `text` is its help."""
    about = {"kind": kind, "help": text, "secret": secret, "needs": needs}
    value: T = field(default=default, metadata=about, repr=not secret)
    return value


def secret(text: str, *, needs: str) -> str | None:
    """Return the dataclass field of a password; `text` is its help."""
    return option(None, Text("text"), text, secret=True, needs=needs)
