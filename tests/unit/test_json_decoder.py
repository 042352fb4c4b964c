"""The decoder that decodes JSON in steps, beside Python's own, and at its limits."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.model.payload import json_decoder as module
from canary.model.payload.json_decoder import (
    FEW,
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_NESTING,
    MAX_VALUES,
    STEP,
    Parsed,
    parsing,
)

NONE: frozenset[str] = frozenset()
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(['"', "\\", "/", "\u2028", "\ud800"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
)
SPACES = st.text(" \t\n\r", max_size=3)
PIECES = (
    *("[", "]", "{", "}", ",", ":", '"', '"a"', '"\\u0041"', '"\\x"', "\\", "\n", "\x00", " "),
    *("0", "1", "-", "-0", "01", ".5", "1.", "1.5", "1e", "1e5", "1.5E-3", "+1", "9" * 5_000),
    *("null", "true", "false", "NaN", "Infinity", "-Infinity", "nul", "True", "\ufeff", "é"),
)


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_short() -> Iterator[None]:
    """Let every text be decoded in steps, as only those of many values are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FEW", -1)
        yield


def run(source: str, first: frozenset[str] = NONE) -> tuple[Parsed, int]:
    """Return what comes out, and after how many steps."""
    generator, steps = parsing(source, first), 0
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value, steps
        steps += 1


def outcome_of(decode: Any, source: str) -> tuple[str, ...]:
    """Return what decoding came to, so that it can be compared: NaN is not equal to itself."""
    try:
        return ("value", repr(decode(source)))
    except json.JSONDecodeError as error:
        if "trailing comma" in error.msg:  # Python 3.13 says it there and so
            return ("error",)
        return ("error", error.msg, str(error.pos), error.doc)
    except ValueError as error:  # a number of too many digits
        return (type(error).__name__, str(error))


def in_steps(source: str) -> Any:
    parsed, _ = run(source)
    assert parsed.left == {}
    return parsed.value


def same(source: str) -> None:
    ours, python = outcome_of(in_steps, source), outcome_of(json.loads, source)
    assert ours[: len(python)] == python


@given(VALUES, SPACES, SPACES)
def test_it_returns_what_python_does(value: Any, before: str, behind: str) -> None:
    for separators in ((",", ":"), (f"{before},{behind}", f"{behind}:{before}")):
        same(before + json.dumps(value, separators=separators) + behind)
    same(json.dumps(value, indent=1, ensure_ascii=False))


@given(VALUES, st.integers(0), st.integers(0, 2), st.sampled_from(PIECES))
def test_it_raises_what_python_does(value: Any, place: int, gone: int, piece: str) -> None:
    source = json.dumps(value)
    place %= len(source) + 1
    same(source[:place] + piece + source[place + gone :])


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_comes_to_the_same(source: str) -> None:
    same(source)


@pytest.mark.parametrize(
    "source",
    [
        *("", " ", "\ufeff[]", "[", "[ ]", "{ }", '{"a"', '{"a":', '{"a" 1}', '{"a":1', "[1 2]"),
        *('{"a":1 "b":2}', '{"a":1,}', '{"a":1, 2}', "{1:2}", "[1}", '{"a":1]', "[1] 2", "[1,]"),
        *('{"a":1,"a":2}', '["a\n"]', '{"a\n":1}', '"a', '["a', r'["\x"]', "[-]", "[nul]", "[.5]"),
        *("[0, -1, 1.5, -0.25, 1e3, 1E-3, 12.5e+1, 007]", "[0, -1, 1.5, -0.25, 1e3, 1E-3, 12e+1]"),
        *(
            "[null, true, false, Infinity, -Infinity, NaN]",
            '["a", "b c", "\\u0041\\n"]',
            "7",
            '"a"',
        ),
        *('\n{ "a" :\t[ { } , [ ] ] , "b" : { "c" : 1 } }\r\n', '"a"', "[[], {}]", '{"a": {}}'),
    ],
)
def test_each_kind_of_text_comes_to_the_same(source: str) -> None:
    same(source)


class TestDepth:
    def nested(self, depth: int) -> str:
        return "[" * depth + "]" * depth

    def test_the_deepest_that_is_kept_is_kept(self) -> None:
        assert in_steps(self.nested(MAX_DEPTH)) == json.loads(self.nested(MAX_DEPTH))

    def test_what_is_in_deeper_ones_is_not(self) -> None:
        deep = "[" * MAX_DEPTH + '[1, {"a": [2]}, 3]' + "]" * MAX_DEPTH
        assert in_steps(deep) == json.loads(self.nested(MAX_DEPTH + 1))
        deep = '{"a": ' * MAX_DEPTH + '{"b": 1}' + "}" * MAX_DEPTH
        assert in_steps(deep) == json.loads('{"a": ' * MAX_DEPTH + "{}" + "}" * MAX_DEPTH)

    @pytest.mark.parametrize(("source", "position"), [("[[1}]", 3), ("[[1] 2]", 5)])
    def test_what_is_not_kept_is_checked(self, source: str, position: int) -> None:
        deep = "[" * MAX_DEPTH + source + "]" * MAX_DEPTH
        with pytest.raises(json.JSONDecodeError) as raised:
            run(deep)
        assert raised.value.pos == MAX_DEPTH + position

    def test_deeper_than_python_can_is_refused(self) -> None:
        run(self.nested(MAX_NESTING))
        with pytest.raises(RecursionError, match=r"^nested too deeply$"):
            run(self.nested(MAX_NESTING + 1))


