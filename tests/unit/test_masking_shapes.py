"""Where a secret that is known by its look begins and ends: at each bound, both sides of it."""

import base64

import pytest

from canary.model.payload.masking import Masker
from canary.model.payload.private_keys import MASK

BEGINNING = "-----BEGIN PRIVATE KEY-----"
USER = "t" * 20  # as long as what is taken for a token where it stands alone


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:p@h", f"http://{MASK}@h"),
        ("http://:p@h/x", f"http://{MASK}@h/x"),
        ("http://u:ab/x@h", f"http://{MASK}@h"),  # that is no port
        ("http://u:a1/x@h", f"http://{MASK}@h"),
        ("http://u:p:1/x@y", f"http://{MASK}@y"),
        ("http://h:1/x@y",) * 2,
        ("http://h:12345/x@y",) * 2,
        ("http://h:123456/x@y", f"http://{MASK}@y"),
        ("http://h:80@y", f"http://{MASK}@y"),
        ("http://h/a:b@c",) * 2,
        ("http://h/a:b/c@d",) * 2,
        (f"http://{USER}@h/x", f"http://{MASK}@h/x"),
        (f"http://{USER[1:]}@h/x",) * 2,
        (f"see a@b and http://{USER}@h", f"see a@b and http://{MASK}@h"),
        (f"http://h/{USER}@x/y",) * 2,
        (f"http://{USER}/x@y",) * 2,
        (f"http://a@{USER}@h",) * 2,
        (f"http://a@{USER * 2}",) * 2,
        ("http://h/x y:z@w",) * 2,
        ("http://h@x and y:z/w",) * 2,
        ("http://a@b x:y/z",) * 2,
        ("http://h http://u:p@h", f"http://h http://{MASK}@h"),
        ("a://u:p@h b://u:q@h c://u:r@h", f"a://{MASK}@h b://{MASK}@h c://{MASK}@h"),
        ("http://h/http://u:p@h", f"http://h/http://{MASK}@h"),
    ],
)
def test_user_and_password_in_a_uri(text: str, shown: str) -> None:
    assert Masker().text(text) == shown
    assert Masker().text(f"{text} after", is_cut=True) == f"{shown} after"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:p", f"http://{MASK}"),
        (f"http://{USER}", f"http://{MASK}"),
        (f"http://{USER[1:]}",) * 2,
        ("see the address http://h",) * 2,
        (f"http://{USER}/x",) * 2,
        (f"http://ann@{USER}",) * 2,
        (f"http://{USER}@h", f"http://{MASK}"),
        ("http://h:80/x",) * 2,
        ("http://h:123456/x", f"http://{MASK}"),
        (f"http://{USER}/x y/z",) * 2,
    ],
)
def test_user_and_password_that_are_cut(text: str, shown: str) -> None:
    assert Masker().text(text, is_cut=True) == shown


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("word", "is_secret"),
    [
        (encoded("a:b"), True),
        (encoded("abc:"), True),
        (encoded("abc:").rstrip("="), True),
        (encoded("abcd:"), True),
        (encoded("abcd:").rstrip("="), True),
        (encoded("ab:") + "Z", True),  # what is less than a byte says nothing
        (encoded("ab:") + "Z=", True),
        ("Pz4-On8_", True),  # as in URIs
        ("Pz4_On-_", True),
        ("fn5-Og", True),
        ("fn5_Og", True),
        ("\u00e9", False),
        ("Y\u00e9", False),
        (encoded("user:passw"), True),
        ("0123456789abcdeF", True),
        ("123456789abcdeF", False),
        ("0123456789abcdef", False),
        ("AbcdefghIjklmnop", False),
        ("authenticationisrequired", False),
        ("authentication", False),
        ("auth2", False),
    ],
)
def test_what_stands_behind_basic(word: str, *, is_secret: bool) -> None:
    text = f"it uses Basic {word} there"
    assert Masker().text(text) == (f"it uses Basic {MASK} there" if is_secret else text)
    assert Masker().text(f"Basic {word}", is_cut=True) == f"Basic {MASK}", "it may have gone on"


WORDS = "the quick brown fox jumps over the lazy dog " * 3  # more than are looked at in any case


@pytest.mark.parametrize(
    ("plain", "is_secret"),
    [
        (WORDS, False),
        (f"{WORDS}password=hunter2", True),
        (f"ab~{WORDS}password=hunter2", True),
        (f"ab?{WORDS}password=hunter2", True),
        (f"{WORDS}http://ann:hunter2", True),  # it may have been cut
        (f"{WORDS}http://{USER[1:]}W", True),
    ],
)
def test_a_text_in_base64(plain: str, *, is_secret: bool) -> None:
    word = encoded(plain)
    for shown in (word, word.replace("+", "-").replace("/", "_"), word.rstrip("=")):
        assert Masker().text(f"x {shown}, y") == f"x {MASK if is_secret else shown}, y"


@pytest.mark.parametrize(("place", "is_secret"), [(85, False), (86, True), (120, True)])
def test_what_is_text_but_for_its_end_may_hold_a_secret(place: int, *, is_secret: bool) -> None:
    raw = bytearray(b"password=hunter2 ".ljust(121, b"x"))
    raw[place] = 0xFF
    word = base64.b64encode(raw).decode()
    assert Masker().text(word) == (MASK if is_secret else word)


