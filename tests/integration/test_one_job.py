"""One job: found whatever it is called, and told from its beginning to its end, however long."""

import json
import time
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from pymongo.database import Database

from canary.config import Config
from canary.server.representation import iso
from canary.server.v2.schemas import JobAnswer
from canary.stores.mongo.documents import Document
from canary.stores.queries.jobs_at import Queries
from tests.integration.conftest import Spawn
from tests.integration.test_cli import Run
from tests.integration.test_server import Registered, Server, client_of
from tests.integration.written_board import (
    WrittenBoard,
    abandoned,
    ago,
    claimed,
    name_of,
    now,
    posted,
)

PATH = "/lbaas/jobs"
STRANGE = [
    *("..", ".", "...", "../..", "../boards", "a//b", "//", "/", "/a", "a/", "a/./b", "a/../b"),
    *("a?b", "a#b", "a%2Fb", "%2e%2e", "a b", " a ", "a+b", "a\nb", "\t", "\U0001f600", "é"),
    *("e\u0301", "a&path=/x", "a;b", "a\\b", name_of(1), "--path", "-", "changes", "a" * 99),
]  # fmt: skip


@pytest.fixture
def client(config: Config, connected: Database[Document]) -> FlaskClient:
    return client_of(config, Queries(connected, timedelta(days=7)), Registered())


@pytest.fixture
def board(database: Database[Document], client: FlaskClient) -> WrittenBoard:
    assert client
    return WrittenBoard(database, PATH)


def called(uuid: str) -> bytes:
    return json.dumps({"uuid": uuid, "name": "n", "details": {}}).encode()


@pytest.fixture
def strange(board: WrittenBoard) -> dict[str, str]:
    """Jobs with strange uuids; returns each one's znode."""
    board.write(*(posted(n, ago(60), called(uuid)) for n, uuid in enumerate(STRANGE, 1)))
    return {uuid: name_of(n) for n, uuid in enumerate(STRANGE, 1)}


def told(client: FlaskClient, where: str, **query: Any) -> dict[str, Any]:
    answer = client.get(where, query_string=query)
    assert answer.status_code == 200, answer.text
    JobAnswer.model_validate(answer.json)
    return dict(answer.get_json())


class TestNames:
    def test_each_is_found_by_a_query(self, client: FlaskClient, strange: dict[str, str]) -> None:
        for uuid, znode in strange.items():
            for more in ({}, {"path": PATH, "znode": znode}):
                asked = more or {"uuid": uuid}
                found = told(client, "/v2/job", **asked)["job"]
                assert (found["uuid"], found["znode"]) == (uuid, znode)

    def test_each_is_found_by_a_path_where_nobody_changes_it(
        self, client: FlaskClient, strange: dict[str, str]
    ) -> None:
        for uuid, znode in strange.items():
            found = told(client, f"/v2/jobs/{quote(uuid, safe='')}")["job"]
            assert (found["uuid"], found["znode"]) == (uuid, znode)

    def test_a_board_that_was_made_anew_gives_a_name_again(
        self, client: FlaskClient, board: WrittenBoard, database: Database[Document]
    ) -> None:
        """Not even the uuid tells them apart, which a hand may post again."""
        times = [ago(50), ago(40), ago(30)]
        board.write(posted(1, times[2], called("same")))
        [newest] = database.jobs.find()
        for czxid, at in enumerate(times[:2]):
            database.jobs.insert_one(newest | {"_id": f"{newest['_id']}-{czxid}", "posted_at": at})
        moments = [iso(at) for at in times]
        names = (
            {"uuid": "same"},
            {"uuid": "same", "path": PATH},
            {"znode": name_of(1), "path": PATH},
        )
        for name in names:
            assert told(client, "/v2/job", **name)["job"]["posted_at"] == moments[2]
            for moment in moments:
                found = told(client, "/v2/job", **name, posted_at=moment)
                assert found["job"]["posted_at"] == moment
                others = [other["posted_at"] for other in found["others"]]
                assert others == sorted({*moments} - {moment}, reverse=True)
        found = told(client, "/v2/jobs/same", posted_at=moments[0])
        assert found["job"]["posted_at"] == moments[0]
        gone = client.get("/v2/job", query_string={"uuid": "same", "posted_at": iso(ago(60))})
        assert gone.status_code == 404
        assert "that was posted at" in gone.get_json()["detail"]

    def test_a_uuid_that_is_another_s_znode(self, client: FlaskClient, board: WrittenBoard) -> None:
        board.write(posted(1, ago(50), called("first")), posted(2, ago(40), called(name_of(1))))
        [first, second] = name_of(1), name_of(2)
        assert told(client, "/v2/job", uuid=first)["job"]["znode"] == second
        both = told(client, "/v2/job", uuid=first, path=PATH)
        assert both["job"]["znode"] == second
        assert [(other["znode"], other["uuid"]) for other in both["others"]] == [(first, "first")]
        for znode in (first, second):
            one = told(client, "/v2/job", znode=znode, path=PATH)
            assert (one["job"]["znode"], one["others"]) == (znode, [])

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("", "Which job? Give either uuid, or path and znode"),
            ("uuid=a&znode=b&path=/x", "not both"),
            ("znode=b", "path is missing"),
            ("uuid=", "uuid is ''"),
            ("uuid=a&uuid=b", "uuid is given 2 times"),
            ("uuid=a&limit=10001", "limit is '10001'"),
            ("uuid=a&after=-1", "after is '-1'"),
            ("uuid=a&after=9223372036854775808", "after is"),
        ],
    )
    def test_what_is_asked_wrongly(self, client: FlaskClient, query: str, words: str) -> None:
        answer = client.get(f"/v2/job?{query}")
        assert answer.status_code == 400
        assert words in json.loads(answer.data)["detail"]
        assert client.get("/v2/job?uuid=nobody").status_code == 404

    def test_the_command_line_finds_each(
        self, strange: dict[str, str], board: WrittenBoard, spawn: Spawn, run: Run
    ) -> None:
        server = Server(spawn)
        for uuid in ("..", "../boards", "a//b", "a?b", "a#b", "a%2Fb", "a\nb", " a ", "\U0001f600"):
            done = run("canary", "job", uuid, "-f", "json", CANARY_URL=server.address)
            assert done.returncode == 0, done.stderr
            found = json.loads(done.stdout)
            assert (found["uuid"], found["znode"]) == (uuid, strange[uuid])
        words = ["--path", PATH, "--znode", name_of(1)]
        both = run("canary", "job", name_of(1), *words[:2], CANARY_URL=server.address)
        assert f"{PATH}/{name_of(1)}" in both.stdout, "it says which other there is"
        one = run("canary", "job", *words, "-f", "json", CANARY_URL=server.address)
        assert (json.loads(one.stdout)["uuid"], json.loads(one.stdout)["others"]) == ("..", [])
        for wrong in ([], ["x", *words], words[2:], ["\udcff"]):
            assert run("canary", "job", *wrong, CANARY_URL=server.address).returncode == 2, wrong
        # And of one that was claimed again and again.
        claim_often(board, 1, 1_200)
        table = run("canary", "job", "..", CANARY_URL=server.address).stdout
        assert "... 1401 more changes; --all-changes prints them ..." in table
        whole = run("canary", "job", "..", "--all-changes", "-f", "json", CANARY_URL=server.address)
        changes = json.loads(whole.stdout)["changes"]
        assert [row["kind"] for row in changes[:3]] == ["posted", "claimed", "abandoned"]
        assert len({row["revision"] for row in changes}) == len(changes) == 2_401
        assert json.loads(whole.stdout)["left_out"] is None


