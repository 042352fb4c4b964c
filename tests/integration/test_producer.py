"""canary-producer, as a person and as cron run it."""

import json
import os
import subprocess
import time
from collections.abc import Callable

import gevent
import pytest
from kazoo.client import KazooClient

from devstack import control
from tests.integration.boards import posting
from tests.integration.conftest import Spawn
from tests.integration.proxy import Proxy
from tests.waiting import eventually

Run = Callable[..., "subprocess.CompletedProcess[str]"]

PASSWORD = "s3cret-word"


@pytest.fixture
def jobboard(environment: dict[str, str]) -> str:
    return environment["OS_CANARY__JOBBOARD"]


def watched(zookeeper: KazooClient, jobboard: str) -> list[str]:
    """Return the boards that have a watch job, one entry a job."""
    if not zookeeper.exists(jobboard):
        return []
    jobs = [name for name in zookeeper.get_children(jobboard) if not name.endswith(".lock")]
    return sorted(
        json.loads(zookeeper.get(f"{jobboard}/{name}")[0])["details"]["path"] for name in jobs
    )


class TestWords:
    def test_add_list_and_remove(self, run: Run, zookeeper: KazooClient, jobboard: str) -> None:
        assert run("canary-producer", "list").stdout == ""
        added = run("canary-producer", "add", "/b/jobs", "/a/jobs")
        assert (added.returncode, added.stderr) == (0, "")
        assert added.stdout.splitlines() == ["/b/jobs: added", "/a/jobs: added"]
        again = run("canary-producer", "add", "/a/jobs", "/c/jobs")
        assert again.stdout.splitlines() == ["/a/jobs: is watched already", "/c/jobs: added"]
        assert watched(zookeeper, jobboard) == ["/a/jobs", "/b/jobs", "/c/jobs"]
        assert run("canary-producer", "list").stdout.split() == ["/a/jobs", "/b/jobs", "/c/jobs"]
        listed = json.loads(run("canary-producer", "list", "-f", "json").stdout)
        assert [(job["path"], job["claimed"]) for job in listed] == [
            ("/a/jobs", False),
            ("/b/jobs", False),
            ("/c/jobs", False),
        ]
        assert len({job["uuid"] for job in listed}) == 3
        removed = run("canary-producer", "remove", "/b/jobs", "/d/jobs")
        assert removed.returncode == 0
        assert removed.stdout.splitlines() == ["/b/jobs: removed", "/d/jobs: was not watched"]
        assert watched(zookeeper, jobboard) == ["/a/jobs", "/c/jobs"]

    def test_the_watched_boards_are_not_touched(
        self, run: Run, zookeeper: KazooClient, corner: str
    ) -> None:
        """They need not exist either."""
        assert run("canary-producer", "add", f"/{corner}/watched/jobs").returncode == 0
        assert zookeeper.get_children(f"/{corner}") == ["canary"]

    def test_cron_adds_what_is_missing(
        self, run: Run, zookeeper: KazooClient, jobboard: str
    ) -> None:
        first = run("canary-producer", OS_CANARY__PATH="/a/jobs")
        assert first.returncode == 0
        second = run("canary-producer", OS_CANARY__PATH="/a/jobs,/b/jobs")
        assert second.stdout.splitlines() == ["/a/jobs: is watched already", "/b/jobs: added"]
        assert watched(zookeeper, jobboard) == ["/a/jobs", "/b/jobs"]

    def test_ten_at_once_make_one_watch_job_a_board(
        self, spawn: Spawn, zookeeper: KazooClient, jobboard: str
    ) -> None:
        paths = "/a/jobs,/b/jobs,/c/jobs"
        commands = [
            spawn("canary-producer", OS_CANARY__PATH=paths, OS_ZOOKEEPER__CALL_TIMEOUT="30")
            for _ in range(10)
        ]
        assert [command.process.wait(60) for command in commands] == [0] * 10
        assert watched(zookeeper, jobboard) == ["/a/jobs", "/b/jobs", "/c/jobs"]
        assert sum(command.output.count("added") for command in commands) == 3

    def test_garbage_on_the_board_is_no_hindrance(
        self, run: Run, zookeeper: KazooClient, jobboard: str
    ) -> None:
        for name, data in {"job1": b"no json", "jobless": posting(), "job2": None}.items():
            zookeeper.create(f"{jobboard}/{name}", data, makepath=True)
        assert run("canary-producer", "add", "/a/jobs").returncode == 0
        listed = run("canary-producer", "list")
        assert (listed.returncode, listed.stdout) == (0, "/a/jobs\n")