def test_what_is_too_deep_to_be_decoded_is_masked() -> None:
    word = encoded(WORDS)
    assert Masker().text(word, levels=1) == word
    assert Masker().text(word, levels=0) == MASK
    twice = encoded(word)
    assert Masker().text(twice, levels=2) == twice
    assert Masker().text(twice, levels=1) == MASK
    for inner in ("[c", "{c", "c"):
        text = f'left "a \\"b\\" {inner}" x'
        assert Masker().text(text, levels=2) == text
        assert Masker().text(text, levels=1) == (text if inner == "c" else f'left "{MASK}" x'), (
            "what it holds isn't known"
        )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://token:5000/x",) * 2,  # a host and its port
        ("ab://token:abc",) * 2,
        ("see http://token.example:80",) * 2,
        ("token.example.org:5000",) * 2,
        ("db.token.org:value",) * 2,
        ("token.service:run",) * 2,
        ("token-service:start",) * 2,
        ("repo/token:latest",) * 2,  # an image and its tag
        ("repo:token:v1",) * 2,
        ("@token:latest",) * 2,
        ("x//token:abc",) * 2,
        ("repo/password:abc", f"repo/password:{MASK}"),  # but for a password, which is no image
        ("password:latest", f"password:{MASK}"),
        ("my.password:value", f"my.password:{MASK}"),
        ("a.b.password:value", f"a.b.password:{MASK}"),
        ("password.example.org:abc",) * 2,
        ("token:abc", f"token:{MASK}"),
        ("x token: abc", f"x token: {MASK}"),
        ("token:'abc'", f"token:'{MASK}'"),
        ("token:&b", f"token:{MASK}"),
        ("token:\\nabc", f"token:{MASK}"),
        ("token:%20abc", f"token:%20{MASK}"),
        ("auth.token:abc", f"auth.token:{MASK}"),
        ("token:",) * 2,
    ],
)
def test_what_stands_behind_a_colon(text: str, shown: str) -> None:
    assert Masker().text(text) == shown
    assert Masker().text(f"x {text}") == f"x {shown}"


@pytest.mark.parametrize("name", ['"password"', r'"pass\u0077ord"'])
@pytest.mark.parametrize("colon", [":", ": ", " : ", "\n:\n"])
@pytest.mark.parametrize(
    ("value", "rest"),
    [
        ("5", ', "name": "octavia"'),
        ("5", "} and more"),
        ("5", "] and more"),
        ("5", " and more"),
        ("5", ""),
        ('"hunter2"', ', "name": "octavia"'),
        (r'"hun\"ter2"', ', "name": "octavia"'),
        ('{"a": [1, "}"]}', ', "name": "octavia"'),
        (r'{"a": [1, "\"}"], "b": 2}', ', "name": "octavia"'),
        ('[{"a": 1}, {"b": 2}]', ', "name": "octavia"'),
        ('[[1], "]", 2]', ', "name": "octavia"'),
        ("[1, 2", ""),
        ('[1, "hunt', ""),
        ('{"a": "hunt', ""),
        ('"hunter2', ""),
        ('"hunter\\', ""),
    ],
)
def test_the_value_of_a_secrets_key_outside_of_any_json(
    name: str, colon: str, value: str, rest: str
) -> None:
    shown = Masker().text(f"left {name}{colon}{value}{rest}")
    assert shown == f'left {name}{colon}"{MASK}"{rest}'


@pytest.mark.parametrize("value", ["null", "true", "false", "None", "True", "False", "[]", "{}"])
def test_a_value_that_says_nothing_outside_of_any_json(value: str) -> None:
    text = f'left "password": {value}, "name": "octavia"'
    assert Masker().text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            r'left "\u0042earer abc" and "\u0042earer def" there',
            f'left "Bearer {MASK}" and "Bearer {MASK}" there',
        ),
        (
            'left "password": 5, "size": 6, "token": 7 there',
            f'left "password": "{MASK}", "size": 6, "token": "{MASK}" there',
        ),
        (
            r'left "a": "\u0042earer abc", "token": 7, "b": "\u0042earer abc"',
            f'left "a": "Bearer {MASK}", "token": "{MASK}", "b": "Bearer {MASK}"',
        ),
        ('left "a\nb \\u0042earer abc" there', rf'left "a\nb Bearer {MASK}" there'),
        (
            r'left "\x {\"password\": \"hunter2\"}" there',
            rf'left "\\x {{\"password\": \"{MASK}\"}}" there',
        ),
        (
            r'left "\x {\"a\": \"{\\\"password\\\": \\\"hunter2\\\"}\"}" there',
            rf'left "\\x {{\"a\": \"{{\\\"password\\\": \\\"{MASK}\\\"}}\"}}" there',
        ),
        ('left "password": "a, b} c] d" there', f'left "password": "{MASK}" there'),
    ],
)
def test_strings_outside_of_any_json(text: str, shown: str) -> None:
    assert Masker().text(text) == shown


