"""Secrets are masked by their keys and by what they look like; what is none stays."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.model.conductors import conductor
from canary.model.payload.masking import Masker
from canary.model.payload.payload import MASK, MAX_STRING, decode, owner
from canary.model.payload.secret_keys import SecretKeys
from tests.unit.test_payload import PROPERTY, SECRET, check, kept, posting

# A line of each kind's middle stands for all of it: none of them may be left.
LINES = tuple(f"{SECRET}{'A1b+/' * 11}{number}" for number in range(3))
PRIVATE = "-----BEGIN {0}PRIVATE KEY-----\n{1}\n-----END {0}PRIVATE KEY-----\n"
RSA, PKCS8, EC = (PRIVATE.format(kind, "\n".join(LINES)) for kind in ("RSA ", "", "EC "))
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIBpublic\n-----END CERTIFICATE-----\n"
BASIC = base64.b64encode(f"ann:{SECRET}".encode()).decode()
TOKEN = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI{SECRET}.s1g"

# What names a secret, and stands beside it.
NAMED: tuple[Any, ...] = (
    [{"name": "DB_PASSWORD", "value": SECRET}],
    {"args": ["--password", SECRET]},
    {"env": [["DB_PASSWORD", SECRET]]},
    {"keys": [{"kty": "RSA", "n": "public", "d": SECRET}]},
    {"lines": RSA.split("\n")},
    {"Name": "DB_PASSWORD", "Value": SECRET},
    [{"id": "password", "value": SECRET}, {"variable": "password", "value": SECRET}],
    [{"name": "password", "default": SECRET}, {"name": "password", "values": [SECRET]}],
    [{"name": "password", "plain": SECRET, "type": "str"}, {"key": "db_pass", "now": SECRET}],
    {str(number): line for number, line in enumerate(RSA.split("\n"))},
    [[line] for line in RSA.split("\n")],
    [{"line": line} for line in RSA.split("\n")],
    ["password", SECRET, True],
    ["user", "bob", "password", SECRET],
    ["-password", SECRET],
)
SECRETS = (
    *(RSA, PKCS8, EC, PRIVATE.format("ENCRYPTED ", LINES[0]), PRIVATE.format("OPENSSH ", LINES[0])),
    *(CERTIFICATE + RSA, RSA + CERTIFICATE, RSA + CERTIFICATE + EC, f"see {RSA} there, and {EC}"),
    RSA.replace("\n", "\\n"),
    RSA.replace("\n", ""),
    RSA.replace("\n", " "),
    RSA.replace("\n", "\r\n"),
    RSA.lower(),
    RSA[:100],  # the end is cut off
    CERTIFICATE + RSA[40:],  # the beginning is
    RSA[40:] + CERTIFICATE,
    "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n" + LINES[0],
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n" + LINES[0],
    f"PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 14\n{LINES[0]}",
    base64.b64encode(RSA.encode()).decode(),
    base64.b64encode((CERTIFICATE + RSA).encode()).decode(),
    *(f"Bearer {SECRET}", f"bearer  {SECRET}", f"Authorization: Bearer {SECRET}", f"Basic {BASIC}"),
    *(f"Authorization: Basic {BASIC}", f"curl -H 'Authorization: Basic {BASIC}' http://h/"),
    *(f"Authorization: Token {SECRET}", f"X-Auth-Token: {SECRET}", f"Cookie: a=b; c={SECRET}"),
    *(f"Negotiate {SECRET}", TOKEN, f"see {TOKEN} there"),
    *(f"mysql+pymysql://root:{SECRET}@db/x", f"amqp://a:{SECRET}@h:1,b:{SECRET}@i:2/v"),
    *(f"http://:{SECRET}@h", f"http://a:b@h,http://c:{SECRET}@i", f"x http://u:{SECRET}/x@h y"),
    *(
        f"http://u:p@{SECRET}@h",
        f"http://h:80/,redis://:{SECRET}@i",
    ),
    *(f"http://h/?token={SECRET}&a=b", f"password={SECRET}", f"db_password = '{SECRET}'"),
    *(f"password: {SECRET}", f"private key: {SECRET}", f"login --password {SECRET} -v"),
    *(f"{{'password': '{SECRET}'}}", f"{{'password': ['{SECRET}']}}", f"<password>{SECRET}</x>"),
    *(f'"password": "x\\"{SECRET}"', f"password: |\n  {SECRET}", f"token%3D{SECRET}"),
    *(json.dumps({"password": SECRET}), json.dumps([{"a": {"token": {"b": [SECRET]}}}])),
    json.dumps({"a": json.dumps({"b": json.dumps({"c": json.dumps({"password": SECRET})})})}),
    json.dumps({"p\u0061ssword": SECRET}).replace("a", "\\u0061"),
    json.dumps({"a": RSA}),
    json.dumps({"a": f"http://u:{SECRET}@h"}),
    *(f"DB_PASSWORD=pa{sign}{SECRET};wd" for sign in ",&;<>\"'"),
    *(f"password: it's-{SECRET}", f"--password 'a {SECRET}'", f'mysql --password "a {SECRET}" -v'),
    *(f'bash -c "login --password {SECRET}"', f"password='a'{SECRET}", f"token=a,{SECRET};x"),
    *(f"{{'password': u'{SECRET}'}}", f"{{b'password': b'{SECRET}'}}", f"'pwd': rb'{SECRET}'"),
    *(base64.encodebytes(RSA.encode()).decode().replace("\n", each) for each in ("\n", "\r\n  ")),
    *(base64.b64encode(f"{'x' * number}{RSA}".encode()).decode() for number in range(99, 102)),
    *("x" + base64.b64encode(RSA.encode()).decode(), f"https://h/t/{TOKEN}", f"x-{TOKEN}"),
    base64.b64encode(json.dumps({"a": "b" * 99, "password": SECRET}).encode()).decode(),
    *(f"a.{TOKEN}", f"https%3A%2F%2Fh%2F{TOKEN}"),
    f"-----BEGIN OpenVPN Static key V1-----\n{LINES[0]}\n-----END OpenVPN Static key V1-----",
    *(RSA.replace("PRIVATE KEY", f"PRIVATE{gap}KEY") for gap in ("%20", "+", "  ", "_")),
    f"AGE-SECRET-KEY-1{SECRET}{'Q' * 40}",
    *(f"https://h/?temp_url_sig={SECRET}", f"https://h/?sig={SECRET}&x=1"),
    f'Authorization: Digest username="x", response="{SECRET}"',
    *(f"password=***{SECRET}", f"token=eyJab.cd!{SECRET}", f"Cookie: eyJh.b.c; sid={SECRET}"),
    *(f"--token eyJa.b.c!{SECRET}", f"password: {MASK} {SECRET}", f"<password>a b;{SECRET}</x>"),
    *(f"[('password', '{SECRET}')]", f"('DB_PASSWORD', u\"{SECRET}\")"),
    *(f'<prop name="password" value="{SECRET}"/>', f"- name: password\n  value: {SECRET}"),
    f"name=password value={SECRET}",
    *(f"password: >+\n  {SECRET}", f"password: |2\n  {SECRET}", f"token: !!binary |\n  {SECRET}"),
    *(f"%22password%22%3A%22{SECRET}%22", f"&quot;password&quot;:&quot;{SECRET}&quot;"),
    *(json.dumps(each) for each in NAMED),
    *(json.dumps([NAMED, 1])[:-3], json.dumps([NAMED, "x", 1])[:-5], f"see {json.dumps(NAMED)}."),
    *("\n".join(json.dumps(each) for each in NAMED), json.dumps({"x": [*NAMED, "y"]})[:-2]),
    *(json.dumps({"a": 1, "password": SECRET})[:-3], json.dumps({"password": [[SECRET]]})[:-3]),
)
NO_SECRETS = (
    *("", "active", "a basic plan", "the bearer of news"[:10], "Basic flavor", "PENDING_CREATE"),
    *("http://h:80/a@b", "http://h/a:b", "https://user@host/x", "ssh://git@github.com/a/b"),
    *("a@b.c", "http://[::1]:80/", "10.0.0.1:80", "2026-01-01T10:00:00Z", "x://", "c@host:1"),
    *("cookie_name: SRV", "tokenizer: bpe", "token_count=3", "the token is kept", "a key: a value"),
    *("5c9b1f2e-6a3d-4b8e-9f10-000000000000", "f" * 64, "eyJ", "LS0t", "gAAAAABk", "-----"),
    *("http://auth.example.com:5000/v3", "http://token-service:8080/x", "registry/auth:v1"),
    *("docker.io/org/vault-secret:1.2.3", "flow:create-token:step2", "lb-auth:42", "auth:5000"),
    *("worker@auth-node-3:4711", "auth-node-3:4711", "token-service:8080", "auth.example.com:80"),
    *("vault-secret:1.2.3", "http://auth.example.com: refused", "org/cookie-shop:latest"),
    *("token-service: started", "prompt_tokens=", "{'auth': True}", "auth=None", '{"token": null'),
    CERTIFICATE,
    CERTIFICATE * 3,
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    base64.b64encode(CERTIFICATE.encode()).decode(),
    base64.b64encode(b'{"user":"ann"}').decode(),
    *('{"a": 1,  "b":[true,null, "x"]}', '{"cookie_name":"SRV"}', "[1, 2]", '"text"', "{", "{}"),
    *('he said "yes": fine', '{"u":"http://h/x","m":"a@b"}', '{"u": "http://h:80/", "m": "a@b"}'),
)
SECRET_KEYS = (
    *("password", "adminPass", "admin_pass", "vrrp_auth_pass", "PASSWD", "db-pwd", "sys_pswd"),
    *("passphrase", "key_passphrase", "password2", "old_password", "passwordConfirmation"),
    *("secret", "clientSecret", "secret_uuid", "secret_ref", "psk", "ipsec_psk", "token"),
    *("X-Auth-Token", "tokenId", "refresh_token", "tokens", "cookie", "Set-Cookie", "bearer"),
    *("credential", "credentials", "authorization", "auth", "basic_auth", "auth_key", "otp"),
    *("jwt", "signature", "private", "private_key", "privateKey", "PrivateKeyPem", "private-key"),
    *("api_key", "apikey", "API-KEY", "access_key_id", "ssh_key", "SSLKey", "tls.key", "host_key"),
    *("server_pem", "serverPem", "pem", "key_pem", "certificate", "intermediates", "pkcs12"),
    *("privkey", "priv_key", "pkey", "id_rsa", "ssh_id_ed25519", "keytab", "jks", "pw", "db_pw"),
    *("ipmi_pw", "pwhash", "enc_key", "encrypt_key", "wrapping_key", "kms_key", "wireguard_key"),
    *("deploy_key", "app_key", "consumer_key", "tsig_key", "temp_url_key", "aes256_key", "sig"),
    *("ssh_key2", "temp_url_sig", "tlsKeyFile", "clientKeys", "priv"),
    # those of oslo.utils' strutils.mask_password
    *("adminpass", "admin_password", "auth_token", "new_pass", "auth_password", "configdrive"),
    *("chappassword", "encrypted_key", "fernetkey", "sslkey", "cephclusterfsid", "cephadminkey"),
    *("octaviaheartbeatkey", "rabbitcookie", "cephmanilaclientkey", "pacemakerremoteauthkey"),
    *("designaterndckey", "heatauthencryptionkey", "cephclientkey", "keystonecredential"),
    *("barbicansimplecryptokek", "cephrgwkey", "swifthashsuffix", "migrationsshkey"),
    *("cephmdskey", "cephmonkey"),
    "k" * 300,  # too long for anybody to judge
)
OTHER_KEYS = (
    *("keypair_name", "keypair", "ssh_key_name", "key_name", "tokenizer", "tokenized_at"),
    *("cookie_name", "persistence_cookie_name", "vrrp_auth_type", "auth_method", "auth_url"),
    *("passive", "passengers", "passthrough", "bypass", "compass", "passed", "token_count"),
    *("token_type", "token_url", "token_expires_at", "max_tokens", "password_length", "name"),
    *("password_policy", "has_password", "secret_type", "secretary", "credential_name"),
    *("author", "authority", "authenticated", "tls_certificate_id", "ca_certificate"),
    *("certificates", "ca_pem", "public_key", "monkey", "keyboard", "sort_key", "key", "uuid"),
    *("group_assignment", "timeout_sec_retry", "steps_key", "not_public", "signature_algorithm"),
    *(
        "id_rsa_pub",
        "priv_protocol",
        "assigned",
        "private_network",
        "signal",
        "map_key",
        "privilege",
    ),
    *("host_key_checking", "client_keyspace", "admin_keystone_url", "server_key_exchange"),
    *("access_keyboard", "passport_no", "overpass", "underpass", "token_service", "auth_node_3"),
    *("shared_keyspaces", "service_keyword", "cookie_name_2", "passion", "account_keyed"),
    *("default_tls_container_ref", "sni_containers", "server_group_id", "loadbalancer_id"),
)


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_in_a_value_is_masked(text: str) -> None:
    for details in (
        {"note": text},
        [text],
        {"note": f"before {text} after"},
        [[json.dumps([text])]],
    ):
        shown = str(kept(posting(details=details)))
        assert not leaked(shown)
        assert MASK in shown
    assert not leaked(json.dumps(kept(posting(details={text: 1}))))


def leaked(shown: str) -> bool:
    return any(word in shown.lower() for word in ("hunter", BASIC.lower(), LINES[0][20:].lower()))


@pytest.mark.parametrize("details", NAMED)
def test_what_is_named_by_what_stands_beside_it_is_masked(details: Any) -> None:
    for each in (details, [details], {"a": details}, json.dumps({"a": [details]})):
        shown = str(kept(posting(details=each)))
        assert not leaked(shown)
        assert MASK in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=a b, host=c", "password=***, host=c"),
        ("http://h/?token=a&b=c d", "http://h/?token=***&b=c d"),
        ("mysql --password 'a b' --host c", "mysql --password *** --host c"),
        ("{'password': u'a', 'host': 'c'}", "{'password': u'***', 'host': 'c'}"),
        ("curl -H 'X-Auth-Token: a' http://h/", "curl -H 'X-Auth-Token: ***' http://h/"),
        ("password: a\nhost: c", "password: ***\nhost: c"),
        ('<p name="password" value="a"/><p name="b" value="c"/>',) * 2,
        ("[('password', 'a'), ('host', 'c')]", "[('password', '***'), ('host', 'c')]"),
        ("password=***&host=c", "password=***&host=c"),
        ("DB_PASSWORD=correct horse", "DB_PASSWORD=***"),
        ("- value: a\n  name: password", "- value: ***\n  name: password"),
        ('<p value="b" name="password"/>', '<p value="***" name="password"/>'),
    ],
)
def test_no_more_is_masked_than_the_value(text: str, shown: str) -> None:
    assert Masker().text(text) == shown.replace('"a"', f'"{MASK}"')
    assert Masker().text(shown) == shown.replace('"a"', f'"{MASK}"')


@pytest.mark.parametrize("text", NO_SECRETS)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert kept(posting(details={"note": text, "all": [text]}))["details"] == {
        "note": text,
        "all": [text],
    }
    assert Masker().text(text) == text


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_what_is_under_the_key_of_a_secret_is_masked(key: str) -> None:
    assert kept(posting(details={key: [{"a": SECRET}]}))["details"] == {key: MASK}
    assert kept(posting(details=json.dumps({key: SECRET})))["details"] == json.dumps({key: MASK})


@pytest.mark.parametrize("key", OTHER_KEYS)
def test_what_is_under_another_key_stays(key: str) -> None:
    assert kept(posting(details={key: "shown"}))["details"] == {key: "shown"}
    assert kept(posting(details=f"{key}: shown"))["details"] == f"{key}: shown"


def test_a_listener_of_octavia_is_shown_without_its_tls() -> None:
    container = {
        "id": "7ae2",
        "primary_cn": "example.org",
        "certificate": CERTIFICATE,
        "private_key": PKCS8,
        "passphrase": SECRET,
        "intermediates": [CERTIFICATE],
    }
    listener = {
        "listener_id": "l-1",
        "tls_container": container,
        "server_pem": "gAAAAAB" + SECRET,
        "default_pool": {"session_persistence": {"type": "APP_COOKIE", "cookie_name": "SRV"}},
    }
    found = kept(posting(details={"store": listener}))["details"]["store"]
    masked = dict.fromkeys(("certificate", "private_key", "passphrase", "intermediates"), MASK)
    assert found == {**listener, "tls_container": {**container, **masked}, "server_pem": MASK}


def test_what_stands_beside_a_name_of_a_secret_is_masked() -> None:
    details = {
        "env": [{"name": "DB_PASSWORD", "value": SECRET}, {"name": "HOST", "value": "db"}],
        "headers": [["X-Auth-Token", SECRET], ["Accept", "json"]],
        "header_lines": [f"Authorization: Bearer {SECRET}", "Accept: json"],
        "pairs": [f"token={SECRET}", "user=ann"],
        "columns": ["uuid", "token", "x"],
        "argv": ["mysql", "--password", SECRET, "--host", "db"],
        "jwk": {"kty": "RSA", "n": "public", "d": SECRET},
        "pem": [*RSA.split("\n"), "after"],
    }
    details["lines"] = details.pop("pem")
    shown = kept(posting(details=details))["details"]
    assert not leaked(str(shown))
    assert shown["env"] == [{"name": "DB_PASSWORD", "value": MASK}, {"name": "HOST", "value": "db"}]
    assert shown["headers"] == [["X-Auth-Token", MASK], ["Accept", "json"]]
    assert shown["header_lines"] == [f"Authorization: {MASK}", "Accept: json"]
    assert shown["pairs"] == [f"token={MASK}", "user=ann"]
    assert shown["columns"] == ["uuid", "token", "x"]
    assert shown["argv"] == ["mysql", "--password", MASK, "--host", "db"]
    assert shown["jwk"] == {"kty": "RSA", "n": "public", "d": MASK}
    assert shown["lines"][-1] == "after"


@pytest.mark.parametrize("text", SECRETS)
@pytest.mark.parametrize("left", [1, 5, 12, 30, 60])
def test_a_secret_that_is_cut_in_the_middle_is_masked(text: str, left: int) -> None:
    start = max(text.lower().find("hunter"), 0)
    before = "x " * (MAX_STRING // 2) + "x"
    before = before[: MAX_STRING - 1 - start - left]
    if before.endswith("x"):
        before = before[:-1] + " "
    shown = kept(posting(details={"note": before + text + " after" * 9}))["details"]["note"]
    assert "hunt" not in shown.lower()
    raw = text.encode()[: start + left]
    if not text.startswith(RSA[40:]):  # of that nothing says what it is
        assert "hunt" not in str(decode(raw)).lower() or left < 4


def test_a_token_alone_before_a_host_is_masked_and_a_user_is_not() -> None:
    mask = Masker().text
    assert mask(f"git clone https://{SECRET * 4}@h/x") == "git clone https://***@h/x"
    assert mask("git clone https://git@h/x") == "git clone https://git@h/x"


def test_names_and_owners_are_masked() -> None:
    raw = json.dumps({"uuid": f"http://u:{SECRET}@h", "name": f"token={SECRET}"}).encode()
    payload = decode(raw)
    check(raw, payload)
    assert not leaked(str(payload))
    assert owner(json.dumps({"owner": f"http://u:{SECRET}@h"}).encode()) == "http://***@h"


@pytest.mark.parametrize("text", SECRETS)
def test_an_excerpt_is_masked_by_value(text: str) -> None:
    raw = f"no JSON: {text}".encode()
    payload = decode(raw)
    check(raw, payload)
    assert not leaked(str(payload))


@pytest.mark.parametrize(
    ("more", "masked", "shown"),
    [
        (["community"], ("community", "Community", "COMMUNITY"), ("snmp_community", "communities")),
        (["snmp_community"], ("snmp-community", "snmpCommunity"), ("community",)),
        (["*pin"], ("pin", "card_pin"), ("pinned",)),
        (["pin*"], ("pin", "pinCode"), ("card_pin",)),
        (["*pin*"], ("pin", "card_pin_2", "pinned"), ("pain",)),
    ],
)
def test_an_operators_keys_are_masked_too(
    more: list[str], masked: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    masker = Masker(SecretKeys(more))
    for key, hidden in [(key, True) for key in masked] + [(key, False) for key in shown]:
        for details in ({key: SECRET}, json.dumps({key: SECRET}), f"{key}={SECRET}"):
            text = decode(posting(details=details), masker).text or ""
            assert (SECRET not in text) is hidden
    assert MASK in (decode(posting(password="x"), masker).text or "")


LEAVES = st.sampled_from(SECRETS) | st.text(max_size=10) | st.integers() | st.none()
SAFE = st.sampled_from(OTHER_KEYS)


def wrapped(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return what nests: in objects, lists, JSON in strings, and under the keys of secrets."""
    return (
        st.lists(inner, max_size=3)
        | st.dictionaries(SAFE | st.text(max_size=5), inner, max_size=3)
        | inner.map(json.dumps)
        | inner.map(lambda value: json.dumps({"note": value}))
        | st.sampled_from(SECRET_KEYS[:-1]).map(lambda key: {key: SECRET})
        | st.sampled_from(SECRET_KEYS[:-1]).map(lambda key: json.dumps({key: [SECRET]}))
    )