class TestRefusals:
    def test_what_can_be_no_watched_board(
        self, run: Run, zookeeper: KazooClient, jobboard: str
    ) -> None:
        reasons = {
            "a/jobs": "absolute",
            "": "absolute",
            "/a/jobs/": "slash",
            "/": "root",
            jobboard: "own board",
        }
        refusals = {
            path: gevent.spawn(run, "canary-producer", "add", "/a/jobs", path) for path in reasons
        }
        for path, reason in reasons.items():
            refused = refusals[path].get(timeout=30)
            assert (refused.returncode, refused.stdout) == (2, "")
            assert reason in refused.stderr
            assert refused.stderr.startswith("canary-producer: ")
            assert len(refused.stderr.splitlines()) == 1
        assert watched(zookeeper, jobboard) == []

    def test_wrong_words_and_options(self, run: Run) -> None:
        wrong = gevent.spawn(run, "canary-producer", "list", OS_ZOOKEEPER__CALL_TIMEOUT="soon")
        unknown = gevent.spawn(run, "canary-producer", "remember", "/a/jobs")
        nothing = run("canary-producer")
        assert nothing.returncode == 2
        assert "[canary] path" in nothing.stderr
        assert unknown.get().returncode == 2
        assert wrong.get().returncode == 2
        assert "[zookeeper] call_timeout" in wrong.get().stderr


class TestZooKeeperAway:
    def test_nobody_listens(self, run: Run) -> None:
        started = time.monotonic()
        away = run(
            "canary-producer",
            "list",
            OS_ZOOKEEPER__HOSTS="127.0.0.1:1",
            OS_ZOOKEEPER__CALL_TIMEOUT="2",
        )
        assert (away.returncode, away.stdout) == (1, "")
        [line] = away.stderr.splitlines()
        assert "ZooKeeper at 127.0.0.1:1 does not answer within 2 s" in line
        assert time.monotonic() - started < 2 + START

    def test_it_stands_still(self, run: Run) -> None:
        control.freeze("zookeeper")
        try:
            started = time.monotonic()
            away = run(
                "canary-producer",
                "add",
                "/a/jobs",
                OS_ZOOKEEPER__CALL_TIMEOUT="2",
                OS_ZOOKEEPER__SESSION_TIMEOUT="20",
            )
            assert away.returncode == 1
            assert "does not answer within 2 s" in away.stderr
            assert "Traceback" not in away.stderr
            assert time.monotonic() - started < 2 + START
        finally:
            control.thaw("zookeeper")
            control.wait_ready("zookeeper")

    def test_it_stops_answering_half_way(
        self, spawn: Spawn, zookeeper: KazooClient, jobboard: str
    ) -> None:
        with Proxy(os.environ["DEVSTACK_ZOOKEEPER"]) as proxy:
            # It waits for the lock, which somebody else holds.
            folder = f"{jobboard.rpartition('/')[0]}/.register"
            with zookeeper.Lock(folder, "another"):
                command = spawn(
                    "canary-producer",
                    "add",
                    "/a/jobs",
                    OS_ZOOKEEPER__HOSTS=proxy.address,
                    OS_ZOOKEEPER__CALL_TIMEOUT="4",
                )
                eventually(lambda: len(zookeeper.get_children(folder)) == 2)
                with proxy.frozen():
                    assert command.process.wait(4 + START) == 1
        assert command.output.splitlines()[-1].startswith("canary-producer: ")
        assert "Traceback" not in command.output
        assert watched(zookeeper, jobboard) == []


START = 40.0  # seconds for Python and its imports, on a busy machine, and for the session's end


def test_no_password_is_written(run: Run) -> None:
    secrets = {
        "OS_ZOOKEEPER__USERNAME": "canary",
        "OS_ZOOKEEPER__PASSWORD": PASSWORD,
        "OS_MONGO__URI": f"mongodb://canary:{PASSWORD}@127.0.0.1:1/",
        "OS_LOG__LEVEL": "DEBUG",
    }
    fine = run("canary-producer", "add", "/a/jobs", **secrets)
    assert fine.returncode == 0
    assert "kazoo.client" in fine.stderr
    away = run(
        "canary-producer",
        "add",
        "/a/jobs",
        **secrets,
        OS_ZOOKEEPER__HOSTS="127.0.0.1:1",
        OS_ZOOKEEPER__CALL_TIMEOUT="1",
    )
    assert away.returncode == 1
    for done in (fine, away):
        assert PASSWORD not in done.stdout + done.stderr


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("locale", [{}, ASCII])
def test_any_path_on_an_ascii_terminal(
    run: Callable[..., "subprocess.CompletedProcess[str]"], locale: dict[str, str], corner: str
) -> None:
    path = f"/{corner}/tämä\u202e/jobs"
    ascii_only = {**locale, "PYTHONIOENCODING": "ascii"}
    escaped = f"/{corner}/t\\xe4m\\xe4\\u202e/jobs"
    for words, told in (
        (("add", path), f"{escaped}: added\n"),
        (("add", path), f"{escaped}: is watched already\n"),
        (("list",), f"{escaped}\n"),
        (("remove", path), f"{escaped}: removed\n"),
    ):
        done = run("canary-producer", *words, **ascii_only)
        assert (done.returncode, done.stdout, done.stderr) == (0, told, "")
    run("canary-producer", "add", path)
    [listed] = json.loads(run("canary-producer", "list", "-f", "json", **ascii_only).stdout)
    assert listed["path"] == path
