"""Sets of filters: what is left of them, and the one that leaves Canary's own board out."""

from canary.model.filters import Field, Filter, Filters, leaving_out, only, without

ANN = Filter(Field.OWNER, ("ann",))
BOARD = Filter(Field.PATH, ("/a/jobs",))
NOT_BOARD = Filter(Field.PATH, ("/a/jobs",), negated=True)
ALL: Filters = frozenset({ANN, BOARD, NOT_BOARD})


def test_only_and_without_part_them_by_what_they_are_about() -> None:
    assert only(ALL, Field.OWNER) == {ANN}
    assert only(ALL, Field.OWNER, Field.PATH) == ALL
    assert without(ALL, Field.OWNER) == {BOARD, NOT_BOARD}
    assert without(ALL, Field.OWNER, Field.PATH) == frozenset()


def test_a_board_is_left_out_unless_boards_are_asked_for_by_name() -> None:
    left_out = Filter(Field.PATH, ("/canary/jobs",), negated=True)
    assert leaving_out(frozenset(), "/canary/jobs") == {left_out}
    for filters in (frozenset({ANN}), frozenset({ANN, NOT_BOARD})):
        assert leaving_out(filters, "/canary/jobs") == filters | {left_out}
    named = frozenset({ANN, BOARD})
    assert leaving_out(named, "/canary/jobs") == named
