"""What the programs write to standard error: one line an event, as text or as JSON.

Promises: an event is one line (a traceback follows in text on indented lines of its own, in JSON in
the field `exception`); nothing that comes from a board can forge a line or steer a terminal, for
control characters are escaped; what stands before an `@` in a URI is masked, so that no password in
a URI is written; no line grows without a bound. Does not look for secrets of any other shape: what
logs a payload masks it first.

`extra={"board": …, "job": …, "epoch": …, "revision": …}` become `board=/x epoch=7` or JSON keys; so
do the facts of a request.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

EXTRAS = (
    *("board", "job", "epoch", "revision"),
    *("method", "path", "status", "bytes", "ms", "client", "user", "events"),
)

# These tell at INFO what only somebody who debugs them wants to know.
_CHATTY = ("cassandra", "futurist", "kazoo", "oslo_config", "pymongo", "stevedore", "taskflow")

# Characters. Enough for a message with an excerpt of a payload, and for a deep traceback.
_MAX_MESSAGE, _MAX_TRACEBACK = 8_000, 40_000

# C0, DEL, C1, line and paragraph separators, what changes the direction of text, lone surrogates.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def setup(level: str, style: str, stream: TextIO | None = None) -> None:
    """Send everything at or above `level` to `stream` (default: stderr) as `style`, text or json.

    May be called again, which replaces what the call before set up and nothing else.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_Json() if style == "json" else _Text())
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each.formatter, _Formatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _CHATTY:
        quiet = max(root.level, logging.WARNING)
        logging.getLogger(name).setLevel(root.level if level == "DEBUG" else quiet)


def redact(text: str) -> str:
    """`text` with `***` for all that stands between `://` and the last `@` of the same word."""
    if "://" not in text:
        return text
    return re.sub(r"\S+", _redact_word, text)


def _redact_word(match: re.Match[str]) -> str:
    word = match.group()
    start, end = word.find("://") + 3, word.rfind("@")
    return f"{word[:start]}***{word[end:]}" if 3 <= start < end else word


def _escape(text: str) -> str:
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
        return "\n    ".join(_escape(line) for line in lines if line)


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
    """As it is, or in JSON's quotes where a reader could not tell its end otherwise."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r'[\s"=]|^$', text) else text
