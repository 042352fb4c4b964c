"""The lists of ``/v2``, on a real MongoDB: filters, order, pages, exports, and what they tell."""

import base64
import csv
import io
import json
import random
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import BaseModel
from pymongo.database import Database
from pymongo.errors import OperationFailure

from canary.config import Config
from canary.errors import StoreUnavailable
from canary.model.changes import ENDINGS, Change, Kind, Reason
from canary.model.filters import Field, Filter
from canary.model.jobs import Outcome
from canary.model.timeline import JobThen, Move, fold
from canary.server.app import create_app
from canary.server.health import Health
from canary.server.protection import gate
from canary.server.representation import iso
from canary.server.stream.broadcaster import Broadcaster
from canary.server.stream.resume import Resumption
from canary.server.v2 import conductor_schemas, schemas
from canary.server.v2.jobs import JobsQuery
from canary.stores.mongo.documents import Document
from canary.stores.queries import filtering
from canary.stores.queries.counts import Tallies
from canary.stores.queries.jobs_at import Queries
from canary.stores.queries.lists import JOBS as JOBS_KEPT
from canary.stores.queries.paging import Place, Sort
from tests.integration.test_server import no_replay
from tests.integration.written_board import (
    WrittenBoard,
    abandoned,
    ago,
    claimed,
    ended,
    now,
    posted,
)

PATHS = ("/lbaas/jobs", "/cdn/jobs", "/a.b/é")
OWNERS = ("ann", "bob", "Ann", "eve (*)")
ENDS = (Outcome.CONSUMED, Outcome.TRASHED, Outcome.REMOVED, Outcome.UNKNOWN)


class NobodyAsks:
    """Canary's own board, which no list asks."""

    def is_registered(self, path: str) -> bool:
        raise AssertionError(path)


@pytest.fixture(autouse=True)
def queries(connected: Database[Document]) -> Queries:
    return Queries(connected, timedelta(days=7))


@pytest.fixture
def client(config: Config, queries: Queries) -> FlaskClient:
    streams, health = Resumption(Broadcaster(10), no_replay), Health(queries, {})
    app = create_app(config, queries, streams, health, NobodyAsks(), gate.make(config))
    return app.test_client()


Get = Callable[..., Any]


@pytest.fixture
def get(client: FlaskClient) -> Get:
    """Ask for an address; the parameters are a dict, for their names are none of Python's."""

    def ask(resource: str, **query: Any) -> Any:
        answer = client.get(f"/v2/{resource}", query_string=query.pop("query", query))
        assert answer.status_code == 200, answer.text
        return answer.json

    return ask


@pytest.fixture
def busy(database: Database[Document]) -> dict[str, WrittenBoard]:
    """Three boards with 60 jobs each, of every kind, in an order of a seed's making."""
    chance = random.Random(7)
    boards = {}
    for path in PATHS:
        board = boards[path] = WrittenBoard(database, path, watched_since=ago(5_000))
        of_board: list[Change] = []
        for number in range(60):
            moment = ago(chance.uniform(1, 4_000))
            content = {
                "uuid": f"uuid-{number}",
                "name": chance.choice(["build", "Build it", "", "drop \u202e"]) or f"n{number}",
                "details": {"size": chance.randrange(5), "where": "Zürich"},
            }
            raw = json.dumps(content).encode() if chance.random() > 0.1 else b"\xff garbage"
            moves = [posted(number, moment, raw)]
            for _ in range(chance.randrange(4)):
                moment += timedelta(seconds=chance.uniform(0, 300))
                owner: str | None = chance.choice(OWNERS)
                moves.append(claimed(number, moment, owner))
                if chance.random() < 0.4:
                    break
                moment += timedelta(seconds=chance.uniform(0, 300))
                moves.append(abandoned(number, moment, owner))
            if chance.random() < 0.5:
                is_claimed = moves[-1].kind is Kind.CLAIMED
                outcome = ENDS[chance.randrange(2) if is_claimed else chance.randrange(2, 4)]
                moment += timedelta(seconds=chance.uniform(0, 300))
                moves.append(
                    ended(number, moment, outcome, moves[-1].owner if is_claimed else None)
                )
            of_board += moves
        board.write(*of_board)
        board.gap(ago(300), ago(200), 2, 1)
        board.gap(ago(100), ago(50), None, None, reason=Reason.BOARD_DELETED)
    return boards


def named(value: object) -> str:
    """Return how a test is called after a value: in each run alike."""
    return re.sub(r"^20\d\d-.*", "moment", str(value))[:20]


