"""Reads files and environment variables into a checked `Config`, or raises a ConfigError.

Files are in oslo.config's INI format, and are read by its parser. If there are several, later files
win over earlier ones. The environment (`OS_<GROUP>__<OPTION>`) wins over all files, even if a
variable is empty. oslo's ConfigOpts is not used for this. Unlike ConfigOpts, `load`

- refuses options that it does not know, in files and among the variables of Canary's own groups;
- takes `$` literally: ConfigOpts would change or refuse a password that contains one;
- says which file or variable a wrong value came from, and never shows a secret;
- reads each file once, so that it may be a pipe, and reads no remote source (`config_source`).

Nothing is cached: each call reads everything again.
"""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from oslo_config import cfg, iniparser

from canary.config.board_path import shown
from canary.config.option import Option
from canary.config.options import GROUPS, Config, options
from canary.config.text_file import decoded
from canary.errors import ConfigError, UsageError
from canary.terminal import redecoded

SEARCHED = (
    "~/.canary/canary.conf",
    "~/canary.conf",
    "/etc/canary/canary.conf",
    "/etc/canary.conf",
)


class _Found(NamedTuple):
    text: str
    origin: str


def parser(prog: str, description: str) -> argparse.ArgumentParser:
    """Return a parser with --config-file (a list, in `config_files`), --version and --help."""
    made = argparse.ArgumentParser(prog=prog, description=description)
    made.add_argument(
        "--config-file",
        action="append",
        default=[],
        dest="config_files",
        metavar="PATH",
        help="read options from this file; can be repeated, later files win "
        f"(default: the first of these that exists: {', '.join(SEARCHED)})",
    )
    made.add_argument(
        "--version", action="version", version=f"%(prog)s {version('canary-monitor')}"
    )
    return made


def load(config_files: Sequence[str] = (), *, environ: Mapping[str, str] | None = None) -> Config:
    """Return all options, checked. Raises ConfigError.

    They come from `config_files`, or else the first default file that exists, and from `environ`,
    or else this process's environment.
    """
    environ = os.environ if environ is None else environ
    known = {(group, each.name): each for group in GROUPS for each in options(group)}
    found: dict[tuple[str, str], _Found] = {}
    for path in files(config_files):
        found.update(_from_file(path, known))
    found.update(_from_environment(environ, known))
    values: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    for key, option in known.items():
        values[option.group][option.name] = _value(option, found.get(key))
    config = Config(**{group: GROUPS[group](**values[group]) for group in GROUPS})
    for option in known.values():
        _check_needs(option, values[option.group])
    _check_rules(config)
    return config


def files(config_files: Sequence[str] = ()) -> list[str]:
    """Return the paths of the files that `load` reads, in order."""
    return [_expanded(path) for path in config_files or _default_files()]


def _default_files() -> list[str]:
    return [path for path in map(_expanded, SEARCHED) if os.path.lexists(path)][:1]


def _expanded(path: str) -> str:
    return os.path.expanduser(path)  # noqa: PTH111 -- Path's raises if there is no home directory


def _from_file(path: str, known: Mapping[tuple[str, str], Option]) -> dict[tuple[str, str], _Found]:
    found: dict[tuple[str, str], _Found] = {}
    for section, assignments in _parse(path).items():
        group = section if section == "DEFAULT" else section.lower()  # as oslo.config does
        if group not in GROUPS and (group != "DEFAULT" or assignments):
            raise ConfigError(
                f"{path}: Canary has no group [{section}]{_nearest(group, GROUPS)}. "
                f"Its groups are {', '.join(GROUPS)}."
            )
        names = [name for of_group, name in known if of_group == group]
        for name, texts in assignments.items():
            option = known.get((group, name))
            if option is None:
                raise ConfigError(
                    f"{path}: there is no option [{group}] {name}{_nearest(name, names)}.",
                    option=f"[{group}] {name}",
                )
            if len(texts) > 1 or (group, name) in found:
                raise ConfigError(
                    f"{path}: {option} is set more than once. Keep one of the lines. If the "
                    "option is a list, separate its values by commas.",
                    option=str(option),
                    allowed=option.kind.allowed,
                )
            found[group, name] = _Found(texts[0], path)
    return found


