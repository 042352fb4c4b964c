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
        "The boards that canary-producer registers when it is run without words, as from cron. "
        "A path that has a comma in it can only be given to `canary-producer add`.",
    )
    interval: int = option(
        3600,
        Whole(1, MAX_TTL, unit="seconds"),
        "How long /v1.0/jobs goes on listing a job that has ended, unless the request says.",
    )
    jobboard: str = option(
        "/canary/jobs",
        kinds.BOARD,
        "Canary's own jobboard, on which each watched board is a job. All workers of one "
        "installation share it.",
    )
    name: str = option(
        "canary",
        kinds.WORKER_NAME,
        "The name with which a worker registers as a TaskFlow conductor and claims watch jobs.",
    )
    max_boards: int = option(
        1000, Whole(1, 1_000_000), "How many boards one worker watches at the same time."
    )
    reconcile_interval: float = option(
        60.0,
        Decimal(1, 86_400, unit="seconds"),
        "How often all of a board is read again and compared with what is stored of it. There is "
        "no difference unless Canary has a defect; one is mended, counted and logged.",
    )
