"""Names are TaskFlow's own: each formula is held against TaskFlow's classes."""

import warnings
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kazoo.protocol.paths import _prefix_root, join

from canary.model import names

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # oslo.utils deprecates what TaskFlow imports
    from taskflow.jobs.backends.impl_zookeeper import ZookeeperJob, ZookeeperJobBoard


PROPERTY = settings(deadline=None)
BOARDS = (
    "/taskflow/jobs",
    "/x/jobs/jobs",  # its trash is /x/.trash/.trash
    "/job",  # and so /.trash/.trash0000000001 is where its first job goes
    "/jobs",
    "/a/b/a",
    "/octavia/jobboard/jobs",
    "/j",
    "/lock/.lock",
    "/taskflow/taskflow",
)
SEGMENTS = st.text("abjo.k-", min_size=1, max_size=5).filter(lambda part: part not in {".", ".."})
PATHS = st.sampled_from(BOARDS) | st.lists(SEGMENTS, min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
JOB_NAMES = st.integers(-(2**31), 2**31).map("job{:010d}".format)
CHILD_NAMES = JOB_NAMES | st.builds(
    "".join, st.lists(st.sampled_from(("job", ".lock", "0", "7", "_", "-", " ", "x", "٣")))
)


def taskflows(board: str) -> ZookeeperJobBoard:
    return ZookeeperJobBoard("board", {"path": board}, client=Mock())


def taskflows_sequence(name: str) -> int | None:
    """Do what ``ZookeeperJobBoard`` does with a child: filter its name, then make a job of it."""
    board = taskflows("/board")
    if name.endswith(board.LOCK_POSTFIX) or not name.startswith(board.JOB_PREFIX):
        return None
    try:
        sequence: int = ZookeeperJob(board, "title", Mock(), f"/board/{name}").sequence
    except ValueError:
        return None
    return sequence


@PROPERTY
@given(PATHS, JOB_NAMES)
def test_folders_and_znodes_are_where_taskflow_looks(board: str, job: str) -> None:
    theirs = taskflows(board)
    posted = ZookeeperJob(theirs, "title", Mock(), f"{board}/{job}")
    assert names.trash_folder(board) == theirs.trash_path
    assert names.entity_folder(board) == theirs.entity_path
    assert f"{board}/{names.lock_name(job)}" == posted.lock_path
    # ZookeeperJobBoard.trash() has this formula in its body, not to be called without a server.
    assert names.trash_path(board, job) == posted.path.replace(theirs.path, theirs.trash_path)
    assert names.job_sequence(job) == posted.sequence


@PROPERTY
@given(PATHS, JOB_NAMES)
def test_with_a_slash_at_the_end_they_are_elsewhere(board: str, job: str) -> None:
    theirs = taskflows(f"{board}/")
    posted = ZookeeperJob(theirs, "title", Mock(), f"{board}/{job}")
    trash = posted.path.replace(theirs.path, theirs.trash_path)
    # kazoo takes what does not begin with a slash for a path below the root.
    assert names.slash_trash_path(board, job) == _prefix_root("", trash)
    assert names.slash_trash_folder(board) == _prefix_root("", theirs.trash_path)
    folder = _prefix_root("", join(theirs.entity_path, names.CONDUCTOR_FOLDER))
    assert names.conductor_folders(board) == (names.conductor_folder(board), folder)
    assert posted.lock_path == f"{board}/{names.lock_name(job)}"


def test_a_slash_at_the_end_puts_a_folder_between_all_characters() -> None:
    assert (
        names.slash_trash_path("/j", "job0000000001") == "/.trash/.trashj.trash/.trashjob0000000001"
    )


@pytest.mark.parametrize(
    ("board", "job", "trash"),
    [
        ("/taskflow/jobs", "job0000000001", "/taskflow/.trash/job0000000001"),
        ("/x/jobs/jobs", "job0000000001", "/x/.trash/.trash/job0000000001"),
        ("/job", "job0000000001", "/.trash/.trash0000000001"),
    ],
)
def test_trash_is_odd_where_taskflow_is_odd(board: str, job: str, trash: str) -> None:
    assert names.trash_path(board, job) == trash


def test_conductors_register_below_the_entities() -> None:
    board = taskflows("/taskflow/jobs")
    client = board._client
    entity = Mock(kind="conductor")
    entity.name = "c@host:1"
    entity.to_dict.return_value = {}
    board.register_entity(entity)
    [path] = client.ensure_path.call_args.args
    assert names.conductor_folder("/taskflow/jobs") == path


@PROPERTY
@given(CHILD_NAMES)
def test_a_child_is_a_job_if_taskflow_can_make_one_of_it(name: str) -> None:
    assert names.job_sequence(name) == taskflows_sequence(name)
    assert names.is_job(name) == (taskflows_sequence(name) is not None)


@pytest.mark.parametrize(
    ("name", "sequence"),
    [
        ("job0000000000", 0),
        ("job0000000042", 42),
        ("job-2147483648", -(2**31)),  # ZooKeeper's sequence after its last
        ("job" + "9" * 5000, None),  # more digits than Python's int() takes
        ("jobless", None),
        ("job", None),
        ("job0000000042.lock", None),
        ("xjob0000000042", None),
        (".trash", None),
        ("", None),
    ],
)
def test_a_jobs_sequence(name: str, sequence: int | None) -> None:
    assert names.job_sequence(name) == sequence


@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("job0000000042.lock", "job0000000042"),
        ("job0000000042", None),
        ("job0000000042.lock.lock", None),
        ("jobless.lock", None),
        ("job.lock", None),
        (".lock", None),
    ],
)
def test_the_job_of_a_lock(name: str, job: str | None) -> None:
    assert names.locked_job(name) == job


