"""Whom the server takes a request to be from."""

import re
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.server.protection.proxies import USER, Origin, Proxies, bucket

PROXY, CLIENT = "10.0.0.1", "192.0.2.7"
TRUSTED = ("10.0.0.0/8", "2001:db8::1")

HOSTILE = st.text(alphabet=st.characters(max_codepoint=255))
FORWARDED = ("FOR", "PROTO", "HOST", "PREFIX", "PORT", "SSL")


def origin(peer: str = PROXY, **headers: str) -> Origin:
    proxies = Proxies(TRUSTED, "X-Remote-User")
    return proxies.origin(peer, {f"HTTP_X_{name}": value for name, value in headers.items()})


def seen(peer: str, proxies: Proxies, path: str = "/v2/boards", **headers: str) -> dict[str, Any]:
    """Return the environment that the application sees."""
    found: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], _start: Any) -> list[bytes]:
        found.append(environ)
        return []

    environ = {
        "REMOTE_ADDR": peer,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "inner:8080",
        **{f"HTTP_X_{name}": value for name, value in headers.items()},
    }
    list(proxies.before(application)(environ, None))  # type: ignore[arg-type]
    return found[0]


def test_a_proxy_is_believed() -> None:
    assert origin(
        FORWARDED_FOR=CLIENT,
        FORWARDED_PROTO="https",
        FORWARDED_HOST="canary.example.org:8443",
        FORWARDED_PREFIX="/canary/",
        REMOTE_USER="ann",
    ) == Origin(CLIENT, True, "https", "canary.example.org:8443", "/canary", "ann")


@pytest.mark.parametrize("peer", [CLIENT, "9.255.255.255", "11.0.0.1", "2001:db8::2", "", "x"])
def test_nobody_else_is(peer: str) -> None:
    assert origin(
        peer,
        FORWARDED_FOR=PROXY,
        FORWARDED_PROTO="https",
        FORWARDED_HOST="evil",
        FORWARDED_PREFIX="/evil",
        REMOTE_USER="ann",
    ) == Origin(peer)


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("", PROXY),
        (CLIENT, CLIENT),
        (f"{CLIENT}:4711", CLIENT),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:80", "2001:db8::7"),
        ("::ffff:192.0.2.7", CLIENT),
        (f"{CLIENT}, 10.1.2.3,10.0.0.2", CLIENT),
        (f"1.2.3.4,{CLIENT}", CLIENT),  # what the client itself wrote
        (f"10.9.9.9,{CLIENT}", CLIENT),  # even where it calls itself a proxy
        ("10.9.9.9", "10.9.9.9"),
        (f"{CLIENT},unknown,10.0.0.3", "10.0.0.3"),
        (f"{CLIENT},", PROXY),
        ("x" * 8000, PROXY),
        (",".join([CLIENT, *["10.0.0.2"] * 5000]), "10.0.0.2"),
    ],
)
def test_the_client_is_the_last_one_that_is_no_proxy(chain: str, client: str) -> None:
    assert origin(FORWARDED_FOR=chain).client == client


def test_a_proxy_by_ipv6_and_by_both_at_once() -> None:
    assert origin("2001:db8::1", FORWARDED_FOR=CLIENT).client == CLIENT
    assert origin("::ffff:10.0.0.1", FORWARDED_FOR=CLIENT).client == CLIENT


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"FORWARDED_PROTO": "http, https"}, Origin(PROXY, scheme="https")),
        ({"FORWARDED_PROTO": "HTTPS"}, Origin(PROXY, scheme="https")),
        ({"FORWARDED_PROTO": "javascript"}, Origin(PROXY)),
        ({"FORWARDED_HOST": "a, b.example.org"}, Origin(PROXY, host="b.example.org")),
        ({"FORWARDED_HOST": "[::1]:80"}, Origin(PROXY, host="[::1]:80")),
        ({"FORWARDED_HOST": "a/b"}, Origin(PROXY)),
        ({"FORWARDED_HOST": "a@b"}, Origin(PROXY)),
        ({"FORWARDED_PREFIX": "//evil.example.org"}, Origin(PROXY)),
        ({"FORWARDED_PREFIX": "/a/b"}, Origin(PROXY, prefix="/a/b")),
        ({"FORWARDED_PREFIX": "/"}, Origin(PROXY)),
        ({"FORWARDED_PREFIX": "/a?b"}, Origin(PROXY)),
        ({"REMOTE_USER": "ann,bob"}, Origin(PROXY)),
        ({"REMOTE_USER": " "}, Origin(PROXY)),
        ({"REMOTE_USER": "a\x01"}, Origin(PROXY)),
        ({"REMOTE_USER": "jürgen".encode().decode("latin-1")}, Origin(PROXY, user="jürgen")),
        ({"REMOTE_USER": "\xff"}, Origin(PROXY)),
        ({"REMOTE_USER": "system:ann"}, Origin(PROXY, user="system:ann")),
    ],
)
def test_what_can_not_be_right_is_passed_over(headers: dict[str, str], expected: Origin) -> None:
    assert origin(**headers) == replace(expected, by_proxy=True)


