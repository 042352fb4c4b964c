"""What is too long is cut inside: the largest values first, ids last; and it is said where."""

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.model.payload.fitting import LEAST, _level
from canary.model.payload.payload import CUT, MASK, MAX_ENTRIES, MAX_STRING, MAX_TEXT, Cut, decode
from canary.model.payload.tree import MAX_CUTS, MAX_NAME, MAX_POINTER, SHORT
from canary.stores.mongo.documents import payload_document
from tests.unit.test_payload import PROPERTY, check, kept, posting

IDS = [str(uuid.UUID(int=number * 2**64)) for number in range(1, 400)]


def create_listener(listeners: int = 5) -> tuple[bytes, dict[str, Any]]:
    """Return a job as Octavia posts it for a load balancer with TLS listeners, and its store."""
    certificate = (
        "-----BEGIN CERTIFICATE-----\n" + "MIIB+public/" * 280 + "\n-----END CERTIFICATE-----"
    )
    ids = iter(IDS)
    store = {
        "loadbalancer_id": next(ids),
        "project_id": next(ids).replace("-", ""),
        "listeners": [
            {
                "listener_id": next(ids),
                "name": f"listener-{number}",
                "description": certificate * 3,
                "default_pool": {
                    "pool_id": next(ids),
                    "members": [{"id": next(ids)} for _ in range(9)],
                },
                "sni_containers": [{"tls_container_id": next(ids), "chain": certificate * 2}],
                "protocol_port": 443 + number,
            }
            for number in range(listeners)
        ],
        "flavor": {"loadbalancer_topology": "ACTIVE_STANDBY", "sriov_vip": False},
    }
    return posting(details={"store": store}, priority="HIGH", book={"uuid": IDS[-1]}), store


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list) else [value]


