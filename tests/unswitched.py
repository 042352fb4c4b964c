"""Holding that nothing switches to another greenlet inside a function."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import greenlet


@contextmanager
def unswitched(*functions: Callable[..., Any]) -> Iterator[list[str]]:
    """Yield the names of those of ``functions`` inside which a greenlet was left in the ``with``.

    A greenlet is left wherever it waits for anything, in whatever these functions call.
    """
    codes = {function.__code__: function.__name__ for function in functions}
    left: list[str] = []

    def trace(_event: str, greenlets: tuple[Any, Any]) -> None:
        frame: FrameType | None = greenlets[0].gr_frame
        while frame is not None:
            if frame.f_code in codes:
                left.append(codes[frame.f_code])
            frame = frame.f_back

    former = greenlet.settrace(trace)
    try:
        yield left
    finally:
        greenlet.settrace(former)
