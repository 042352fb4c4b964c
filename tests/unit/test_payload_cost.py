"""What a payload costs: linear in its size whatever is in it, and in steps that hold up nobody."""

import gc
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.logs.output import redact
from canary.model.conductors import conductor
from canary.model.payload.masking import Masker
from canary.model.payload.payload import MAX_TEXT, decode, decoding, owner
from tests.unit.cost import cost, costs_less, steps_are_shorter
from tests.unit.test_payload import PROPERTY, check

SIZE = 1_000_000  # bytes: as much as ZooKeeper takes
LEAST = 0.02  # seconds of a processor, below which nothing is said about a ratio
A_BYTE = 5e-6  # seconds of a processor: a pure Python decoder's, where a machine is slow
A_STEP = 0.05  # seconds that nothing else may wait for


def holding(details: str | bytes) -> bytes:
    """Return a payload with such details."""
    inner = details.encode() if isinstance(details, str) else details
    return b'{"uuid":"u","name":"n","details":' + inner + b"}"


def text_of(piece: str) -> Callable[[int], bytes]:
    """Return what makes payloads of one string that repeats ``piece``."""
    return lambda size: holding(json.dumps(piece * (size // len(json.dumps(piece)[1:-1]))))


def list_of(piece: str, length: int = 8_000) -> Callable[[int], bytes]:
    """Return what makes payloads of many strings that repeat ``piece``."""
    one = piece * (length // len(piece))
    return lambda size: holding(json.dumps([one] * (size // (len(json.dumps(one)) + 2))))


def of(piece: str, before: str = "[", after: str = "0]") -> Callable[[int], bytes]:
    """Return what makes payloads that repeat ``piece`` in JSON."""
    return lambda size: holding(before + piece * (size // len(piece)) + after)


def nested(size: int) -> bytes:
    told: Any = {"password": "hunter2", "filling": ["x" * 20] * (size // 200)}
    for _ in range(4):
        told = json.dumps({"inner": told})
    return holding(json.dumps(told))


PIECES = (
    *("://:", "://", "a://b:c", "://@", ":@", "@", "a:b@c://", "http://a:80/"),
    *("-----BEGIN ", "-----BEGIN RSA PRIVATE KEY-----", "-----END PRIVATE KEY-----", "-", "BEGIN "),
    *("eyJ", "eyJ.", "eyJa ", "LS0t", "LS0tLS1CRUdJTiA", "TUlJRXBBSUJ", "YWJj="),
    *('"', '\\"', "\\", '"\\', '":', '{"', '{"a":', '{"password":', '["', '"password":"', "'"),
    *("password", "password=", "password:", 'password:"***', "pass word: ", "key: ", "private key"),
    *("--password ", "-- ", "Bearer ", "bearer", "Basic ", "Basic Basic:", "Basic %20", "token=&"),
    *(" ", "\n", ":", "=", "=>", "%3D", "a.", "a-", "_", "aB", "\ud800", "\u0130", "\U0001f600"),
    *(
        "value=",
        "value: ",
        'value="',
        "value=(",
        "name=password value=a ",
        "('password','",
        '("a", ',
    ),
    *(
        "--password '",
        '-v "',
        "\\\\'",
        "%22",
        "&quot;",
        "&quot;password&quot;:",
        "password=a,b=",
        ",a",
    ),
    *('[{"', '[["--password","', '{"name":"password","value":"', "auth:1.2", "a: >", "LS0t\n"),
    *("[", "{", "]", "api_", "ssl", "api\n", "key", "auth-", "\\u0070", "PuTTY Private-Lines"),
)
MAKERS: dict[str, Callable[[int], bytes]] = {
    "the jobs that stopped all monitoring": list_of("://:"),
    **{f"text {piece!a}": text_of(piece) for piece in PIECES},
    **{f"list {piece!a}": list_of(piece) for piece in PIECES},
    "brackets": of("["),
    "braces": of('{"a":', "", ""),
    "closed brackets": of("]"),
    "empty lists": of("[],"),
    "empty objects": of("{},"),
    "lists of one": of("[0],"),
    "deep lists": of("[" * 60 + "]" * 60 + ","),
    "deepest lists": of("[" * 500 + "]" * 500 + ","),
    "wide and deep": of("[[[0,0,0],[0,0,0]],[[0]]],"),
    "numbers": of("1,"),
    "floats": of("1e9,"),
    "digits": of("9", "", ""),
    "long numbers": of("9" * 4_300 + ","),
    "long floats": of("9" * 4_300 + ".5,"),
    "spaces": of(" "),
    "surrogates": of("\\ud800", '"', '"'),
    "secrets": of('{"password":"x"},'),
    "pairs": of('["X-Auth-Token","x"],'),
    "named values": of('{"name":"password","value":"x"},'),
    "one key": of("k", '{"', '":0}'),
    "a key of a thousand names": of("api_", '{"', '":0}'),
    "keys": lambda size: holding(json.dumps({f"api{n}ssl" * 20: 0 for n in range(size // 200)})),
    "small keys": lambda size: holding(json.dumps(dict.fromkeys(map(str, range(size // 11)), 0))),
    "JSON in JSON": nested,
    "no UTF-8": lambda size: b"\xff" * size,
    "nothing of a secret": lambda size: b"secret" * (size // 6),
    "NUL": lambda size: b"\0" * size,
}


@pytest.fixture(autouse=True, scope="module")
def _without_the_collector() -> Iterator[None]:
    """Leave Python's garbage collector out: what it costs depends on all that the process holds."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_payload_costs_what_its_size_is(make: Callable[[int], bytes]) -> None:
    small, large = make(SIZE // 32), make(SIZE // 8)
    check(small, decode(small))
    # Four times the size is no more than twice four the cost.
    limit = 8 * max(cost(lambda: decode(small)), LEAST)
    assert costs_less(lambda: decode(large), min(limit, A_BYTE * len(large)))


@pytest.mark.parametrize("name", [name for name in MAKERS if not name.startswith("text ")])
def test_no_step_of_the_largest_payload_holds_up_the_loop(name: str) -> None:
    raw = MAKERS[name](SIZE)
    assert steps_are_shorter(lambda: decoding(raw), A_STEP)


@settings(PROPERTY, max_examples=60)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), min_size=1, max_size=6))
def test_any_mixture_costs_what_its_size_is(pieces: list[str]) -> None:
    piece = "".join(pieces) or "x"
    raw = list_of(piece)(SIZE // 10)
    assert costs_less(lambda: decode(raw), max(LEAST, A_BYTE * len(raw)))


@pytest.mark.parametrize("piece", PIECES)
def test_a_text_of_any_length_is_masked_at_a_cost_of_its_length(piece: str) -> None:
    mask = Masker().text
    small, large = piece * (20_000 // len(piece)), piece * (80_000 // len(piece))
    for work in (mask, redact):
        limit = 8 * max(cost(partial(work, small)), LEAST)
        assert costs_less(partial(work, large), limit)


@pytest.mark.parametrize("name", [name for name in MAKERS if name[:4] not in {"text", "list"}])
def test_what_no_lock_and_no_conductor_is_costs_nothing(name: str) -> None:
    raw = MAKERS[name](SIZE)
    assert costs_less(lambda: owner(raw), 0.01)
    assert costs_less(lambda: conductor("c@h:1", raw, datetime.now(UTC), 1), 0.01)


def test_a_megabyte_of_values_is_kept_as_far_as_it_fits() -> None:
    for name in ("wide and deep", "numbers", "small keys", "secrets"):
        raw = MAKERS[name](SIZE)
        payload = decode(raw)
        check(raw, payload)
        assert payload.truncated
        assert len(payload.text or "") > 1_000
        assert len(payload.text or "") <= MAX_TEXT
