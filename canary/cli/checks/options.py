"""Canary's options: whether they are valid, and where they come from."""

from collections.abc import Iterator, Mapping, Sequence

from canary.cli.checks.finding import Finding, failed, ok, warning
from canary.config import Config, files, load, tls
from canary.config.loading import SEARCHED
from canary.config.options import GROUPS
from canary.errors import ConfigError
from canary.stores.mongo import client as mongo


def read(
    config_files: Sequence[str], environ: Mapping[str, str]
) -> tuple[Config | None, list[Finding]]:
    """Return the options, or None if something is wrong with them, and the findings."""
    try:
        config = load(config_files, environ=environ)
        tls.check(config)
        mongo.check(config.mongo)
    except ConfigError as error:
        advice = "fix this: none of Canary's programs starts with these options"
        return None, [failed(str(error), advice)]
    return config, list(_sources(config_files, environ))


def _sources(config_files: Sequence[str], environ: Mapping[str, str]) -> Iterator[Finding]:
    found = files(config_files)
    where = ", ".join(found) if found else f"no file (none of {', '.join(SEARCHED)} exists)"
    prefixes = tuple(f"OS_{group.upper()}__" for group in GROUPS)
    variables = sorted(name for name in environ if name.startswith(prefixes))
    beside = f", and from the environment: {', '.join(variables)}" if variables else ""
    yield ok(f"read from {where}{beside}; all are valid")
    if not found and not variables:
        yield warning(
            "every option has its default, so all servers are expected on this machine",
            "if they are elsewhere, write /etc/canary/canary.conf, or use --config-file",
        )
