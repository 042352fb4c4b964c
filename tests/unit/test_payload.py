"""Payloads are hostile: what is kept of them is bounded, storable and without secrets."""

import hashlib
import json
import math
import warnings
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from canary.model.payload.masking import Masker
from canary.model.payload.payload import (
    CUT,
    MASK,
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_EXCERPT,
    MAX_LOCK,
    MAX_NAME,
    MAX_STRING,
    MAX_TEXT,
    Payload,
    decode,
    identifying,
    owner,
    small_object,
    text,
)
from canary.watchers.turns import Turns
from tests.unit.cost import costs_less

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # oslo.utils deprecates what TaskFlow imports
    from taskflow.jobs.backends.impl_zookeeper import ZookeeperJobBoard


PROPERTY = settings(deadline=None, max_examples=3 * settings().max_examples)
SECRET = "hunter2"
# The values of TaskFlow's JobPriority, and what it makes of others.
PRIORITIES = ("VERY_HIGH", "HIGH", "NORMAL", "LOW", "VERY_LOW", "low")


def posting(**more: Any) -> bytes:
    return json.dumps({"uuid": "u-1", "name": "build", **more}).encode()


def kept(raw: bytes) -> dict[str, Any]:
    payload = decode(raw)
    check(raw, payload)
    assert payload.text is not None, payload.malformed
    found: dict[str, Any] = json.loads(payload.text)
    return found


def check(raw: bytes, payload: Payload) -> None:
    """Hold what must be true of any payload."""
    assert payload.size == len(raw)
    assert payload.sha256 == hashlib.sha256(raw).hexdigest()
    for value in (payload.uuid, payload.name, payload.text, payload.malformed, payload.excerpt):
        if value is not None:
            value.encode("utf-8")  # strictly: no lone surrogates
    if payload.malformed is not None:
        assert 0 < len(payload.malformed) <= 200
        assert payload.uuid is payload.name is payload.text is None
        assert payload.excerpt is not None
        assert len(payload.excerpt) <= MAX_EXCERPT
        assert (payload.excerpt.removesuffix(CUT)).isprintable()
        assert (payload.excerpt.removesuffix(CUT)).isascii()
        return
    assert payload.excerpt is None
    assert payload.uuid
    assert payload.name
    assert max(len(payload.uuid), len(payload.name)) <= 6 * MAX_NAME
    assert payload.text is not None
    assert payload.text.isascii()
    assert "\0" not in payload.text
    assert len(payload.text) <= MAX_TEXT
    value = json.loads(payload.text, parse_constant=pytest.fail)
    assert isinstance(value, dict)
    assert depth(value) <= MAX_DEPTH
    assert (value["uuid"], value["name"]) == (payload.uuid, payload.name)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def test_what_taskflow_posts() -> None:
    raw = posting(priority="NORMAL", details={"a": [1, 2.5, None, True]}, book={"uuid": "b"})
    payload = decode(raw)
    check(raw, payload)
    assert (payload.uuid, payload.name) == ("u-1", "build")
    assert payload.malformed is payload.excerpt is None
    assert not payload.truncated
    assert kept(raw) == json.loads(raw)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b" ", "not JSON at character 1"),
        (b"not JSON", "not JSON at character 0"),
        (b'{"uuid": "u-1", "name"', "not JSON at character 22"),
        (b"null", "a JSON null, not an object"),
        (b"[1]", "a JSON array, not an object"),
        (b'"u-1"', "a JSON string, not an object"),
        (b"7", "a JSON number, not an object"),
        (b"true", "a JSON boolean, not an object"),
        (b"NaN", "a JSON number, not an object"),
        (b'{"uuid": "\xff"}', "not UTF-8 at byte 10"),
        (b"\xef\xbb\xbf{}", "not JSON at character 0"),
        (b"{}", "'uuid' is missing"),
        (b'{"uuid": "u-1"}', "'name' is missing"),
        (b'{"uuid": 7, "name": "n"}', "'uuid' is not a string of 1 to 1024 characters"),
        (b'{"uuid": "", "name": "n"}', "'uuid' is not a string of 1 to 1024 characters"),
        (posting(name="x" * 1025), "'name' is not a string of 1 to 1024 characters"),
        (posting(priority="URGENT"), "'priority' is not one of TaskFlow's priorities"),
        (posting(priority=7), "'priority' is not one of TaskFlow's priorities"),
        (posting(priority=None), "'priority' is not one of TaskFlow's priorities"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"x" * 1_000_000, "not JSON at character 0"),
    ],
)
def test_malformed_says_why(raw: bytes, reason: str) -> None:
    payload = decode(raw)
    check(raw, payload)
    assert payload.malformed == reason


