"""What one option is, and how it is written as a dataclass's field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from canary.config.kinds import Kind, Text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """What is known of one option; `needs` names another of its group that must be set with it."""

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
    def variable(self) -> str:
        """The environment variable that sets it, named as oslo.config does."""
        return f"OS_{self.group}__{self.name}".upper()


def option(
    default: T, kind: Kind, text: str, *, secret: bool = False, needs: str | None = None
) -> T:
    """Return the field of an option of that default, kind and help text."""
    about = {"kind": kind, "help": text, "secret": secret, "needs": needs}
    value: T = field(default=default, metadata=about, repr=not secret)
    return value


def secret(text: str, *, needs: str) -> str | None:
    """Return the field of a password."""
    return option(None, Text("text"), text, secret=True, needs=needs)