class TestEntries:
    def test_the_first_of_a_list_are_kept_and_the_others_counted(self) -> None:
        parsed, _ = run(json.dumps([list(range(MAX_ENTRIES)), list(range(MAX_ENTRIES + 3)), 7]))
        assert parsed.value == [list(range(MAX_ENTRIES)), list(range(MAX_ENTRIES)), 7]
        assert parsed.left == {id(parsed.value[1]): 3}

    def test_and_of_an_object(self) -> None:
        many = {f"k{number}": number for number in range(MAX_ENTRIES + 2)}
        parsed, _ = run(json.dumps(many))
        assert parsed.value == dict(list(many.items())[:MAX_ENTRIES])
        assert parsed.left == {id(parsed.value): 2}

    def test_a_container_that_has_no_room_is_one(self) -> None:
        parsed, _ = run(json.dumps([0] * MAX_ENTRIES + [[1, 2], {"a": {"b": 3}}]))
        assert parsed.value == [0] * MAX_ENTRIES
        assert parsed.left == {id(parsed.value): 2}

    def test_the_last_of_a_key_counts_however_late(self) -> None:
        many = ",".join(f'"k{number}":0' for number in range(MAX_ENTRIES))
        parsed, _ = run(f'{{{many},"x":1,"k5":2}}')
        assert len(parsed.value) == MAX_ENTRIES
        assert parsed.value["k5"] == 2
        assert parsed.left == {id(parsed.value): 1}

    def test_the_first_keys_are_kept_of_the_outermost_object_alone(self) -> None:
        many = {f"k{number}": 0 for number in range(MAX_ENTRIES)}
        inner = many | {"uuid": 1}
        source = json.dumps({"inner": inner} | many | {"uuid": [2]})
        parsed, _ = run(source, frozenset({"uuid"}))
        assert parsed.value["uuid"] == [2]
        assert parsed.value["inner"] == many
        assert len(parsed.value) == MAX_ENTRIES + 1
        assert parsed.left == {id(parsed.value): 1, id(parsed.value["inner"]): 1}


class TestValues:
    def kept(self, value: Any) -> int:
        if isinstance(value, dict):
            return sum(1 + self.kept(each) for each in value.values())
        return sum(1 + self.kept(each) for each in value) if isinstance(value, list) else 0

    @pytest.mark.parametrize("inner", [[0] * 99, {f"k{number}": 0 for number in range(99)}])
    def test_as_many_are_kept_in_all(self, inner: Any) -> None:
        there = [inner] * (MAX_VALUES // 100)
        assert run(json.dumps(there))[0].left == {}
        parsed, _ = run(json.dumps([*there, inner, 1]))
        assert parsed.value == there
        assert self.kept(parsed.value) == MAX_VALUES
        assert parsed.left == {id(parsed.value): 2}

    def test_those_that_find_no_room_are_counted_where_they_are(self) -> None:
        inner = [0] * 100
        parsed, _ = run(json.dumps([inner] * (MAX_VALUES // 100)))
        assert self.kept(parsed.value) == MAX_VALUES
        last = parsed.value[-1]
        whole, rest = divmod(MAX_VALUES, 101)
        assert (len(parsed.value), len(last)) == (whole + 1, rest - 1)
        there = MAX_VALUES // 100
        assert parsed.left == {id(last): 101 - rest, id(parsed.value): there - whole - 1}

    def test_what_is_in_those_that_are_not_kept_takes_no_room(self) -> None:
        many = [[[0] * MAX_ENTRIES]] * (2 * MAX_VALUES // MAX_ENTRIES)
        parsed, _ = run(json.dumps([[0] * MAX_ENTRIES + many, [1, 2]]))
        assert parsed.value == [[0] * MAX_ENTRIES, [1, 2]]
        assert parsed.left == {id(parsed.value[0]): len(many)}


class TestSteps:
    @pytest.mark.parametrize(
        ("values", "steps"), [(STEP - 1, 0), (STEP, 1), (5 * STEP - 1, 4), (5 * STEP, 5)]
    )
    def test_each_has_so_many_values(self, values: int, steps: int) -> None:
        ended, taken = run(json.dumps([0] * (values - 1)))  # the list is one as well
        assert taken == steps
        assert isinstance(ended.value, list)

    @pytest.mark.parametrize("char", ["[", "{", ","])
    def test_few_values_are_decoded_in_one(
        self, monkeypatch: pytest.MonkeyPatch, char: str
    ) -> None:
        monkeypatch.setattr(module, "FEW", FEW)
        few = json.dumps(char * (FEW - 1) + ("[" if char != "[" else "{"))
        assert run(few) == (Parsed(json.loads(few)), 0)
        decoded: list[str] = []
        monkeypatch.setattr(module, "loads", decoded.append)
        run(json.dumps(char * FEW))
        assert len(decoded) == 1
        run(json.dumps(char * (FEW + 1)))
        assert len(decoded) == 1, "in steps"