def test_digits_beyond_pythons_limit_are_malformed() -> None:
    raw = posting()[:-1] + b', "n": ' + b"9" * 5000 + b"}"
    payload = decode(raw)
    check(raw, payload)
    assert payload.malformed == "a number has too many digits"


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (b'{"n": 1' + b"0" * 30 + b"}", {"n": 10**30}),
        (b'{"n": ' + b"9" * 4000 + b"}", {"n": 10**4000 - 1}),
        (b'{"n\\u0000m": 1}', {"n\0m": 1}),
        (b'{"s": "\\ud800"}', {"s": "\\ud800"}),
        (b'{"\\ud800": 1}', {"\\ud800": 1}),
        (b'{"s": "\\ud83d\\ude00"}', {"s": "\U0001f600"}),
        (b'{"x": NaN, "y": Infinity, "z": -1e999}', {"x": "nan", "y": "inf", "z": "-inf"}),
        (b'{"k": 1, "k": 2}', {"k": 2}),
        (b'"<script>"', "<script>"),
    ],
)
def test_hostile_values_are_kept_as_text(details: bytes, expected: Any) -> None:
    raw = posting()[:-1] + b', "details": ' + details + b"}"
    assert kept(raw)["details"] == expected
    assert not decode(raw).truncated


def test_what_is_too_deep_is_cut() -> None:
    raw = posting()[:-1] + b', "details": ' + b"[" * 300 + b"]" * 300 + b"}"
    assert decode(raw).truncated
    value: Any = kept(raw)["details"]
    levels = 1  # that of the payload itself
    while value != CUT:
        [value] = value
        levels += 1
    assert levels == MAX_DEPTH
    assert decode(posting(details=[[]])).truncated is False


def test_what_is_too_wide_or_too_long_is_cut() -> None:
    raw = posting(wide=dict.fromkeys(map(str, range(10_000)), 0), long="x" * 10_000)
    found = kept(raw)
    assert decode(raw).truncated
    assert len(found["wide"]) == MAX_ENTRIES
    assert found["long"] == "x" * (MAX_STRING - 1) + CUT
    assert decode(posting(wide=[0] * 1001)).truncated
    assert decode(posting(long="x" * 8193)).truncated
    assert decode(posting(key={"k" * 1025: 0})).truncated
    assert not decode(posting(wide=[0] * 1000, key={"k" * 1024: 0}, long="x" * 8192)).truncated


def test_a_thousand_keys_too_many_leave_the_job_its_name() -> None:
    raw = json.dumps({**{f"k{i}": i for i in range(10_000)}, "uuid": "u-1", "name": "n"}).encode()
    payload = decode(raw)
    check(raw, payload)
    assert (payload.uuid, payload.name) == ("u-1", "n")
    assert payload.truncated
    assert [*kept(raw)][:4] == ["uuid", "name", "k0", "k1"]
    assert len(kept(raw)) == MAX_ENTRIES


def test_the_largest_names_and_a_megabyte_of_keys_fit() -> None:
    widest = "\U0001f600" * MAX_NAME
    keys = {"\U0001f600" * 1000 + str(n): 0 for n in range(70)}
    raw = json.dumps({**keys, "uuid": widest, "name": widest}).encode()
    assert kept(raw)["uuid"] == widest
    lone = "\ud800" * MAX_NAME
    raw = json.dumps({"uuid": lone, "name": "n", **keys}).encode()
    assert kept(raw)["uuid"] == "\\ud800" * MAX_NAME


def test_a_megabyte_takes_no_time() -> None:
    worst = [
        b'{"uuid":"u","name":"n","d":' + b"[" * 60 + b"[]," * 330_000 + b"0" + b"]" * 60 + b"}",
        posting(details={"password" * 1000: "x" * 900_000}),
        posting(details=["token"] * 100_000),
        b"secret" * 160_000,
        b'{"a":' * 160_000,
    ]
    for raw in worst:
        assert costs_less(partial(_checked, raw), 1.0)


def _checked(raw: bytes) -> None:
    check(raw, decode(raw))