def _parse(path: str) -> dict[str, dict[str, list[str]]]:
    sections: dict[str, dict[str, list[str]]] = {}
    try:
        # The parser's own `parse` would decode the file by the locale.
        with open(path, "rb") as file:  # noqa: PTH123 -- Path would normalize the name
            text = decoded(file.read())
        iniparser.BaseParser.parse(cfg.ConfigParser(path, sections), text.split("\n"))
    except cfg.ParseError as error:
        # The line itself may hold a secret, so neither the message nor a traceback shows it.
        if error.msg.startswith("Section must be started"):  # its line number is one too high
            raise ConfigError(
                f"{path}: an option comes before the first group. Put the line with its group, such"
                " as [server], before it."
            ) from None
        raise ConfigError(f"{path}, line {error.lineno}: {error.msg}.") from None
    except FileNotFoundError:
        raise ConfigError(
            f"The configuration file {path} does not exist. Create it, or correct --config-file."
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not a text file in UTF-8. Save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"The configuration file {shown(path)} cannot be read: {reason}."
        ) from None
    return sections


def _from_environment(
    environ: Mapping[str, str], known: Mapping[tuple[str, str], Option]
) -> dict[tuple[str, str], _Found]:
    variables = {option.variable: key for key, option in known.items()}
    prefixes = tuple(f"OS_{group.upper()}__" for group in GROUPS)
    found: dict[tuple[str, str], _Found] = {}
    for name, text in environ.items():
        if name in variables:
            option = known[variables[name]]
            # Spaces around a value are removed, as in files, but not around a password. A line
            # break at its end comes from the file that the variable was filled from.
            line = redecoded(text).rstrip("\r\n")
            value = line if option.is_password else line.strip()
            found[variables[name]] = _Found(value, f"environment variable {name}")
        elif name.startswith(prefixes):
            raise ConfigError(
                f"The environment variable {shown(name)} is not an option of Canary"
                f"{_nearest(name, variables)}. Variables that begin with {', '.join(prefixes)} "
                "are read as Canary's options. Correct the name, or unset the variable."
            )
    return found


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.replace("-", "_"), list(names), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _value(option: Option, found: _Found | None) -> Any:
    if found is None or (option.default is None and not found.text.strip()):
        return option.default
    try:
        value = option.kind(found.text)
    except ValueError as error:
        reason = error.__cause__ if isinstance(error.__cause__, UsageError) else None
        text = None if option.secret else found.text
        if option.secret and reason is not None and found.text in str(reason):
            reason = None
        raise ConfigError(
            f"{option} from {found.origin} "
            + ("is wrong" if text is None else f"is {shown(text)}")
            + ("" if reason is None else f": {reason}")
            + f". Allowed: {option.kind.allowed}.",
            option=str(option),
            value=text,
            allowed=option.kind.allowed,
        ) from None
    return tuple(value) if isinstance(value, list) else value


def _check_needs(option: Option, group: Mapping[str, Any]) -> None:
    if option.needs is not None and group[option.name] is not None and not group[option.needs]:
        raise ConfigError(
            f"{option} is set, but [{option.group}] {option.needs} is not. Set "
            f"{option.needs} too, or remove {option.name}.",
            option=str(option),
        )


def _check_rules(config: Config) -> None:
    """Check options whose valid values depend on others, also in other groups."""
    canary, mongo, cassandra = config.canary, config.mongo, config.cassandra
    for name, least, ttl, of in (
        ("[mongo] change_ttl", canary.interval, mongo.change_ttl, "[canary] interval"),
        ("[mongo] ended_job_ttl", canary.interval, mongo.ended_job_ttl, "[canary] interval"),
        (
            "[cassandra] ttl",
            cassandra.checkpoint_interval,
            cassandra.ttl,
            "[cassandra] checkpoint_interval",
        ),
    ):
        if ttl < least:
            raise ConfigError(
                f"{name} is {ttl} s, less than {of} ({least} s). Raise it, or lower {of}.",
                option=name,
                value=str(ttl),
                allowed=f"at least {of}, {least} s",
            )
    if canary.jobboard in canary.path:
        raise ConfigError(
            f"[canary] path contains {canary.jobboard}, which is [canary] jobboard. Remove it "
            "from path: Canary's own board cannot be registered.",
            option="[canary] path",
            value=canary.jobboard,
        )
    if config.auth.user_header is not None and not config.server.trusted_proxies:
        raise ConfigError(
            f"[auth] user_header is {config.auth.user_header}, but [server] trusted_proxies is "
            "not set, so no proxy is trusted to send it. Set trusted_proxies to the proxy's "
            "address, or remove user_header.",
            option="[auth] user_header",
            value=config.auth.user_header,
        )
