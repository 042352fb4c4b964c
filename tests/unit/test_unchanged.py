"""What of a folder changes its digest, and that what is recorded is marked."""

import json
from pathlib import Path

import pytest

from tests.unchanged import RECORDED, ROOT, digest, marked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tool" / "part").mkdir(parents=True)
    (tmp_path / "tool" / "a.py").write_text("1")
    (tmp_path / "tool" / "part" / "b.py").write_text("2")
    (tmp_path / "beside.py").write_text("3")
    return tmp_path


def test_any_change_below_a_folder_counts(folder: Path) -> None:
    found = {digest(["tool"], folder)}
    (folder / "tool" / "part" / "b.py").write_text("3")
    found.add(digest(["tool"], folder))
    (folder / "tool" / "part" / "b.py").rename(folder / "tool" / "part" / "c.py")
    found.add(digest(["tool"], folder))
    (folder / "tool" / "new").write_text("")
    found.add(digest(["tool"], folder))
    (folder / "tool" / "new").unlink()
    (folder / "tool" / "a.py").unlink()
    found.add(digest(["tool"], folder))
    assert len(found) == 5


def test_what_is_beside_it_and_what_python_compiled_does_not(folder: Path) -> None:
    before = digest(["tool"], folder)
    (folder / "beside.py").write_text("4")
    (folder / "tool" / "__pycache__").mkdir()
    (folder / "tool" / "__pycache__" / "a.pyc").write_bytes(b"\0")
    assert digest(["tool"], folder) == before
    assert digest(["tool", "beside.py"], folder) != before


def test_what_is_not_there_is_an_error(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        digest(["gone"], folder)


def test_only_what_is_marked_is_recorded() -> None:
    modules = json.loads(RECORDED.read_text())
    assert modules
    for name in modules:
        assert marked(ROOT / name), name
    assert marked(Path(__file__)) is None
