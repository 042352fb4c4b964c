"""``canary`` against a real server and what TaskFlow's own processes did on real boards."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from kazoo.client import KazooClient
from pymongo.database import Database

from canary.server.auth import tokens
from tests.integration.boards import STOOD_STILL, claim, post, posting, register
from tests.integration.conftest import Command, Spawn
from tests.integration.terminal import Terminal
from tests.integration.test_protection import PASSWORD, line_of
from tests.integration.test_server import Server
from tests.integration.written_board import WrittenBoard, ago, claimed, ended, now, posted
from tests.programs import COMMANDS
from tests.waiting import eventually

OPERATIONS = 60
FLOWS = 4
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil\nnext"
OWN_COLOURS = re.compile(r"\x1b\[(0|2|3[1-6])m")
ENDS = {"consumed": "COMPLETE", "trashed": "COMPLETE", "claimed": "CLAIMED"}

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Ask = Callable[..., Any]


@pytest.fixture
def server(spawn: Spawn) -> Server:
    return Server(spawn)


@pytest.fixture
def ask(run: Run, server: Server) -> Ask:
    """Ask for something as JSON, and return it."""

    def told(*words: str) -> Any:
        done = run("canary", *words, "-f", "json", CANARY_URL=server.address)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return json.loads(done.stdout)

    return told


@pytest.fixture
def screen(server: Server, environment: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    """Run ``canary`` on a terminal."""
    shown: list[Terminal] = []

    def start(*words: str, **variables: str) -> Terminal:
        unset = {name: value for name, value in environment.items() if name != "NO_COLOR"}
        environ = {**unset, "CANARY_URL": server.address, **variables}
        shown.append(Terminal([COMMANDS / "canary", *words], environ).__enter__())
        return shown[-1]

    yield start
    for terminal in shown:
        terminal.__exit__(None, None, None)


def operate(what: str, board: str, log: Path, url: str, *numbers: int) -> list[dict[str, Any]]:
    """Let TaskFlow work on a board, and return what it did."""
    words = [sys.executable, "-m", "tests.integration.operating", what, board, str(log), url]
    subprocess.run([*words, *map(str, numbers)], env=os.environ, timeout=600, check=True)
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_what_it_tells_is_what_was_done(
    ask: Ask,
    spawn: Spawn,
    run: Run,
    server: Server,
    zookeeper: KazooClient,
    corner: str,
    tmp_path: Path,
) -> None:
    hands, flows = f"/{corner}/hands/jobs", f"/{corner}/flows/jobs"
    for board in (hands, flows):
        zookeeper.ensure_path(board)
    spawn("canary-worker")
    assert run("canary-producer", "add", hands, flows).returncode == 0
    eventually(lambda: [row["freshness"] for row in ask("boards")] == ["live", "live"])
    done = operate("hands", hands, tmp_path / "hands.jsonl", server.address, 5, OPERATIONS)
    ran = operate("conductor", flows, tmp_path / "flows.jsonl", server.address, FLOWS)
    last = post(zookeeper, hands, posting("held"))
    claim(zookeeper, hands, last, "ghost")
    expected = [
        *[(each["kind"], each["uuid"], each["owner"]) for each in done],
        *[("posted", None, None), ("claimed", None, "ghost")],
    ]
    eventually(lambda: len(ask("changes", "--path", hands)) == len(expected))

    # Changes, in the order of what was done to each job.
    changes = ask("changes", "--path", hands, "--sort", "seen_at")
    told = [(row["kind"], row["uuid"], row["owner"]) for row in changes]
    for uuid in {each["uuid"] for each in done}:
        assert [row for row in told if row[1] == uuid] == [
            each for each in expected if each[1] == uuid
        ]
    kinds = Counter(kind for kind, _, _ in expected)
    assert Counter(row["kind"] for row in changes) == kinds
    posts = ask("changes", "--path", hands, "--kind", "posted")
    assert len(posts) == kinds["posted"]
    others = ask("changes", "--path", hands, "--not-kind", "posted")
    assert len(others) == len(expected) - kinds["posted"]

    # Jobs, by what is true of them now.
    states, owners, outcomes = {}, {}, {}
    for each in done:
        uuid, kind = each["uuid"], each["kind"]
        states[uuid] = ENDS.get(kind, "UNCLAIMED")
        outcomes[uuid] = kind if states[uuid] == "COMPLETE" else None
        owners[uuid] = each["owner"] if kind != "abandoned" else None
    jobs = {row["uuid"]: row for row in ask("jobs", "--path", hands, "--not-name", "held")}
    assert {uuid: row["state"] for uuid, row in jobs.items()} == states
    assert {uuid: row["outcome"] for uuid, row in jobs.items()} == outcomes
    assert {uuid: row["owner"] for uuid, row in jobs.items()} == owners
    trashed = {uuid for uuid, outcome in outcomes.items() if outcome == "trashed"}
    assert {row["uuid"] for row in ask("jobs", "--outcome", "trashed")} == trashed != set()
    everything = ask("jobs")
    assert len(everything) == len(states) + 1 + FLOWS
    assert len(ask("jobs", "--limit", "3")) == 3
    ages = [row["age"] for row in ask("jobs", "--sort", "posted_at", "--path", hands)]
    assert ages == sorted(ages, reverse=True)
    assert ask("jobs", "--age-over", "1d") == []
    assert [row["name"] for row in ask("jobs", "--search", "HELD")] == ["held"]

    # One job, with all that happened to it.
    uuid = next(iter(trashed))
    job = ask("job", uuid)
    assert (job["uuid"], job["outcome"], job["path"]) == (uuid, "trashed", hands)
    assert [(row["kind"], row["owner"]) for row in job["changes"]] == [
        (kind, owner) for kind, of_job, owner in expected if of_job == uuid
    ]
    table = run("canary", "job", uuid, CANARY_URL=server.address)
    assert table.returncode == 0
    assert len(re.findall(r"trashed  by (alice|bob)  waited [\d.m]+s", table.stdout)) == 1
    nobody = run("canary", "job", "no-such", CANARY_URL=server.address)
    assert (nobody.returncode, nobody.stdout) == (3, "")
    assert "no-such" in nobody.stderr

    # Boards, conductors, statistics, gaps.
    [first, second] = ask("boards")
    assert (first["path"], second["path"]) == (flows, hands)
    on_board = Counter(states.values())
    assert second["unclaimed"] == on_board["UNCLAIMED"]
    assert second["claimed"] == on_board["CLAIMED"] + 1
    assert (second["ended"], first["ended"]) == (on_board["COMPLETE"], FLOWS)
    [ghost] = ask("conductors", "--path", hands)
    assert (ghost["name"], ghost["owner"]) == (None, "ghost")
    # Who claimed it by hand lives, as its session does, and is not registered.
    assert (ghost["alive"], ghost["holder"]) == (True, "unregistered")
    assert [held["name"] for held in ghost["holds"]] == ["held"]
    stats = {row["group"]: row for row in ask("stats", "--window", "1h")}
    assert stats[hands]["posted"] == kinds["posted"]
    assert stats[hands]["claimed"] == kinds["claimed"]
    assert stats[flows]["ended"] == FLOWS
    assert {row["group"] for row in ask("stats", "--group", "name", "--path", flows)} == {
        f"work-{number}" for number in range(FLOWS)
    }
    assert len([each for each in ran if each["kind"] == "consumed"]) == FLOWS
    assert [
        gap
        for gap in ask("gaps")
        if gap["reason"] not in STOOD_STILL or gap["creates"] or gap["deletes"]
    ] == []

    # The same in every format, as the API itself tells it.
    api = server.get("/v2/jobs", path=flows).json()["jobs"]
    formats: dict[str, Callable[[str], Any]] = {
        "yaml": yaml.safe_load,
        "csv": lambda text: list(csv.DictReader(io.StringIO(text))),
    }
    for style, load in formats.items():
        printed = run("canary", "jobs", "--path", flows, "-f", style, CANARY_URL=server.address)
        rows = load(printed.stdout)
        assert [row["uuid"] for row in rows] == [row["uuid"] for row in api]
        assert {row["posted_at"] for row in rows} == {row["posted_at"] for row in api}
    words = ["-f", "value", "-c", "uuid", "--path", flows]
    values = run("canary", "jobs", *words, CANARY_URL=server.address)
    assert values.stdout.splitlines() == [row["uuid"] for row in api]


def test_what_a_job_is_called_steers_no_terminal(
    screen: Callable[..., Terminal],
    run: Run,
    spawn: Spawn,
    server: Server,
    zookeeper: KazooClient,
    corner: str,
    environment: dict[str, str],
) -> None:
    board = f"/{corner}/lbaas/jobs"
    zookeeper.ensure_path(board)
    register(zookeeper, environment["OS_CANARY__JOBBOARD"], board)
    spawn("canary-worker")
    eventually(lambda: _live(server) == [board])
    tail = screen("tail")
    tail_json = screen("tail", "-f", "json", "--path", board)
    eventually(lambda: server.listeners() == 2, why="both listen")
    payload = {
        "uuid": "u\x9b2J1",
        "name": HOSTILE,
        "details": {"\x1b[31m": "\x07", "x": "\u202e"},
    }
    job = post(zookeeper, board, json.dumps(payload).encode())
    claim(zookeeper, board, job, HOSTILE)
    shown = tail.shows("claimed")
    assert r"\x1b]0;owned\x07\x1b[2J\u202eevil\nnext" in shown
    assert OWN_COLOURS.search(shown)
    outputs = [OWN_COLOURS.sub("", shown), tail_json.shows('"claimed"')]
    for words in (
        *(["jobs"], ["job", payload["uuid"]], ["changes"], ["conductors"]),
        ["stats", "--group", "name"],
    ):
        status, output, errors = screen(*words).wait()
        assert (status, errors) == (0, "")
        outputs.append(output)
        styles = ("json", "yaml", "value", "shell" if words[0] == "job" else "csv")
        outputs += [run(*_canary(server, [*words, "-f", style])).stdout for style in styles]
    for output in outputs:
        assert "evil" in output
        assert all(line.isprintable() for line in output.splitlines()), output


def _canary(server: Server, words: list[Any]) -> list[Any]:
    return ["canary", *words, "--url", server.address]


def _live(server: Server) -> list[str]:
    boards = server.get("/v2/boards").json()["boards"]
    return [board["path"] for board in boards if board["freshness"] == "live"]


class TestTerminal:
    @pytest.fixture
    def written(self, database: Database[dict[str, Any]], server: Server) -> WrittenBoard:
        assert server
        written = WrittenBoard(database, watched_since=ago(60))
        written.beat()
        return written

    def test_a_table_ends_and_says_that_there_is_more(
        self, screen: Callable[..., Terminal], run: Run, server: Server, written: WrittenBoard
    ) -> None:
        written.write(*(posted(number, now()) for number in range(1, 102)))
        status, output, errors = screen("jobs").wait()
        assert (status, output.count("uuid-")) == (0, 100)
        said = "only the first 100 rows are shown; --limit N shows more, --limit 0 all"
        assert errors == f"canary: {said}\n"
        for words, count in ((["--limit", "0"], 101), (["--limit", "7"], 7), (["-f", "json"], 101)):
            _, output, errors = screen("jobs", *words).wait()
            assert (output.count('"uuid-' if "json" in words else "uuid-"), errors) == (count, "")
        piped = run("canary", "jobs", CANARY_URL=server.address)
        assert (piped.stdout.count("uuid-"), piped.stderr) == (101, "")

    @pytest.mark.parametrize("words", [["gaps"], ["jobs", "--name", "none"]])
    def test_a_list_of_nothing_says_so(
        self,
        screen: Callable[..., Terminal],
        run: Run,
        server: Server,
        written: WrittenBoard,
        words: list[str],
    ) -> None:
        assert written
        _, output, errors = screen(*words).wait()
        assert (output, errors) == ("", f"canary: there are no {words[0]} to show\n")
        for style in ("json", "yaml", "csv", "value"):
            assert screen(*words, "-f", style).wait()[2] == ""
        piped = run("canary", *words, CANARY_URL=server.address)
        assert (piped.stdout, piped.stderr) == ("\n", "")

    def test_a_table_fits_the_terminal(
        self, server: Server, written: WrittenBoard, environment: dict[str, str]
    ) -> None:
        written.write(*(posted(number, now()) for number in range(1, 4)))
        words = [str(COMMANDS / "canary"), "jobs", "--url", server.address]
        with Terminal(words, environment, columns=120) as terminal:
            status, output, _ = terminal.wait()
        assert status == 0
        assert max(len(line) for line in output.splitlines()) <= 120

    @pytest.mark.parametrize(
        ("words", "variables", "is_coloured"),
        [
            ([], {}, True),
            ([], {"NO_COLOR": "1"}, False),
            (["--color", "never"], {}, False),
            (["--color", "always"], {"NO_COLOR": "1"}, True),
        ],
    )
    def test_colours(
        self,
        screen: Callable[..., Terminal],
        server: Server,
        written: WrittenBoard,
        words: list[str],
        variables: dict[str, str],
        is_coloured: bool,
    ) -> None:
        tail = screen("tail", *words, **variables)
        eventually(lambda: server.listeners() == 1, why="it listens")
        written.write(posted(1, now()))
        tail.shows("posted")
        assert ("\x1b[36mposted    \x1b[0m" in tail.output) is is_coloured
        assert ("\x1b" in tail.output) is is_coloured

    def test_no_colours_in_a_file(
        self, spawn: Spawn, server: Server, written: WrittenBoard
    ) -> None:
        tail = spawn("canary", "tail", CANARY_URL=server.address)
        eventually(lambda: server.listeners() == 1, why="it listens")
        written.write(posted(1, now()))
        eventually(lambda: "posted" in tail.output)
        assert "\x1b" not in tail.output
        assert tail.end(2) == 130  # Ctrl-C

    def test_times_are_short(self, run: Run, server: Server, written: WrittenBoard) -> None:
        start = ago(200)
        written.write(posted(1, start), claimed(1, ago(133)), ended(1, ago(3)))
        words = ["-f", "value", "-c", "waiting", "-c", "running"]
        exact = run("canary", "jobs", *words, CANARY_URL=server.address).stdout.split()
        assert [round(float(word)) for word in exact] == [67, 130]
        table = run("canary", "jobs", CANARY_URL=server.address).stdout
        assert "| 1m07s   | 2m10s   |" in table


class TestSigningIn:
    def test_by_token_and_by_password(
        self, spawn: Spawn, run: Run, database: Database[dict[str, Any]], tmp_path: Path
    ) -> None:
        WrittenBoard(database).beat()
        token, line = tokens.make("poller")
        (tmp_path / "tokens").write_text(f"{line}\n")
        (tmp_path / "passwords").write_text(line_of("ann", PASSWORD))
        server = Server(
            spawn,
            OS_AUTH__BEARER_FILE=str(tmp_path / "tokens"),
            OS_AUTH__BASIC_FILE=str(tmp_path / "passwords"),
        )
        where = {"CANARY_URL": server.address}
        person = {"CANARY_USER": "ann", "CANARY_PASSWORD": PASSWORD}
        for variables in ({"CANARY_TOKEN": token}, person):
            assert run("canary", "boards", **where, **variables).returncode == 0
            tail = spawn("canary", "tail", "-f", "json", **where, **variables)
            eventually(partial(_tells_boards, tail), why="it listens")
            doctor = run("canary", "doctor", "-f", "json", **where, **variables)
            rows = {row["check"]: row["status"] for row in json.loads(doctor.stdout)}
            assert rows["server"] == "ok", doctor.stdout
        for variables in ({}, {"CANARY_TOKEN": "x" * 20}, person | {"CANARY_PASSWORD": "wrong"}):
            refused = run("canary", "boards", **where, **variables)
            assert (refused.returncode, refused.stdout) == (1, "")
            assert "CANARY_TOKEN" in refused.stderr
            assert "wrong" not in refused.stderr
        doctor = run("canary", "doctor", "-f", "json", **where)
        rows = {row["check"]: row["status"] for row in json.loads(doctor.stdout)}
        assert rows["server"] == "failed"


def _tells_boards(tail: Command) -> bool:
    return '"event": "board"' in tail.output


class TestWrongValues:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["jobs", "--state", "lost"], "UNCLAIMED, CLAIMED or COMPLETE"),
            (["jobs", "--age-over", "soon"], "as in 5m"),
            (["jobs", "--age-over", "1h", "--age-over", "5m"], "--age-over is given 2 times"),
            (
                ["jobs", "--since", "2026-01-01T00:00:00Z", "--since", "2026-01-02T00:00:00Z"],
                "once",
            ),
            (["changes", "--since", "yesterday"], "ISO 8601"),
            (["boards", "--path", "nowhere"], "absolute"),
            (["jobs", "--sort", "size"], "posted_at"),
            (["tail", "--path", "nowhere"], "absolute"),
        ],
    )
    def test_the_server_says_what_is_allowed(
        self, run: Run, server: Server, words: list[str], said: str
    ) -> None:
        done = run("canary", *words, CANARY_URL=server.address)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1


class TestCompletion:
    """bash itself, with what bash-completion would have found out about the words."""

    STUB = """
        _get_comp_words_by_ref() {
          cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}
          words=("${COMP_WORDS[@]}")
        }
        eval "$(canary complete)"
        COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
        $(complete -p canary | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
        printf '%s\\n' "${COMPREPLY[@]}"
    """

    @pytest.fixture
    def complete(self, server: Server, environment: dict[str, str]) -> Callable[..., list[str]]:
        path = f"{COMMANDS}{os.pathsep}{environment['PATH']}"

        def reply(*words: str) -> list[str]:
            done = subprocess.run(
                ["bash", "-c", self.STUB, "bash", *words],
                env={**environment, "PATH": path, "CANARY_URL": server.address},
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            assert done.stderr == ""
            return done.stdout.split()

        return reply

    def test_commands_options_and_paths(
        self, complete: Callable[..., list[str]], database: Database[dict[str, Any]]
    ) -> None:
        for path in ("/lbaas/jobs", "/lbaas/$(touch owned)", "/poppy/jobs"):
            WrittenBoard(database, path)
        assert complete("canary", "con") == ["conductors"]
        assert set(complete("canary", "jobs", "--not-s")) == {
            *("--not-state", "--not-since", "--not-search"),
        }
        assert complete("canary", "jobs", "--path", "/po") == ["/poppy/jobs"]
        assert len(complete("canary", "tail", "--not-path", "")) == 4  # one of them has a space
        assert not Path("owned").exists()
