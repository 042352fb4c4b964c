"""The demo's boards: whose they are, which jobs come up on them, and who works on these.

Each board has a parent of its own, because TaskFlow keeps the trash beside a board: two boards
under one parent would share it, and their jobs' numbers would collide there.
"""

from dataclasses import dataclass

Steps = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class JobKind:
    """A job that comes up again and again: its tasks, and how many seconds each takes."""

    name: str
    steps: Steps


@dataclass(frozen=True, slots=True)
class DemoBoard:
    """One board. Its conductors are named by it."""

    service: str
    path: str
    books: str  # where its jobs' logbooks are kept
    conductors: tuple[str, ...]
    kinds: tuple[JobKind, ...]


_OCTAVIA = (
    JobKind(
        "build-load-balancer",
        (("allocate-vip", 0.5), ("boot-amphora", 2.5), ("plug-network", 0.8)),
    ),
    JobKind("add-listener", (("render-haproxy", 0.6), ("reload-amphora", 0.9))),
    JobKind("replace-certificate", (("fetch-certificate", 0.7), ("reload-amphora", 0.9))),
    JobKind(
        "fail-over-amphora",
        (("boot-amphora", 1.8), ("move-vip", 0.6), ("delete-amphora", 0.8)),
    ),
    JobKind("delete-load-balancer", (("drain", 0.8), ("release-vip", 0.5))),
)
_POPPY = (
    JobKind(
        "publish-service",
        (("create-provider-services", 2.0), ("create-dns-mapping", 0.8), ("update-status", 0.5)),
    ),
    JobKind("purge-content", (("ask-providers", 0.6), ("wait-for-edges", 1.5))),
    JobKind("renew-certificate", (("order-certificate", 1.2), ("install-at-edge", 0.9))),
    JobKind("migrate-domain", (("verify-domain", 0.6), ("switch-dns", 1.0), ("clean-up", 0.5))),
    JobKind("delete-service", (("delete-dns-mapping", 0.7), ("delete-provider-services", 1.1))),
)
SERVICES = {"octavia": _OCTAVIA, "poppy": _POPPY}


def board(prefix: str, service: str) -> DemoBoard:
    """Return the board of a service of `SERVICES`, below `prefix`."""
    parent = f"{prefix}/{service}"
    return DemoBoard(
        service,
        f"{parent}/jobs",
        f"{parent}/logbooks",
        tuple(f"{service}-conductor-{number}" for number in (1, 2)),
        SERVICES[service],
    )


def boards(prefix: str) -> tuple[DemoBoard, ...]:
    """Return all of them."""
    return tuple(board(prefix, service) for service in SERVICES)
