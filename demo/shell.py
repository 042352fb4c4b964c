"""What another shell has to be told before ``canary``, ``canary doctor`` and curl find the demo."""

import re
import shlex
from collections.abc import Mapping

# Where the servers are, and which of their databases and boards are the demo's. The server's own
# options are its alone; no password is shown.
_TOLD = re.compile(r"OS_(CANARY|CASSANDRA|MONGO|ZOOKEEPER)__(?!\w*PASSWORD)\w+")


def export(address: str, environment: Mapping[str, str]) -> str:
    """Return one line for a shell: the server's ``address``, and Canary's options that are set."""
    told = {"CANARY_URL": address.rstrip("/")}
    told |= {name: environment[name] for name in sorted(environment) if _TOLD.fullmatch(name)}
    return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in told.items())
