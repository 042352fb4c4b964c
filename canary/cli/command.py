"""What all commands have in common: where they get the server from, and how they refuse."""

import argparse
from typing import TYPE_CHECKING, ClassVar, NoReturn

import cliff.command

from canary.cli.access import Access, access

if TYPE_CHECKING:
    from canary.cli.client import Client


class Parser(argparse.ArgumentParser):
    """argparse's, that refuses in one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the words, and exit with 2."""
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help says what may be\n")


class Command(cliff.command.Command):
    """A command of canary's.

    cliff would look through every installed distribution to tell plugins from its own commands,
    which takes longer than all else; canary's commands have no plugins.
    """

    words: ClassVar[str] = "[options]"  # what stands behind the command's name
    epilog: ClassVar[str] = ""

    def get_epilog(self) -> str:
        """Return what help ends with."""
        return self.epilog

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command's own words."""
        return Parser(
            prog=prog_name,
            usage=f"{prog_name} {self.words}",
            description=self.get_description(),
            epilog=self.get_epilog(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    @property
    def access(self) -> Access:
        """Where the server is. Raises UsageError."""
        return access(self.app.options)

    _client: "Client | None" = None

    def client(self) -> "Client":
        """Return a client of the server. Raises UsageError."""
        from canary.cli.client import Client  # noqa: PLC0415 -- it takes longer than all the rest

        self._client = Client(self.access)
        return self._client

    def close(self) -> None:
        """Close the connection to the server, if there is one."""
        if self._client is not None:
            self._client.close()
