"""The command line as a program: its words, its exit statuses, what it asks and what it imports."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import certifi
import pytest

from canary.cli.main import main
from canary.server.v2.jobs import JobsQuery
from tests.unit.scripted_server import NO_ANSWER, Answer, Asked, Script, ScriptedServer, problem

COMMANDS = Path(sys.executable).parent
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
HEAVY = {"gevent", "kazoo", "taskflow", "pymongo", "bson", "cassandra", "oslo_config", "flask"}
SECRET = "hunter2"
#: Starts no server: the words are wrong, or nobody listens there.
NOBODY = "http://127.0.0.1:1"
SORTS = JobsQuery.model_fields["sort"].description

NO_JOBS: dict[str, Any] = {"jobs": [], "next": None}

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``canary`` to its end, in an environment without variables of its own."""

    def start(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {name: value for name, value in os.environ.items() if "CANARY" not in name}
        return subprocess.run(
            [COMMANDS / "canary", *words],
            env={**environment, "COLUMNS": "100", "HOME": str(tmp_path), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return start


def jobs(count: int, page: int = 1_000) -> Script:
    """Return a server that has so many jobs."""

    def answer(asked: Asked) -> Answer:
        query = dict(asked.query)
        first, limit = int(query.get("cursor", "0")), min(page, int(query["limit"]))
        numbers = range(first, min(first + limit, count))
        following = str(numbers.stop) if numbers.stop < count else None
        rows = [{"uuid": f"u-{number}", "name": "build", "age": number} for number in numbers]
        return Answer({"jobs": rows, "next": following})

    return answer


def one_line(text: str) -> str:
    """Return what was said on standard error, which is one line."""
    assert text.startswith("canary")
    assert len(text.splitlines()) == 1
    assert text.endswith("\n")
    return text


class TestHelp:
    def test_it_lists_every_command_and_every_exit_status(self, run: Run) -> None:
        done = run("--help")
        assert (done.returncode, done.stderr) == (0, "")
        declared = PROJECT["project"]["entry-points"]["canary.cli"]
        listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
        assert set(declared) | {"help", "complete", "0", "1", "2", "3", "130", "141"} <= listed
        assert run("help").stdout == done.stdout

    @pytest.mark.parametrize("name", PROJECT["project"]["entry-points"]["canary.cli"])
    def test_each_command_tells_its_options(
        self, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([name, "--help"]) == 0
        told = capsys.readouterr().out
        assert told.startswith(f"usage: canary {name} ")
        assert max(len(line) for line in told.splitlines()) <= 100

    def test_version(self, run: Run) -> None:
        assert run("--version").stdout == f"canary {PROJECT['project']['version']}\n"


class TestImports:
    @pytest.mark.parametrize("words", [["--help"], ["boards"], ["tail"], ["jobs", "--help"]])
    def test_what_it_does_not_need_is_not_imported(self, words: list[str]) -> None:
        script = (
            "import sys\nfrom canary.cli.main import main\n"
            "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
            "print(' '.join({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, *words, "--url", NOBODY],
            # Whoever measures coverage imports gevent.
            env={name: value for name, value in os.environ.items() if "COVERAGE" not in name},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        imported = set(done.stderr.splitlines()[-1].split())
        assert "cliff" in imported
        assert not imported & HEAVY
        assert ("requests" in imported) is ("--help" not in words)

    def test_doctor_does_need_them(self) -> None:
        script = (
            "import sys, canary.cli.checks.installation\n"
            "print(' '.join({name.partition('.')[0] for name in sys.modules}))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
        )
        assert {"gevent", "kazoo", "pymongo", "cassandra"} <= set(done.stdout.split())


class TestWrongWords:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ([], "no command is given"),
            (["bords"], "did you mean boards?"),
            (["c"], "did you mean changes, complete or conductors?"),
            (["jo"], "did you mean job or jobs?"),
            (["boards", "--frob"], "--frob"),
            (["boards", "-f", "xml"], "'xml'"),
            (["jobs", "--limit", "-1"], "-1"),
            (["jobs", "--limit", "x"], "not a whole number"),
            (["jobs", "--sort", "age:up"], "FIELD:desc"),
            (["jobs", "-c", "size"], "There are: uuid, name"),
            (["job"], "UUID"),
            (["job", "u", "-c", "x"], "There are: uuid, name"),
            (["stats", "--group", "x"], "owner"),
            (["tail", "--color", "x"], "always"),
            (["help", "x"], "no command"),
            (["boards", "--url", "x"], "http://host:8080"),
            (["boards", "--ur", "x"], "--ur"),
        ],
    )
    def test_they_end_with_2_and_one_line(
        self, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        try:
            status = main(words)
        except SystemExit as end:
            status = int(end.code or 0)
        told = capsys.readouterr()
        assert (status, told.out) == (2, "")
        assert said in one_line(told.err)


class TestAnswers:
    @pytest.mark.parametrize(
        ("answer", "status", "said"),
        [
            (problem(400, "state is 'x'. Allowed: CLAIMED"), 2, "--state is 'x'. Allowed: CLAIMED"),
            (problem(400, "age>! is 'x'. Allowed: 5m"), 2, "--not-age-over is 'x'. Allowed: 5m"),
            (problem(400, "window is 'x'"), 2, "--window is 'x'"),
            (
                problem(
                    400, f"sort is '-x'. Allowed: {JobsQuery.model_fields['sort'].description}."
                ),
                2,
                "path, owner, state, uuid, claims; with :desc behind it for descending; by default"
                " posted_at:desc.",
            ),
            (problem(400, "cursor is 'x'"), 2, ": cursor is 'x'"),
            (problem(401, "Nobody signed in"), 1, "CANARY_TOKEN"),
            (problem(403, "Not you"), 1, "CANARY_TOKEN"),
            (problem(500, "Internal error"), 1, "answers 500: Internal error"),
            (Answer({}, 503, {"Retry-After": "2"}), 1, "try again in 2 s"),
            (problem(503, "MongoDB does not answer"), 1, "MongoDB does not answer"),
            (Answer(b"<html>", 200), 1, "did not answer with a JSON object"),
            (Answer(b"[" * 100_000, 200), 1, "did not answer with a JSON object"),
            (Answer([1], 200), 1, "did not answer with a JSON object"),
            (Answer({"jobs": 1}, 200), 1, "did not answer with a list of jobs"),
            (Answer(b"not here", 404, {}, "text/html"), 1, "has no /v2/jobs"),
        ],
    )
    def test_what_is_no_list(
        self, answer: Answer, status: int, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with ScriptedServer(lambda _: answer) as server:
            assert main(["jobs", "--url", server.url]) == status
            assert len(server.asked) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert said in one_line(told.err)

    @pytest.mark.parametrize("words", [["jobs"], ["boards", "-f", "json"]])
    def test_a_board_that_nobody_registered_is_no_empty_one(
        self, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        known = {"boards": [{"path": "/known"}] if words == ["jobs"] else []}

        def answer(asked: Asked) -> Answer:
            return Answer(known if asked.path == "/v2/boards" else {"jobs": []})

        with ScriptedServer(answer) as server:
            asked = [*words, "--url", server.url, "--path", "/known", "--path", "/nope"]
            assert main(asked) == 0
        told = capsys.readouterr()
        said = "/nope is not registered, so it is not watched; canary boards lists registered"
        assert f"canary: {said} boards\n" in told.err
        assert ("/known" in told.err) is (words != ["jobs"])

    def test_a_filter_of_jobs_finds_no_gap(self, capsys: pytest.CaptureFixture[str]) -> None:
        with ScriptedServer(lambda _: Answer({"gaps": []})) as server:
            for words in (["--state", "claimed"], ["--owner", "a"]):
                assert main(["gaps", "--url", server.url, *words]) == 0
                assert "a filter on jobs, such as --state, finds no gaps" in capsys.readouterr().err
            for words in (
                [],
                *(["--search", "a"], ["--since", "0"], ["--until", "0"], ["--sort", "to"]),
                *(["--age-over", "1d"], ["--not-state", "claimed"]),
            ):
                assert main(["gaps", "--url", server.url, *words]) == 0
                assert "filter" not in capsys.readouterr().err

    def test_nobody_listens(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["jobs", "--url", NOBODY]) == 1
        told = one_line(capsys.readouterr().err)
        assert "Connection refused" in told
        assert "CANARY_URL" in told

    def test_there_is_no_such_job(self, capsys: pytest.CaptureFixture[str]) -> None:
        with ScriptedServer(lambda _: problem(404, "No job with the uuid a/b")) as server:
            assert main(["job", "a/b?c", "--url", server.url]) == 3
            assert (server.asked[0].path, server.asked[0].query) == ("/v2/job", [("uuid", "a/b?c")])
        assert "There is no job 'a/b?c'" in one_line(capsys.readouterr().err)

    def test_a_reason_steers_no_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        with ScriptedServer(lambda _: problem(400, "\x1b[31mred\nline\u202e")) as server:
            assert main(["jobs", "--url", server.url]) == 2
        assert one_line(capsys.readouterr().err) == "canary: \\x1b[31mred line\\u202e\n"

    def test_a_traceback_where_it_is_wished(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--debug", "jobs", "--url", NOBODY]) == 1
        assert "Traceback" in capsys.readouterr().err

    @pytest.mark.parametrize(("dropped", "status"), [(1, 0), (2, 0), (3, 1)])
    def test_what_was_dropped_is_asked_again(
        self, dropped: int, status: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with ScriptedServer(
            lambda _: NO_ANSWER if len(server.asked) <= dropped else Answer(NO_JOBS)
        ) as server:
            assert main(["jobs", "--url", server.url]) == status
            assert len(server.asked) == min(dropped + 1, 3)
        assert ("is canary-server running there" in capsys.readouterr().err) is bool(status)

    def test_who_asked_too_often_waits(self, capsys: pytest.CaptureFixture[str]) -> None:
        answers = iter([Answer({}, 429, {"Retry-After": "1"}), Answer(NO_JOBS)])
        with ScriptedServer(lambda _: next(answers)) as server:
            assert main(["jobs", "--url", server.url]) == 0
            assert len(server.asked) == 2
        assert capsys.readouterr().err == ""


class TestQuestions:
    def test_every_filter_is_a_parameter_of_the_api(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = [
            *("--path", "/a", "--path", "/b", "--not-path", "/c", "--state", "claimed"),
            *("--not-state", "COMPLETE", "--outcome", "trashed", "--not-outcome", "consumed"),
            *("--owner", "ann", "--not-owner", "bob", "--name", "n", "--not-name", "m"),
            *("--uuid", "u", "--not-uuid", "v", "--age-over", "5m", "--not-age-over", "1h"),
            *("--waiting-over", "1s", "--not-waiting-over", "2s", "--running-over", "3s"),
            *(
                "--not-running-over",
                "4s",
                "--claims-over",
                "5",
                "--not-claims-over",
                "6",
                "--since",
                "1",
                "--not-since",
                "2",
                "--until",
                "3",
            ),
            *("--not-until", "4", "--search", "x y", "--not-search", "&z=1"),
            *("--sort", "age:desc", "--limit", "7"),
        ]
        with ScriptedServer(jobs(1)) as server:
            assert main(["jobs", *words, "--url", server.url]) == 0
            [asked] = server.asked
        assert sorted(asked.query) == sorted(
            [
                *[("path", "/a"), ("path", "/b"), ("path!", "/c"), ("state", "CLAIMED")],
                *[("state!", "COMPLETE"), ("outcome", "trashed"), ("outcome!", "consumed")],
                *[("owner", "ann"), ("owner!", "bob"), ("name", "n"), ("name!", "m")],
                *[("uuid", "u"), ("uuid!", "v"), ("age>", "5m"), ("age>!", "1h")],
                *[("waiting>", "1s"), ("waiting>!", "2s"), ("running>", "3s")],
                *[("claims>", "5"), ("claims>!", "6")],
                *[("running>!", "4s"), ("since", "1"), ("since!", "2"), ("until", "3")],
                *[("until!", "4"), ("q", "x y"), ("q!", "&z=1"), ("sort", "-age")],
                ("limit", "7"),
            ]
        )
        assert capsys.readouterr().err == ""

    def test_kinds_and_groups(self) -> None:
        def answer(asked: Asked) -> Answer:
            return Answer({asked.path.rpartition("/")[2]: [], "next": None})

        with ScriptedServer(answer) as server:
            words = ["--kind", "claimed", "--not-kind", "posted"]
            assert main(["changes", *words, "--url", server.url]) == 0
            words = ["--group", "owner", "--window", "5m", "--sort", "posted:asc"]
            assert main(["stats", *words, "--url", server.url]) == 0
        limit = ("limit", "1000")
        assert [asked.query for asked in server.asked] == [
            [("kind", "claimed"), ("kind!", "posted"), limit],
            [("window", "5m"), ("sort", "posted"), ("group", "owner"), limit],
        ]

    @pytest.mark.parametrize(
        ("words", "count", "questions"),
        [
            ([], 2_500, 3),
            (["--limit", "0"], 2_500, 3),
            (["--limit", "1500"], 1_500, 2),
            (["--limit", "1000"], 1_000, 1),
            (["--limit", "10"], 10, 1),
        ],
    )
    def test_a_list_is_read_page_by_page(
        self, words: list[str], count: int, questions: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with ScriptedServer(jobs(2_500)) as server:
            assert main(["jobs", "-f", "json", *words, "--url", server.url]) == 0
            assert len(server.asked) == questions
        told = json.loads(capsys.readouterr().out)
        assert [row["uuid"] for row in told] == [f"u-{number}" for number in range(count)]

    def test_columns(self, capsys: pytest.CaptureFixture[str]) -> None:
        with ScriptedServer(jobs(2)) as server:
            where = ["--url", server.url]
            assert main(["jobs", "-f", "value", "-c", "uuid", "-c", "age", *where]) == 0
            assert capsys.readouterr().out == "u-0 0\nu-1 1\n"
            sort = ["--sort-column", "age", "--sort-descending"]
            assert main(["jobs", "-f", "csv", "-c", "age", *sort, *where]) == 0
            assert capsys.readouterr().out == '"age"\n1\n0\n'
            assert main(["jobs", "-f", "json", *where]) == 0
            assert len(json.loads(capsys.readouterr().out)[0]) == 19
            assert main(["jobs", *where]) == 0
            assert "claimed_at" not in capsys.readouterr().out
            assert main(["jobs", "--long", *where]) == 0
            assert "claimed_at" in capsys.readouterr().out


class TestSigningIn:
    @pytest.fixture
    def netrc(self, tmp_path: Path) -> None:
        file = tmp_path / ".netrc"
        file.write_text(f"machine 127.0.0.1 login eve password {SECRET}\n")
        file.chmod(0o600)

    @pytest.mark.usefixtures("netrc")
    @pytest.mark.parametrize(
        ("variables", "expected"),
        [
            ({}, None),
            ({"CANARY_TOKEN": SECRET}, f"Bearer {SECRET}"),
            ({"CANARY_USER": "ann", "CANARY_PASSWORD": SECRET}, "Basic YW5uOmh1bnRlcjI="),
            ({"CANARY_USER": "ä", "CANARY_PASSWORD": "ö"}, "Basic w6Q6w7Y="),
        ],
    )
    def test_as_who_it_says_and_nobody_else(
        self, run: Run, variables: dict[str, str], expected: str | None
    ) -> None:
        with ScriptedServer(lambda _: problem(401, "No")) as server:
            done = run("--debug", "jobs", CANARY_URL=server.url, **variables)
            assert [asked.headers.get("Authorization") for asked in server.asked] == [expected]
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert SECRET not in done.stdout + done.stderr

    def test_a_redirect_to_another_host_takes_no_token_along(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with ScriptedServer(jobs(1)) as other:
            where = other.url.replace("127.0.0.1", "localhost")
            moved = Answer({}, 302, {"Location": f"{where}/v2/jobs?limit=1"})
            with ScriptedServer(lambda _: moved) as server:
                assert main(["jobs", "--token", SECRET, "--url", server.url]) == 0
            assert "Authorization" not in other.asked[0].headers
        assert SECRET not in capsys.readouterr().err


class TestTls:
    CERTIFICATE = Path(__file__).parent / "localhost.pem"  # of nobody but these tests

    @pytest.mark.parametrize("bundle", ["", certifi.where()])
    def test_who_is_not_trusted_is_told_nothing(self, run: Run, bundle: str) -> None:
        run = partial(run, REQUESTS_CA_BUNDLE=bundle)
        with ScriptedServer(jobs(1), self.CERTIFICATE) as server:
            where = ["--url", server.url]
            refused = run("jobs", *where, CANARY_TOKEN=SECRET)
            assert refused.returncode == 1
            assert "--cacert FILE, or --insecure" in one_line(refused.stderr)
            assert "certificate" in refused.stderr
            assert server.asked == []
            trusted = run("jobs", "--cacert", str(self.CERTIFICATE), *where)
            assert (trusted.returncode, trusted.stderr) == (0, "")
            insecure = run("jobs", "--insecure", *where)
            assert (insecure.returncode, insecure.stderr) == (0, "")
            assert insecure.stdout == trusted.stdout


class TestPipes:
    def test_who_reads_no_more_ends_it_quietly(self, tmp_path: Path) -> None:
        with ScriptedServer(jobs(20_000)) as server:
            words = f"{COMMANDS / 'canary'} jobs -f csv --url {server.url}"
            script = f"set -o pipefail; {words} | head -1; echo ${{PIPESTATUS[0]}}"
            done = subprocess.run(
                ["bash", "-c", script],
                env={**os.environ, "HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        assert done.stderr == ""
        assert done.stdout.startswith('"uuid","name"')
        assert done.stdout.splitlines()[-1] == "141"


def test_the_clock_is_the_servers(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(_: Asked) -> Answer:
        row: dict[str, Any] = {"path": "/a", "freshness_since": "2031-01-01T00:00:00Z"}
        return Answer({"boards": [row], "next": None}, 200, {"Date": "x"})

    def dated(asked: Asked) -> Answer:
        made = answer(asked)
        return Answer(made.body, 200, {"Date": "Wed, 01 Jan 2031 00:02:13 GMT"})

    for script, expected in ((dated, "2m13s ago"), (answer, "0ms ago")):
        with ScriptedServer(script) as server:
            words = ["boards", "-c", "freshness_since", "--url", server.url]
            assert main(words) == 0
        assert expected in capsys.readouterr().out