@PROPERTY
@given(CHILD_NAMES)
def test_a_jobs_lock_is_its_own_and_no_job(name: str) -> None:
    assert not names.is_job(names.lock_name(name))
    assert names.locked_job(names.lock_name(name)) == (name if names.is_job(name) else None)


ZXIDS = st.integers(0, 2**63 - 1)
MOMENT = datetime(2026, 11, 22, 20, 11, 33, 331_000, UTC)


@PROPERTY
@given(ZXIDS, ZXIDS)
def test_job_ids_sort_by_czxid(one: int, other: int) -> None:
    ids = [names.job_id("/b", czxid, 1, "job0000000001", MOMENT) for czxid in (one, other)]
    assert (ids[0] < ids[1]) == (one < other)
    assert (ids[0] == ids[1]) == (one == other)
    assert all(identity.startswith("/b#") for identity in ids)


def test_a_czxid_that_is_given_out_again_is_another_job_s() -> None:
    ids = [
        names.job_id("/b", 7, 1, "job0000000001", MOMENT + timedelta(milliseconds=later))
        for later in (0, 1)
    ]
    assert ids[0] < ids[1]


def test_a_job_that_was_never_read_has_an_id_of_its_own() -> None:
    unread = {
        names.job_id(board, czxid, incarnation, name, MOMENT if czxid else None)
        for board in ("/b", "/c")
        for czxid in (None, 5)
        for incarnation in (5, 6)
        for name in ("job0000000001", "job0000000002")
    }
    assert len(unread) == 2 * (1 + 2 * 2)  # where a czxid is known, it alone tells
    # A restored ensemble gives a name out twice in one incarnation.
    ids = [
        names.job_id("/b", None, 5, "job0000000001", MOMENT + timedelta(milliseconds=later))
        for later in (0, 1)
    ]
    assert ids[0] < ids[1]
    assert ids[0].startswith("/b#0000000000000005/job0000000001-")


def test_change_ids_sort_by_revision() -> None:
    revisions = [0, 1, 15, 16, 255, 256, 2**40]
    ids = [names.change_id("/b", revision) for revision in revisions]
    assert ids == sorted(ids)


def test_an_identity_is_written_so() -> None:
    made = datetime(1970, 1, 1, 0, 0, 0, 26_000, tzinfo=UTC)
    assert names.job_id("/b", 10, 1, "job1", made) == "/b#000000000000000a-00000000001a"
    assert names.job_id("/b", -1, 1, "job1", None) == "/b#ffffffffffffffff"
    assert names.job_id("/b", None, 11, "job1", None) == "/b#000000000000000b/job1"
    assert names.job_id("/b", None, -1, "job1", made) == "/b#ffffffffffffffff/job1-00000000001a"
