"""Canary's HTTP interface, as far as the demo asks it."""

import asyncio
import http.client
import json
from collections.abc import Collection
from typing import Any
from urllib.parse import quote

TIMEOUT = 10.0  # seconds for an answer


class Api:
    """canary-server at one address."""

    def __init__(self, host: str, port: int) -> None:
        # A server that listens on all addresses is reached on this one.
        self._host = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared
        self._port = port

    @property
    def address(self) -> str:
        """The dashboard's."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/"

    async def unready(self, paths: Collection[str]) -> str | None:
        """Return why it does not show all these boards live; None if it does."""
        try:
            status, answer = await self._get("/readyz")
            if status != http.client.OK:
                return f"/readyz is {status}: {answer}"
            status, answer = await self._get("/v2/boards?limit=1000")
        except OSError as error:
            return f"canary-server does not answer ({error.strerror or error})"
        if status != http.client.OK:
            return f"/v2/boards is {status}: {answer}"
        found = {board["path"]: board["freshness"] for board in answer["boards"]}
        states = {path: found.get(path, "unwatched") for path in sorted(paths)}
        others = [f"{path} is {state}" for path, state in states.items() if state != "live"]
        return ", ".join(others) or None

    async def jobs(self, path: str) -> dict[str, str]:
        """Return the status of each job of a board by its uuid. Raises ValueError if it can't."""
        status, answer = await self._get(f"/v1.0/jobs?path={quote(path, safe='')}")
        if status != http.client.OK:
            raise ValueError(f"/v1.0/jobs?path={path} is {status}: {answer}")
        [board] = answer
        jobs = board["jobs"]
        if board["job_count"] != len(jobs):
            raise ValueError(f"job_count is {board['job_count']}, and there are {len(jobs)} jobs")
        return {job["_uuid"]: job["status"] for job in jobs}

    async def _get(self, target: str) -> tuple[int, Any]:
        return await asyncio.to_thread(self._ask, target)

    def _ask(self, target: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT)
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"no answer in HTTP and JSON: {error}") from error
        finally:
            connection.close()
