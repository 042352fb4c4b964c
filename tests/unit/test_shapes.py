"""Which documents are taken as they are, and which as damaged."""

from typing import Any

import pytest

from canary.stores.mongo.shapes import CHANGE
from tests.streamed import change_event

SIDE = {"uuid": "u", "name": "n", "owner": None}
PAYLOAD = {"malformed": None, "size": 1, "sha256": "0", "priority": "HIGH"}
EDIT = {
    "of": "job",
    "edits": 1,
    "before": SIDE | {"payload": None},
    "after": SIDE | {"payload": PAYLOAD},
    "changed": [{"field": "name", "before": None, "after": '"n"'}],
}


def is_taken(edit: Any) -> bool:
    return CHANGE.is_as_written({**(change_event(1).document or {}), "edit": edit})


@pytest.mark.parametrize("edit", [None, EDIT, EDIT | {"before": None, "edits": None}])
def test_an_edit_as_it_is_written(edit: Any) -> None:
    assert is_taken(edit)


@pytest.mark.parametrize(
    "wrong",
    [
        {"of": 1},
        {"edits": "1"},
        {"before": "x"},
        {"before": SIDE | {"uuid": ["u"]}},
        {"after": SIDE | {"owner": {"a": 1}}},
        {"after": SIDE | {"name": 5}},
        {"after": SIDE | {"payload": "x"}},
        {"after": SIDE | {"payload": {"size": "1"}}},
        {"after": SIDE | {"payload": {"sha256": []}}},
        {"changed": {"field": "x"}},
        {"changed": ["x"]},
        {"changed": [{"field": None}]},
        {"changed": [{"field": "x", "after": 5}]},
    ],
)
def test_a_wrong_type_within_an_edit(wrong: dict[str, Any]) -> None:
    assert not is_taken(EDIT | wrong)