def test_only_what_the_cut_is_in_may_have_gone_on() -> None:
    text = r'left "\u0042asic abc'
    assert Masker().text(text) == text
    assert Masker().text(text, is_cut=True) == f'left "Basic {MASK}"'
    assert Masker().text(f'{text}" x', is_cut=True) == f'{text}" x'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('["http://u:p", "b',) * 2,
        ('["http://u:p',) * 2,
        ('["Basic abc"]',) * 2,
        ("see http://u:p",) * 2,
        ("x LS0tLS1",) * 2,
        ("x LS0tLS1 y",) * 2,
        ("x eyJhIjog",) * 2,
        ("x eyJhIjog y",) * 2,
        ("x/eyJhIjog",) * 2,
        ("x%3DeyJhIjog",) * 2,
        (f'[1, "{BEGINNING}", "MIIB"]', f'[1, "{MASK}", "{MASK}"]'),
        ("x eyJhbGciOiJIUzI1NiJ9.abc.d-f= y", f"x {MASK} y"),
        ("x=eyJhbGciOiJIUzI1NiJ9.abc", f"x={MASK}"),
        ("xeyJhbGciOiJIUzI1NiJ9.abc",) * 2,
        ("Negotiate YIIabc x", f"Negotiate {MASK} x"),
        ("BEARER%20abc x", f"BEARER%20{MASK} x"),
        ("x eyJhIjogMX0= y",) * 2,
        ("x eyJwYXNzd29yZCI6ICJ4In0= y", f"x {MASK} y"),
        (f"x {encoded('---password=xy')} y", f"x {MASK} y"),
        (f"x {encoded('...password=xy')} y",) * 2,
        (encoded("password=hunter2 ".ljust(75, "x")), MASK),
        (encoded("password=hunter2 ".ljust(74, "x")).rstrip("="),) * 2,
        (base64.encodebytes(f"{WORDS}password=hunter2".encode()).decode()[:-1], MASK),
        (base64.encodebytes(WORDS.encode()).decode(),) * 2,
    ],
)
def test_what_is_not_cut(text: str, shown: str) -> None:
    assert Masker().text(text) == shown
    assert Masker().text(f"{text} ... x", is_cut=True) == f"{shown} ... x" or text[0] == "["


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('["http://u:p", "b',) * 2,
        ('["http://u:p', f'["http://{MASK}'),
        ('["Basic abc"]',) * 2,
        ("x LS0tLS1", f"x {MASK}"),
        ("x eyJhIjog", f"x {MASK}"),
        ("x/eyJhIjog", f"x/{MASK}"),
        ("x%3DeyJhIjog", f"x%3D{MASK}"),
        ("x abcdefgh",) * 2,
    ],
)
def test_what_is_cut_may_have_gone_on(text: str, shown: str) -> None:
    assert Masker().text(text, is_cut=True) == shown


def test_strings_in_json_are_a_level_deeper() -> None:
    for inner in ("[c", "{c", "X"):
        text = f'["a \\"b\\" {inner}"]'
        assert Masker().text(text, levels=2) == text
        assert Masker().text(text, levels=1) == (text if inner == "X" else f'["{MASK}"]')


def test_by_its_look_alone() -> None:
    assert Masker().shapes("password=x http://u:p") == "password=x http://u:p"
    assert Masker().shapes("password=x http://u:p", is_cut=True) == f"password=x http://{MASK}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("token:worker-1",) * 2,
        ("octavia-worker-1",) * 2,
        ("x password=hunter2 y", f"x password={MASK} y"),
        ("http://u:p@h", f"http://{MASK}@h"),
        ('{"token": "x"}', f'{{"token": "{MASK}"}}'),
    ],
)
def test_of_the_name_of_something(text: str, shown: str) -> None:
    assert Masker().identity(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see password hunter2", f"see password{MASK}"),
        ("my api key hunter2", f"my api key{MASK}"),
        ("my api/key hunter2", f"my api/key{MASK}"),
        ("my api  key hunter2",) * 2,
        ("api my key hunter2",) * 2,
        ("key hunter2",) * 2,
        ("http://my-service-of-the-token x", f"http://my-service-of-the-token{MASK}"),
        ("http://u:p@h token x", f"http://{MASK}@h token{MASK}"),
        (f"{'password'.rjust(256, 'x')} y", f"{'password'.rjust(256, 'x')}{MASK}"),
        (f"{'password'.rjust(257, 'x')} y",) * 2,
        (f"{'api'.rjust(252, 'x')} key y", f"{'api'.rjust(252, 'x')} key{MASK}"),
        (f"{'api'.rjust(253, 'x')} key y",) * 2,
        ("see http://ann:hunter2", f"see http://{MASK}"),
        ("nothing in it",) * 2,
    ],
)
def test_of_what_has_no_form(text: str, shown: str) -> None:
    assert Masker().excerpt(text) == shown


def test_an_operators_own_keys() -> None:
    assert Masker.of(["colour"]).text("x colour=red y") == f"x colour={MASK} y"
    assert Masker().text("x colour=red y") == "x colour=red y"