@given(st.dictionaries(st.sampled_from([f"FORWARDED_{n}" for n in FORWARDED]), HOSTILE), HOSTILE)
def test_whatever_a_proxy_passes_on_what_comes_out_is_sound(
    headers: dict[str, str], user: str
) -> None:
    made = origin(REMOTE_USER=user, **headers)
    assert re.fullmatch("[0-9a-f.:]+", made.client)
    assert made.scheme in {None, "http", "https"}
    assert made.host is None or re.fullmatch(r"[\w.\[\]:-]+", made.host, re.ASCII)
    assert made.prefix is None or re.fullmatch(r"(/[\w.~-]+)+", made.prefix, re.ASCII)
    hidden = {"Cc", "Cs", "Zl", "Zp"}  # control characters, half characters, breaks of lines
    assert not hidden.intersection(map(unicodedata.category, made.user or ""))


@given(st.lists(HOSTILE))
def test_no_chain_makes_an_untrusted_peer_somebody_else(chain: list[str]) -> None:
    assert origin(CLIENT, FORWARDED_FOR=",".join(chain)).client == CLIENT


@given(st.lists(HOSTILE), st.ip_addresses())
def test_no_entry_before_the_client_counts(forged: list[str], address: Any) -> None:
    proxies = Proxies(["10.0.0.1"])
    headers = {"HTTP_X_FORWARDED_FOR": ",".join([*forged, "192.0.2.7"])}
    assert proxies.origin("10.0.0.1", headers).client == "192.0.2.7"
    assert proxies.origin(str(address), headers).client in {
        "192.0.2.7",
        str(getattr(address, "ipv4_mapped", None) or address),
    }


def test_what_is_not_believed_is_not_there() -> None:
    proxies = Proxies(TRUSTED, "X-Remote-User")
    for peer in (PROXY, CLIENT):
        said = {f"FORWARDED_{name}": "x" for name in FORWARDED}
        environ = seen(peer, proxies, REMOTE_USER="ann", **said)
        assert not [name for name in environ if name.startswith("HTTP_X_")]
        assert environ[USER] == ("ann" if peer == PROXY else None)
        assert environ["HTTP_HOST"] == ("x" if peer == PROXY else "inner:8080")
        assert environ["wsgi.url_scheme"] == "http"


def test_a_user_is_believed_only_where_there_is_such_a_header() -> None:
    assert seen(PROXY, Proxies(TRUSTED), REMOTE_USER="ann")[USER] is None


@pytest.mark.parametrize(
    ("path", "inner"),
    [
        ("/canary/v2/boards", "/v2/boards"),
        ("/v2/boards", "/v2/boards"),  # the proxy took it off
        ("/canary/", "/"),
        ("/canary", ""),
        ("/canaryx", "/canaryx"),
        ("/canary/canary/x", "/canary/x"),
    ],
)
def test_a_prefix_is_taken_off(path: str, inner: str) -> None:
    for environ in (
        seen(CLIENT, Proxies((), prefix="/canary"), path),
        seen(PROXY, Proxies(TRUSTED), path, FORWARDED_PREFIX="/canary"),
    ):
        assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/canary", inner)


def test_the_prefix_of_the_option_wins() -> None:
    environ = seen(PROXY, Proxies(TRUSTED, prefix="/a"), "/b/x", FORWARDED_PREFIX="/b")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/a", "/b/x")


def test_clients_of_one_ipv6_network_are_one() -> None:
    assert bucket("2001:db8::1") == bucket("2001:db8::ffff:1") == "2001:db8::/64"
    assert bucket("2001:db8:0:1::1") != bucket("2001:db8::1")
    assert bucket("192.0.2.7") == "192.0.2.7"
    assert bucket("") == ""
