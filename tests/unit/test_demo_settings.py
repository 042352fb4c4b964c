"""The demo takes its settings from the environment, and says what is wrong with them."""

from pathlib import Path

import pytest

from demo import boards, settings
from demo.settings import SettingError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DEMO_SECONDS", "DEMO_PREFIX", "OS_SERVER__PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DEVSTACK_FOLDER", str(tmp_path))


def test_without_any_it_runs_until_it_is_ended() -> None:
    chosen = settings.from_environment()

    assert (chosen.seconds, chosen.prefix, chosen.port) == (None, "/demo", None)


def test_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_SECONDS", "30")
    monkeypatch.setenv("DEMO_PREFIX", "/here")
    monkeypatch.setenv("OS_SERVER__PORT", "8123")

    chosen = settings.from_environment()

    assert (chosen.seconds, chosen.prefix, chosen.port) == (30, "/here", 8123)


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "1e9"])
def test_seconds_that_are_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DEMO_SECONDS", text)

    with pytest.raises(SettingError, match="DEMO_SECONDS"):
        settings.from_environment()


@pytest.mark.parametrize("text", ["demo", "/demo/", "/de//mo", "/"])
def test_a_prefix_that_is_no_path(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DEMO_PREFIX", text)

    with pytest.raises(SettingError, match="DEMO_PREFIX"):
        settings.from_environment()


def test_without_servers_it_says_how_to_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEVSTACK_FOLDER")

    with pytest.raises(SettingError, match="make demo"):
        settings.from_environment()


def test_no_two_boards_share_a_parent_and_with_it_the_trash() -> None:
    parents = [board.path.rpartition("/")[0] for board in boards.boards("/demo")]

    assert len(parents) == len(set(parents)) >= 2