def then_of(database: Database[Document], job: Document, at: datetime) -> JobThen:
    """What the log says of a job: another way to what its document says."""
    log = database.changes.find({"job": job["_id"]}).sort("revision", 1)
    moves = [
        Move(
            Kind(change["kind"]),
            change["at"] or change["seen_at"],
            change["owner"],
            Outcome(change["outcome"]) if change["outcome"] else None,
        )
        for change in log
        if change["kind"] in {Kind.CLAIMED, Kind.ABANDONED, *ENDINGS}
    ]
    return fold(job["at"], moves, at)


def is_in(job: Document, text: str) -> bool:
    told = [job["board"], job["name"], job["job_name"], job["uuid"], job["owner"]]
    payload = (job["payload"] or {}).get("text")
    told.append(json.dumps(json.loads(payload), ensure_ascii=False) if payload else None)
    return any(text.lower() in each.lower() for each in told if each)


MOMENT = ago(1_500)
JOBS: list[tuple[str, Any, Callable[[Document, JobThen, datetime], bool]]] = [
    ("path", "/cdn/jobs", lambda job, _, __: job["board"] == "/cdn/jobs"),
    ("path", ["/cdn/jobs", "/a.b/é"], lambda job, _, __: job["board"] != "/lbaas/jobs"),
    ("state", ["CLAIMED", "COMPLETE"], lambda _, then, __: then.state != "UNCLAIMED"),
    ("outcome", "trashed", lambda _, then, __: then.outcome == "trashed"),
    ("owner", "ann", lambda _, then, __: then.owner == "ann"),
    ("owner", "eve (*)", lambda _, then, __: then.owner == "eve (*)"),
    ("name", "build", lambda job, _, __: job["job_name"] == "build"),
    ("uuid", ["uuid-1", "uuid-2"], lambda job, _, __: job["uuid"] in {"uuid-1", "uuid-2"}),
    ("age>", "20m", lambda job, _, at: (at - job["at"]).total_seconds() >= 1_200),
    ("waiting>", "150", lambda _, then, __: (then.waiting or 0) >= 150),
    ("waiting>", "0.5h", lambda _, then, __: (then.waiting or 0) >= 1_800),
    ("running>", "2m", lambda _, then, __: (then.running or 0) >= 120),
    ("since", iso(MOMENT), lambda _, then, __: not then.ended_at or then.ended_at >= MOMENT),
    ("until", iso(MOMENT), lambda job, _, __: job["at"] <= MOMENT),
    ("q", "BUILD", lambda job, _, __: is_in(job, "build")),
    ("q", "zürich", lambda job, _, __: is_in(job, "zürich")),
    ("q", "(*)", lambda job, _, __: is_in(job, "(*)")),
    ("q", "uuid-5", lambda job, _, __: is_in(job, "uuid-5")),
]