@PROPERTY
@given(
    st.recursive(LEAVES, wrapped, max_leaves=12), st.sampled_from(SECRETS), st.integers(0, 9_000)
)
def test_no_secret_of_any_nesting_is_in_what_is_stored(
    details: Any, secret: str, filling: int
) -> None:
    raw = posting(details=details, book={"meta": {"x" * 5: secret}}, other=["y" * filling, details])
    payload = decode(raw)
    check(raw, payload)
    assert not leaked(str(payload))


INNOCENT_VALUES: tuple[Any, ...] = (
    *(["password", "email"], ["secret.yaml", "members"], ["token refresh", "ok"]),
    *(["auth", "network"], ["token", "name", "cookie", "user"], ["cookie", "session", "x"]),
    {"name": "passport-svc", "value": 3},
    {"name": "token-service", "value": "10.0.0.1"},
    {"key": "secret-manager-2", "value": "10.0.0.1"},
    *({"pass": 12, "fail": 3}, {"pass": 12, "skipped": 0}, {"pwd": "/home/ann"}, {"PWD": "/"}),
    *({"prompt_tokens": 5}, {"completionTokens": 5.5}, {"tokens": 5}, {"token_used": 7}),
    *({"certificate": None}, {"auth": True}, {"private": False}, {"intermediates": []}),
    *({"name": "auth", "state": "SUCCESS"}, {"name": "password", "type": "string", "owner": "a"}),
    *({"password": {}}, {"name": "password", "value": None}, ["--password", "--host"]),
)
SECRET_VALUES: tuple[dict[str, Any], ...] = (
    *({"pass": 12}, {"password": 12, "fail": 3}, {"pwd": "/hunter2"}, {"token": 5}),
    *({"password": ""}, {"secret_tokens": 5}),
)


