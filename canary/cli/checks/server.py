"""canary-server: whether it answers, whether it is ready, and whether it accepts the sign-in."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any, Final

from canary.cli.access import Access
from canary.cli.checks.finding import Finding, failed, ok, warning
from canary.cli.client import Client

TIMEOUT: Final = 5.0  # seconds; its own checks take two and a half at most
PARTS: Final = ("mongodb", "zookeeper", "cassandra")
HOW_TO_REACH: Final = "start canary-server, or set its address with --url or CANARY_URL"


@contextmanager
def opened(access: Access) -> Iterator[Client]:
    """Give a client of the server. Raises UsageError."""
    with closing(Client(replace(access, timeout=min(access.timeout, TIMEOUT)))) as client:
        yield client


def check(client: Client) -> Iterator[Finding]:
    """Ask whether the server is ready, and then for something that may need a sign-in."""
    ready = client.get("/readyz", statuses=(503,))
    for name in PARTS:
        part: Any = ready.get(name)
        if isinstance(part, dict) and not part.get("ready"):
            reason = part.get("reason", "sign in to see the reason")
            words = f"{client.url} does not reach {name}: {reason}"
            advice = f"see {name} above; if there is no problem there, read the server's log"
            # Without MongoDB, the server can't answer requests.
            yield failed(words, advice) if name == "mongodb" else warning(words, advice)
    if ready.get("ready"):
        client.get("/v2/boards", [("limit", "1")])
        yield ok(f"{client.url} is ready and answers requests")
