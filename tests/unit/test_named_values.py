"""Where a value begins and ends that stands behind a secret's name: both sides of each bound."""

import pytest

from canary.model.payload.named_values import EQUALS, NamedValues
from canary.model.payload.private_keys import MASK
from canary.model.payload.secret_keys import MAX_KEY, SecretKeys

# In each text the secret stands between these two; where there is none, nothing is masked.
OPEN, CLOSE = "⟦", "⟧"


def check(text: str, **more: frozenset[str]) -> None:
    given = text.replace(OPEN, "").replace(CLOSE, "")
    parts = text.split(OPEN)
    expected = parts[0] + "".join(MASK + part.partition(CLOSE)[2] for part in parts[1:])
    assert NamedValues(SecretKeys()).mask(given, *more.values()) == expected


@pytest.mark.parametrize(
    "text",
    [
        "password='⟦hunter2⟧' name=x",
        "password='⟦h⟧' name=x",
        r"password='⟦hun\'ter2⟧' name=x",
        r"password='⟦hun\'t\'er2⟧' name=x",
        r"password='⟦h\''⟧ name=x".replace("'⟧", "⟧'"),
        r"password='⟦\'h⟧' name=x",
        r"password='⟦h\'t⟧' name='x'",
        r"password='⟦\'\'h⟧' name=x",
        "password='' name=x",
        "password='⟦hunter2⟧",
        r"password='⟦hunter2\'⟧",
        "password='⟦hunter2'tail⟧ name=x",
        "password='⟦hunter2'tail⟧&name=x",
        "password=u'⟦hunter2⟧' name=x",
        "password=%27⟦hunter2⟧%27&name=x",
        "password=%22⟦hunter2⟧%22&name=x",
        "password=&quot;⟦hunter2⟧&quot; name=x",
        "password=&#39;⟦hunter2⟧&#39; name=x",
        r"password=\"⟦hunter2⟧\" name=x",
        "'password': '⟦hunter2⟧', 'name': 'x'",
        "'password' : '⟦hunter2⟧', 'name': 'x'",
        "%22password%22:%22⟦hunter2⟧%22,%22name%22:%22x%22",
    ],
)
def test_between_quotes(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "password=⟦hunter2⟧ name=x",
        "a%20password=⟦hunter2⟧&name=x",
        "a%27sig=⟦hunter2⟧&name=x",
        "%22sig=⟦hunter2⟧&name=x",
        "%27sig=⟦hunter2⟧&name=x",
        "%20sig=⟦hunter2⟧&name=x",
        "x%20sig=⟦hunter2⟧&name=x",
        "20sig=hunter2",
        "x 20sig=hunter2",
        "%21sig=hunter2",
        "%2Fpassword=⟦hunter2⟧&name=x",
        "-password=⟦hunter2⟧ name=x",
        "--db-password=⟦hunter2⟧ name=x",
        ".password=⟦hunter2⟧ name=x",
        "password-=⟦hunter2⟧ name=x",
        "-sig-=⟦hunter2⟧ name=x",
        ".auth.=⟦hunter2⟧ name=x",
        f"{'x' * 2 * MAX_KEY}_password=⟦hunter2⟧ name=x",
        f"password_{'x' * MAX_KEY}=5 name=x",
        f"{'password' * (MAX_KEY // 8)}=⟦hunter2⟧ name=x",
    ],
)
def test_the_name_before_a_sign(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "private key: ⟦hunter2⟧",
        "the private keys: ⟦hunter2⟧",
        "the private KEY: ⟦hunter2⟧",
        "an old private  key: ⟦hunter2⟧",
        f"private{17 * ' '}key: ⟦hunter2⟧",
        f"private{18 * ' '}key: hunter2",
        "primary key: name",
        "private, key: name",
        "private of.key: name",
        "my private key: ⟦hunter2⟧",
        "key: name",
    ],
)
def test_a_key_of_two_words(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "token: ⟦hunter2⟧",
        "token:⟦hunter2⟧",
        "token:8080",
        "token:80800",
        "token:⟦808000⟧",
        "token:v1.2",
        "img@token:latest",
        "'token':⟦8080⟧",
        "'token':⟦8080 and 'x'⟧",
        "password:⟦8080⟧",
        "http://password:8080/x",
        "http://token=⟦hunter2⟧ x",
        "a/token:x",
        "a:token:x",
        "a@token:x",
        "a/password:⟦x⟧",
        "secret.com:x",
        "secret.com: ⟦x⟧",
        "secret.example.com: up",
        "a.b.secret.example.com: up",
        "x.api.key: ⟦hunter2⟧",
        "db.password:⟦x⟧",
        "secret-worker:x",
        "secret-worker:X",
        "https:token:x",
        "secret-worker: ⟦x⟧",
        "secret-worker:\t⟦x⟧",
        "secret-worker:'⟦x⟧'",
        r"secret-worker:⟦\nx⟧",
        "secret-worker:%20⟦x⟧",
        "secret-worker:⟦&x⟧",
        "token-refresh: step",
    ],
)
def test_behind_a_colon_may_be_a_port_a_tag_or_a_step(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "password: ⟦hunter2 and more⟧\nname: x",
        "password: ⟦hunter2 and more⟧\r\nname: x",
        "password => ⟦hunter2 and more⟧\nname => x",
        "'password: ⟦hunter2⟧' name: x",
        '"password: ⟦hunter2⟧" name: x',
        "'password: ⟦hunter2⟧' and 'more'",
        "'password: ⟦hunter2⟧\nname: x",
        "password: '' name: x",
        "password: ⟦|\n  hunter2\n  more⟧",
        "password: ⟦>-\n  hunter2⟧",
        "password: ⟦!!str |\n  hunter2⟧",
        "password: ⟦| # why\n  hunter2⟧",
        "password: ⟦[1,\n 2]⟧",
        "password: ⟦{a:\n 1}⟧",
        "password: ⟦(1,\n 2)⟧",
        "<password>⟦hunter2 and more⟧</password><name>x</name>",
        "<a><password>⟦hunter2⟧</password></a> <b>x y</b>",
        "<password>⟦hunter2⟧",
        "a->password>⟦hunter2⟧ x",
        "<password=⟦hunter2⟧ x",
    ],
)
def test_values_of_lines_and_elements(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "password=⟦a b c⟧",
        "password=⟦a b c⟧\nname=x",
        "- password=⟦a b c⟧",
        "export password=⟦a b c⟧",
        "set password=⟦a b c⟧",
        "x password=⟦a⟧ b c",
        "password>⟦a⟧ b c",
        "password=⟦a b⟧ name=c",
        "password=⟦a, b⟧",
        "password=⟦a⟧&b=c",
        "password=⟦a⟧;b=c",
        "password=⟦a%26b⟧",
        "x=1 password=⟦a&b⟧",
        "x=1 password=⟦a%20b⟧",
        "x=1 password=⟦a⟧%26b",
        "x=1 password=⟦a⟧,name=2",
        "x=1 password=⟦a⟧, b",
        "x=1 password=⟦a⟧;",
        "password=None name=x",
        "password=null,name=x",
        "password=[] name=x",
        "password={} name=x",
        "password=true",
        "password=⟦Nonesuch⟧ name=x",
        "password=",
        "password:",
    ],
)
def test_what_stands_alone_and_what_stands_in_a_row(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "name=password value=⟦x⟧",
        "name: password\nvalue: ⟦x⟧",
        "value=⟦x⟧ name=password",
        "name=size value=5",
        "value=5 name=size",
        f"name=password{200 * ' '}value=⟦x⟧",
        f"name=password{201 * ' '}value=x",
        "name=password name=size value=5",
        "value=5 name=size name=password",
        f"{300 * 'x'} value=⟦x⟧ name=password",
        f"{300 * 'x'} value=⟦x⟧{199 * ' '}name=password",
        f"{300 * 'x'} value=x{200 * ' '}name=password",
    ],
)
def test_a_name_that_is_itself_a_value(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "--password ⟦x⟧ --name y",
        "-password ⟦x⟧",
        "run '--password' x",
        "--password ⟦'x y'⟧ --name z",
        '--password ⟦"x y"z⟧ --name z',
        "--password ⟦x⟧ --token ⟦y⟧",
        "--password --name x",
        "x--password y",
        "--password",
        "--name x",
    ],
)
def test_an_option_and_its_argument(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "('password', '⟦x⟧')",
        '["password", "⟦x⟧"]',
        "(u'password', u'⟦x⟧')",
        "('password', '⟦x⟧'), ('name', 'y')",
        r"('password', '⟦x\'y⟧')",
        "('password', 'token')",
        "('name', 'x')",
    ],
)
def test_a_name_and_its_value_in_a_tuple(text: str) -> None:
    check(text)


def test_in_the_name_of_something_only_equal_signs_count() -> None:
    for text in (
        *("password=⟦x⟧", "password%3D⟦x⟧ y", "password: x", "('password', 'x')"),
        "zone: b password=⟦x⟧",
    ):
        check(text, signs=EQUALS)