class TestJobs:
    @pytest.mark.usefixtures("busy")
    @pytest.mark.parametrize(("name", "value", "fits"), JOBS, ids=named)
    def test_a_filter_finds_what_the_log_says_and_its_not_finds_the_rest(
        self,
        database: Database[Document],
        get: Get,
        name: str,
        value: Any,
        fits: Callable[[Document, JobThen, datetime], bool],
    ) -> None:
        jobs = list(database.jobs.find())
        at = now()
        expected = {
            (job["board"], job["name"]) for job in jobs if fits(job, then_of(database, job, at), at)
        }
        found, others = (
            [(job["path"], job["znode"]) for job in get("jobs", query=query)["jobs"]]
            for query in ({name: value, "limit": 1000}, {f"{name}!": value, "limit": 1000})
        )
        assert 0 < len(expected) < len(jobs), "the test can tell"
        assert set(found) == expected
        assert set(others) == {(job["board"], job["name"]) for job in jobs} - expected
        assert len(found) + len(others) == len(jobs)

    @pytest.mark.usefixtures("busy")
    def test_several_filters_narrow(self, get: Get) -> None:
        query = {"path": ["/cdn/jobs", "/lbaas/jobs"], "state!": "COMPLETE", "owner": "ann"}
        jobs = get("jobs", query=query)["jobs"]
        assert jobs
        assert {job["state"] for job in jobs} == {"CLAIMED"}
        assert {job["owner"] for job in jobs} == {"ann"}
        assert {job["path"] for job in jobs} <= {"/cdn/jobs", "/lbaas/jobs"}

    @pytest.mark.usefixtures("busy")
    def test_what_a_job_says_is_what_its_log_says(
        self, database: Database[Document], get: Get
    ) -> None:
        for told in get("jobs", limit=1000)["jobs"]:
            found = {"board": told["path"], "name": told["znode"]}
            job = database.jobs.find_one(found)
            assert job is not None
            at = now()
            then = then_of(database, job, at)
            for name in ("waiting", "running"):
                assert told[name] == pytest.approx(getattr(then, name), abs=60), found
            assert (told["state"], told["owner"]) == (then.state, then.owner)
            assert told["claimed_at"] == (then.claimed_at and iso(then.claimed_at))
            assert told["ended_at"] == (then.ended_at and iso(then.ended_at))

    @pytest.mark.usefixtures("busy")
    @pytest.mark.parametrize(
        "sort",
        ["-posted_at", "posted_at", "ended_at", "-ended_at", "name", "-name", "owner", "-since"],
    )
    def test_pages_hold_everything_once_and_in_order(self, get: Get, sort: str) -> None:
        jobs = list(pages(get, "jobs", sort=sort, limit=17))
        assert len({(job["path"], job["znode"]) for job in jobs}) == len(jobs) == 180
        keys = [job[sort.removeprefix("-")] for job in jobs]
        told = [key for key in keys if key is not None]
        assert told == sorted(told, reverse=sort.startswith("-"))
        nothing = len(keys) - len(told)
        assert keys[len(told) :] == [None] * nothing or keys[:nothing] == [None] * nothing

    def test_pages_stay_right_while_jobs_come_and_go(
        self, busy: dict[str, WrittenBoard], get: Get
    ) -> None:
        before = {(job["path"], job["znode"]) for job in get("jobs", limit=1000)["jobs"]}
        seen: list[tuple[str, str]] = []
        cursor, number = None, 1_000
        board = busy["/cdn/jobs"]
        while cursor is not None or not seen:
            query = {"limit": 10} | ({"cursor": cursor} if cursor else {})
            page = get("jobs", query=query)
            seen += [(job["path"], job["znode"]) for job in page["jobs"]]
            cursor = page["next"]
            for _ in range(3):
                board.write(posted(number, now()))
                number += 1
            board.write(claimed(number - 1, now()), ended(number - 1, now()))
        assert len(seen) == len(set(seen))
        assert before <= set(seen)

    @pytest.mark.usefixtures("busy")
    @pytest.mark.parametrize("sort", ["posted_at", "-posted_at"])
    @pytest.mark.parametrize("asked", [{}, {"path": "/cdn/jobs"}, {"state": "COMPLETE"}])
    def test_a_page_far_behind_costs_no_more_than_the_first(
        self,
        database: Database[Document],
        queries: Queries,
        asked: dict[str, str],
        sort: str,
    ) -> None:
        order = Sort("posted_at", descending=sort.startswith("-"))
        filters = frozenset(Filter(Field(name), (value,)) for name, value in asked.items())
        *_, last = queries.lists.walk(JOBS_KEPT, filters, now(), order, limit=40)
        behind = order.behind(order.place_of(last, datetime))
        parts = [filtering.jobs(filters, now()), order.sorts(datetime), behind]
        query = {"$and": [part for part in parts if part]}
        found = database.jobs.find(query).sort(order.keys).limit(5)
        stats = found.explain()["executionStats"]
        assert stats["nReturned"] == 5
        assert stats["totalKeysExamined"] <= 10, "not the forty before"
        assert stats["totalDocsExamined"] <= 10

    @pytest.mark.usefixtures("busy")
    def test_a_cursor_is_of_one_list(self, get: Get, client: FlaskClient) -> None:
        cursor = get("jobs", limit=10)["next"]
        for other in ("state=CLAIMED", "sort=name"):
            answer = client.get(f"/v2/jobs?{other}&cursor={cursor}")
            assert answer.status_code == 400
            assert "cursor" in json.loads(answer.data)["detail"]

    def test_one_job_with_all_that_happened_to_it(
        self, database: Database[Document], get: Get
    ) -> None:
        board, start = WrittenBoard(database), ago(100)
        content = {"uuid": "u/1", "name": "n", "details": {"password": "x", "a": [1]}}
        board.write(
            posted(5, start, json.dumps(content).encode()),
            claimed(5, start + timedelta(seconds=3)),
            abandoned(5, start + timedelta(seconds=10)),
        )
        board.write(claimed(5, start + timedelta(seconds=14), "bob"))
        database.changes.update_many({}, {"$set": {"uuid": "u/1"}})
        told = get("jobs/u/1")
        assert [change["kind"] for change in told["changes"]] == [
            "posted",
            "claimed",
            "abandoned",
            "claimed",
        ]
        assert [change["waiting"] for change in told["changes"]] == [0, 3, 3, 7]
        assert [change["running"] for change in told["changes"]] == [None, 0, 7, 7]
        job = told["job"]
        assert (job["owner"], job["claims"], job["waiting"]) == ("bob", 2, 7)
        assert job["running"] > 80
        assert job["details"] == {"password": "***", "a": [1]}
        assert told["others"] == []

    def test_a_job_whose_payload_was_cut_says_so_and_is_found_by_its_ids(
        self, database: Database[Document], get: Get
    ) -> None:
        board, ids = WrittenBoard(database), [f"7c3d5e1a-0000-4000-8000-{n:012}" for n in range(5)]
        listeners = [{"certificates": "MIIB" * 5_000, "id": each} for each in ids]
        content = {"uuid": "u-1", "name": "n", "details": {"listeners": listeners}}
        board.write(posted(1, ago(50), json.dumps(content).encode()), posted(2, ago(40)))
        assert [job["truncated"] for job in get("jobs")["jobs"]] == [False, True]
        for each in ids:
            assert [job["uuid"] for job in get("jobs", q=each)["jobs"]] == ["u-1"]
        job = get("jobs/u-1")["job"]
        assert (job["truncated"], job["cut_count"]) == (True, 5)
        assert [listener["id"] for listener in job["details"]["listeners"]] == ids
        for number, cut in enumerate(job["cuts"]):
            kept = len(job["details"]["listeners"][number]["certificates"]) - 1
            pointer = f"/details/listeners/{number}/certificates"
            assert cut == {"pointer": pointer, "kept": kept, "size": 20_000}
        whole = get("jobs/uuid-2")["job"]
        assert (whole["truncated"], whole["cuts"], whole["cut_count"]) == (False, [], 0)

    def test_two_jobs_with_one_uuid(
        self, database: Database[Document], get: Get, client: FlaskClient
    ) -> None:
        for path, age in (("/a", 50), ("/b", 20)):
            WrittenBoard(database, path).write(posted(1, ago(age)))
        told = get("jobs/uuid-1")
        assert told["job"]["path"] == "/b"
        assert [other["path"] for other in told["others"]] == ["/a"]
        assert get("jobs/uuid-1", path="/a")["job"]["path"] == "/a"
        nowhere = client.get("/v2/jobs/nope")
        assert nowhere.status_code == 404
        assert "'nope'" in json.loads(nowhere.data)["detail"]