SECRET_KEYS = (
    "password",
    "Passwd",
    "admin_pass_phrase_passphrase",
    "pwd",
    "api_token",
    "X-Auth-Token",
    "secret",
    "clientSecret",
    "credentials",
    "Authorization",
    "cookie",
    "api_key",
    "apiKey",
    "API-KEY",
    "private key",
    "private_key_pem",
    "access_key_id",
    "ssh-key",
)


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize("value", [SECRET, {"deep": [SECRET]}, [SECRET], [[{"x": SECRET}]]])
def test_secrets_are_masked(key: str, value: Any) -> None:
    raw = posting(**{key: value}, details={"a": [{"b": {key: value}}], "user": "bob"})
    found = kept(raw)
    assert SECRET not in str(decode(raw))
    assert found[key] == MASK
    assert found["details"] == {"a": [{"b": {key: MASK}}], "user": "bob"}


@pytest.mark.parametrize(
    "key",
    [
        *(
            "adminPass",
            "admin_pass",
            "pass",
            "db_pass",
            "sys_pswd",
            "auth",
            "psk",
            "jwt",
            "private",
        ),
        *("tls_key", "certificate_key", "fernet_key", "signature", "X-Auth-Key"),
    ],
)
def test_what_openstack_calls_its_secrets_is_masked(key: str) -> None:
    assert kept(posting(details={key: "hunter2"}))["details"] == {key: "***"}


def test_credentials_in_a_uri_are_masked_and_the_rest_is_shown() -> None:
    details = {"uri": "mysql://root:hunter2@db/x", "page": "http://h:80/a@b", "mail": "a@b.c"}
    shown = kept(posting(details=details))["details"]
    assert shown == {**details, "uri": "mysql://***@db/x", "page": shown["page"]}


@pytest.mark.parametrize(
    "key",
    [
        "monkey",
        "user",
        "passive",
        "passengers",
        "hotplug",
        "keyboard",
        "sort_key",
        "author",
        "uuid",
    ],
)
def test_what_names_no_secret_is_shown(key: str) -> None:
    assert kept(posting(details={key: "shown"}))["details"] == {key: "shown"}


def test_a_secret_under_a_key_that_is_cut_is_masked() -> None:
    raw = posting(details={"k" * 2000 + "password": SECRET})
    assert SECRET not in json.dumps(kept(raw))


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize(
    "template",
    [
        '{"%s": "hunter2"',
        '{"a": 1, "%s" :\n "x\\"hunter2"',
        '{"%s": {"x": "y", "z": "hunter2"}',
        '{"%s": ["y", "hunter2"',
        '{\\"%s\\": \\"x hunter2\\"',
        "{'%s': 'hunter2'}",
        "%s=hunter2&a=b",
        "%s:hunter2",
        "%s%%3Dhunter2",
        "<%s>hunter2</x>",
        "%s hunter2",
    ],
)
def test_an_excerpt_holds_no_secret(template: str, key: str) -> None:
    raw = (template % key).encode()
    for encoded in (raw, raw.decode().encode("utf-16"), raw.decode().encode("utf-32-be")):
        payload = decode(encoded)
        check(encoded, payload)
        assert payload.malformed is not None
        plain = str(payload).replace("\\x00", "").replace("\\", "")
        assert SECRET not in plain
        assert MASK in plain


def test_an_excerpt_sees_through_the_escapes_of_json() -> None:
    raw = b'{"p\\u0061ss\\u0057ord": "hunter2"'
    assert SECRET not in str(decode(raw))


@pytest.mark.parametrize("before", range(200, 270))
def test_a_secret_at_the_end_of_an_excerpt_is_not_shown_in_part(before: int) -> None:
    raw = b"x" * before + b'"password": "' + SECRET.encode() * 50
    payload = decode(raw)
    check(raw, payload)
    assert "hunt" not in str(payload.excerpt)


def test_an_excerpt_shows_what_is_no_secret() -> None:
    payload = decode(b'\xff<b>\n{"a": "b"}\x1b[31m')
    assert payload.excerpt == r'\\xff<b>\n{"a": "b"}\x1b[31m'
    assert decode(b"x" * 300).excerpt == "x" * (MAX_EXCERPT - 1) + CUT
    assert decode(b"x" * MAX_EXCERPT).excerpt == "x" * MAX_EXCERPT


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"owner": "c@host:1"}', "c@host:1"),
        (b'{"owner": "\\ud800"}', "\\ud800"),
        (b'{"owner": ""}', None),
        (b'{"owner": 7}', None),
        (b'{"owner": null}', None),
        (b"{}", None),
        (b"[]", None),
        (b"null", None),
        (b"", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
        (b"9" * 5000, None),
        (json.dumps({"owner": "o" * 2000}).encode(), "o" * (MAX_NAME - 1) + CUT),
    ],
)
def test_the_owner_in_a_lock(raw: bytes, name: str | None) -> None:
    assert owner(raw) == name


