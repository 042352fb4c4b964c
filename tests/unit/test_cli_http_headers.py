"""What the command line takes from header fields, whatever stands there."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from canary.cli import following
from canary.cli.http_headers import date, retry_after
from canary.cli.main import main
from tests.unit.scripted_server import Answer, Asked, ScriptedServer, problem

NOW = datetime(1994, 11, 6, 8, 49, 30, tzinfo=UTC)
DATES = (
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
)
NONSENSE = (
    *("", "soon", "-1", "-5", "1.5", "+3", "1e3", "0x10", "1_0", "1, 2", "\u0663", "5" * 5_000),
    *("2001-01-01", "Sun", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 9999999999 08:49:37 GMT"),
    *("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 1601 00:00:00 +1400", "1234567890"),
)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("1", 1), (" 10 ", 10), ("007", 7), ("999999999", 999_999_999)]
    + [(each, 7) for each in DATES],
)
def test_what_is_asked_for(value: str, seconds: float) -> None:
    assert retry_after(value, lambda: NOW) == seconds


def test_a_date_that_has_passed_is_now() -> None:
    assert retry_after(DATES[0], lambda: NOW + timedelta(hours=1)) == 0


@pytest.mark.parametrize("value", [None, *NONSENSE])
def test_anything_else_is_as_absent(value: str | None) -> None:
    assert retry_after(value, lambda: NOW) is None


@pytest.mark.parametrize("value", DATES)
def test_the_three_forms_of_a_date(value: str) -> None:
    assert date(value) == NOW + timedelta(seconds=7)


@pytest.mark.parametrize("words", [["boards"], ["tail"]])
@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "5" * 5_000, *NONSENSE[-6:]])
def test_nonsense_is_told_as_what_the_server_answered(
    value: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = Answer({"detail": "too often"}, 429, {"Retry-After": value, "Date": value})
    with ScriptedServer(lambda _: answer) as server:
        assert main([*words, "--url", server.url]) == 1
        assert len(server.asked) == 1
    said = capsys.readouterr().err
    assert "answers 429: too often" in said, said
    assert "try again in" not in said


@pytest.mark.parametrize("words", [["boards"], ["tail"]])
def test_a_date_is_waited_for(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST", 0.01)
    begun = datetime.now(UTC)
    until = begun.replace(microsecond=0) + timedelta(seconds=2)
    moments: list[datetime] = []
    stream = Answer(b": here\n\n", 200, {}, "text/event-stream")
    refused = Answer({}, 429, {"Retry-After": format_datetime(until, usegmt=True)})
    answers = iter([*([stream] if words == ["tail"] else []), refused, problem(400, "no more")])

    def script(_: Asked) -> Answer:
        moments.append(datetime.now(UTC))
        return next(answers)

    with ScriptedServer(script) as server:
        assert main([*words, "--url", server.url]) == 2
    assert until - timedelta(milliseconds=10) <= moments[-1]