def claim_often(board: WrittenBoard, number: int, times: int) -> None:
    """Claim and abandon a job, again and again, each within a second of its own."""
    start = now() - timedelta(seconds=3 * times)
    for first in range(0, times, 500):
        moments = [start + timedelta(seconds=3 * n) for n in range(first, min(first + 500, times))]
        board.write(
            *(
                move
                for at in moments
                for move in (claimed(number, at), abandoned(number, at + timedelta(seconds=1)))
            )
        )


class TestStory:
    def test_a_long_one_is_told_by_its_ends(self, client: FlaskClient, board: WrittenBoard) -> None:
        board.write(posted(1, ago(20_000)), posted(2, ago(20_000)))
        claim_often(board, 1, 5_000)
        board.write(claimed(1, ago(1), "the last"), claimed(2, ago(1)))
        begun = time.monotonic()
        story = told(client, "/v2/jobs/uuid-1")
        print(f"a job with 10,002 changes is told within {time.monotonic() - begun:.3f} s")
        changes = story["changes"]
        assert story["truncated"] is True
        assert len(changes) == 1_000
        assert [row["kind"] for row in changes[:2]] == ["posted", "claimed"]
        assert changes[-1]["owner"] == "the last"
        left = story["left_out"]
        assert left == {"changes": 9_002, "after": changes[99]["revision"]}
        revisions = [row["revision"] for row in changes]
        assert revisions == sorted(set(revisions))
        # One request tells what is between, and one tells all but two.
        between = told(client, "/v2/jobs/uuid-1", after=left["after"], limit=10_000)
        assert between["truncated"] is False
        assert len(between["changes"]) == 9_902
        whole = told(client, "/v2/job", uuid="uuid-1", limit=10_000)
        assert whole["left_out"]["changes"] == 2
        every = [row["revision"] for row in changes[:100] + between["changes"]]
        assert every == sorted(set(every))
        assert len(every) == 10_002
        # Piece by piece as well.
        pieces: list[int] = []
        after = 0
        while True:
            piece = told(client, "/v2/job", uuid="uuid-1", after=after, limit=3_000)
            pieces += [row["revision"] for row in piece["changes"]]
            assert len(pieces) + (piece["left_out"] or {"changes": 0})["changes"] == 10_002
            if not piece["truncated"]:
                break
            after = piece["left_out"]["after"]
        assert pieces == every

    @pytest.mark.parametrize("times", [499, 500])
    def test_one_that_is_just_not_too_long(
        self, client: FlaskClient, board: WrittenBoard, times: int
    ) -> None:
        board.write(posted(1, ago(20_000)))
        claim_often(board, 1, times)
        story = told(client, "/v2/jobs/uuid-1")
        assert len(story["changes"]) == min(1_000, 2 * times + 1)
        assert story["truncated"] is (times == 500)
        assert story["left_out"] == ({"changes": 1, "after": 100} if times == 500 else None)

    @pytest.mark.parametrize("limit", [1, 2, 5, 10])
    def test_a_small_limit(self, client: FlaskClient, board: WrittenBoard, limit: int) -> None:
        board.write(posted(1, ago(20_000)))
        claim_often(board, 1, 8)
        story = told(client, "/v2/jobs/uuid-1", limit=limit)
        assert len(story["changes"]) == limit
        assert story["left_out"]["changes"] == 17 - limit
        assert story["changes"][-1]["revision"] == 17
