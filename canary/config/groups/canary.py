"""The options of `[canary]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.groups.mongo import MAX_TTL
from canary.config.kinds import Decimal, Whole, Words
from canary.config.option import option


@dataclass(frozen=True, slots=True)
class CanaryOptions:
    """What Canary watches, and how it runs its own jobs."""

    path: tuple[str, ...] = option(
        (),
        Words(kinds.BOARD, at_least=0),
        "The boards that canary-producer registers if it is run without a command, for example by "
        "cron. A path with a comma in it can only be registered with `canary-producer add`.",
    )
    interval: int = option(
        3600,
        Whole(1, MAX_TTL, unit="seconds"),
        "How long /v1.0/jobs lists a job after it has ended, if the request does not say how long.",
    )
    jobboard: str = option(
        "/canary/jobs",
        kinds.BOARD,
        "Canary's own jobboard, on which each watched board is a job. All workers of one "
        "installation share it. The last part of the path must not occur anywhere else in it: "
        "otherwise TaskFlow does not put .trash and .entities beside the board.",
    )
    name: str = option(
        "canary",
        kinds.WORKER_NAME,
        "The name under which a worker registers as a TaskFlow conductor and claims watch jobs.",
    )
    max_boards: int = option(
        1000, Whole(1, 1_000_000), "How many boards one worker watches at the same time."
    )
    reconcile_interval: float = option(
        60.0,
        Decimal(1, 86_400, unit="seconds"),
        "How often a whole board is read again and compared with what is stored. A difference is a "
        "defect of Canary; it is repaired, counted and logged.",
    )
    mask_keys: tuple[str, ...] = option(
        (),
        Words(kinds.MASK_KEY, at_least=0),
        "Keys in payloads whose values canary-worker masks, in addition to those that it always "
        "masks. Case and separators make no difference: snmp_community also matches snmpCommunity. "
        "A * at the beginning or the end matches anything: *_pin, license*. What was stored before "
        "is not changed.",
    )
