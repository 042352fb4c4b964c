"""Text from a file, in UTF-8 or in the encoding of its byte order mark."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with UTF-16's, so it comes first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decoded(data: bytes) -> str:
    r"""Return the text of a file's ``data``, with \n as the only line end.

    The encoding is that of the byte order mark, or UTF-8 if there is none. Raises
    UnicodeDecodeError, also if there are NUL bytes, as in UTF-16 without such a mark.
    """
    mark, encoding = next((each for each in _MARKS if data.startswith(each[0])), (b"", "utf-8"))
    text = data[len(mark) :].decode(encoding)
    if "\0" in text:
        raise UnicodeDecodeError(encoding, data, 0, len(data), "it has NUL bytes in it")
    return text.replace("\r\n", "\n").replace("\r", "\n")
