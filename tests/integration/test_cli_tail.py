"""``canary tail`` against a real server: its lines, its end, the server's end."""

import json
import signal
from typing import Any

import pytest
from pymongo.database import Database

from canary.model.freshness import Freshness
from tests.integration.conftest import Spawn
from tests.integration.test_server import Server
from tests.integration.written_board import WrittenBoard, ago, now, posted
from tests.programs import COMMANDS
from tests.waiting import eventually


class TestLines:
    @pytest.fixture
    def written(self, database: Database[dict[str, Any]]) -> WrittenBoard:
        written = WrittenBoard(database, watched_since=ago(60))
        written.beat()
        return written

    def test_gaps_and_freshness(self, spawn: Spawn, written: WrittenBoard) -> None:
        server = Server(spawn)
        other = WrittenBoard(written.database, "/other", freshness=Freshness.SUSPENDED)
        tail = spawn("canary", "tail", CANARY_URL=server.address)
        eventually(lambda: "/other  suspended" in tail.output, why="what is not live is told first")
        assert "/lbaas/jobs" not in tail.output
        written.write(posted(1, now()))
        written.gap(ago(9), ago(5), 3, None)
        other.mark(Freshness.LIVE, now())
        eventually(lambda: "gap" in tail.output and "was suspended" in tail.output)
        lines = {line.split()[2]: line for line in tail.output.splitlines() if line[0] != " "}
        assert "build 1  uuid-1" in lines["posted"]
        assert lines["gap"].endswith(
            "3 creates, an unknown number of deletes not seen one by one: coalesced, within 4.0s"
        )
        assert lines["live"].split()[1:] == ["/other", "live", "was", "suspended"]

    def test_who_reads_no_more_ends_it_quietly(self, spawn: Spawn, written: WrittenBoard) -> None:
        server = Server(spawn)
        words = f"{COMMANDS / 'canary'} tail -f json --url {server.address}"
        script = f"{words} | head -1; echo ${{PIPESTATUS[0]}}"
        shell = spawn("/bin/bash", "-c", script)
        numbers = iter(range(1, 1_000))

        def has_ended() -> bool:
            written.write(posted(next(numbers), now()))  # it notices when it writes
            return shell.process.poll() is not None

        eventually(has_ended)
        first, status = shell.output.splitlines()
        assert json.loads(first)["event"] == "board"
        assert status == "141"

    def test_a_server_that_ends_is_no_reason_to_end(
        self, spawn: Spawn, written: WrittenBoard
    ) -> None:
        server = Server(spawn)
        tail = spawn("canary", "tail", CANARY_URL=server.address)
        eventually(lambda: server.listeners() == 1, why="it listens")
        written.write(posted(1, now()))
        eventually(lambda: "posted" in tail.output)
        assert server.command.end() == 0
        eventually(lambda: "disconnected since" in tail.output)
        assert tail.process.poll() is None
        assert tail.end(signal.SIGINT) == 130
        assert "Traceback" not in tail.output
