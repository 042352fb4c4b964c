"""How a demo came out: Canary's record held against the ledgers, and printed."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymongo.database import Database

from demo import ledger, report
from demo.api import Api
from demo.latency import Latency
from demo.ledger import CLAIMED, DONE, POSTED, Record
from demo.progress import DemoError, say, show, until
from demo.recorded import Recorded
from demo.report import Comparison

CATCH_UP_LIMIT = 20.0  # seconds for Canary to have recorded everything
SAMPLES_LIMIT = 3.0  # seconds for the change stream to have told the last of them
QUIET = 1.0  # seconds without a change after which nothing more is expected


class Outcome:
    """One demo's. `ledgers` has each board's file, by the board's path."""

    def __init__(
        self, database: Database[dict[str, Any]], ledgers: Mapping[str, Path], api: Api
    ) -> None:
        self._ledgers, self._api = ledgers, api
        self._recorded = Recorded(database, ledgers.keys())
        self._latency = Latency(database, ledgers.keys())

    def open(self) -> None:
        """Begin to measure."""
        self._latency.open()

    def mark(self) -> None:
        """Leave out what Canary recorded before the load began."""
        self._recorded.mark()

    def close(self) -> None:
        """Measure no longer."""
        self._latency.close()

    async def tell(self) -> bool:
        """Wait until Canary has caught up, compare, print; whether all is well."""
        records = {path: ledger.read(file) for path, file in self._ledgers.items()}
        comparisons = await self._settled(records)
        expected = sum(
            count
            for comparison in comparisons
            for doing, count in comparison.recorded.items()
            if doing.kind in {POSTED, CLAIMED}
        )
        await self._all_samples(expected)
        lines = [line for comparison in comparisons for line in ("", *comparison.lines())]
        lines += ["", *report.latency_lines(self._latency.samples, expected)]
        if self._latency.failure:
            lines.append(f"    the change stream broke off: {self._latency.failure}")
        answers = [await self._answers(path, done) for path, done in records.items()]
        lines += ["", *(text for _, text in answers), ""]
        is_well = all(comparison.agrees for comparison in comparisons)
        is_well = is_well and all(answered for answered, _ in answers)
        lines.append(
            "Canary recorded all that the load did, and nothing else; nothing was unseen"
            if is_well
            else "FAILED: Canary's record and the load's differ, or something was unseen"
        )
        show(*lines)
        return is_well

    async def _settled(self, records: Mapping[str, list[Record]]) -> list[Comparison]:
        """Compare once nothing more comes: at best when all agree, and then for a while."""
        compared = await asyncio.to_thread(self._compare, records)
        since = time.monotonic()

        async def unsettled() -> str | None:
            nonlocal compared, since
            now = await asyncio.to_thread(self._compare, records)
            if now != compared:
                compared, since = now, time.monotonic()
            # What is missing is given all the time there is; what is there, a moment to be joined.
            missing = sum((each.did - each.recorded).total() for each in compared)
            if missing and time.monotonic() < since + CATCH_UP_LIMIT / 2:
                return f"{missing} of the load's doings are not recorded yet"
            return None if time.monotonic() > since + QUIET else "it still records"

        try:
            await until("Canary to catch up", unsettled, CATCH_UP_LIMIT)
        except DemoError as error:
            say(str(error))  # and the table shows what it is that is still missing
        return compared

    def _compare(self, records: Mapping[str, list[Record]]) -> list[Comparison]:
        recorded = self._recorded
        return [
            report.compare(path, done, recorded.doings(path), recorded.unseen(path))
            for path, done in records.items()
        ]

    async def _all_samples(self, expected: int) -> None:
        async def missing() -> str | None:
            left = expected - len(self._latency.samples)
            return f"{left} are missing" if left > 0 and not self._latency.failure else None

        # How many there are of how many is printed, so it need not be all of them.
        with contextlib.suppress(DemoError):
            await until("the change stream's last events", missing, SAMPLES_LIMIT)

    async def _answers(self, path: str, records: list[Record]) -> tuple[bool, str]:
        """Whether the API tells of each job that the load posted, as the load left it."""
        try:
            answered = await self._api.jobs(path)
        except (OSError, ValueError) as error:
            return False, f"{path}: {error}"
        still_there = ledger.open_jobs(records)
        posted = Counter(
            "as the load left it"
            if answered.get(each.uuid) == ("UNCLAIMED" if each.uuid in still_there else "COMPLETE")
            else f"{answered.get(each.uuid)}, unlike the load left it"
            for each in records
            if each.kind == POSTED and each.result == DONE
        )
        told = ", ".join(f"{count} {how}" for how, count in sorted(posted.items()))
        return len(posted) == 1 and "as the load left it" in posted, (
            f"/v1.0/jobs?path={path} answers with {len(answered)} jobs; of the load's: {told}"
        )
