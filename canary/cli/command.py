"""What all commands share: a client of the server, and errors in one line."""

import argparse
from typing import TYPE_CHECKING, ClassVar, NoReturn

import cliff.command

from canary.cli.access import Access, access
from canary.cli.shown import printable

if TYPE_CHECKING:
    from canary.cli.client import Client


class Parser(argparse.ArgumentParser):
    """argparse's parser, whose error message is one line."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong with the command line, and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


class Command(cliff.command.Command):
    """The base of canary's commands, with its own parser and epilog.

    cliff's epilog would search all installed distributions for the plugin that a command comes
    from. That takes longer than everything else, and canary's commands have no plugins.
    """

    words: ClassVar[str] = "[options]"  # what follows the command's name in its usage
    epilog: ClassVar[str] = ""

    def get_epilog(self) -> str:
        """Return the last paragraph of the command's help."""
        return self.epilog

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command's own arguments."""
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
        """How to reach the server. Raises UsageError."""
        return access(self.app.options)

    _client: "Client | None" = None

    def client(self) -> "Client":
        """Return a client of the server, which ``close`` will close. Raises UsageError."""
        from canary.cli.client import Client  # noqa: PLC0415 -- slower than all other imports

        self._client = Client(self.access)
        return self._client

    def say(self, words: str) -> None:
        """Print ``words`` as a line on standard error, beside the output."""
        self.app.stderr.write(f"canary: {printable(words)}\n")
        self.app.stderr.flush()

    def close(self) -> None:
        """Close the connection to the server, if there is one."""
        if self._client is not None:
            self._client.close()
