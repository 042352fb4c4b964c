"""Check the options in MongoDB's URI: the driver must know each, and each must be well-formed.

The driver itself only warns about an option that it does not know, or a value that it can't use.
Other options it refuses in words that may contain a part of the password. Here the error names the
option, and never quotes a value that may be a secret.
"""

import difflib
import logging
import re
import warnings
from typing import Final
from urllib.parse import unquote_plus

from pymongo import common, uri_parser

from canary.errors import ConfigError

LOG = logging.getLogger(__name__)

OPTION: Final = "[mongo] uri"

#: What Canary depends on, in lower case: it sets these itself, whatever the URI says.
OWN: Final = frozenset(
    {
        *("appname", "w", "journal", "fsync", "wtimeoutms", "readconcernlevel", "retrywrites"),
        *("readpreference", "readpreferencetags", "maxstalenessseconds"),
        *("timeoutms", "serverselectiontimeoutms", "maxpoolsize", "minpoolsize"),
        *("tz_aware", "datetime_conversion", "unicode_decode_error_handler", "uuidrepresentation"),
        *("connect", "driver", "server_api"),
    }
)
_SECRET: Final = frozenset({"tlscertificatekeyfilepassword", "authmechanismproperties"})
_KNOWN: Final = {name.lower(): name for name in common.URI_OPTIONS_VALIDATOR_MAP}


def without_own(uri: str) -> str:
    """Return ``uri`` without the options that Canary sets itself, and log which those are.

    Raises ConfigError, which names the option, if one is unknown or ill-formed.
    """
    address, mark, query = uri.partition("?")
    if not mark:
        return uri
    if "@" in query or "/" in address.partition("://")[2].rpartition("@")[0]:
        raise _wrong(
            "is not a valid MongoDB URI: percent-encode the user and the password in it, or set"
            " [mongo] username and password"
        )
    kept: list[str] = []
    own: list[str] = []
    for pair in re.split("[&;]", query):
        name, equals, value = pair.partition("=")
        if not pair:
            continue
        _check(name, equals, unquote_plus(value))
        (own if name.lower() in OWN else kept).append(pair)
    if own:
        names = ", ".join(sorted({pair.partition("=")[0] for pair in own}))
        LOG.warning("%s: %s is ignored, because Canary sets it itself", OPTION, names)
    if problem := _problem("&".join(kept)):
        raise _wrong(f"has options that exclude each other: {problem}. Remove one of them")
    return f"{address}?{'&'.join(kept)}" if kept else address


def _check(name: str, equals: str, value: str) -> None:
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,63}", name):
        raise _wrong("has text after the ? that is not an option: write name=value, joined by &")
    if name.lower() not in _KNOWN:
        near = difflib.get_close_matches(name.lower(), _KNOWN, n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise _wrong(f"has an option that MongoDB's driver does not know: {name}{meant}. Remove it")
    if name.lower() in OWN:
        return  # the value is not used
    if not equals or not value:
        raise _wrong(f"has the option {name} without a value. Write {name}=VALUE, or remove it")
    problem = _problem(f"{name}={value}")
    if problem is not None:
        is_told = name.lower() not in _SECRET and value.lower() not in problem.lower()
        told = f" ({problem})" if is_told else ""
        raise _wrong(
            f"has a value of {name} that MongoDB's driver does not accept{told}. Correct it"
        )


def _problem(query: str) -> str | None:
    """Return what the driver objects to in the options, or None."""
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            if query:
                uri_parser.split_options(query, validate=True, warn=False)
        unsupported = [str(each.message) for each in warned if "Unsupported" in str(each.message)]
        if unsupported:
            return unsupported[0].rstrip(".")
    except Exception as error:  # noqa: BLE001 -- whatever its validators raise
        return " ".join(str(error).split()).rstrip(".")
    return None


def _wrong(what: str) -> ConfigError:
    return ConfigError(f"{OPTION} {what}.", option=OPTION)
