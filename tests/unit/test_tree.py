"""The values of a payload while it is cut: which entries are kept, and under which keys."""

import json

from canary.model.payload.fitting import _apart
from canary.model.payload.tree import CUT, MAX_NAME, Leaf, Node, leaf_of

FIRST = frozenset({"uuid", "name"})


def root() -> Node:
    """Return an object with two keys that are kept first, and an object in it."""
    made = Node(is_object=True, size=4, keys=["a", "uuid", "b", "name"], values=[1, "u", None, "n"])
    made.values[2] = Node(is_object=True, size=2, keys=["c", "d"], values=[2, 3], place=(made, 2))
    made.long_keys = {0: 1_100, 2: 1_200}
    return made


def inner(of: Node) -> Node:
    [found] = [value for value in of.values if isinstance(value, Node)]
    return found


class TestRanks:
    def test_of_the_root_the_first_keys_come_before_all_others(self) -> None:
        assert root().ranks(FIRST) == [1, 0, 2, 0]

    def test_of_what_is_in_it_the_order_alone_counts(self) -> None:
        made = inner(root())
        made.keys = ["uuid", "name"]
        assert made.ranks(FIRST) == [1, 2]
        assert Node(is_object=False, values=[7, 8, 9], place=(root(), 2)).ranks(FIRST) == [1, 2, 3]


class TestNarrow:
    def test_keeps_as_many_and_the_first_keys_beside(self) -> None:
        made = root()
        made.narrow(1, FIRST)
        assert (made.keys, made.values) == (["a", "uuid", "name"], [1, "u", "n"])
        assert made.long_keys == {0: 1_100}
        assert made.size == 4, "as it was"

    def test_what_is_kept_knows_its_new_place(self) -> None:
        made = root()
        made.narrow(2, FIRST)
        assert made.keys == ["a", "uuid", "b", "name"]
        made.keys[0], made.keys[1] = made.keys[1], made.keys[0]  # a is the second one now
        made.narrow(1, FIRST)
        assert made.keys == ["uuid", "a", "name"]
        made = root()
        made.keys[0] = "name"
        made.keys[3] = "z"
        made.narrow(1, FIRST)
        assert made.keys == ["name", "uuid", "b"]
        assert inner(made).place == (made, 2)
        assert made.long_keys == {0: 1_100, 2: 1_200}
        assert inner(made).pointer(1) == "/b/d"

    def test_nothing_and_all(self) -> None:
        made = root()
        made.narrow(0, FIRST)
        assert made.keys == ["uuid", "name"]
        made = root()
        made.narrow(4, frozenset())
        assert made.long_keys == {0: 1_100, 2: 1_200}
        assert len(made.values) == 4
        listed = Node(is_object=False, size=3, values=[7, 8, 9], place=(root(), 2))
        listed.narrow(2, FIRST)
        assert listed.values == [7, 8]
        listed.narrow(1, FIRST)
        assert listed.values == [7]


class TestApart:
    def test_keys_that_became_equal_get_numbers_that_no_other_has(self) -> None:
        assert _apart(["a", "b"]) == ["a", "b"]
        assert _apart(["a", "a", "a (2)", "a", "b"]) == ["a", "a (3)", "a (2)", "a (4)", "b"]

    def test_there_is_room_for_the_number_and_long_ones_stay_apart(self) -> None:
        one, two = f"{'x' * (MAX_NAME - 1)}1", f"{'x' * (MAX_NAME - 1)}2"
        start = "x" * (MAX_NAME - 8)
        found = _apart([one, one, two, two])
        assert found == [one, f"{start} (2)", two, f"{start} (3)"]


def test_a_leaf_takes_what_its_json_takes_and_is_cut_to_no_more() -> None:
    for text in ("plain", 'quo"ted', "\u00e9\u00e9\u00e9", "\n" * 50, "\U0001f600" * 20):
        leaf = Leaf(text * 40, len(text) * 40)
        whole = leaf.weigh()
        for weight in (whole - 1, 64, 40):
            leaf.cut(weight)
            assert leaf.weigh() <= weight
            assert leaf.text == (text * 40)[: len(leaf.text)]
            assert leaf.is_cut


def test_a_leaf_is_cut_to_no_less_than_it_may_take() -> None:
    for text, taken in (("x", 1), ("\n", 2), ("\u00e9", 6)):
        for weight in range(64, 76):
            leaf = Leaf(text * 100, 100)
            leaf.cut(weight)
            assert len(leaf.text) == (weight - 8) // taken
            assert leaf.weigh() == len(json.dumps(leaf.value))
            assert weight - taken < leaf.weigh() <= weight
    for place in range(50, 60):
        leaf = Leaf("x" * place + "\n" * 50, 100)
        leaf.cut(64)
        assert leaf.weigh() <= 64


def test_of_a_number_that_is_cut_nothing_stays() -> None:
    leaf = leaf_of(10**100)
    assert isinstance(leaf, Leaf)
    assert (leaf.weigh(), leaf.value) == (leaf.size, 10**100)
    leaf.cut(64)
    assert (leaf.weigh(), leaf.value, leaf.is_number) == (8, CUT, False)
