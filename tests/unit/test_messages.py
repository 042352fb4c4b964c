"""What people read of what went wrong: no number without an end, no two full stops."""

import inspect
import re

import pytest
from cassandra.cluster import NoHostAvailable
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import ServerSelectionTimeoutError

from canary import errors
from canary.cli.checks import finding
from canary.errors import CanaryError, tidied
from canary.stores.cassandra.cluster import errors_as_ours as cassandra_errors_as_ours
from canary.stores.mongo.client import errors_as_ours

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
WORDS = ["it failed.", "it failed", "no answer within 9.999892159999945s", "Host 'a.b..'", "a: b."]
TEMPLATES = ["{}", "{}.", "[mongo] uri: {}. Mend it.", "x ({}), y", "x: {}; check z", "{}: y"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("it is gone..", "it is gone."),
        ("line 3: it is gone.. Mend it.", "line 3: it is gone. Mend it."),
        ("it is gone.; check x", "it is gone; check x"),
        ("Timeout: 9.999892159999945s", "Timeout: 10s"),
        ("0.12345678 s of 1234.5678", "0.123 s of 1235"),
        ("and so on... and on…", "and so on... and on…"),
        ("ZooKeeper does not allow the names '.' and '..'", None),
        ("/a/.. is no board", None),
        ("MongoDB 6.0.5 on 127.0.0.1:27017, 10.0.0.1234", None),
        ("1.5 s, 0.25", None),
        ("", None),
    ],
)
def test_what_is_tidied(text: str, shown: str | None) -> None:
    assert tidied(text) == (text if shown is None else shown)


@given(st.sampled_from(WORDS) | st.text(max_size=30), st.sampled_from(TEMPLATES))
def test_no_message_ends_with_two_full_stops_or_has_a_number_without_an_end(
    words: str, template: str
) -> None:
    for shown in (
        str(CanaryError(template.format(words))),
        finding.failed(template.format(words), template.format(words)).words,
        finding.failed("x", template.format(words)).advice,
    ):
        assert not re.search(r"[^\s./'\"]\.\.$", shown)
        assert tidied(shown) == shown


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_tidied(kind: type[CanaryError]) -> None:
    assert str(kind("it failed.. after 9.999892159999945 s")) == "it failed. after 10 s"


def test_what_the_driver_says_of_time_is_left_out() -> None:
    refused = "[Errno 111] Connection refused"
    timeouts = "(configured timeouts: socketTimeoutMS: 20000.0ms, connectTimeoutMS: 20000.0ms)"
    raised = ServerSelectionTimeoutError(
        f"h:1: {refused} {timeouts},i:2: {refused} {timeouts},"
        " Timeout: 9.999892159999945s, Topology Description: <TopologyDescription id: 1>"
    )
    with pytest.raises(CanaryError) as caught, errors_as_ours():
        raise raised
    assert str(caught.value) == f"MongoDB does not answer: h:1: {refused},i:2: {refused}"


def test_of_cassandra_s_hosts_each_says_what_is_wrong_with_it() -> None:
    tried = "Tried connecting to [('10.0.0.1', 9042)]. Last error: Connection refused"
    hosts = {"10.0.0.1:9042": ConnectionRefusedError(111, tried), "10.0.0.2:9042": TimeoutError()}
    with pytest.raises(CanaryError) as caught, cassandra_errors_as_ours():
        raise NoHostAvailable("Unable to connect to any servers", hosts)
    assert str(caught.value) == (
        "Cassandra does not answer: 10.0.0.1:9042: Connection refused; 10.0.0.2:9042: TimeoutError"
    )
