"""From files and environment variables to a checked `Config`, or to a ConfigError that tells why.

Files are oslo.config's INI, read by its parser; of several, a later one wins over an earlier. The
environment (`OS_<GROUP>__<OPTION>`) wins over all files, an empty variable included. Unlike oslo's
ConfigOpts, which is not used for this, `load`

- refuses what it does not know, in files and among the variables of Canary's own groups;
- takes `$` as it stands: ConfigOpts would change or refuse a password that has one in it;
- says which file or variable a wrong value came from, and never shows a secret;
- reads each file once, so that it may be a pipe, and asks no remote source (`config_source`).

Nothing here is kept or cached: each call reads anew.
"""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from oslo_config import cfg

from canary.config.board_path import shown
from canary.config.option import Option
from canary.config.options import GROUPS, Config, options
from canary.errors import ConfigError, UsageError

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
    """A command line with --config-file (repeatable, in `config_files`), --version and --help."""
    made = argparse.ArgumentParser(prog=prog, description=description)
    made.add_argument(
        "--config-file",
        action="append",
        default=[],
        dest="config_files",
        metavar="PATH",
        help="read options from this file; may be repeated, the last one wins "
        f"(default: the first there is of {', '.join(SEARCHED)})",
    )
    made.add_argument(
        "--version", action="version", version=f"%(prog)s {version('canary-monitor')}"
    )
    return made


def load(config_files: Sequence[str] = (), *, environ: Mapping[str, str] | None = None) -> Config:
    """Every option, checked, from `config_files` (else the first default file) and `environ`."""
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
    """Return the files that `load` reads, in its order."""
    return [_expanded(path) for path in config_files or _default_files()]


def _default_files() -> list[str]:
    return [path for path in map(_expanded, SEARCHED) if os.path.lexists(path)][:1]


def _expanded(path: str) -> str:
    return os.path.expanduser(path)  # noqa: PTH111 -- Path's own raises where there is no home


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
                    f"{path}: {option} is there more than once. Keep one line; an option that "
                    "holds a list takes all of it in one, separated by commas.",
                    option=str(option),
                    allowed=option.kind.allowed,
                )
            found[group, name] = _Found(texts[0], path)
    return found


def _parse(path: str) -> dict[str, dict[str, list[str]]]:
    sections: dict[str, dict[str, list[str]]] = {}
    try:
        cfg.ConfigParser(path, sections).parse()
    except cfg.ParseError as error:
        # The line itself may hold a secret, so neither the message nor a traceback shows it.
        raise ConfigError(f"{path}, line {error.lineno}: {error.msg}.") from None
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration file {path}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not a text file in UTF-8.") from None
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
            found[variables[name]] = _Found(text, f"environment variable {name}")
        elif name.startswith(prefixes):
            raise ConfigError(
                f"The environment variable {shown(name)} sets no option of Canary"
                f"{_nearest(name, variables)}. Variables that begin with {', '.join(prefixes)} "
                "are read as Canary's options: mend its name or unset it."
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
        raise ConfigError(
            f"{option} from {found.origin} "
            + ("is wrong" if text is None else f"is {shown(text)}")
            + ("" if text is None or reason is None else f": {reason}")
            + f". Allowed: {option.kind.allowed}.",
            option=str(option),
            value=text,
            allowed=option.kind.allowed,
        ) from None
    return tuple(value) if isinstance(value, list) else value


def _check_needs(option: Option, group: Mapping[str, Any]) -> None:
    if option.needs is not None and group[option.name] is not None and not group[option.needs]:
        raise ConfigError(
            f"{option} is set, and [{option.group}] {option.needs} is not. Set that too, "
            f"or leave {option.name} out.",
            option=str(option),
        )


def _check_rules(config: Config) -> None:
    """What one option may be because of another, in other groups too."""
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
            f"[canary] path holds {canary.jobboard}, which is [canary] jobboard. Take it out: "
            "Canary does not watch its own board.",
            option="[canary] path",
            value=canary.jobboard,
        )
    if config.auth.user_header is not None and not config.server.trusted_proxies:
        raise ConfigError(
            f"[auth] user_header is {config.auth.user_header}, and [server] trusted_proxies names "
            "nobody from whom it would be believed. Set that to the proxy's address, or leave "
            "user_header out.",
            option="[auth] user_header",
            value=config.auth.user_header,
        )