def found_at(value: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def test_a_listener_of_octavia_keeps_all_its_ids() -> None:
    raw, store = create_listener()
    assert len(raw) > 80_000
    payload = decode(raw)
    check(raw, payload)
    assert payload.truncated
    found = kept(raw)
    assert (found["priority"], found["book"]) == ("HIGH", {"uuid": IDS[-1]})
    for leaf in leaves(store):
        assert (isinstance(leaf, str) and len(leaf) > SHORT) or leaf in leaves(found["details"])
    assert len(payload.text or "") > MAX_TEXT * 0.95, "no more is cut than must be"


def test_it_says_what_was_cut_and_where() -> None:
    raw, store = create_listener()
    payload = decode(raw)
    found = kept(raw)
    assert payload.cut_count == len(payload.cuts) == 10
    assert {cut.pointer for cut in payload.cuts} == {
        f"/details/store/listeners/{number}/{large}"
        for number in range(5)
        for large in ("description", "sni_containers/0/chain")
    }
    for cut in payload.cuts:
        shown = found_at(found, cut.pointer)
        was = found_at({"details": {"store": store}}, cut.pointer)
        assert (cut.kept, cut.size) == (len(shown) - 1, len(was))
        assert shown == was[: cut.kept] + CUT
    document = payload_document(payload)
    assert document is not None
    assert document["cut_count"] == 10
    assert document["cuts"][0] == {
        "pointer": payload.cuts[0].pointer,
        "kept": payload.cuts[0].kept,
        "size": payload.cuts[0].size,
    }


def test_the_largest_are_cut_to_one_length_and_what_is_shorter_stays() -> None:
    details = {f"large{number}": "x" * (3_000 + 500 * number) for number in range(10)}
    details |= {f"small{number}": "y" * 2_000 for number in range(20)}
    found = kept(posting(details=details))["details"]
    assert all(found[name] == text for name, text in details.items() if name.startswith("small"))
    lengths = {len(found[name]) for name in details if name.startswith("large")}
    assert len(lengths - {3_000}) == 1 or len(lengths) == 1


def test_of_too_many_small_values_each_list_keeps_its_first() -> None:
    members = [
        {"id": each, "address": f"10.0.0.{number % 256}"} for number, each in enumerate(IDS * 3)
    ]
    raw = posting(details={"members": members, "loadbalancer_id": IDS[0]})
    payload = decode(raw)
    check(raw, payload)
    found = kept(raw)["details"]
    assert found["loadbalancer_id"] == IDS[0]
    assert found["members"] == members[: len(found["members"])]
    assert len(payload.text or "") > MAX_TEXT * 0.95
    [cut] = payload.cuts
    assert cut == Cut("/details/members", len(found["members"]), len(members))


def test_each_kind_of_cut_is_told() -> None:
    deep: Any = 0
    for _ in range(100):
        deep = [deep]
    details = {
        "wide": [0] * 1_500,
        "long": "x" * 9_000,
        "deep": deep,
        "a/b~c": "y" * 9_000,
        "k" * 2_000: 1,
        "number": 10**4_000,
    }
    raw = posting(details=details)
    told = {cut.pointer: (cut.kept, cut.size) for cut in decode(raw).cuts}
    assert told["/details/wide"] == (MAX_ENTRIES, 1_500)
    assert told["/details/long"] == (MAX_STRING - 1, 9_000)
    assert told["/details/a~1b~0c"] == (MAX_STRING - 1, 9_000)
    assert told["/details/deep" + "/0" * 62] == (0, None)
    assert (1024, 2_000) in told.values()
    assert len(told) == decode(raw).cut_count == 5
    assert kept(raw)["details"]["number"] == 10**4_000


def test_of_many_entries_those_that_make_a_job_are_kept_wherever_they_stand() -> None:
    many = {f"k{number}": number for number in range(MAX_ENTRIES + 500)}
    raw = json.dumps({"uuid": "u"} | many | {"name": "n", "details": {"a": 1}}).encode()
    assert {"uuid", "name", "details", "k0"} <= kept(raw).keys()
    inner = kept(posting(details=many | {"name": "late", "uuid": "late"}))["details"]
    assert list(inner) == list(many)[:MAX_ENTRIES], "of an inner object the first"


def test_a_key_that_is_cut_within_a_password_shows_nothing_of_it() -> None:
    filling = "x" * (MAX_NAME - 30)
    long, short = f"{filling} http://ann:hunter2hunter2hunter2@host", "http://ann:80"
    raw = posting(details={long: 1, short: 2})
    assert "hunter2" not in str(kept(raw))
    assert kept(raw)["details"][short] == 2, "what is not cut is not taken for a password"


def test_numbers_of_many_digits_are_cut_like_texts() -> None:
    raw = posting(details=[10**4_000] * 30)
    payload = decode(raw)
    check(raw, payload)
    found = kept(raw)["details"]
    assert found == [CUT] * 30 or CUT in found
    assert {
        (cut.kept, cut.size is not None and 4_000 < cut.size < 4_005) for cut in payload.cuts
    } == {(0, True)}


def test_what_is_told_of_cuts_is_bounded_and_masked() -> None:
    wide = {f"{'k' * 300}{number}": "x" * 9_000 for number in range(50)}
    nested: Any = {"note/ password=hunter2": "x" * 90_000}
    for _ in range(30):
        nested = {"level" * 9: nested}
    for details in (wide, nested, {"password": "x" * 90_000, "a": ["hunter2" * 9_000]}):
        payload = decode(posting(details=details))
        assert len(payload.cuts) <= MAX_CUTS
        assert all(len(cut.pointer) <= MAX_POINTER for cut in payload.cuts)
        assert "password=hunter2" not in str(payload)
    assert decode(posting(details=wide)).cut_count == 0, "under such keys all is masked"
    payload = decode(posting(details={f"n{number}": "x" * 9_000 for number in range(50)}))
    assert (payload.cut_count, len(payload.cuts)) == (50, MAX_CUTS)


def test_what_is_cut_shows_no_secret_of_what_it_was() -> None:
    secret = "-----BEGIN PRIVATE KEY-----\n" + "hunter2+" * 400 + "\n-----END PRIVATE KEY-----"
    found = kept(posting(details={"a": secret, "b": "x" * 80_000, "c": json.dumps([secret] * 9)}))
    assert found["details"]["a"] == MASK
    assert "hunter" not in str(found)


def test_a_payload_that_is_let_go_says_that_all_of_it_is_cut() -> None:
    payload = decode(posting(details={"a": 1})).shortened()
    assert json.loads(payload.text or "") == {"uuid": "u-1", "name": "build"}
    assert (payload.truncated, payload.cuts, payload.cut_count) == (True, (Cut("", 2, None),), 1)


def test_of_what_is_malformed_the_excerpt_is_let_go() -> None:
    payload = decode(b"not JSON" * 20_000)
    assert payload.excerpt
    assert payload.shortened() == replace(payload, excerpt=None, truncated=True)


def wide(pad: int, count: int = 900) -> dict[str, Any]:
    """Return an object of numbers that are not cut, and a text as long as is said."""
    return {
        "uuid": "u-1",
        "pad": "x" * pad,
        "name": "build",
        **{f"number{number}": 10**60 for number in range(count)},
    }


def test_as_many_entries_are_kept_as_there_is_room_for() -> None:
    lengths = set()
    for pad in range(70):
        whole = wide(pad)
        shown = dict(list(whole.items())[:3])
        length = len(json.dumps(shown))
        for key, value in list(whole.items())[3:]:
            length += len(f', "{key}": {value}')
            if length > MAX_TEXT:
                break
            shown[key] = value
        text = json.dumps(shown)
        assert decode(json.dumps(whole).encode()).text == text
        lengths.add(len(text))
    assert max(lengths) == MAX_TEXT


def test_what_is_just_short_enough_is_not_cut() -> None:
    whole = wide(0, 800)
    room = MAX_TEXT - len(json.dumps(whole))
    for pad, is_cut in ((room, False), (room + 1, True)):
        whole["pad"] = "x" * pad
        assert decode(json.dumps(whole).encode()).truncated == is_cut


def test_of_what_is_too_much_in_any_width_nothing_but_the_first_keys_stay() -> None:
    nested: Any = 1
    for _ in range(60):
        nested = {"\u00e9" * 250: nested}
    raw = posting(details=nested, priority="HIGH", book={"a": 1}, other=1)
    assert kept(raw) == {
        "uuid": "u-1",
        "name": "build",
        "details": {},
        "priority": "HIGH",
        "book": {},
    }


@pytest.mark.parametrize(
    "weights",
    [
        [],
        [LEAST + 1],
        [150],
        [150, 150],
        [150, 150, 151],
        [100, 140, 90],
        [160, 100, 130, 99, 131, 160, LEAST + 1],
    ],
)
def test_what_is_heavier_is_cut_to_the_highest_level_that_is_enough(weights: list[int]) -> None:
    for excess in range(1, sum(weights) + 50):
        levels = (
            level
            for level in range(LEAST, 161)
            if sum(max(0, weight - level) for weight in weights) >= excess
        )
        assert _level(list(weights), excess) == max(levels, default=LEAST)


def test_only_the_largest_are_cut_and_to_what_there_is_room_for() -> None:
    details = {f"large{number}": 8_000 * "x" for number in range(10)}
    details |= {f"small{number}": 1_000 * "y" for number in range(20)}
    payload = decode(posting(details=details))
    assert payload.cut_count == 10
    assert MAX_TEXT - 20 < len(payload.text or "") <= MAX_TEXT


def test_the_lists_in_a_list_may_be_names_with_their_values() -> None:
    rows = [["db_password", "hunter2", "text"], ["token", "the value", "text"], ["size", "5"]]
    shown = [["db_password", MASK, "text"], ["token", MASK, "text"], ["size", "5"]]
    assert kept(posting(details={"rows": rows}))["details"]["rows"] == shown
    [row, *_] = rows
    assert kept(posting(details={"row": row}))["details"]["row"] == row, "that is none"


SIZES = st.integers(0, 200) | st.integers(2_000, 30_000)
TREES = st.recursive(
    SIZES.map("x".__mul__) | SIZES.map("\u00e9".__mul__) | st.integers() | st.sampled_from(IDS),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.sampled_from("abcdefgh"), inner),
    max_leaves=40,
)


@PROPERTY
@given(TREES)
@pytest.mark.filterwarnings("ignore")
def test_whatever_is_cut_is_told_and_all_that_is_short_stays(details: Any) -> None:
    raw = posting(details=details)
    payload = decode(raw)
    check(raw, payload)
    found, before = kept(raw), json.loads(raw)
    assert payload.truncated == (payload.cut_count > 0) == (found != before)
    for cut in payload.cuts:
        shown, was = found_at(found, cut.pointer), found_at(before, cut.pointer)
        assert cut.size == len(was)
        assert shown == was[: cut.kept] + CUT
    if payload.cut_count <= MAX_CUTS:
        assert sum(
            text != was for text, was in zip(leaves(found), leaves(before), strict=True)
        ) == (payload.cut_count)
    for shown, was in zip(leaves(found), leaves(before), strict=True):
        assert shown == was or (len(was) > SHORT / 6 and shown.endswith(CUT))
