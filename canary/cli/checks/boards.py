"""The boards in ZooKeeper: whether they are registered, exist, and may be read."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Final

from canary.cli.checks.ensemble import Ensemble
from canary.cli.checks.finding import Finding, failed, ok, skipped, warning
from canary.errors import BoardDenied, BoardMissing
from canary.model.names import conductor_folder, entity_folder, trash_folder
from canary.registry.registry import Registry, WatchJob
from canary.zookeeper import Client, wait

MAX_BOARDS: Final = 1_000  # checked
MAX_NAMED: Final = 5  # paths or names in one finding


class _Node(Enum):
    THERE = "there"
    MISSING = "missing"
    DENIED = "denied"


def check(ensemble: Ensemble) -> Iterator[Finding]:
    """Check Canary's own board, and each board that is registered on it."""
    client, options = ensemble.client, ensemble.config.canary
    jobs = Registry(client, options.jobboard).look().jobs
    registered = sorted({job.path for job in jobs})
    unregistered = [path for path in options.path if path not in registered]
    if unregistered:
        yield warning(
            f"[canary] path names boards that are not registered: {named(unregistered)}",
            "run canary-producer without a command",
        )
    elif not registered:
        yield warning(
            f"no board is registered on {options.jobboard}", "run: canary-producer add PATH"
        )
    yield from own_folders(options.jobboard)
    yield from _watch_jobs(jobs)
    if len(registered) > MAX_BOARDS:
        yield skipped(f"only the first {MAX_BOARDS} of {len(registered)} boards are checked")
    yield from _paths(client, registered[:MAX_BOARDS])


def own_folders(jobboard: str) -> Iterator[Finding]:
    """Warn if TaskFlow does not keep .trash and .entities beside Canary's own board."""
    elsewhere = [
        folder
        for folder in (trash_folder(jobboard), entity_folder(jobboard))
        if folder.rpartition("/")[0] != jobboard.rpartition("/")[0]
    ]
    if elsewhere:
        yield warning(
            f"TaskFlow keeps {named(elsewhere)} for {jobboard}, and not beside it: the last part of"
            " that path occurs in it more than once",
            "give Canary's user all permissions there too, or choose another [canary] jobboard,"
            " such as /canary/jobs",
        )


def _watch_jobs(jobs: Sequence[WatchJob]) -> Iterator[Finding]:
    free = sorted({job.path for job in jobs if not job.claimed})
    if free:
        yield failed(
            f"no worker has claimed the watch jobs of {named(free)}",
            "start canary-worker; if workers run, read their logs, and raise [canary] max_boards"
            " if they have reached it",
        )


def _paths(client: Client, paths: Sequence[str]) -> Iterator[Finding]:
    nodes = _look(client, paths)
    missing = [path for path in paths if nodes[path] is _Node.MISSING]
    denied = [path for path in paths if nodes[path] is _Node.DENIED]
    if missing:
        yield warning(
            f"not in ZooKeeper now: {named(missing)}",
            "Canary waits for the board. If the path is wrong, run canary-producer remove",
        )
    if denied:
        yield failed(
            f"ZooKeeper does not let Canary read {named(denied)}",
            "give Canary's user ([zookeeper] username) READ permission on the board and its jobs",
        )
    beside = _look(
        client, [each(path) for path in paths for each in (trash_folder, conductor_folder)]
    )
    hidden = [path for path, node in beside.items() if node is _Node.DENIED]
    if hidden:
        yield warning(
            f"ZooKeeper does not let Canary read {named(hidden)}",
            "give Canary's user READ permission there: otherwise trashed jobs are shown as ended,"
            " and conductors are not shown",
        )
    yield from _shared(
        paths,
        trash_folder,
        "give each board its own parent znode: in a shared folder, TaskFlow can't trash a job if"
        " a job with the same number was trashed before",
    )
    yield from _shared(
        paths,
        entity_folder,
        "give each board its own parent znode: a conductor that registers for one of these boards"
        " is shown for all of them, and only its claims show for which board it works",
    )
    if there := [path for path in paths if nodes[path] is _Node.THERE]:
        yield ok(f"{named(there)}: present and readable")


def _shared(
    paths: Sequence[str], folder_of: Callable[[str], str], advice: str
) -> Iterator[Finding]:
    folders = defaultdict(list)
    for path in paths:
        folders[folder_of(path)].append(path)
    for folder, sharing in folders.items():
        if len(sharing) > 1:
            yield warning(f"{named(sharing)} share {folder}", advice)


def _look(client: Client, paths: Sequence[str]) -> dict[str, _Node]:
    answers = {path: client.get_async(path) for path in paths}
    nodes = {}
    for path, answer in answers.items():
        try:
            wait(answer, client.call_timeout)
            nodes[path] = _Node.THERE
        except BoardMissing:
            nodes[path] = _Node.MISSING
        except BoardDenied:
            nodes[path] = _Node.DENIED
    return nodes


def named(names: Sequence[str]) -> str:
    """Return the first ``MAX_NAMED`` names as one text, and how many more there are."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