def pages(get: Get, resource: str, **query: Any) -> Iterator[dict[str, Any]]:
    cursor = ""
    while cursor is not None:
        page = get(resource, query=query | ({"cursor": cursor} if cursor else {}))
        assert len(page[resource]) <= query["limit"]
        yield from page[resource]
        cursor = page["next"]


CHANGES = [
    Filter(Field.PATH, ("/cdn/jobs",)),
    Filter(Field.STATE, ("CLAIMED",)),
    Filter(Field.OUTCOME, ("trashed", "removed")),
    Filter(Field.OWNER, ("ann",)),
    Filter(Field.NAME, ("build",)),
    Filter(Field.UUID, ("uuid-3",)),
    Filter(Field.KIND, ("abandoned",)),
    Filter(Field.AGE, (1_200.0,)),
    Filter(Field.WAITING, (100.0,)),
    Filter(Field.RUNNING, (100.0,)),
    Filter(Field.SINCE, (MOMENT,)),
    Filter(Field.UNTIL, (MOMENT,)),
    Filter(Field.TEXT, ("BUILD",)),
    Filter(Field.TEXT, ("É",)),
]


class TestChanges:
    @pytest.mark.usefixtures("busy")
    @pytest.mark.parametrize("negated", [False, True])
    @pytest.mark.parametrize(
        "asked", CHANGES, ids=lambda each: f"{each.field} {named(each.values[0])}"
    )
    def test_what_is_told_at_once_is_what_is_found_later(
        self, database: Database[Document], asked: Filter, negated: bool
    ) -> None:
        at = now()
        filters = frozenset({Filter(asked.field, asked.values, negated)})
        every = list(database.changes.find())
        told = [change["_id"] for change in every if filtering.matches(change, filters, at)]
        found = database.changes.find(filtering.changes(filters, at), {"_id": 1})
        assert sorted(told) == sorted(change["_id"] for change in found)
        assert 0 < len(told) < len(every), "the test can tell"

    @pytest.mark.usefixtures("busy")
    def test_they_come_newest_first_or_as_they_were_told(self, get: Get) -> None:
        changes = list(pages(get, "changes", limit=100))
        seen = [change["seen_at"] for change in changes]
        assert seen == sorted(seen, reverse=True)
        query = {"path": "/cdn/jobs", "sort": "revision", "limit": 1000}
        revisions = [change["revision"] for change in get("changes", query=query)["changes"]]
        assert revisions == list(range(1, len(revisions) + 1))
        kinds = {change["kind"] for change in get("changes", kind="claimed")["changes"]}
        assert kinds == {"claimed"}


