"""What the programs write to standard error: one line per event, as text or as JSON.

Promises:

- An event is one line. In text, a traceback follows on indented lines; in JSON, it is in the field
  `exception`.
- Nothing that comes from a board can forge a line or control a terminal, because control characters
  are escaped.
- What stands before an `@` in a URI is masked, so no password in a URI is logged. Private keys,
  tokens and what follows `Bearer` and `Basic` are masked, too.
- The length of a line is bounded.

Other kinds of secrets are not recognized: code that logs a payload must mask it first.

`extra={"board": …, "job": …, "epoch": …, "revision": …}` becomes `board=/x epoch=7` in text, and
keys in JSON. So do the other `EXTRAS`, which describe a request.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime
from typing import Protocol

from canary.model.payload.masking import Masker

EXTRAS = (
    *("board", "job", "epoch", "revision"),
    *("method", "path", "status", "bytes", "ms", "client", "user", "events"),
)

# These log at INFO what is only of use for debugging them.
_CHATTY = ("cassandra", "futurist", "kazoo", "oslo_config", "pymongo", "stevedore", "taskflow")

# Characters. Enough for a message with an excerpt of a payload, and for a deep traceback.
_MAX_MESSAGE, _MAX_TRACEBACK = 8_000, 40_000

_MASKER = Masker()

# C0, DEL, C1, line and paragraph separators, marks of text direction, the byte order mark, lone
# surrogates.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


class Stream(Protocol):
    """What the log is written to, one line with its end at a time."""

    def write(self, text: str, /) -> object:
        """Write a line."""

    def flush(self) -> object:
        """Write what is buffered; called after each line."""


def setup(level: str, style: str, stream: Stream | None = None) -> None:
    """Send everything at or above `level` to `stream` (default: stderr) as `style`, text or json.

    A further call replaces what the last call set up, and nothing else.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_formatter(style))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each.formatter, _Formatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _CHATTY:
        quiet = max(root.level, logging.WARNING)
        logging.getLogger(name).setLevel(root.level if level == "DEBUG" else quiet)


def line(style: str, level: int, name: str, message: str) -> str:
    """Return the line of an event that happens now, as `style`, for a thread that must not log."""
    record = logging.LogRecord.__new__(logging.LogRecord)  # __init__ asks gevent for the thread
    record.__dict__.update(
        name=name, levelno=level, levelname=logging.getLevelName(level), created=time.time()
    )
    record.__dict__.update(msg=message, args=None, exc_info=None)
    return _formatter(style).format(record) + "\n"


def _formatter(style: str) -> _Formatter:
    return _Json() if style == "json" else _Text()


def redact(text: str) -> str:
    """Return `text` with `***` in place of everything that looks like a secret.

    In a URI, that is everything between `://` and the last `@` of the same word.
    """
    if "://" in text:
        text = re.sub(r"\S+", _redact_word, text)
    return _MASKER.shapes(text)


def _redact_word(match: re.Match[str]) -> str:
    word = match.group()
    start, end = word.find("://") + 3, word.rfind("@")
    return f"{word[:start]}***{word[end:]}" if 3 <= start < end else word


def escaped(text: str) -> str:
    """Return `text` with escapes for what ends a line, controls a terminal or turns direction."""
    return _CONTROLS.sub(lambda match: ascii(match.group())[1:-1], text)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"


class _Formatter(logging.Formatter):
    def time(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def message(self, record: logging.LogRecord) -> str:
        return _cut(redact(record.getMessage()), _MAX_MESSAGE)

    def traceback(self, record: logging.LogRecord) -> str:
        text = self.formatException(record.exc_info) if record.exc_info else ""
        return _cut(redact(text), _MAX_TRACEBACK)

    def extras(self, record: logging.LogRecord) -> dict[str, str | int]:
        found = ((name, getattr(record, name, None)) for name in EXTRAS)
        return {
            name: value if isinstance(value, int) else _cut(redact(str(value)), _MAX_MESSAGE)
            for name, value in found
            if value is not None
        }


class _Text(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        words = [self.time(record), record.levelname, record.name, self.message(record)]
        words += [f"{name}={_word(value)}" for name, value in self.extras(record).items()]
        lines = [" ".join(words), *self.traceback(record).split("\n")]
        return "\n    ".join(escaped(line) for line in lines if line)


class _Json(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, str | int] = {
            "time": self.time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": self.message(record),
            **self.extras(record),
        }
        if traceback := self.traceback(record):
            event["exception"] = traceback
        return json.dumps(event)


def _word(value: str | int) -> str:
    """Return a value as text, as a JSON string if its end would not be clear otherwise."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r'[\s"=]|^$', text) else text
