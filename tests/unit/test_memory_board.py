"""The store in memory keeps the contract of the real one, by the same tests."""

import pytest

from tests.board_contract import BoardContract
from tests.memory_board import MemoryStore


class TestMemoryBoard(BoardContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()