# Any of Unicode's code points, lone surrogates and NUL included.
STRINGS = st.text(st.characters(exclude_categories=()), max_size=20)


@PROPERTY
@given(STRINGS | st.just("\ud800" * 50), st.integers(1, 40))
def test_text_is_bounded_and_storable(value: str, limit: int) -> None:
    found = text(value, limit)
    found.encode("utf-8")
    assert len(found) <= limit
    if len(value) <= limit and not any("\ud800" <= letter <= "\udfff" for letter in value):
        assert found == value
    elif len(value) > limit:
        assert found.endswith(CUT)


@PROPERTY
@given(st.binary(max_size=2000))
@example(b"\0")
@example(b"{" * 990)
def test_any_bytes_are_decoded(raw: bytes) -> None:
    check(raw, decode(raw))
    name = owner(raw)
    assert name is None or len(name) <= MAX_NAME


KEYS = STRINGS | st.sampled_from(SECRET_KEYS)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | STRINGS,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=30,
)


@PROPERTY
@given(VALUES, st.booleans())
def test_any_json_is_decoded(value: Any, is_ascii: bool) -> None:
    raw = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    check(raw, decode(raw))
    assert owner(raw) is None or isinstance(value, dict)
    found = kept(posting(details=value))["details"]
    if isinstance(value, float) and not math.isfinite(value):
        assert found == str(value)
    elif isinstance(value, None | bool | int | float):
        assert found == value
    else:
        assert type(found) is type(value)


@PROPERTY
@given(VALUES, st.integers(0, 400))
def test_no_secret_of_any_json_is_kept_whole_or_torn(value: Any, end: int) -> None:
    """Plant a secret under a key in any JSON; then tear it anywhere."""
    raw = posting(details=[value, {"inner": {"password": SECRET}}], token=[SECRET])
    assert SECRET not in str(decode(raw))
    torn = raw[:end]
    check(torn, decode(torn))
    assert SECRET not in str(decode(torn))


@PROPERTY
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "uuid": st.just("u-1") | VALUES,
            "name": st.just("n") | VALUES,
            "priority": st.sampled_from(PRIORITIES) | VALUES,
            "details": VALUES,
            "book": VALUES,
        },
    )
)
def test_what_taskflow_takes_for_no_job_is_malformed(value: dict[str, Any]) -> None:
    raw = json.dumps(value).encode()
    board = ZookeeperJobBoard("board", {"path": "/b"}, client=Mock())
    request = Mock()
    request.get.return_value = (raw, Mock(ctime=0))
    board._process_child("/b/job0000000001", request)
    payload = decode(raw)
    check(raw, payload)
    if not board._known_jobs:
        assert payload.malformed is not None
    elif payload.malformed is not None:  # Canary asks for more than TaskFlow, of these alone
        assert payload.malformed.startswith(("'uuid' is not a string", "'name' is not a string"))


@pytest.mark.parametrize(
    "raw",
    [
        posting(),
        posting(uuid="\ud800" * 2_000),
        posting(details=["token"] * 21_000),
        json.dumps(
            {f"k{number}": [0] * 20 for number in range(1_100)} | {"name": "n", "uuid": "u"}
        ).encode(),
        b'{"details":' + b"[" * 950 + b"]" * 950 + b',"uuid":"u","name":"n"}',
        *(b"", b"{", b"\xff", b"[]", b'{"uuid":"u"}', b'{"uuid":1,"name":"n"}', b"9" * 5_000),
    ],
)
def test_the_uuid_alone_is_that_of_all_of_it(raw: bytes) -> None:
    assert Turns().take(identifying(raw)) == decode(raw).uuid


def test_the_uuid_alone_is_masked_with_an_operator_s_keys() -> None:
    raw = posting(uuid="flavor=large")
    assert Turns().take(identifying(raw, Masker.of(["flavor"]))) == "flavor=***"


def test_a_lock_of_so_many_bytes_is_decoded() -> None:
    lock = json.dumps({"owner": "ann"}).encode()
    assert small_object(lock.ljust(MAX_LOCK)) == {"owner": "ann"}
    assert small_object(lock.ljust(MAX_LOCK + 1)) == {}
