"""Leaves out the tests of tools that nobody has changed since they last passed.

A test module that is marked ``folders("devstack", …)`` tests what is in these files and folders,
given from the project's root, and nothing else. ``make test`` runs it if anything there, or the
module itself, is not as it was when ``make test-all`` last passed; ``make test-all`` always does.
``tests/unchanged.json`` holds a digest per module. ``python -m tests.unchanged`` writes it anew.
"""

import ast
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
RECORDED: Final = Path(__file__).with_suffix(".json")
MARK: Final = "folders"
ALL: Final = "TEST_ALL"  # the environment variable with which nothing is left out


def leave_out(items: Iterable[pytest.Item]) -> None:
    """Mark what is unchanged to be skipped."""
    if ALL in os.environ:
        return
    recorded: Mapping[str, str] = json.loads(RECORDED.read_text())
    found: dict[Path, bool] = {}
    for item in items:
        mark = item.get_closest_marker(MARK)
        if mark is None:
            continue
        if item.path not in found:
            name = str(item.path.relative_to(ROOT))
            found[item.path] = recorded.get(name) == digest([name, *mark.args])
        if found[item.path]:
            item.add_marker(pytest.mark.skip(reason="unchanged since `make test-all` passed"))


def digest(names: Iterable[str], root: Path = ROOT) -> str:
    """Return a digest of the names and contents of all files in these files and folders."""
    sha = hashlib.sha256()
    for name in names:
        for file in _files(root / name):
            data = file.read_bytes()
            sha.update(f"{file.relative_to(root)} {len(data)}\n".encode() + data)
    return sha.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is marked as what a test is of, and is not there")
    for file in sorted(path.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file


def marked(module: Path) -> list[str] | None:
    """Return what a test module is marked with, or None if it is not marked."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"pytest.mark.{MARK}":
            return [ast.literal_eval(each) for each in node.args]
    return None


def main() -> None:
    """Record all marked modules as they are now."""
    found = {}
    for module in sorted((ROOT / "tests").rglob("test_*.py")):
        names = marked(module)
        if names is not None:
            name = str(module.relative_to(ROOT))
            found[name] = digest([name, *names])
    RECORDED.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
