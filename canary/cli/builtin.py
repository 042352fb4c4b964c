"""cliff's commands ``help`` and ``complete``, adapted to canary."""

import argparse
from typing import Final

from cliff.complete import CompleteCommand
from cliff.help import HelpCommand

from canary.cli.command import Command
from canary.errors import UsageError

# Paths are compared and quoted literally: bash's ``compgen -W`` would expand what is in them.
_PATHS: Final = """\

_{function}_or_board()
{{
  local cur prev words path
  _get_comp_words_by_ref -n : cur prev words
  case "${{prev}}" in
    --path|--not-path)
      COMPREPLY=()
      while IFS= read -r path ; do
        if [[ ${{path}} == "${{cur}}"* ]] ; then
          COMPREPLY+=("$(printf '%q' "${{path}}")")
        fi
      done < <(command {name} boards --timeout 2 -f value -c path 2> /dev/null)
      ;;
    *)
      _{function}
      ;;
  esac
}}
complete -F _{function}_or_board {name}
"""


class Help(HelpCommand, Command):
    """Print the help of canary, or of one command."""

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print the help and return the exit status. Raises UsageError for an unknown command."""
        if not parsed_args.cmd:
            return self.app.run(["--help"])
        try:
            return super().take_action(parsed_args)
        except ValueError as error:
            raise UsageError(f"There is no command {' '.join(parsed_args.cmd)!a}") from error


class Complete(CompleteCommand, Command):
    """Print a script that completes commands, options and board paths in bash."""

    epilog = (
        "In ~/.bashrc, if the package bash-completion is installed: source <(canary complete)\n"
        "In ~/.zshrc, put this line before it: autoload -U bashcompinit && bashcompinit\n"
        "The paths of boards come from the server at CANARY_URL."
    )

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print the script and return the exit status."""
        status = super().take_action(parsed_args)
        if parsed_args.shell == "bash":
            name = parsed_args.name or self.app.NAME
            self.app.stdout.write(_PATHS.format(name=name, function=name.replace("-", "_")))
        return status
