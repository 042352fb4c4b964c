"""A program with all its processes, for tests that freeze it, kill it, or measure its work."""

import psutil


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all that it started, which are still there. Raises NoSuchProcess."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def worked(pid: int) -> float:
    """Return how many seconds of a processor a process and its family have used."""
    times = [each.cpu_times() for each in family(pid)]
    return sum(each.user + each.system for each in times)