class TestGaps:
    @pytest.mark.usefixtures("busy")
    def test_the_newest_first_and_those_of_a_time(self, get: Get) -> None:
        gaps = list(pages(get, "gaps", limit=4))
        assert [gap["creates"] for gap in gaps] == [None] * 3 + [2] * 3
        assert set(gaps[0]) == {"path", "from", "to", "reason", "creates", "deletes"}
        recent = get("gaps", query={"since": iso(ago(150)), "path": "/cdn/jobs"})["gaps"]
        assert [gap["reason"] for gap in recent] == ["board_deleted"]
        early = get("gaps", query={"until": iso(ago(150)), "path!": ["/cdn/jobs", "/a.b/é"]})[
            "gaps"
        ]
        assert [(gap["path"], gap["reason"]) for gap in early] == [("/lbaas/jobs", "coalesced")]
        old = get("gaps", query={"age>": "150"})["gaps"]
        assert [gap["creates"] for gap in old] == [2, 2, 2]

    @pytest.mark.usefixtures("busy")
    def test_a_gap_has_no_job(self, get: Get) -> None:
        assert get("gaps", state="CLAIMED")["gaps"] == []
        assert len(get("gaps", query={"state!": "CLAIMED"})["gaps"]) == 6


class TestBoards:
    def test_a_board(self, database: Database[Document], get: Get) -> None:
        since = ago(500)
        written = WrittenBoard(database, since=since, watched_since=since)
        written.beat()
        written.write(posted(1, ago(40)), posted(2, ago(30)), claimed(2, ago(20)))
        written.write(posted(3, ago(30)), claimed(3, ago(20)), ended(3, ago(10)))
        written.gap(ago(300), ago(200), 2, 1)
        [board] = get("boards", window="2m")["boards"]
        assert board.pop("live_until")
        assert 40 <= board.pop("oldest_unclaimed") < 100
        assert 0 <= board.pop("oldest_claimed") < 100
        assert board == {
            "path": "/lbaas/jobs",
            "registered": True,
            "freshness": "live",
            "freshness_since": iso(since),
            "watcher": "worker-1",
            "epoch": 42,
            "revision": 6,
            "watched_since": iso(since),
            "drift": 0,
            "clock_offset": None,
            "clock_off": False,
            "unclaimed": 1,
            "claimed": 1,
            "trash_collisions": 0,
            "ended": 1,
            "per_minute": {"posted": 1.5, "claimed": 1.0, "ended": 0.5},
            "account": {"unseen_creates": 0, "unseen_deletes": 0, "complete": True},
        }
        [board] = get("boards", window="400")["boards"]
        assert board["account"] == {"unseen_creates": 2, "unseen_deletes": 1, "complete": False}

    def test_the_counts_are_those_at_its_revision(
        self, database: Database[Document], get: Get, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A page that counts on from there, by the stream, would count a change twice."""
        written = WrittenBoard(database)
        written.beat()
        written.write(posted(1, ago(40)))
        on_boards = Tallies.on_boards

        def late(tallies: Tallies, *words: Any) -> Any:
            written.write(posted(2, ago(1)))
            return on_boards(tallies, *words)

        with monkeypatch.context() as patched:
            patched.setattr(Tallies, "on_boards", late)
            [board] = get("boards")["boards"]
        assert (board["revision"], board["unclaimed"]) == (1, 1)
        [board] = get("boards")["boards"]
        assert (board["revision"], board["unclaimed"]) == (2, 2)

    def test_while_mongodb_has_no_snapshot_they_are_read_without_one(
        self, database: Database[Document], get: Get, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As while a worker makes the indexes."""
        written = WrittenBoard(database)
        written.beat()
        written.write(posted(1, ago(40)))
        on_boards, refused = Tallies.on_boards, list[object]()

        def refuse(tallies: Tallies, paths: Any, session: Any) -> Any:
            if session is None:
                return on_boards(tallies, paths, session)
            refused.append(session)
            pending = OperationFailure("pending collection catalog changes", 246)
            raise StoreUnavailable("MongoDB could not complete the request") from pending

        monkeypatch.setattr(Tallies, "on_boards", refuse)
        [board] = get("boards")["boards"]
        assert (board["revision"], board["unclaimed"], len(refused)) == (1, 1, 1)

    def test_what_was_there_at_first_did_not_happen_in_the_window(
        self, database: Database[Document], get: Get
    ) -> None:
        board = WrittenBoard(database, watched_since=ago(60), new=True)
        board.beat()
        first = [posted(number, ago(70)) for number in range(50)]
        board.write(*first, claimed(3, ago(65)))
        board.write(posted(100, ago(30)), claimed(100, ago(20)), ended(100, ago(10)))
        [row] = get("boards", window="1h")["boards"]
        rate = pytest.approx(1.0, rel=0.2)
        assert row["per_minute"] == {"posted": rate, "claimed": rate, "ended": rate}
        for group in ("path", "name", "owner"):
            rows = get("stats", window="1h", group=group)["stats"]
            assert sum(each["posted"] for each in rows) == 1
            assert sum(each["per_minute"]["posted"] for each in rows) == rate
            assert sum(each["claimed"] for each in rows) == 1
            assert sum(each["backlog"] for each in rows) == 49

    def test_a_filter_about_jobs_finds_the_boards_that_have_one(
        self, database: Database[Document], get: Get
    ) -> None:
        for path, owner in (("/a", "ann"), ("/b", "bob"), ("/c", None)):
            board = WrittenBoard(database, path)
            if owner:
                board.write(posted(1, ago(50)), claimed(1, ago(40), owner))

        def found(**query: Any) -> list[str]:
            return [board["path"] for board in get("boards", **query)["boards"]]

        assert found() == ["/a", "/b", "/c"]
        assert found(owner="bob") == ["/b"]
        assert found(query={"path!": "/a"}) == ["/b", "/c"]
        assert found(query={"running>": "30", "path": ["/a", "/c"]}) == ["/a"]
        assert found(sort="-claimed", limit=2) == ["/b", "/a"]
        paged = pages(get, "boards", sort="-claimed", limit=2)
        assert [board["path"] for board in paged] == ["/b", "/a", "/c"]


class TestConductors:
    def test_who_holds_what_and_claims_of_who_is_not_registered(
        self, database: Database[Document], get: Get
    ) -> None:
        board = WrittenBoard(database)
        board.beat()
        board.write(posted(1, ago(50)), posted(2, ago(50)), posted(3, ago(50)))
        board.write(claimed(1, ago(40)), claimed(2, ago(30), "ghost"))
        database.jobs.update_one({"owner": "ghost"}, {"$set": {"lock.session": -2}})
        registered = [
            {"name": "ann@h:1", "host": "h", "pid": 1, "since": ago(90), "session": 0x7001},
            {"name": "idle@h:2", "host": "h", "pid": 2, "since": ago(80), "session": 0x7002},
        ]
        database.conductors.insert_one(
            {"_id": board.path, "board": board.path, "seen_at": now(), "conductors": registered}
        )
        conductors = get("conductors", sort="owner")["conductors"]
        told = [
            (each["owner"], each["holder"], each["alive"], [job["uuid"] for job in each["holds"]])
            for each in conductors
        ]
        assert told == [
            ("ann", "registered", True, ["uuid-1"]),
            ("ghost", "unregistered", True, ["uuid-2"]),  # its lock proves that its session lives
            ("idle", "registered", True, []),
        ]
        assert (conductors[0]["session"], conductors[0]["host"]) == ("0x7001", "h")
        assert (conductors[1]["name"], conductors[1]["session"]) == (None, "0xfffffffffffffffe")
        [holder] = get("conductors", query={"running>": "35"})["conductors"]
        assert holder["owner"] == "ann"
        assert [each["owner"] for each in get("conductors", owner="idle")["conductors"]] == ["idle"]
        first = get("conductors", sort="-holder", limit=1)["conductors"]
        assert [each["owner"] for each in first] == ["ghost"]

    @pytest.mark.parametrize(
        ("session", "is_whole", "holder", "is_alive"),
        [
            (0, True, "orphaned", False),  # a hand made it
            (-(2**63), True, "orphaned", False),  # the same, as a container
            (None, True, "unknown", None),  # an ACL hides it
            (-2, True, "unregistered", True),
            (-2, False, "unknown", None),  # an ACL hides who is registered
            (0, False, "orphaned", False),
            (0x7001, False, "registered", True),
        ],
    )
    def test_whose_a_claim_is(
        self,
        database: Database[Document],
        get: Get,
        session: int | None,
        is_whole: bool,
        holder: str,
        is_alive: bool | None,
    ) -> None:
        board = WrittenBoard(database)
        board.beat()
        board.write(posted(1, ago(50)))
        board.write(claimed(1, ago(40)))
        database.jobs.update_one({}, {"$set": {"lock.session": session}})
        ann = {"name": "ann@h:1", "host": "h", "pid": 1, "since": ago(90), "session": 0x7001}
        database.conductors.insert_one(
            {"_id": board.path, "seen_at": now(), "conductors": [ann], "whole": is_whole}
        )
        [found] = [each for each in get("conductors")["conductors"] if each["holds"]]
        assert (found["holder"], found["alive"]) == (holder, is_alive)

    def test_where_nobody_knows_yet_who_is_registered_nothing_is_said(
        self, database: Database[Document], get: Get
    ) -> None:
        board = WrittenBoard(database)
        board.beat()
        board.write(posted(1, ago(50)))
        board.write(claimed(1, ago(40)))
        [found] = get("conductors")["conductors"]
        assert (found["holder"], found["alive"]) == ("unknown", None)

    def test_a_conductor_of_boards_that_share_their_entities(
        self, database: Database[Document], get: Get
    ) -> None:
        ann = {"name": "ann@h:1", "host": "h", "pid": 1, "since": ago(90), "session": 0x7001}
        for path in ("/lbaas/jobs", "/lbaas/other", "/apart/jobs"):
            board = WrittenBoard(database, path)
            board.beat()
            board.write(posted(1, ago(50)))
            if path == "/lbaas/jobs":
                board.write(claimed(1, ago(40)))
            database.conductors.insert_one(
                {"_id": path, "seen_at": now(), "conductors": [ann] if "lbaas" in path else []}
            )
        found = get("conductors", sort="path")["conductors"]
        both = ["/lbaas/jobs", "/lbaas/other"]
        assert [(each["path"], each["registered_for"], len(each["holds"])) for each in found] == [
            ("/lbaas/jobs", both, 1),
            ("/lbaas/other", both, 0),
        ]
        [one] = get("conductors", path="/lbaas/other")["conductors"]
        assert one["registered_for"] == both, "whichever boards are asked for"


class TestStats:
    def test_counts_and_quantiles_of_a_window(self, database: Database[Document], get: Get) -> None:
        board = WrittenBoard(database)
        for number in range(100):
            start = ago(1_000)
            board.write(
                posted(number, start),
                claimed(number, start + timedelta(seconds=number + 1)),
                ended(number, start + timedelta(seconds=number + 1 + 2 * (number + 1))),
            )
        board.write(posted(1_000, ago(60)))
        [stats] = get("stats", window="2000")["stats"]
        assert (stats["group"], stats["posted"], stats["claimed"], stats["ended"]) == (
            board.path,
            101,
            100,
            100,
        )
        assert stats["per_minute"]["ended"] == 3.0
        assert stats["waiting"]["count"] == stats["running"]["count"] == 100
        for part, exact in (("p50", 50.5), ("p95", 95.05), ("p99", 99.01)):
            assert stats["waiting"][part] == pytest.approx(exact, rel=0.025)
            assert stats["running"][part] == pytest.approx(2 * exact, rel=0.025)
        assert stats["backlog"] == 1
        assert 60 <= stats["oldest_unclaimed"] < 120
        [stats] = get("stats", window="30")["stats"]
        assert (stats["posted"], stats["backlog"], stats["waiting"]["p50"]) == (0, 1, None)

    @pytest.mark.usefixtures("busy")
    @pytest.mark.parametrize("group", ["path", "name", "owner"])
    def test_groups_add_up_and_are_paged(self, get: Get, group: str) -> None:
        rows = list(pages(get, "stats", group=group, window="2h", limit=2))
        assert len({row["group"] for row in rows}) == len(rows) > 2
        assert sum(row["posted"] for row in rows) == 180
        assert sum(row["backlog"] for row in rows) == len(
            get("jobs", state="UNCLAIMED", limit=1000)["jobs"]
        )

    @pytest.mark.usefixtures("busy")
    def test_filters(self, get: Get) -> None:
        rows = get("stats", query={"path": "/cdn/jobs", "group": "owner", "owner": "ann"})["stats"]
        assert [row["group"] for row in rows] == ["ann"]


RESOURCES: dict[str, type[BaseModel]] = {
    "boards": schemas.Board,
    "jobs": schemas.Job,
    "changes": schemas.Change,
    "gaps": schemas.Gap,
    "conductors": conductor_schemas.Conductor,
    "stats": schemas.Stats,
}


def forged(sort: str, kind: str, value: object, identity: object = "x") -> str:
    """A cursor of the list of jobs that no answer ever told."""
    query = JobsQuery.model_validate({"sort": sort})
    told = json.loads(base64.urlsafe_b64decode(query.cursor_behind(Place(None, "x"))))
    text = json.dumps([told[0], kind, value, identity])
    return base64.urlsafe_b64encode(text.encode()).decode()


FORGED = {
    "nested": base64.urlsafe_b64encode(b"[" * 5_900).decode(),
    "number": forged("name", "value", 5),
    "surrogate": forged("name", "value", "\ud800"),
    "huge": forged("-posted_at", "value", 2**63),
}


class TestForms:
    @pytest.mark.usefixtures("busy")
    @pytest.mark.parametrize("resource", RESOURCES)
    def test_rows_are_what_openapi_says(self, get: Get, resource: str) -> None:
        rows = get(resource)[resource]
        assert rows
        for row in rows:
            RESOURCES[resource].model_validate(row)
        if resource == "jobs":
            for uuid in {row["uuid"] for row in rows if row["uuid"]}:
                schemas.JobAnswer.model_validate(get(f"jobs/{uuid}"))

    @pytest.mark.usefixtures("busy")
    @pytest.mark.parametrize("resource", RESOURCES)
    def test_exports_hold_what_the_pages_hold(
        self, get: Get, client: FlaskClient, resource: str
    ) -> None:
        rows = list(pages(get, resource, limit=50))
        lines = client.get(f"/v2/{resource}", headers={"Accept": "application/x-ndjson"})
        assert lines.content_type == "application/x-ndjson"
        told = [json.loads(line) for line in lines.text.splitlines()]
        moving = {"age", "waiting", "running", "oldest_unclaimed", "oldest_claimed", "live_until"}
        assert [still(row, moving) for row in told] == [still(row, moving) for row in rows]
        table = client.get(f"/v2/{resource}?format=csv")
        assert table.headers["Content-Disposition"] == f'attachment; filename="{resource}.csv"'
        head, *cells = csv.reader(io.StringIO(table.text))
        assert head == list(rows[0])
        assert len(cells) == len(rows)

    @pytest.mark.usefixtures("busy")
    def test_limits_hold_for_exports_too(self, client: FlaskClient) -> None:
        for resource in ("jobs", "boards", "stats"):
            assert len(client.get(f"/v2/{resource}?format=jsonl&limit=2").text.splitlines()) == 2

    def test_no_cell_is_a_formula(self, database: Database[Document], client: FlaskClient) -> None:
        content = {"uuid": "=1+1", "name": "\n @SUM(A1)"}
        WrittenBoard(database).write(posted(1, now(), json.dumps(content).encode()))
        answer = client.get("/v2/jobs?format=csv")
        assert answer.content_type == "text/csv; charset=utf-8; header=present"
        head, cells = csv.reader(io.StringIO(answer.text, newline=""))
        told = dict(zip(head, cells, strict=True))
        assert (told["uuid"], told["name"]) == ("'=1+1", "'\n @SUM(A1)")

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("state=RUNNING", ["state is 'RUNNING'", "UNCLAIMED, CLAIMED or COMPLETE"]),
            ("age>=old", ["age> is 'old'", "s, m, h or d"]),
            ("age>!=1w", ["age>! is '1w'"]),
            ("since=yesterday", ["since is 'yesterday'", "ISO 8601"]),
            ("until=2026-02-30T00:00:00Z", ["until is '2026-02-30T00:00:00Z'"]),
            ("path=jobs", ["path is 'jobs'", "start with a slash"]),
            ("stat=CLAIMED", ["There is no parameter 'stat'", "state"]),
            ("sort=size", ["sort is 'size'", "posted_at"]),
            ("limit=0", ["limit is '0'", "1 to 1000"]),
            ("limit=1001", ["limit is '1001'"]),
            ("limit=ten", ["limit is 'ten'"]),
            ("limit=1_0", ["limit is '1_0'"]),
            ("limit=%2B5", ["limit is '+5'"]),
            ("limit=5&limit=6", ["limit is given 2 times: '5', '6'", "once"]),
            ("sort=name&sort=name", ["sort is given 2 times"]),
            ("age>=5&age>=6", ["age> is given 2 times"]),
            ("cursor=" + FORGED["nested"], ["cursor is", "next in the previous page"]),
            ("sort=name&cursor=" + FORGED["number"], ["cursor is"]),
            ("sort=name&cursor=" + FORGED["surrogate"], ["cursor is"]),
            ("cursor=" + FORGED["huge"], ["cursor is"]),
            ("cursor=%25", ["cursor is '%'", "next in the previous page"]),
            ("cursor=_w", ["cursor is '_w'"]),
            ("q=", ["q is ''"]),
            ("q=a%00b", ["q is 'a\\x00b'", "control character"]),
            ("format=xml", ["format is 'xml'", "json, csv or jsonl"]),
            ("&".join(["owner=x"] * 101), ["owner is", "at most 100"]),
        ],
    )
    def test_what_is_asked_wrongly_is_named(
        self, client: FlaskClient, query: str, words: list[str]
    ) -> None:
        answer = client.get(f"/v2/jobs?{query}")
        assert answer.content_type == "application/problem+json"
        problem = json.loads(answer.data)
        assert (answer.status_code, problem["status"], problem["title"]) == (
            400,
            400,
            "Bad Request",
        )
        for word in words:
            assert word in problem["detail"]


def still(row: dict[str, Any], moving: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in moving}
