"""What the dashboard's types are made from is what the API says of itself."""

from pathlib import Path

from canary.server.v2.__main__ import description

KEPT = Path(__file__).parents[2] / "dashboard" / "openapi.json"


def test_the_kept_description_is_up_to_date() -> None:
    assert KEPT.read_text() == description(), "run: make types"