@pytest.mark.parametrize("details", INNOCENT_VALUES)
def test_what_only_stands_beside_a_word_of_a_secret_stays(details: Any) -> None:
    assert kept(posting(details=details))["details"] == details
    assert kept(posting(details=json.dumps(details)))["details"] == json.dumps(details)


@pytest.mark.parametrize("details", SECRET_VALUES)
def test_a_number_or_a_path_under_the_key_of_a_secret_is_masked(details: Any) -> None:
    [key, *_] = details
    assert kept(posting(details=details))["details"] == {**details, key: MASK}


def test_keys_that_are_equal_once_masked_keep_their_values() -> None:
    keys = {"tokens:total": "a", "tokens:used": "b", "password=c": 1, "password=d": 2}
    shown = kept(posting(details={**keys, "password=*** (2)": 3}))["details"]
    assert list(shown) == [
        *("tokens:***", "tokens:*** (2)", "password=***", "password=*** (2)", "password=*** (3)")
    ]
    long = kept(posting(details={"k " * 600 + "a": 1, "k " * 600 + "b": 2}))["details"]
    assert len(long) == 2
    assert all(len(key) <= 1024 for key in long)


NAMES = (
    *("worker@auth-node-3:4711", "worker@auth-node-3:4712", "http://auth.example.com:5000/v3"),
    *("flow:create-token:step2", "flow:create-token:step3", "lb-auth:42", "lb-auth:43"),
    *("registry/auth:v1", "token-service:8080", "password:step1", "password:step2", "auth: a"),
)


@pytest.mark.parametrize("name", NAMES)
def test_names_stay_apart(name: str) -> None:
    payload = decode(json.dumps({"uuid": name, "name": name}).encode())
    assert (payload.uuid, payload.name) == (name, name)
    assert owner(json.dumps({"owner": name}).encode()) == name
    metadata = json.dumps({"metadata": {"hostname": name, "pid": 1}}).encode()
    assert conductor(name, metadata, datetime.now(UTC), 1).host == name
